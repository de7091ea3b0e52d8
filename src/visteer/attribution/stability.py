"""Whether a map stays where it is when the image is mirrored."""

from __future__ import annotations

import torch
from torch import Tensor


def flip_instability(maps: Tensor, mirrored: Tensor) -> Tensor:
    """1 - soft IoU of the maps of images and the maps of the same images mirrored left to right.

    With m the map and n the other one mirrored back: 1 - sum min(m, n) / sum max(m, n) over the cells (the Jaccard or
    Ruzicka distance). An object is the same in a mirror: a map that moves then goes by something else, or by little.

    Arguments:
        maps: (N, h, w) floating point, 0 or more.
        mirrored: the maps of the mirrored images, of the same shape, as they come, not mirrored back.

    Returns:
        (N,) from 0 (the same) to 1 (no overlap); NaN where both are zero everywhere. No gradient.

    Raises:
        ValueError: the shapes differ, or are not (N, h, w).

    Example:
        >>> import torch
        >>> flip_instability(torch.tensor([[[1.0, 0.5]]]), torch.tensor([[[0.5, 0.5]]]))
        tensor([0.3333])
    """
    if maps.ndim != 3 or maps.shape != mirrored.shape:
        raise ValueError(f"both must be (N, h, w), got {tuple(maps.shape)} and {tuple(mirrored.shape)}")
    with torch.no_grad():
        back = mirrored.flip(-1)
        shared = torch.minimum(maps, back).sum(dim=(-2, -1))
        union = torch.maximum(maps, back).sum(dim=(-2, -1))
        return torch.where(union > 0, 1 - shared / union, torch.nan)
