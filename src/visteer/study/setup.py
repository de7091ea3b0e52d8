"""From a folder of images to a study: read, check, group near-duplicates, split, decode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from visteer.data.duplicates import find_duplicate_groups
from visteer.data.inspection import check_files, drop_bad
from visteer.data.names import show_name
from visteer.data.readers import read_catalogue
from visteer.data.sample import Problem
from visteer.data.splits import split_samples
from visteer.errors import VisteerError
from visteer.models import build_classifier, find_target_layer
from visteer.models.target_layer import map_grid
from visteer.study.study import Study, StudySettings

OnBad = Literal["stop", "skip"]
Progress = Callable[[str, int, int], None]

FEWEST_CELLS = 4
"""Maps with fewer rows or columns than this get a warning: 7 x 7 is what a ResNet has at 224 px."""


class BadFiles(VisteerError):
    """Files of the data set cannot be used; `problems` has them all."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(
            f"{len(problems)} file(s) cannot be used; mend them, or leave them out with --on-bad skip"
        )


@dataclass(frozen=True)
class NewStudy:
    """A study just made, what was noticed on the way, the grid of its maps, and in words where its weights are from."""

    study: Study
    problems: tuple[Problem, ...]
    maps: MapGrid
    weights: str


@dataclass(frozen=True)
class MapGrid:
    """The layer of a study's maps, and their rows and columns of cells."""

    layer: str
    rows: int
    columns: int

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.rows} x {self.columns} cells at {self.layer}"

    @property
    def coarse(self) -> bool:
        """Whether to say `warning`."""
        return min(self.rows, self.columns) < FEWEST_CELLS

    @property
    def warning(self) -> str:
        """What to say of maps that have few cells."""
        return (
            f"maps have {self.text} only: what is smaller than a cell cannot be told apart; "
            "a layer further inside the network or larger images give more"
        )


def make_study(
    folder: Path, settings: StudySettings, *, on_bad: OnBad = "stop", progress: Progress | None = None
) -> NewStudy:
    """Make a study in `folder` from the images that `settings` name.

    `progress` is called with (what, done, total).

    Raises:
        BadFiles: some files cannot be used and `on_bad` is "stop".
        VisteerError: the images cannot be read, the model cannot be had, or the folder is taken.
    """
    _check_names(folder, settings)
    if (folder / "visteer.toml").exists():
        raise VisteerError(f"{folder} holds a study already; choose another folder or delete it")
    catalogue = read_catalogue(
        settings.layout,
        settings.images,
        masks=settings.masks,
        irrelevant_masks=settings.irrelevant_masks,
        classes=settings.classes,
    )
    if len(catalogue.classes) < 2:
        raise VisteerError(
            f"{settings.images} has one class only ({catalogue.classes[0]!r}); a classifier needs two"
        )
    maps, weights = _check_model(settings, catalogue.classes)
    problems = check_files(catalogue, _named(progress, "checking files"))
    bad = tuple(problem for problem in problems if problem.severity == "error")
    if bad and on_bad == "stop":
        raise BadFiles(bad)
    catalogue = drop_bad(catalogue, problems)
    groups = find_duplicate_groups(catalogue.samples, progress=_named(progress, "finding near-duplicates"))
    splits = split_samples(catalogue.samples, groups, settings.seed)
    study = Study.create(folder, settings, catalogue, splits, groups, _named(progress, "decoding images"))
    return NewStudy(study, problems, maps, weights)


def _check_names(folder: Path, settings: StudySettings) -> None:
    """Refuse paths that are no Unicode text: visteer.toml cannot hold them, and safetensors cannot open them."""
    paths = (folder.absolute(), settings.images, settings.masks, settings.irrelevant_masks, settings.weights)
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise VisteerError(f"{show_name(str(path))} is not UTF-8; rename the folder or file") from None


def _check_model(settings: StudySettings, classes: tuple[str, ...]) -> tuple[MapGrid, str]:
    """Find out now, before hours of decoding, that there is no such model, layer or weights; downloads nothing.

    Gives the grid of its maps, and where its weights are from.
    """
    later = settings.weights == "imagenet"
    weights = "none" if later else settings.weights
    with torch.random.fork_rng():
        model = build_classifier(settings.model, len(classes), weights, settings.image_size, classes)
    layer = settings.layer or find_target_layer(model)
    maps = MapGrid(layer, *map_grid(model, layer, settings.image_size))
    return maps, "ImageNet weights, fetched when they are first needed" if later else model.origin


def _named(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    """`progress` for one named piece of work."""
    if progress is None:
        return None
    return lambda done, total: progress(what, done, total)
