"""What the reader of one layout hands over before masks are paired and classes are numbered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from visteer.data.sample import Box, Problem, Split


@dataclass(frozen=True)
class Found:
    """One image with the name of its class. The other fields are those of `Sample`."""

    id: str
    image: Path
    class_name: str
    split: Split | None = None
    masks: tuple[Path, ...] | None = None
    boxes: tuple[Box, ...] | None = None


@dataclass
class Draft:
    """All images of a data set below `root`, its class names in label order, and the problems so far."""

    root: Path
    classes: tuple[str, ...]
    found: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def part_splits(parts: Iterable[Split]) -> dict[Split, Split | None]:
    """Say which split each part of a data set stands for, given all parts that are there.

    A part called val is the test split where there is no other (Imagenette): validation images are then
    taken from train. One part alone is no split.

    Example:
        >>> part_splits(["train", "val"])
        {'train': 'train', 'val': 'test'}
        >>> part_splits(["val"])
        {'val': None}
    """
    present = set(parts)
    splits: dict[Split, Split | None] = {part: part for part in sorted(present)}
    if len(present) == 1:
        return dict.fromkeys(splits, None)
    if "test" not in present:
        splits["val"] = "test"
    if "train" not in present:
        splits["val"] = "train"
    return splits
