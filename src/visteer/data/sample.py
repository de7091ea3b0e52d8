"""What a reader of a data set yields: samples, and the problems met on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Box:
    """A rectangle in fractions of the image's width and height, 0 to 1, left < right and top < bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        """Refuse a box that is empty or leaves the image."""
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError(f"a box needs 0 <= left < right <= 1 and 0 <= top < bottom <= 1, got {self}")


@dataclass(frozen=True)
class Sample:
    """One image of a data set with its label and the regions that the data set itself gives.

    `id` is unique in the data set and stable: the image's path relative to the root, with forward slashes.
    `masks` are united. None says that nobody annotated the image; an annotated image without a region
    (BUSI's `normal`) has masks that are all zero. `irrelevant_masks` mark what the classifier must not use.
    `split` is given where the layout has splits of its own.
    """

    id: str
    image: Path
    label: int
    masks: tuple[Path, ...] | None = None
    irrelevant_masks: tuple[Path, ...] | None = None
    boxes: tuple[Box, ...] | None = None
    split: Split | None = None


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file. An `error` makes the file unusable; a `note` says how it is converted."""

    path: Path
    what: str
    mend: str
    severity: Literal["error", "note"] = "error"


@dataclass(frozen=True)
class Catalogue:
    """All samples of a data set, its class names in label order, and every problem found while reading."""

    root: Path
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    problems: Sequence[Problem] = field(default=())
