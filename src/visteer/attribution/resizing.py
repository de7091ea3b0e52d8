"""Maps and edits on other grids: the feature grid, the image grid, a grid for the eye."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate


def resize_maps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps on another grid: bilinear where an axis grows, exact area averaging where it shrinks.

    Arguments:
        maps: (N, h, w) or (N, K, h, w) floating point, any range.
        size: (H, W) of the new grid, each at least 1.

    Returns:
        (N, H, W) or (N, K, H, W), same dtype, within the range of each map. Pixel centres correspond
        (align_corners=False). Gradient flows.

    Raises:
        ValueError: the maps have another number of dimensions, or a side is below 1.

    Example:
        >>> import torch
        >>> resize_maps(torch.tensor([[[0.0, 1.0]]]), (1, 4))
        tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    if maps.ndim not in (3, 4):
        raise ValueError(f"maps must be (N, h, w) or (N, K, h, w), got {tuple(maps.shape)}")
    _check_size(size)
    stack = maps if maps.ndim == 4 else maps[:, None]
    stack = _area_average(stack, (min(size[0], maps.shape[-2]), min(size[1], maps.shape[-1])))
    if stack.shape[-2:] != size:
        stack = interpolate(stack, size=size, mode="bilinear", align_corners=False)
    return stack if maps.ndim == 4 else stack[:, 0]


def pool_edits(targets: Tensor, weights: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Edited maps on a coarser grid, each cell counted by its weight: unknown cells never dilute known ones.

    weight' = mean(weight) and target' = mean(weight * target) / weight', 0 where weight' is 0; the means go
    over the area of each new cell, exactly, for any ratio of sizes. It computes on tensors what
    `visteer.edits.map_edit.resample_edit` computes on one edit.

    Arguments:
        targets: (N, H, W) floating point in [0, 1].
        weights: (N, H, W), same dtype, in [0, 1]; 0 means unknown.
        size: (h, w) of the new grid, each at least 1.

    Returns:
        targets and weights, both (N, h, w), same dtype, in [0, 1]. Gradient flows.

    Raises:
        ValueError: targets and weights differ in shape or are not (N, H, W), or a side is below 1.

    Example:
        >>> import torch
        >>> targets, weights = pool_edits(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.5, 0.0]]]), (1, 1))
        >>> targets.item(), weights.item()
        (1.0, 0.25)
    """
    if targets.ndim != 3 or targets.shape != weights.shape:
        raise ValueError(
            f"targets and weights must both be (N, H, W), "
            f"got {tuple(targets.shape)} and {tuple(weights.shape)}"
        )
    _check_size(size)
    weight, mass = _area_average(torch.stack((weights, weights * targets), dim=1), size).unbind(dim=1)
    known = weight > 0
    return torch.where(known, mass, 0) / torch.where(known, weight, 1), weight


def _area_average(stack: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, H, W) on the grid `size`, each new cell the mean of the area that it covers."""
    height, width = stack.shape[-2:]
    if (height, width) == size:
        return stack
    if height % size[0] == 0 and width % size[1] == 0:
        return avg_pool2d(stack, (height // size[0], width // size[1]))
    rows = _overlaps(height, size[0], stack.dtype, stack.device)
    columns = _overlaps(width, size[1], stack.dtype, stack.device)
    # Not adaptive_avg_pool2d: it rounds the borders of the cells to whole pixels.
    with torch.autocast(stack.device.type, enabled=False):
        return rows @ stack @ columns.mT


@lru_cache(maxsize=64)
def _overlaps(old: int, new: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(new, old): the share of each new cell that each old cell covers; rows sum to 1."""
    # A cached tensor must be good for autograd too, whoever asked for it first.
    with torch.inference_mode(False):
        new_edges = torch.arange(new + 1) * old
        old_edges = torch.arange(old + 1) * new
        low = torch.maximum(new_edges[:-1, None], old_edges[None, :-1])
        high = torch.minimum(new_edges[1:, None], old_edges[None, 1:])
        return ((high - low).clamp(min=0).double() / old).to(device, dtype)


def _check_size(size: tuple[int, int]) -> None:
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be (height, width) with sides of at least 1, got {size}")
