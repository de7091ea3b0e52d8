"""How well maps agree with edits, one score an image.

The metrics here are pure functions of maps, regions and known cells that already share one grid;
`localisation_scores` brings raw maps and edits there. What holds for all of them:

- **Grid.** The map is enlarged to the image grid of the edit (bilinear), as people see it. Only
  `map_distance` has a coarse grid, 7 x 7.
- **Region.** Known cells (weight > 0) with a target of at least 0.5. Soft Dice and `map_distance` use the
  target itself.
- **Unknown cells** (weight 0) count nowhere. The map is still stretched to [0, 1] by its extremes over the
  whole image.
- **Dead maps** (zero everywhere) look nowhere: 0 in all scores but `pixel_auroc` (0.5: no order at all) and
  `map_distance` (the length of the target).
- **Images without a region** have no score: NaN, to be left out of means.

No gradient flows through any of this; the losses of `visteer.steering` are the differentiable ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from visteer.attribution.resizing import pool_edits, resize_maps

MAP_SCORES = ("epg", "iou", "dice", "pointing_game", "rank_accuracy", "pixel_auroc", "map_distance")
IOU_THRESHOLD = 0.5
IOU_SWEEP = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
DISTANCE_GRID = (7, 7)
REGION_THRESHOLD = 0.5


@torch.no_grad()
def localisation_scores(
    maps: Tensor, targets: Tensor, weights: Tensor, sweep: Sequence[float] = IOU_SWEEP
) -> dict[str, Tensor]:
    """Score raw maps against edits, by all metrics of this module.

    Arguments:
        maps: (N, h, w) floating point, after the ReLU, not normalised, on any grid.
        targets: (N, H, W) in [0, 1] on the image grid.
        weights: (N, H, W) in [0, 1]; 0 means unknown.
        sweep: thresholds of the IoU sweep, each in [0, 1).

    Returns:
        `MAP_SCORES`, and "iou@t" for each t of the sweep: (N,) each, NaN for images without a region.

    Raises:
        ValueError: shapes do not fit, a value is not finite or a map has negative values.

    Example:
        >>> target = torch.zeros(1, 8, 8)
        >>> target[:, :4, :4] = 1
        >>> scores = localisation_scores(target, target, torch.ones(1, 8, 8))
        >>> scores["epg"].item(), scores["iou"].item()
        (1.0, 1.0)
    """
    if maps.ndim != 3 or targets.ndim != 3 or targets.shape != weights.shape or len(maps) != len(targets):
        shapes = ", ".join(str(tuple(t.shape)) for t in (maps, targets, weights))
        raise ValueError(f"expected maps (N, h, w) and targets, weights (N, H, W), got {shapes}")
    if not bool(torch.isfinite(maps).all()) or bool((maps < 0).any()):
        raise ValueError("maps must be finite and not negative: take them after the ReLU")
    maps = maps.to(targets.dtype)
    large = resize_maps(maps, (targets.shape[-2], targets.shape[-1]))
    known = weights > 0
    region = known & (targets >= REGION_THRESHOLD)
    unit = stretch(large)
    scores = {
        "epg": energy_share(large, region, known),
        "iou": iou(unit, region, known, IOU_THRESHOLD),
        "dice": soft_dice(unit, targets, known),
        "pointing_game": pointing_game(large, region, known),
        "rank_accuracy": rank_accuracy(large, region, known),
        "pixel_auroc": pixel_auroc(large, region, known),
        "map_distance": map_distance(maps, targets, weights),
    }
    scores |= {f"iou@{t:g}": iou(unit, region, known, t) for t in sweep}
    has_region = region.flatten(1).any(dim=1)
    return {name: torch.where(has_region, score, math.nan) for name, score in scores.items()}


def stretch(maps: Tensor) -> Tensor:
    """(M - min M) / (max M - min M) of each map (N, h, w): in [0, 1]; zeros for a map of one value.

    Example:
        >>> stretch(torch.tensor([[[1.0, 3.0]], [[2.0, 2.0]]]))
        tensor([[[0., 1.]],
        <BLANKLINE>
                [[0., 0.]]])
    """
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    spread = high - low
    return torch.where(spread > 0, (maps - low) / torch.where(spread > 0, spread, 1), 0)


def energy_share(maps: Tensor, region: Tensor, known: Tensor) -> Tensor:
    """Energy pointing game: the map's sum inside the region over its sum over all known cells.

    0 to 1, best 1. A map without any value among the known cells scores 0. A large region is easy to hit:
    read it beside the IoU. Source: Wang et al., "Score-CAM", CVPR workshops 2020 (energy-based pointing).

    Arguments:
        maps: (N, H, W), not negative.
        region: (N, H, W) bool, a part of `known`.
        known: (N, H, W) bool.

    Example:
        >>> maps = torch.tensor([[[3.0, 1.0, 9.0]]])
        >>> known = torch.tensor([[[True, True, False]]])
        >>> energy_share(maps, torch.tensor([[[True, False, False]]]), known)
        tensor([0.7500])
    """
    return _ratio((maps * region).sum(dim=(1, 2)), (maps * known).sum(dim=(1, 2)), 0)


def iou(unit: Tensor, region: Tensor, known: Tensor, threshold: float) -> Tensor:
    """Intersection over union of {M > threshold} and the region, among the known cells.

    0 to 1, best 1; 0 if both are empty.

    Arguments:
        unit: (N, H, W) stretched to [0, 1].
        region: (N, H, W) bool, a part of `known`.
        known: (N, H, W) bool.
        threshold: in [0, 1); cells above it, not at it, are taken.

    Raises:
        ValueError: the threshold is outside [0, 1).

    Example:
        >>> region = torch.tensor([[[True, True, False]]])
        >>> iou(torch.tensor([[[1.0, 0.2, 0.7]]]), region, torch.ones_like(region), 0.5)
        tensor([0.3333])
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
    hot = (unit > threshold) & known
    both, either = (hot & region).sum(dim=(1, 2)), (hot | region).sum(dim=(1, 2))
    return _ratio(both.to(unit.dtype), either.to(unit.dtype), 0)


