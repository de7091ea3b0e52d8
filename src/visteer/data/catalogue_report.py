"""What a data set is like, in figures, before anything is trained on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from visteer.data.duplicates import Fingerprint, group_fingerprints, take_fingerprint
from visteer.data.images import BadImage, read_image, read_mask
from visteer.data.sample import Catalogue, Sample

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ClassReport:
    """One class: its readable `images`, their `share` of all, 0 to 1, and its masks.

    `annotated` is the share of images that have masks, `boxed` of those that have boxes, 0 to 1.
    `empty_masks` counts annotated images whose masks are all zero. `coverage` maps "min", "5%", "25%", "50%",
    "75%", "95%", "max" to quantiles, over annotated images, of the share of the image inside its united
    masks, 0 to 1; empty without masks.
    """

    images: int
    share: float
    annotated: float
    boxed: float
    empty_masks: int
    coverage: Mapping[str, float]


@dataclass(frozen=True)
class CatalogueReport:
    """A data set in figures; images that cannot be read count only in `unreadable`.

    `classes` by name, in label order. `splits` counts the images of each given split, "none" for the rest.
    `widths` and `heights` hold min, median and max in pixels, empty without images; `shorter_sides` counts
    images by the shorter side, in steps that double. `duplicates` lists the ids of each group of
    near-copies of at least two; `duplicates_across_classes` those whose members differ in class (one of the
    labels is doubtful), `duplicates_across_splits` those that touch several given splits (a leak).
    `unreadable` lists one line for each image or mask that cannot be read.
    """

    images: int
    classes: Mapping[str, ClassReport]
    splits: Mapping[str, int]
    widths: Mapping[str, float]
    heights: Mapping[str, float]
    shorter_sides: Mapping[str, int]
    duplicates: tuple[tuple[str, ...], ...]
    duplicates_across_classes: tuple[tuple[str, ...], ...]
    duplicates_across_splits: tuple[tuple[str, ...], ...]
    unreadable: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the report as plain dicts, lists, strings and numbers, ready for `json.dumps`."""
        return asdict(self)


def catalogue_report(catalogue: Catalogue, *, progress: Progress | None = None) -> CatalogueReport:
    """Read every image and mask of `catalogue` once, and count and measure them.

    `progress` is called with (images read, all images). Nothing is raised for an unreadable file.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (80, 60)).save(Path(folder) / "a.png")
        ...     Image.new("RGB", (80, 60)).save(Path(folder) / "b.png")
        ...     samples = tuple(Sample(f"{name}.png", Path(folder) / f"{name}.png", 0) for name in "ab")
        ...     report = catalogue_report(Catalogue(Path(folder), ("cat",), samples))
        >>> report.classes["cat"].images, report.shorter_sides, report.duplicates
        (2, {'up to 63': 2}, (('a.png', 'b.png'),))
    """
    prints: dict[str, Fingerprint] = {}
    coverage: dict[str, float] = {}
    unreadable: list[str] = []
    for done, sample in enumerate(catalogue.samples, 1):
        try:
            prints[sample.id] = take_fingerprint(read_image(sample.image))
            share = _coverage(sample)
            if share is not None:
                coverage[sample.id] = share
        except BadImage as error:
            unreadable.append(str(error))
        if progress is not None:
            progress(done, len(catalogue.samples))
    samples = [sample for sample in catalogue.samples if sample.id in prints]
    groups = _groups(prints)
    label_of = {sample.id: sample.label for sample in samples}
    split_of = {sample.id: sample.split for sample in samples}
    widths, heights = zip(*(one.size for one in prints.values()), strict=True) if prints else ((), ())
    return CatalogueReport(
        images=len(samples),
        classes={
            name: _class_report([one for one in samples if one.label == label], len(samples), coverage)
            for label, name in enumerate(catalogue.classes)
        },
        splits=dict(Counter(sample.split or "none" for sample in samples)),
        widths=_extent(widths),
        heights=_extent(heights),
        shorter_sides=_histogram([min(one.size) for one in prints.values()]),
        duplicates=groups,
        duplicates_across_classes=_across(groups, label_of),
        duplicates_across_splits=_across(groups, split_of),
        unreadable=tuple(unreadable),
    )


_QUANTILES = {"min": 0.0, "5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95, "max": 1.0}
_SIDES = (64, 128, 256, 512, 1024, 2048)
_SIDE_NAMES = (
    f"up to {_SIDES[0] - 1}",
    *(f"{low} to {2 * low - 1}" for low in _SIDES[:-1]),
    f"{_SIDES[-1]} and more",
)


def _coverage(sample: Sample) -> float | None:
    """Share of the image inside its united masks; None without masks."""
    if not sample.masks:
        return None
    region = read_mask(sample.masks[0])
    for path in sample.masks[1:]:
        other = read_mask(path)
        if other.shape != region.shape:
            raise BadImage(path, f"differs in size from {sample.masks[0].name}", "make them the same size")
        region = region | other
    return float(region.mean())


def _groups(prints: dict[str, Fingerprint]) -> tuple[tuple[str, ...], ...]:
    members: defaultdict[int, list[str]] = defaultdict(list)
    for name, number in sorted(group_fingerprints(prints).items()):
        members[number].append(name)
    return tuple(tuple(names) for names in members.values() if len(names) > 1)


def _across(groups: Sequence[tuple[str, ...]], side_of: Mapping[str, object]) -> tuple[tuple[str, ...], ...]:
    return tuple(group for group in groups if len({side_of[name] for name in group}) > 1)


def _class_report(samples: Sequence[Sample], total: int, coverage: Mapping[str, float]) -> ClassReport:
    shares = [coverage[sample.id] for sample in samples if sample.id in coverage]
    count = max(len(samples), 1)
    return ClassReport(
        images=len(samples),
        share=len(samples) / max(total, 1),
        annotated=len(shares) / count,
        boxed=sum(sample.boxes is not None for sample in samples) / count,
        empty_masks=shares.count(0.0),
        coverage={name: float(np.quantile(shares, at)) for name, at in _QUANTILES.items()} if shares else {},
    )


def _extent(values: Sequence[int]) -> dict[str, float]:
    if not values:
        return {}
    return {"min": min(values), "median": float(np.median(values)), "max": max(values)}


def _histogram(sides: Sequence[int]) -> dict[str, int]:
    counts = Counter(int(np.digitize(side, _SIDES)) for side in sides)
    return {_SIDE_NAMES[step]: counts[step] for step in sorted(counts)}
