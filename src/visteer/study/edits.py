"""Edits into a study and out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visteer.data.images import read_mask
from visteer.data.sample import Sample
from visteer.edits.formats.png import export_png, import_png
from visteer.edits.formats.regions import choose_fraction, edit_from_boxes, edit_from_masks
from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.study.study import Study

Source = Literal["masks", "boxes", "png"]
Outside = Literal["irrelevant", "unknown"]


def import_regions(
    study: Study,
    source: Literal["masks", "boxes"],
    *,
    outside: Outside | None = None,
    fraction: float = 1.0,
    seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Turn the masks or boxes of the study's data set into edits with the data set as author.

    `fraction` takes a seeded part of the training images that have a region; validation and test images are
    always taken, since their edits are only measured against. A smaller fraction is contained in a larger one of
    the same seed. All edits are stored in one transaction.

    `outside` is what cells outside the regions are. By default they are irrelevant, as in the paper; but unknown
    where the data set marks irrelevant regions itself, since these would drown in everything else.

    An image whose latest edit is by somebody else keeps it: a mask does not supersede what an expert drew.

    Returns:
        The number of edits written; an edit equal to the latest of its image is not written again.

    Raises:
        VisteerError: the data set has no such regions, or a mask cannot be read.
    """
    settings = study.settings
    given = {s.id: s for s in study.catalogue().samples if _has_regions(s, source)}
    training = [s.id for s in study.samples if s.split == "train" and s.id in given]
    measured = [s.id for s in study.samples if s.split != "train" and s.id in given]
    seed = settings.seed if seed is None else seed
    chosen = [*choose_fraction(training, fraction, seed), *measured]
    if not chosen:
        lacking = "" if source == "boxes" or settings.masks else "; name their folder by visteer init --masks"
        raise VisteerError(
            f"{settings.images}: the data set ({settings.layout}) has no {source} to import{lacking}"
        )
    if outside is None:
        outside = "unknown" if settings.irrelevant_masks is not None else "irrelevant"
    author = f"{settings.layout} {source}"
    size = settings.image_size
    edits = {}
    for done, name in enumerate(chosen, start=1):
        edits[name] = _edit_of(given[name], source, size, author, outside)
        if progress is not None:
            progress(done, len(chosen))
    with study.open_edits(create=True) as store:
        latest = store.latest(list(edits))
        new = {
            name: edit
            for name, edit in edits.items()
            if name not in latest or (latest[name].author == author and not _same(latest[name], edit))
        }
        store.append_many(new)
    return len(new)


def import_drawn(study: Study, folder: Path) -> int:
    """Take in edits that `export_edits` wrote, or that another program drew in that form.

    Returns:
        The number of edits written; an edit equal to the latest of its image is not written again.

    Raises:
        VisteerError: a file is bad, or names an image that the study has not.
    """
    edits = import_png(folder)
    unknown = sorted(set(edits) - set(study.ids()))
    if unknown:
        raise VisteerError(
            f"{folder}: {len(unknown)} edit(s) of images that the study has not, such as {unknown[0]!r}"
        )
    with study.open_edits(create=True) as store:
        latest = store.latest(list(edits))
        new = {name: edit for name, edit in edits.items() if not _same(latest.get(name), edit)}
        store.append_many(new)
    return len(new)


def export_edits(study: Study, folder: Path) -> int:
    """Write the latest edit of every image as PNG files into `folder`; gives their number."""
    with study.open_edits() as store:
        edits: Mapping[str, MapEdit] = store.latest()
    export_png(edits, folder)
    return len(edits)


def _same(old: MapEdit | None, new: MapEdit) -> bool:
    """Whether `new` says nothing that `old` does not say."""
    return old is not None and old.digest == new.digest


def _has_regions(sample: Sample, source: Literal["masks", "boxes"]) -> bool:
    """Whether the data set says anything about the regions of `sample`."""
    if source == "boxes":
        return bool(sample.boxes)
    return sample.masks is not None or sample.irrelevant_masks is not None


def _edit_of(
    sample: Sample, source: Literal["masks", "boxes"], size: int, author: str, outside: Outside
) -> MapEdit:
    """The edit that the regions of `sample` make."""
    if source == "boxes":
        boxes = [(b.left, b.top, b.right, b.bottom) for b in sample.boxes or ()]
        return edit_from_boxes(boxes, (size, size), outside=outside, author=author, source="boxes")
    return edit_from_masks(
        _united(sample.masks, size),
        _united(sample.irrelevant_masks, size),
        outside=outside,
        author=author,
        source="masks",
    )


def _united(paths: tuple[Path, ...] | None, size: int) -> NDArray[np.bool_] | None:
    """The union of the masks in `paths` on the study's grid, cells at least half covered; None without a mask."""
    if not paths:
        return None
    united = np.logical_or.reduce([read_mask(path) for path in paths])
    area = Image.fromarray(united.astype(np.uint8) * 255).resize((size, size), Image.Resampling.BOX)
    return np.asarray(area) >= 128
