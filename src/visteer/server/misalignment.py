"""How far a map is from where it should be, by an edit or, without one, by a guess."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visteer.edits.map_edit import MapEdit, resample_edit

BORDER = 0.125


def edit_misalignment(values: NDArray[np.float32], edit: MapEdit) -> float:
    """1 - soft IoU of a map and an edit's target on the known cells, on the map's grid.

    The edit is brought to the grid of the map by area. With the weight w, the map m and the target t of each cell:
    1 - sum(w min(m, t)) / sum(w max(m, t)) (the weighted Jaccard or Ruzicka index). NaN where the sum below is 0.

    Arguments:
        values: (h, w) float32, normalised to [0, 1].
        edit: any edit, best one with a relevant cell.

    Returns:
        0 (the same) to 1 (no overlap), or NaN.

    Example:
        >>> edit = MapEdit([[1.0, 0.0]], [[1.0, 1.0]], author="Ada")
        >>> edit_misalignment(np.array([[0.5, 0.5]], np.float32), edit)
        0.6666666666666667
    """
    target, weight = resample_edit(edit, (values.shape[0], values.shape[1]))
    m, t, w = (array.astype(np.float64) for array in (values, target, weight))
    union = float((w * np.maximum(m, t)).sum())
    if union <= 0:
        return float("nan")
    return float(np.clip(1 - (w * np.minimum(m, t)).sum() / union, 0, 1))


def guessed_misalignment(
    maps: NDArray[np.float32], confidence: NDArray[np.float32], instability: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Confidence times the larger of two signs: attention at the border, and a map that moves when mirrored.

    The first is the share of a map's mass in the outer eighth of each side, where rulers and labels lie; a cell that
    the line cuts counts by the area outside. The second is `flip_instability`; where it is NaN the first counts alone.
    NaN for a map of zeros, and where the confidence is.

    Arguments:
        maps: (n, h, w) float32, 0 or more.
        confidence: (n,) float32 in [0, 1].
        instability: (n,) float32 in [0, 1], or NaN.

    Returns:
        (n,) float32 in [0, 1], or NaN.

    Example:
        >>> one = np.ones(1, np.float32)
        >>> guessed_misalignment(np.ones((1, 8, 8), np.float32), 0.5 * one, 0.25 * one).tolist()
        [0.21875]
    """
    rows, columns = (_inner_share(side) for side in maps.shape[1:])
    mass = maps.sum(axis=(1, 2), dtype=np.float64)
    inside = np.einsum("nij,i,j->n", maps.astype(np.float64), rows, columns, optimize=True)
    share = np.divide(mass - inside, mass, out=np.full(len(maps), np.nan), where=mass > 0)
    sign = np.where(np.isnan(share), np.nan, np.fmax(np.clip(share, 0, 1), instability))
    guess: NDArray[np.float32] = (confidence * sign).astype(np.float32)
    return guess


def _inner_share(side: int) -> NDArray[np.float64]:
    """(side,) the share of each cell that lies between the outer eighths of an axis."""
    edges = np.arange(side + 1) / side
    low, high = np.maximum(edges[:-1], BORDER), np.minimum(edges[1:], 1 - BORDER)
    return (high - low).clip(0) * side
