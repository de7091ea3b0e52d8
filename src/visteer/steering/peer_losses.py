"""Map losses of other papers, in one form: raw maps, targets and weights in, one value an image or their mean out.

For one image, over the cells of the map's grid: M the raw map, N = `normalize_maps(M)`, T and W the edit averaged
down to that grid, R = the mean of W T over a cell (how much of it is relevant), I = the mean of W where T is 0 (how
much of it is irrelevant). Unknown cells have R = I = W = 0 and never count, where the papers take all outside a region
as wrong.

All of them share these arguments:

- maps: (N, h, w) float, non-negative and unnormalised, as `GradCAM.maps` gives them. Gradient flows into them.
- targets: (N, H, W) float in [0, 1], on any grid that covers the image. No gradient.
- weights: (N, H, W) float in [0, 1], the trust in each cell; None trusts every cell.
- reduction: "mean" over the images that have the marks the loss needs (0 if none has); "none" gives (N,), 0 for images
  without them.

All of them raise ValueError if the shapes do not fit together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from visteer.attribution.normalization import normalize_maps
from visteer.attribution.resizing import pool_edits, resize_maps
from visteer.steering.attention_losses import check_shapes, or_one, weighted_mean

Reduction = Literal["mean", "none"]
SMALLEST_ENERGY = 0.1
"""A map that sums to less speaks for less than a tenth of a logit, as for the floor of `normalize_maps`."""


def rrr_g_loss(
    maps: Tensor, targets: Tensor, weights: Tensor | None = None, *, reduction: Reduction = "mean"
) -> Tensor:
    """The normalised map inside the irrelevant region, sum (I N)^2; 0 at best, the number of its cells at worst.

    Needs irrelevant marks. Arguments and errors: see the module.

    Source: RRR-G in Friedrich et al. 2023, "A typology for exploring the mitigation of shortcut behaviour".

    Example:
        >>> rrr_g_loss(torch.tensor([[[2.0, 4.0, 0.0]]]), torch.tensor([[[0.0, 1.0, 0.0]]]))
        tensor(0.2500)
    """
    marks = _marks(maps, targets, weights)
    return _reduced((marks.irrelevant * marks.normalised).square().sum(1), marks.has_irrelevant, reduction)


def hint_loss(
    maps: Tensor, targets: Tensor, weights: Tensor | None = None, *, reduction: Reduction = "mean"
) -> Tensor:
    """The mean squared error over the known cells, sum W (N - T)^2 / sum W; 0 at best, 1 at worst.

    Needs relevant marks. Arguments and errors: see the module.

    Source: HINT of Selvaraju et al. 2019, in the simple form of the XIL typology (Friedrich et al. 2023).

    Example:
        >>> hint_loss(torch.tensor([[[0.0, 2.0], [0.0, 4.0]]]), torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
        tensor(0.0625)
    """
    marks = _marks(maps, targets, weights)
    return _reduced(
        weighted_mean((marks.normalised - marks.target).square(), marks.weight), marks.has_relevant, reduction
    )


def map_l1_loss(
    maps: Tensor, targets: Tensor, weights: Tensor | None = None, *, reduction: Reduction = "mean"
) -> Tensor:
    """The mean absolute error over the known cells, sum W |N - T| / sum W; 0 at best, 1 at worst.

    Needs relevant marks. Arguments and errors: see the module.

    Source: the L1 loss in Rao et al. 2023, "Studying how to efficiently and effectively guide models with
    explanations".

    Example:
        >>> map_l1_loss(torch.tensor([[[0.0, 2.0], [0.0, 4.0]]]), torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
        tensor(0.1250)
    """
    marks = _marks(maps, targets, weights)
    return _reduced(
        weighted_mean((marks.normalised - marks.target).abs(), marks.weight), marks.has_relevant, reduction
    )


def ppce_loss(
    maps: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    floor: float = 1e-3,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy towards 1 inside the region, sum R (-log N) / sum R; 0 at best, about -log(floor) at worst.

    N stands for (N + floor) / (1 + floor), so that a cell of 0 has a bounded loss and still a gradient. Outside the
    region nothing is asked. Needs relevant marks. Arguments and errors: see the module.

    Source: the per-pixel cross-entropy in Rao et al. 2023.

    Example:
        >>> ppce_loss(torch.tensor([[[1.0, 2.0], [0.0, 4.0]]]), torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]), floor=0.0)
        tensor(0.3466)
    """
    marks = _marks(maps, targets, weights)
    logs = -((marks.normalised + floor) / (1 + floor)).log()
    # A cell outside has no part, not 0 times infinity.
    inside = torch.where(marks.relevant > 0, logs, torch.zeros_like(logs))
    return _reduced(weighted_mean(inside, marks.relevant), marks.has_relevant, reduction)


def energy_loss(
    maps: Tensor, targets: Tensor, weights: Tensor | None = None, *, reduction: Reduction = "mean"
) -> Tensor:
    """The share of the raw map outside the region, 1 - sum W T M / sum W M; 0 at best, 1 at worst.

    A map that sums to less than 0.1 (a tenth of a logit) is measured against 0.1, so that a dead map costs 1 and its
    gradient lifts the region. Needs relevant and irrelevant marks: with no known cell outside it is 0 for any map.
    Arguments and errors: see the module.

    Source: the energy loss in Rao et al. 2023, after the energy-based pointing game.

    Example:
        >>> energy_loss(torch.tensor([[[1.0, 2.0], [1.0, 4.0]]]), torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
        tensor(0.2500)
    """
    marks = _marks(maps, targets, weights)
    inside = (marks.weight * marks.target * marks.raw).sum(1)
    total = (marks.weight * marks.raw).sum(1).clamp_min(SMALLEST_ENERGY)
    return _reduced(1 - inside / total, marks.has_both, reduction)


def gradia_loss(
    maps: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    reasonable: float = 0.5,
    reduction: Reduction = "mean",
) -> Tensor:
    """`map_l1_loss` of the unreasonable maps, 0 for the reasonable ones; 0 at best, 1 at worst.

    In the paper people judge which maps are reasonable, for the cells of its reasonability matrix (right or wrong
    prediction by reasonable or unreasonable attention), and the map is moved wherever it is unreasonable. Here a map is
    reasonable if at least the share `reasonable` of its known sum lies in the region. Needs relevant and
    irrelevant marks. Arguments and errors: see the module.

    Source: Gao et al. 2022, "Aligning eyes between humans and deep neural network through interactive attention
    alignment" (GRADIA).

    Example:
        >>> maps = torch.tensor([[[3.0, 1.0]], [[1.0, 3.0]]])
        >>> gradia_loss(maps, torch.tensor([[[0.0, 1.0]], [[0.0, 1.0]]]), reduction="none")
        tensor([1., 0.])
    """
    marks = _marks(maps, targets, weights)
    shares = 1 - energy_loss(maps.detach(), targets, weights, reduction="none")
    moved = (shares < reasonable).to(maps.dtype)
    losses = weighted_mean((marks.normalised - marks.target).abs(), marks.weight)
    return _reduced(losses * moved, marks.has_both, reduction)


def res_g_loss(
    maps: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    threshold: float = 0.5,
    slack: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Robust supervision: marks as labels with a slack, plus the distance to a blurred target; 0 at best, below 3.

    ::

        ReLU(sum (R |t - 1| + I |t + 1|) / sum (R + I) - slack)  +  mean |N - B|,   t = tanh(5 (N - threshold))

    B is R blurred by a Gaussian of one cell: it fills in the unknown cells and softens borders, so its mean goes over
    all cells. `threshold` and `slack` are the paper's a and eta; their defaults are ours. Needs relevant and
    irrelevant marks. Arguments and errors: see the module.

    Source: Gao et al. 2022, "RES: a robust framework for guiding visual explanation", RES-G.

    Example:
        >>> loss = res_g_loss(torch.tensor([[[0.0, 4.0]]]), torch.tensor([[[0.0, 1.0]]]))
        >>> round(loss.item(), 4)  # 1 - tanh(2.5), and B = 0.3775, 0.6225
        0.3909
    """
    marks = _marks(maps, targets, weights)
    signs = torch.tanh(5 * (marks.normalised - threshold))
    known = marks.relevant + marks.irrelevant
    apart = marks.relevant * (signs - 1).abs() + marks.irrelevant * (signs + 1).abs()
    labels = (apart.sum(1) / or_one(known.sum(1)) - slack).relu()
    height, width = maps.shape[1:]
    blurred = _blur(height, maps) @ marks.relevant.view(-1, height, width) @ _blur(width, maps).mT
    imputed = (marks.normalised - blurred.flatten(1)).abs().mean(1)
    return _reduced(labels + imputed, marks.has_both, reduction)


def distance_aware_loss(
    maps: Tensor, targets: Tensor, weights: Tensor | None = None, *, reduction: Reduction = "mean"
) -> Tensor:
    """The map weighted by the distance to the region, sum W N D / sum W; 0 at best, below 1 at worst.

    D is the distance to the nearest relevant cell over the grid's diagonal. Needs relevant and irrelevant marks.
    Arguments and errors: see the module.

    Source: Hagos et al. 2023, "Distance-aware explanation based learning".

    Example:
        >>> distance_aware_loss(torch.tensor([[[4.0, 0.0, 0.0, 2.0]]]), torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
        tensor(0.0910)
    """
    marks = _marks(maps, targets, weights)
    distances = _distances(marks.relevant, (maps.shape[1], maps.shape[2]))
    return _reduced(weighted_mean(marks.normalised * distances, marks.weight), marks.has_both, reduction)


def dice_loss(
    maps: Tensor, targets: Tensor, weights: Tensor | None = None, *, reduction: Reduction = "mean"
) -> Tensor:
    """One less the soft Dice, 1 - 2 sum W N T / (sum W N + sum W T); 0 at best, 1 at worst.

    Needs relevant marks. Arguments and errors: see the module.

    Source: Uddin et al. 2025, the Dice term between map and mask.

    Example:
        >>> dice_loss(torch.tensor([[[0.0, 2.0], [0.0, 4.0]]]), torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
        tensor(0.1429)
    """
    marks = _marks(maps, targets, weights)
    both = (marks.weight * marks.normalised * marks.target).sum(1)
    either = (marks.weight * (marks.normalised + marks.target)).sum(1)
    return _reduced(1 - 2 * both / or_one(either), marks.has_relevant, reduction)


def abn_map_loss(
    maps: Tensor, targets: Tensor, weights: Tensor | None = None, *, reduction: Reduction = "mean"
) -> Tensor:
    """The distance of an ABN's own map from the edit, sqrt(sum W (M - T)^2); 0 at best, sqrt(h w) at worst.

    The maps are those of `AttentionBranchOutputs.maps`, in (0, 1), and are taken as they are. Needs any edit. Arguments
    and errors: see the module.

    Source: Mitsuhara et al., arXiv 1905.03540, the map loss without its factor.

    Example:
        >>> abn_map_loss(torch.tensor([[[0.5, 1.0], [0.5, 0.5]]]), torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))
        tensor(0.8660)
    """
    marks = _marks(maps, targets, weights)
    squares = (marks.weight * (marks.raw - marks.target).square()).sum(1)
    # The root has no gradient at 0, where there is nothing left to do.
    apart = torch.where(squares > 0, squares, torch.ones_like(squares)).sqrt() * (squares > 0)
    return _reduced(apart, marks.weight.sum(1) > 0, reduction)


@dataclass(frozen=True)
class _Marks:
    """Maps and edits on the map's grid, all (N, P)."""

    raw: Tensor
    normalised: Tensor
    target: Tensor
    weight: Tensor
    relevant: Tensor
    irrelevant: Tensor

    @property
    def has_relevant(self) -> Tensor:
        return self.relevant.sum(1) > 0

    @property
    def has_irrelevant(self) -> Tensor:
        return self.irrelevant.sum(1) > 0

    @property
    def has_both(self) -> Tensor:
        return self.has_relevant & self.has_irrelevant


def _marks(maps: Tensor, targets: Tensor, weights: Tensor | None) -> _Marks:
    if weights is None:
        weights = torch.ones_like(targets)
    check_shapes(maps, targets, weights)
    size = (maps.shape[1], maps.shape[2])
    targets, weights = targets.to(maps.dtype), weights.to(maps.dtype)
    irrelevant = resize_maps(weights * (targets == 0), size)
    targets, weights = pool_edits(targets, weights, size)
    parts = (maps, normalize_maps(maps), targets, weights, weights * targets, irrelevant)
    return _Marks(*(part.flatten(1) for part in parts))


def _reduced(per_image: Tensor, takes_part: Tensor, reduction: Reduction) -> Tensor:
    per_image = torch.where(takes_part, per_image, torch.zeros_like(per_image))
    return per_image if reduction == "none" else per_image.sum() / takes_part.sum().clamp_min(1)


def _blur(size: int, like: Tensor) -> Tensor:
    """(size, size): a Gaussian of one cell as a matrix; rows sum to 1, at the borders too."""
    places = torch.arange(size, device=like.device, dtype=like.dtype)
    return torch.softmax(-(places[:, None] - places[None]).square() / 2, dim=1)


def _distances(relevant: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, P): how far each cell is from the nearest relevant one, over the grid's diagonal; 0 where there is none."""
    height, width = size
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack((rows.flatten(), columns.flatten()), dim=1).to(relevant)
    found = torch.zeros_like(relevant)
    for image, inside in enumerate(relevant > 0):
        if inside.any():
            found[image] = torch.cdist(places, places[inside]).amin(1) / math.hypot(height, width)
    return found