def soft_dice(unit: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """2 sum(M T) / (sum M^2 + sum T^2) over the known cells: 0 to 1, and 1 just where M equals T.

    0 if both are empty. Source: Milletari et al., "V-Net", 3DV 2016 (Dice loss).

    Arguments:
        unit: (N, H, W) stretched to [0, 1].
        targets: (N, H, W) in [0, 1].
        known: (N, H, W) bool.

    Example:
        >>> target = torch.tensor([[[1.0, 0.5, 0.0]]])
        >>> soft_dice(target, target, target >= 0)
        tensor([1.])
    """
    overlap = (unit * targets * known).sum(dim=(1, 2))
    return _ratio(2 * overlap, ((unit.square() + targets.square()) * known).sum(dim=(1, 2)), 0)


def pointing_game(maps: Tensor, region: Tensor, known: Tensor) -> Tensor:
    """1 if the hottest known cell lies in the region, else 0; equally hot ones give their share inside.

    A map without any value among the known cells scores 0. Source: Zhang et al., "Top-down Neural Attention
    by Excitation Backprop", IJCV 2018, without its 15 pixels of tolerance.

    Arguments: as `energy_share`.

    Example:
        >>> region = torch.tensor([[[True, False]]])
        >>> pointing_game(torch.tensor([[[0.2, 0.9]]]), region, torch.ones_like(region))
        tensor([0.])
    """
    visible = torch.where(known, maps, 0)
    top = visible.amax(dim=(-2, -1), keepdim=True)
    hottest = known & (visible == top) & (top > 0)
    return _ratio(
        (hottest & region).sum(dim=(1, 2)).to(maps.dtype), hottest.sum(dim=(1, 2)).to(maps.dtype), 0
    )


def rank_accuracy(maps: Tensor, region: Tensor, known: Tensor) -> Tensor:
    """Share of the |G| hottest known cells that lie in the region G: 0 to 1, best 1.

    Where cells tie at the border of that top, it is the mean over all ways to break the tie. A map without
    any value among the known cells scores 0; so does a region without cells. Source: Arras et al., CLEVR-XAI,
    Information Fusion 2022 (relevance rank accuracy).

    Arguments: as `energy_share`.

    Example:
        >>> region = torch.tensor([[[True, True, False, False]]])
        >>> rank_accuracy(torch.tensor([[[0.9, 0.0, 0.8, 0.1]]]), region, torch.ones_like(region))
        tensor([0.5000])
    """
    flat, inside = torch.where(known, maps, -1).flatten(1), region.flatten(1)
    size = inside.sum(dim=1, keepdim=True)
    ranked = flat.sort(dim=1, descending=True).values
    border = ranked.gather(1, (size - 1).clamp(min=0))
    above, tied = flat > border, flat == border
    places = size - above.sum(dim=1, keepdim=True)
    share = (tied & inside).sum(dim=1) / tied.sum(dim=1)
    hits = (above & inside).sum(dim=1) + places[:, 0] * share
    alive = ranked[:, 0] > 0
    return torch.where(alive, _ratio(hits.to(maps.dtype), size[:, 0].to(maps.dtype), 0), 0)


def pixel_auroc(maps: Tensor, region: Tensor, known: Tensor) -> Tensor:
    """Chance that a random cell of the region is hotter than a random known cell outside; ties count half.

    0 to 1, best 1, chance 0.5, NaN where the region or its outside has no cell.

    Arguments: as `energy_share`.

    Example:
        >>> region = torch.tensor([[[True, False, False]]])
        >>> pixel_auroc(torch.tensor([[[0.5, 0.5, 0.1]]]), region, torch.ones_like(region))
        tensor([0.7500])
    """
    values, order = maps.flatten(1).sort(dim=1)
    positive = region.flatten(1).gather(1, order)
    negative = (known & ~region).flatten(1).gather(1, order)
    below = torch.nn.functional.pad(negative.cumsum(dim=1), (1, 0)).double()
    first = torch.searchsorted(values, values, side="left")
    after = torch.searchsorted(values, values, side="right")
    right = (positive * (below.gather(1, first) + below.gather(1, after)) / 2).sum(dim=1)
    return _ratio(right, positive.sum(dim=1) * below[:, -1], math.nan).to(maps.dtype)


def map_distance(
    maps: Tensor, targets: Tensor, weights: Tensor, grid: tuple[int, int] = DISTANCE_GRID
) -> Tensor:
    """||stretch(M) - T||_2 over the known cells of a coarse grid: 0 is best, 7 the worst on 7 x 7.

    Map and target are first brought to the grid: area averaging where they are finer (the target by weight),
    bilinear where they are coarser; then the map is stretched to [0, 1]. It is one reading of the measure "Q"
    of Elbeialy et al., AISI 2023, whose definition is not public.

    Arguments:
        maps: (N, h, w) raw maps on any grid.
        targets: (N, H, W) in [0, 1] on the image grid.
        weights: (N, H, W) in [0, 1]; 0 means unknown.
        grid: (rows, columns).

    Example:
        >>> map_distance(torch.zeros(1, 7, 7), torch.ones(1, 7, 7), torch.ones(1, 7, 7))
        tensor([7.])
    """
    coarse, weight = pool_edits(targets, weights, grid)
    difference = stretch(resize_maps(maps, grid)) - coarse
    return torch.where(weight > 0, difference.square(), 0).sum(dim=(1, 2)).sqrt()


def _ratio(numerator: Tensor, denominator: Tensor, otherwise: float) -> Tensor:
    """Elementwise quotient, `otherwise` where the denominator is not above zero."""
    valid = denominator > 0
    return torch.where(valid, numerator / torch.where(valid, denominator, 1), otherwise)
