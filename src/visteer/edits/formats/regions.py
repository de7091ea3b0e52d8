"""Masks and boxes of a data set as edits, and the choice of the images that get one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visteer.edits.map_edit import MapEdit

Outside = Literal["irrelevant", "unknown"]


def edit_from_masks(
    relevant: NDArray[np.bool_] | None,
    irrelevant: NDArray[np.bool_] | None = None,
    *,
    outside: Outside,
    author: str,
    source: str = "masks",
) -> MapEdit:
    """Turn masks into an edit of the same grid, all of whose known cells have weight 1.

    A cell in both masks is irrelevant. Without any region, `outside="irrelevant"` gives an edit that is
    irrelevant everywhere: it has no relevant cell (`MapEdit.has_relevant`), so there is no place that a
    map could be drawn to. With "unknown" such an edit says nothing.

    Arguments:
        relevant: (H, W) bool, where to look (target 1); None: nowhere in particular.
        irrelevant: (H, W) bool, what must not be used (target 0); None: nothing in particular.
        outside: what all other cells are.
        author: who drew the masks, for example the name of the data set.
        source: how the edit came about.

    Raises:
        ValueError: both masks are None, they differ in shape, or one is not (H, W).
        ValueError: `outside` is neither "irrelevant" nor "unknown".
        TypeError: a mask is not bool.

    Example:
        >>> import numpy as np
        >>> lesion = np.array([[True, False], [False, False]])
        >>> ruler = np.array([[False, False], [False, True]])
        >>> edit = edit_from_masks(lesion, ruler, outside="unknown", author="BUSI")
        >>> edit.relevant.sum(), edit.irrelevant.sum(), edit.unknown.sum()
        (np.int64(1), np.int64(1), np.int64(2))
    """
    _check_outside(outside)
    masks = [mask for mask in (relevant, irrelevant) if mask is not None]
    if not masks:
        raise ValueError("give at least one mask: without one the grid is not known")
    for mask in masks:
        if mask.dtype != np.bool_:
            raise TypeError(f"a mask must be bool, got {mask.dtype}")
        if mask.ndim != 2 or mask.shape != masks[0].shape:
            raise ValueError(f"masks must be (H, W) and of one shape, got {[m.shape for m in masks]}")
    nothing = np.zeros(masks[0].shape, dtype=np.bool_)
    not_used = nothing if irrelevant is None else irrelevant
    looked_at = nothing if relevant is None else relevant & ~not_used
    known = ~nothing if outside == "irrelevant" else looked_at | not_used
    return MapEdit(looked_at, known, author=author, source=source)


def edit_from_boxes(
    boxes: Sequence[tuple[float, float, float, float]],
    shape: tuple[int, int],
    *,
    outside: Outside,
    author: str,
    source: str = "boxes",
) -> MapEdit:
    """Turn boxes around what is relevant into an edit, exact also where a border cuts through a cell.

    With `outside="irrelevant"` a cell's target is the share of it that the boxes cover, and its weight 1.
    With "unknown" its weight is that share, and its target 1 if it is covered at all. Either is what
    `resample_edit` gives for the same boxes drawn on an infinitely fine grid. Overlapping boxes are united.
    Without a box the edit has no relevant cell, as in `edit_from_masks`.

    Arguments:
        boxes: (left, top, right, bottom) in fractions of the image's width and height, 0 to 1.
        shape: (H, W) of the edit's grid.
        outside: what lies outside of all boxes.
        author: who drew the boxes, for example the name of the data set.
        source: how the edit came about.

    Raises:
        ValueError: a box is empty or leaves the image, or a side of the grid is not from 1 to 4096.
        ValueError: `outside` is neither "irrelevant" nor "unknown".

    Example:
        >>> edit = edit_from_boxes([(0.0, 0.0, 0.25, 1.0)], (1, 2), outside="irrelevant", author="ImageNet")
        >>> edit.target.round(3).tolist()
        [[0.5, 0.0]]
    """
    _check_outside(outside)
    if not all(side >= 1 for side in shape):
        raise ValueError(f"the grid needs sides of at least 1, got {shape}")
    for left, top, right, bottom in boxes:
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError(
                "a box needs 0 <= left < right <= 1 and 0 <= top < bottom <= 1, "
                f"got {(left, top, right, bottom)}"
            )
    covered = _coverage(boxes, shape)
    if outside == "irrelevant":
        return MapEdit(covered, np.ones(shape), author=author, source=source)
    return MapEdit(covered > 0, covered, author=author, source=source)


def choose_fraction(ids: Iterable[str], fraction: float, seed: int) -> tuple[str, ...]:
    """Choose round(fraction * n) of the ids, at least one when fraction > 0; sorted.

    Every id has its own place in an order that depends on the seed and the id alone. So a smaller fraction
    is contained in every larger one, and the order in which the ids are given does not count.

    Raises:
        ValueError: the fraction lies outside [0, 1], or an id occurs twice.

    Example:
        >>> names = [f"{n}.png" for n in range(100)]
        >>> few, many = (choose_fraction(names, share, seed=0) for share in (0.01, 0.1))
        >>> len(few), len(many), set(few) <= set(many)
        (1, 10, True)
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"the fraction must lie in [0, 1], got {fraction}")
    names = list(ids)
    if len(set(names)) != len(names):
        raise ValueError("the ids must be unique")
    count = round(fraction * len(names))
    if fraction > 0 and names:
        count = max(count, 1)
    return tuple(sorted(sorted(names, key=lambda name: _place(name, seed))[:count]))


def _place(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{name}".encode(errors="surrogatepass")).digest()


def _check_outside(outside: str) -> None:
    if outside not in {"irrelevant", "unknown"}:
        raise ValueError(f'outside must be "irrelevant" or "unknown", got {outside!r}')


def _coverage(
    boxes: Sequence[tuple[float, float, float, float]], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """(H, W) share of each cell that the union of the boxes covers.

    The borders of all boxes cut the image into a small irregular grid, on which the union is exact; its
    cells are then added up by the area that they share with the cells of the regular grid.
    """
    if not boxes:
        return np.zeros(shape)
    left, top, right, bottom = np.asarray(boxes, dtype=np.float64).T
    x = np.unique(np.concatenate([left, right]))
    y = np.unique(np.concatenate([top, bottom]))
    middle_x, middle_y = (x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2
    in_x = (left[:, None] < middle_x) & (middle_x < right[:, None])
    in_y = (top[:, None] < middle_y) & (middle_y < bottom[:, None])
    union = (in_y[:, :, None] & in_x[:, None, :]).any(axis=0)
    covered = _shares(y, shape[0]) @ union.astype(np.float64) @ _shares(x, shape[1]).T
    # Rounding may leave 1e-16 in a cell that a box only touches: less than any step of an edit.
    return np.where(covered < 1e-9, 0, covered.clip(0, 1))


def _shares(edges: ArrayLike, cells: int) -> NDArray[np.float64]:
    """(cells, intervals): the share of each of `cells` equal cells of [0, 1] that each interval covers."""
    cuts = np.asarray(edges, dtype=np.float64) * cells
    start = np.arange(cells)[:, None]
    return (np.minimum(start + 1, cuts[1:]) - np.maximum(start, cuts[:-1])).clip(0)
