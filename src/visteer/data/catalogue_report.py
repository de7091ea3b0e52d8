"""What a data set is like, before anything is trained on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from visteer.data.duplicates import find_duplicate_groups
from visteer.data.inspection import ImageFacts, Inspection, Progress, inspect_files
from visteer.data.sample import Catalogue

_QUANTILES = {"min": 0.0, "5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95, "max": 1.0}
_SIDES = (64, 128, 256, 512, 1024, 2048)


@dataclass(frozen=True)
class ClassReport:
    """One class: how many `images`, their `share` of the data set, how many are `annotated` with masks.

    `with_boxes` counts images with boxes. `coverage` holds quantiles over the annotated images of the share
    of the image inside its masks (0 to 1); empty without masks. `empty_masks` counts those of 0.
    """

    images: int
    share: float
    annotated: int
    with_boxes: int
    empty_masks: int
    coverage: Mapping[str, float]


@dataclass(frozen=True)
class DuplicateReport:
    """One group of near-identical pictures: id -> class name."""

    members: Mapping[str, str]


@dataclass(frozen=True)
class CatalogueReport:
    """A data set in figures.

    `classes` by name, in label order. `splits` counts the images of each split that the layout gives ("none"
    for the rest). `shorter_sides` counts images by their shorter side in pixels. `widths` and `heights` hold
    min, median and max. `duplicates` lists all groups, `cross_class` those whose members differ in class,
    `cross_split` those whose members the layout puts into different splits. `errors` and `notes` count
    problems.
    """

    images: int
    errors: int
    notes: int
    classes: Mapping[str, ClassReport]
    splits: Mapping[str, int]
    widths: Mapping[str, float]
    heights: Mapping[str, float]
    shorter_sides: Mapping[str, int]
    duplicates: tuple[DuplicateReport, ...]
    cross_class: tuple[DuplicateReport, ...]
    cross_split: tuple[DuplicateReport, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain dicts, lists, numbers and strings, ready for `json.dumps`."""
        return asdict(self)


def catalogue_report(
    catalogue: Catalogue, inspection: Inspection | None = None, progress: Progress | None = None
) -> CatalogueReport:
    """Count and measure a data set; images that cannot be decoded count only as errors.

    Decodes all files (see `inspect_files`) unless their `inspection` is given.
    """
    inspection = inspection or inspect_files(catalogue, progress)
    facts = inspection.facts
    groups = _groups(catalogue, facts)
    split_of = {sample.id: sample.split for sample in catalogue.samples}
    severities = Counter(problem.severity for problem in inspection.problems)
    return CatalogueReport(
        images=len(facts),
        errors=severities["error"],
        notes=severities["note"],
        classes={
            name: _class_report(catalogue, label, facts) for label, name in enumerate(catalogue.classes)
        },
        splits=dict(Counter(sample.split or "none" for sample in catalogue.samples if sample.id in facts)),
        widths=_extent([fact.width for fact in facts.values()]),
        heights=_extent([fact.height for fact in facts.values()]),
        shorter_sides=_histogram([min(fact.width, fact.height) for fact in facts.values()]),
        duplicates=groups,
        cross_class=tuple(group for group in groups if len(set(group.members.values())) > 1),
        cross_split=tuple(group for group in groups if len({split_of[name] for name in group.members}) > 1),
    )


def _groups(catalogue: Catalogue, facts: Mapping[str, ImageFacts]) -> tuple[DuplicateReport, ...]:
    numbers = find_duplicate_groups({name: fact.thumbnail for name, fact in facts.items()})
    classes = {sample.id: catalogue.classes[sample.label] for sample in catalogue.samples}
    members: dict[int, dict[str, str]] = defaultdict(dict)
    for name, number in numbers.items():
        members[number][name] = classes[name]
    return tuple(DuplicateReport(members[number]) for number in sorted(members))


def _class_report(catalogue: Catalogue, label: int, facts: Mapping[str, ImageFacts]) -> ClassReport:
    samples = [sample for sample in catalogue.samples if sample.label == label and sample.id in facts]
    coverages = [facts[sample.id].coverage for sample in samples]
    shares = np.array([value for value in coverages if value is not None])
    quantiles = np.quantile(shares, list(_QUANTILES.values())) if len(shares) else []
    return ClassReport(
        images=len(samples),
        share=len(samples) / max(len(facts), 1),
        annotated=len(shares),
        with_boxes=sum(sample.boxes is not None for sample in samples),
        empty_masks=int((shares == 0).sum()),
        coverage={name: float(value) for name, value in zip(_QUANTILES, quantiles, strict=False)},
    )


def _extent(values: list[int]) -> dict[str, float]:
    if not values:
        return {}
    return {"min": min(values), "median": float(np.median(values)), "max": max(values)}


def _histogram(sides: list[int]) -> dict[str, int]:
    """Count by powers of two, leaving out what is empty."""
    bounds = zip((0, *_SIDES), (*_SIDES, None), strict=True)
    names = [f"{low}-{high - 1}" if high else f"{low} or more" for low, high in bounds]
    counts = np.bincount(np.digitize(sides, _SIDES), minlength=len(names)) if sides else [0] * len(names)
    return {name: int(count) for name, count in zip(names, counts, strict=True) if count}
