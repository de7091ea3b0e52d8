"""Losses on how the log-probabilities change with the pixels that an edit marks as irrelevant.

Both take the graph of the caller's own forward pass, whose images asked for a gradient, and differentiate it again:
they cost a second backward pass or more, and belong in float32, since gradients of single pixels are small.

I is the trust in each pixel that is irrelevant, W where T is 0. Targets and weights are on the grid of the images.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visteer.steering.peer_losses import Reduction


def rrr_loss(
    logits: Tensor,
    images: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Input gradients inside the irrelevant region, sum (I * d/dx sum_k log p_k)^2; 0 at best, without bound.

    The sum goes over pixels and channels. Needs irrelevant marks.

    Arguments:
        logits: (N, C) of a forward pass on `images`, with its graph. Gradient flows through the input
            gradient into the network (second order).
        images: (N, K, H, W) floating point, asking for a gradient when the network ran.
        targets: (N, H, W) in [0, 1]. No gradient.
        weights: (N, H, W) in [0, 1], the trust in each pixel; None trusts every pixel.
        reduction: "mean" over the images that have an irrelevant pixel (0 if none has); "none" gives (N,). The paper
            sums over the batch: its lambda is gamma / N.

    Raises:
        ValueError: the shapes do not fit, or the images asked for no gradient.

    Source: Ross et al. 2017, "Right for the right reasons", equation 1.

    Example:
        >>> images = torch.tensor([[[[1.0, 2.0]]]], requires_grad=True)
        >>> logits = images.flatten(1) * torch.tensor([[0.0, 3.0]])  # the left pixel says nothing
        >>> rrr_loss(logits, images, torch.tensor([[[0.0, 1.0]]])).item()
        0.0
    """
    irrelevant = irrelevant_pixels(images, targets, weights).unsqueeze(1)
    gradients = _input_gradients(F.log_softmax(logits, dim=1).sum(), images)
    return _reduced((irrelevant * gradients).square().flatten(1).sum(1), irrelevant, reduction)


def rbr_loss(
    logits: Tensor,
    images: Tensor,
    labels: Tensor,
    parameters: Iterable[nn.Parameter],
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Input times influence gradients in the irrelevant region, sum (I * g * u)^2; 0 at best, without bound.

    g is the input gradient of `rrr_loss`, and u = d/dx sum over the parameters of dL/dtheta, with L the sum of the
    images' cross-entropies: the influence function with the identity in place of the Hessian. Costs about three
    backward passes (third order). Needs irrelevant marks.

    Arguments:
        logits, images, targets, weights, reduction: as in `rrr_loss`.
        labels: (N,) int64.
        parameters: those of the network, as many as ask for a gradient.

    Raises:
        ValueError: the shapes do not fit, or the images asked for no gradient.

    Source: Shao et al. 2021, "Right for better reasons", as the XIL typology (Friedrich et al. 2023) computes it.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> images = torch.rand(3, 1, 2, 2, requires_grad=True)
        >>> known = torch.zeros(3, 2, 2)
        >>> loss = rbr_loss(net(images), images, torch.tensor([0, 1, 1]), net.parameters(), known)
        >>> loss.requires_grad
        True
    """
    irrelevant = irrelevant_pixels(images, targets, weights).unsqueeze(1)
    gradients = _input_gradients(F.log_softmax(logits, dim=1).sum(), images)
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    loss = F.cross_entropy(logits, labels, reduction="sum")
    found = torch.autograd.grad(loss, trained, create_graph=True, allow_unused=True)
    total = torch.stack([gradient.sum() for gradient in found if gradient is not None]).sum()
    influence = _input_gradients(total, images)
    return _reduced((irrelevant * gradients * influence).square().flatten(1).sum(1), irrelevant, reduction)


def irrelevant_pixels(images: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """The irrelevant pixels I of the edits, each with its trust: (N, H, W), of the dtype of `images` (N, K, H, W).

    Raises:
        ValueError: the shapes do not fit.
    """
    if weights is None:
        weights = torch.ones_like(targets)
    shape = (len(images), *images.shape[2:])
    if images.ndim != 4 or targets.shape != shape or weights.shape != shape:
        raise ValueError(
            f"images (N, K, H, W), targets and weights (N, H, W) do not fit: "
            f"{tuple(images.shape)}, {tuple(targets.shape)}, {tuple(weights.shape)}"
        )
    return (weights * (targets == 0)).to(images.dtype)


def _input_gradients(score: Tensor, images: Tensor) -> Tensor:
    if not images.requires_grad:
        raise ValueError("the images asked for no gradient: call images.requires_grad_() before the network")
    gradients = torch.autograd.grad(score, images, create_graph=True, allow_unused=True)[0]
    return torch.zeros_like(images) if gradients is None else gradients


def _reduced(per_image: Tensor, irrelevant: Tensor, reduction: Reduction) -> Tensor:
    if reduction == "none":
        return per_image
    return per_image.sum() / (irrelevant.flatten(1).sum(1) > 0).sum().clamp_min(1)
