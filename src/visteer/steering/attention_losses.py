"""What is added to the prediction loss: how far a map is from where an expert wants the model to look."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from visteer.attribution.normalization import normalize_maps
from visteer.attribution.resizing import pool_edits, resize_maps

Resolution = Literal["map", "image"]


def attention_mse_loss(
    maps: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    region_share: float = 0.1,
    resolution: Resolution = "map",
    reduction: Literal["mean", "none"] = "mean",
) -> Tensor:
    """Weighted squared error between normalised maps and edited maps; 0 at best, 1 at worst.

    For one image with normalised map M, target T and weight W over the cells p::

        (1 - s) * sum_p W (M - T)^2 / sum_p W  +  s * sum_p W T (M - T)^2 / sum_p W T

    with s = `region_share`. With W = 1 and a binary T these are the two mean squared errors of the paper's
    code, over all cells and over the cells where T is 1; here a soft border counts by how much of it is
    region, so that no pixel of a resized mask drops out. Without a relevant cell the second term falls away
    and the first counts in full, as there. Cells of weight 0 are unknown and do not count.

    Arguments:
        maps: (N, h, w) float, non-negative and unnormalised as `GradCAM.maps` gives them; normalised here.
            Gradient flows into them.
        targets: (N, H, W) float in [0, 1], on any grid that covers the image. No gradient.
        weights: (N, H, W) float >= 0, the trust in each cell; None trusts every cell.
        region_share: the share of the second term, 0 to 1.
        resolution: "map" averages the edit down to (h, w); "image" enlarges the map to (H, W) as the paper does.
        reduction: "mean" over the images that have a known cell (0 if none has); "none" gives (N,), 0 for
            images without a known cell.

    Raises:
        ValueError: shapes do not fit together, or `region_share` leaves [0, 1].

    Source: Elbeialy et al. 2023, the attention loss; the weights 0.9 and 0.1 stand in the public code.

    Example:
        >>> import torch
        >>> maps = torch.tensor([[[0.0, 2.0], [0.0, 4.0]]])
        >>> targets = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
        >>> attention_mse_loss(maps, targets)  # 0.9 * 0.25 / 4 + 0.1 * 0.25 / 2
        tensor(0.0688)
    """
    if weights is None:
        weights = torch.ones_like(targets)
    check_shapes(maps, targets, weights)
    if not 0 <= region_share <= 1:
        raise ValueError(f"region_share must lie in [0, 1], got {region_share}")
    targets, weights = targets.to(maps.dtype), weights.to(maps.dtype)
    maps = normalize_maps(maps)
    if maps.shape != targets.shape:
        if resolution == "map":
            targets, weights = pool_edits(targets, weights, (maps.shape[1], maps.shape[2]))
        else:
            maps = resize_maps(maps, (targets.shape[1], targets.shape[2]))
    squares = (maps - targets).square().flatten(1)
    targets, weights = targets.flatten(1), weights.flatten(1)
    everywhere = weighted_mean(squares, weights)
    region_weights = weights * targets
    has_region = region_weights.sum(1) > 0
    in_region = torch.where(has_region, weighted_mean(squares, region_weights), everywhere)
    per_image = (1 - region_share) * everywhere + region_share * in_region
    if reduction == "none":
        return per_image
    known = (weights.sum(1) > 0).sum()
    return per_image.sum() / known.clamp_min(1)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Row means of `values` (N, P) under `weights` (N, P); 0 where a row's weights are all zero."""
    return (values * weights).sum(1) / or_one(weights.sum(1))


def or_one(values: Tensor) -> Tensor:
    """`values` to divide by: 1 in place of 0."""
    return torch.where(values > 0, values, torch.ones_like(values))


def check_shapes(maps: Tensor, targets: Tensor, weights: Tensor) -> None:
    """Whether maps (N, h, w) and edits (N, H, W) fit.

    Raises:
        ValueError: they do not.
    """
    if maps.ndim != 3 or targets.shape != weights.shape or targets.ndim != 3 or len(maps) != len(targets):
        raise ValueError(
            f"maps (N, h, w), targets and weights (N, H, W) do not fit: "
            f"{tuple(maps.shape)}, {tuple(targets.shape)}, {tuple(weights.shape)}"
        )


def confidence_above_chance(logits: Tensor, labels: Tensor) -> Tensor:
    """How sure a prediction is of the true class, from 0, at or below chance, to 1: max(0, (C p_y - 1) / (C - 1)).

    As the weight of an image's attention loss it leaves maps alone while the class is not seen, since they then explain
    nothing, and lets go of an image whose prediction the loss begins to spoil.

    Arguments:
        logits: (N, C) float with C >= 2. No gradient.
        labels: (N,) int64, the true classes y; p_y are their probabilities.

    Returns:
        (N,) float in [0, 1].

    Source: this project's own.

    Example:
        >>> import torch
        >>> confidence_above_chance(torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]]), torch.tensor([0, 0, 0]))
        tensor([0.0000, 0.9998, 0.0000])
    """
    classes = logits.shape[1]
    likely = logits.detach().softmax(1).gather(1, labels[:, None])[:, 0]
    return ((classes * likely - 1) / (classes - 1)).clamp(min=0)
