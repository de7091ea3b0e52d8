"""Opening a study for a command that needs its images."""

from __future__ import annotations

from pathlib import Path

from visteer.cli.output import progress_bar
from visteer.study import Study


def open_study(folder: Path) -> Study:
    """The study in `folder`; its images are decoded again, with a progress bar, where the cache is gone.

    Raises:
        VisteerError: it is no study, or is damaged.
    """
    study = Study(folder)
    with progress_bar("decoding the images again") as bar:
        study.image_cache(bar)
    return study
