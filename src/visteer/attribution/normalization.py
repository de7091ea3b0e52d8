"""From raw maps to maps in [0, 1], with a gradient that stays bounded."""

from __future__ import annotations

import torch
from torch import Tensor


def normalize_maps(maps: Tensor, floor: float | None = None) -> Tensor:
    """Per-image min-max to [0, 1], safe for maps that are zero or nearly so.

    (M - min) / max(range, floor), with range = max - min of each map. The floor bounds the gradient: every
    entry of the Jacobian is at most 1 / floor in size, where plain min-max grows without limit as the range
    shrinks. Its default, 0.1 / (h * w), is a tenth of a logit: for a network with a global average pool and
    a linear head a Grad-CAM map sums over its cells to the class logit (less the bias), so a map whose
    largest value is below the floor speaks for less than 0.1 logit, and counts as nearly zero. Such a map
    keeps its size, M / floor, instead of being blown up to 1.

    Below the floor the minimum is a constant for the gradient. So every cell of a dead (all-zero) map gets
    its own gradient, and the whole map can be lifted; with a moving minimum, gradients that lift all cells
    alike would cancel out.

    Arguments:
        maps: (N, h, w) or (N, K, h, w) floating point on any grid; any range, usually after the ReLU.
        floor: the smallest range that is stretched to 1, in the unit of the maps; above 0.

    Returns:
        As `maps`, in [0, 1]; a constant map gives zeros. Gradient flows.

    Raises:
        ValueError: the maps have fewer than three dimensions or no cells, or the floor is not above 0.
        TypeError: the maps are not floating point.

    Example:
        >>> import torch
        >>> normalize_maps(torch.tensor([[[0.0, 1.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]]))
        tensor([[[0.0000, 0.2500],
                 [0.5000, 1.0000]],
        <BLANKLINE>
                [[0.0000, 0.0000],
                 [0.0000, 0.0000]]])
    """
    _check_maps(maps)
    if floor is None:
        floor = 0.1 / (maps.shape[-2] * maps.shape[-1])
    if not floor > 0:
        raise ValueError(f"floor must be above 0, got {floor}")
    low = maps.amin(dim=(-2, -1), keepdim=True)
    spread = maps.amax(dim=(-2, -1), keepdim=True) - low
    low = torch.where(spread < floor, low.detach(), low)
    return (maps - low) / spread.clamp(min=floor)


def dead_maps(maps: Tensor) -> Tensor:
    """Which maps have no value above 0: they say nothing about where the classifier looks.

    Arguments:
        maps: (N, h, w) or (N, K, h, w) floating point, after the ReLU, on any grid.

    Returns:
        (N,) or (N, K) bool. No gradient.

    Raises:
        ValueError: the maps have fewer than three dimensions or no cells.
        TypeError: the maps are not floating point.

    Example:
        >>> import torch
        >>> dead_maps(torch.tensor([[[0.0, 0.0]], [[0.0, 0.1]]]))
        tensor([ True, False])
    """
    _check_maps(maps)
    return maps.detach().amax(dim=(-2, -1)) <= 0


def _check_maps(maps: Tensor) -> None:
    if maps.ndim not in (3, 4) or 0 in maps.shape[-2:]:
        raise ValueError(f"maps must be (N, h, w) or (N, K, h, w) with cells, got {tuple(maps.shape)}")
    if not maps.is_floating_point():
        raise TypeError(f"maps must be floating point, got {maps.dtype}")
