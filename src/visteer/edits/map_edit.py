"""What an expert says about one image, cell by cell: relevant, irrelevant or unknown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_SIDE = 4096
TARGET_STEPS = 65535
WEIGHT_STEPS = 255
_Steps = NDArray[np.float64] | NDArray[np.uint16] | NDArray[np.uint8]


@dataclass(frozen=True, eq=False, init=False)
class MapEdit:
    """A target map and how far each cell of it is to be trusted.

    The raster covers the whole image, whatever its own height and width. A cell with weight 0 is unknown
    (its target says nothing), with weight > 0 and target 0 irrelevant, with weight > 0 and target > 0
    relevant. Values are rounded at construction to the steps in which they are stored, so storing loses
    nothing; what lies below half a step becomes 0. Arrays are copied and read-only. Two edits are equal
    when all their fields are.

    Arguments:
        target: (H, W) importance in [0, 1], steps of 1/65535; float32 afterwards. H and W from 1 to 4096.
        weight: (H, W) trust in [0, 1], steps of 1/255; float32 afterwards.
        author: who made it, not empty.
        time: when, with a time zone; kept in UTC. Default: now.
        revision: the number that the store gave it, counted from 1 for each image; 0 when not stored.
        source: how it came about, for example "drawn", "masks", "boxes".
        map_digest: the digest of the attribution map that the author saw, if any.
        comment: free text.

    Raises:
        ValueError: an array has no two dimensions, a side of 0 or over 4096, NaN, infinity, or a value
            outside [0, 1].
        ValueError: target and weight differ in shape.
        ValueError: author is empty, or a text has a NUL or a lone surrogate, which no store can hold.
        ValueError: time has no time zone, or revision is negative.
        TypeError: an array is not numeric, time is no datetime, revision no integer, or a text no string.

    Example:
        >>> edit = MapEdit([[1.0, 0.5, 0.0, 0.0]], [[1.0, 1.0, 1.0, 0.0]], author="Ada")
        >>> edit.relevant
        array([[ True,  True, False, False]])
        >>> edit.irrelevant
        array([[False, False,  True, False]])
        >>> edit.unknown
        array([[False, False, False,  True]])
    """

    target: NDArray[np.float32] = field(repr=False)
    weight: NDArray[np.float32] = field(repr=False)
    author: str
    time: datetime
    revision: int
    source: str
    map_digest: str | None
    comment: str

    def __init__(
        self,
        target: ArrayLike,
        weight: ArrayLike,
        author: str,
        *,
        time: datetime | None = None,
        revision: int = 0,
        source: str = "drawn",
        map_digest: str | None = None,
        comment: str = "",
    ) -> None:
        self._fill(
            _to_steps("target", target, TARGET_STEPS),
            _to_steps("weight", weight, WEIGHT_STEPS),
            author,
            datetime.now(UTC) if time is None else time,
            revision,
            source,
            map_digest,
            comment,
        )

    @classmethod
    def of_steps(
        cls,
        target: NDArray[np.uint16],
        weight: NDArray[np.uint8],
        author: str,
        *,
        time: datetime | None = None,
        revision: int = 0,
        source: str = "drawn",
        map_digest: str | None = None,
        comment: str = "",
    ) -> MapEdit:
        """The edit whose `steps` are `target` and `weight`; arguments and errors as of the constructor.

        Nothing is rounded, so it is several times as fast: for what comes from a store or from a browser.

        Example:
            >>> steps = np.array([[65535, 0]], np.uint16), np.array([[255, 51]], np.uint8)
            >>> edit = MapEdit.of_steps(*steps, author="Ada")
            >>> edit.target.tolist(), [round(float(w), 3) for w in edit.weight[0]]
            ([[1.0, 0.0]], [1.0, 0.2])
        """
        for name, array, kind in (("target", target, np.uint16), ("weight", weight, np.uint8)):
            if array.dtype != kind:
                raise TypeError(f"steps of the {name} must be {np.dtype(kind)}, got {array.dtype}")
            _check_shape(name, array.shape)
        edit = cls.__new__(cls)
        when = datetime.now(UTC) if time is None else time
        edit._fill(target, weight, author, when, revision, source, map_digest, comment)
        kept = target.copy(), weight.copy()
        for array in kept:
            array.flags.writeable = False
        edit.__dict__["steps"] = kept
        return edit

    def _fill(
        self,
        target: _Steps,
        weight: _Steps,
        author: str,
        time: datetime,
        revision: int,
        source: str,
        map_digest: str | None,
        comment: str,
    ) -> None:
        """Check and set every field."""
        if target.shape != weight.shape:
            raise ValueError(f"target and weight must have one shape, got {target.shape} and {weight.shape}")
        check_text("author", author)
        check_text("source", source)
        check_text("comment", comment)
        if map_digest is not None:
            check_text("map_digest", map_digest)
        if not author.strip():
            raise ValueError("author must not be empty")
        if index(revision) < 0:
            raise ValueError(f"revision must be 0 or more, got {revision}")
        values = {
            "target": _read_only(target, TARGET_STEPS),
            "weight": _read_only(weight, WEIGHT_STEPS),
            "author": author,
            "time": _in_utc(time),
            "revision": index(revision),
            "source": source,
            "map_digest": map_digest,
            "comment": comment,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        """Whether all fields are equal, the arrays value by value."""
        if not isinstance(other, MapEdit):
            return NotImplemented
        others = other._fields()
        return all(np.array_equal(value, others[name]) for name, value in self._fields().items())

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[partial[MapEdit], tuple[()]]:
        """Copy and pickle through the constructor, so that the arrays stay read-only."""
        return partial(MapEdit, **self._fields()), ()

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the raster, in cells."""
        return self.target.shape[0], self.target.shape[1]

    @property
    def relevant(self) -> NDArray[np.bool_]:
        """(H, W) bool: cells that the classifier should look at."""
        cells: NDArray[np.bool_] = (self.weight > 0) & (self.target > 0)
        return cells

    @property
    def irrelevant(self) -> NDArray[np.bool_]:
        """(H, W) bool: cells that the classifier must not use."""
        cells: NDArray[np.bool_] = (self.weight > 0) & (self.target == 0)
        return cells

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """(H, W) bool: cells about which nobody has said anything."""
        cells: NDArray[np.bool_] = self.weight == 0
        return cells

    @property
    def has_relevant(self) -> bool:
        """Whether any cell is relevant. An edit without one gives a map no place to go to."""
        return bool(self.relevant.any())

    def with_unknown_as_irrelevant(self) -> MapEdit:
        """The same edit with every unknown cell irrelevant, in full.

        Example:
            >>> edit = MapEdit([[1.0, 0.0]], [[1.0, 0.0]], author="Ada").with_unknown_as_irrelevant()
            >>> edit.target.tolist(), edit.weight.tolist()
            ([[1.0, 0.0]], [[1.0, 1.0]])
        """
        known = self.weight > 0
        return replace(self, target=np.where(known, self.target, 0), weight=np.where(known, self.weight, 1))

    @cached_property
    def steps(self) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Target and weight as whole numbers of steps, uint16 and uint8, read-only: the form that is stored."""
        target = np.rint(self.target.astype(np.float64) * TARGET_STEPS).astype(np.uint16)
        weight = np.rint(self.weight.astype(np.float64) * WEIGHT_STEPS).astype(np.uint8)
        target.flags.writeable = weight.flags.writeable = False
        return target, weight

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of what the raster says: shape, target, weight; not of author, time, texts."""
        target, weight = self.steps
        content = hashlib.sha256(f"visteer-map-edit 1 {self.shape[0]}x{self.shape[1]}\n".encode())
        content.update(np.ascontiguousarray(target, "<u2").data)
        content.update(np.ascontiguousarray(weight).data)
        return content.hexdigest()

    def _fields(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


def from_steps(
    target: NDArray[np.uint16], weight: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Undo `MapEdit.steps`: (H, W) float32 target and weight in [0, 1], read-only."""
    return _read_only(target, TARGET_STEPS), _read_only(weight, WEIGHT_STEPS)


def resample_edit(edit: MapEdit, shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bring an edit's target and weight to another grid by area averaging.

    Every new cell averages the old cells by the area that it shares with them; any ratio of sizes, smaller
    or larger, is exact. The weight is the mean weight, the target the weighted mean of the targets, so
    unknown cells never dilute known ones. Kept over the whole raster: mean(weight) and
    mean(weight * target).

    Arguments:
        edit: any edit.
        shape: (h, w) of the new grid, each at least 1.

    Returns:
        target (h, w) float32 in [0, 1], 0 where the weight is 0; weight (h, w) float32 in [0, 1].

    Raises:
        ValueError: a side of the new grid is below 1.

    Example:
        >>> edit = MapEdit([[1.0, 0.0, 1.0]], [[1.0, 1.0, 0.0]], author="Ada")
        >>> target, weight = resample_edit(edit, (1, 1))
        >>> round(float(target[0, 0]), 4), round(float(weight[0, 0]), 4)
        (0.5, 0.6667)
    """
    h, w = shape
    if h < 1 or w < 1:
        raise ValueError(f"the new grid needs sides of at least 1, got {shape}")
    weight = edit.weight.astype(np.float64)
    mass = weight * edit.target
    if (h, w) != edit.shape:
        rows, columns = _averaging(edit.shape[0], h), _averaging(edit.shape[1], w).T
        weight = rows @ weight @ columns
        mass = rows @ mass @ columns
    target = np.divide(mass, weight, out=np.zeros_like(mass), where=weight > 0)
    return target.clip(0, 1).astype(np.float32), weight.clip(0, 1).astype(np.float32)


def check_text(name: str, text: str) -> None:
    """Refuse text that a database or a file cannot hold.

    Raises:
        TypeError: `text` is not a string.
        ValueError: it has a NUL character, or a lone surrogate (a file name that is not UTF-8).
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a string, got {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{name} must not have a NUL character: {text!r}")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError(f"{name} must be valid Unicode, got {text!r}")


def _to_steps(name: str, values: ArrayLike, steps: int) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of numbers, got {array.dtype}")
    _check_shape(name, array.shape)
    # NaN fails this comparison too.
    if not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(f"{name} must lie in [0, 1], got values from {array.min()} to {array.max()}")
    return np.rint(array.astype(np.float64) * steps)


def _check_shape(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        raise ValueError(f"{name} must be (H, W), got shape {shape}")
    if not all(1 <= side <= MAX_SIDE for side in shape):
        raise ValueError(f"{name} needs sides from 1 to {MAX_SIDE}, got {shape}")


def _read_only(steps: _Steps, count: int) -> NDArray[np.float32]:
    # By a table: as few values as there are steps are divided.
    table = (np.arange(count + 1, dtype=np.float64) / count).astype(np.float32)
    values: NDArray[np.float32] = table[steps if steps.dtype.kind == "u" else steps.astype(np.uint16)]
    values.flags.writeable = False
    return values


def _in_utc(time: datetime) -> datetime:
    if not isinstance(time, datetime):
        raise TypeError(f"time must be a datetime, got {type(time).__name__}")
    if time.utcoffset() is None:
        raise ValueError(f"time must have a time zone, got {time.isoformat()}")
    return time.astimezone(UTC)


def _averaging(old: int, new: int) -> NDArray[np.float64]:
    """Return the (new, old) matrix of the shares of each new cell that each old cell covers; rows sum to 1.

    Both grids are laid on old * new whole units, so touching cells share exactly nothing.
    """
    new_edges = np.arange(new + 1)[:, None] * old
    old_edges = np.arange(old + 1)[None, :] * new
    low = np.maximum(new_edges[:-1], old_edges[:, :-1])
    high = np.minimum(new_edges[1:], old_edges[:, 1:])
    return (high - low).clip(0) / old
