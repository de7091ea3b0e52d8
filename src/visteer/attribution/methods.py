"""The CAM family as pure functions: how each method weighs the channels of a layer.

Every map of the family is a weighted sum over the channels, and the methods differ in the weights alone:
one number a channel (Grad-CAM, Grad-CAM++, XGrad-CAM) or one a cell (HiResCAM, LayerCAM). Notation:
A = activations (N, K, h, w), g = gradient of the class score with respect to A, same shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor


def grad_cam_weights(activations: Tensor, gradients: Tensor) -> Tensor:  # noqa: ARG001
    """The mean gradient of a channel, (N, K, 1, 1).

    Source: Selvaraju et al., "Grad-CAM", ICCV 2017, equation 1.
    """
    return gradients.mean(dim=(2, 3), keepdim=True)


def hirescam_weights(activations: Tensor, gradients: Tensor) -> Tensor:  # noqa: ARG001
    """The gradient itself, cell by cell, (N, K, h, w).

    Source: Draelos and Carin, "Use HiResCAM instead of Grad-CAM", arXiv 2011.08891: HiResCAM.
    """
    return gradients


def layercam_weights(activations: Tensor, gradients: Tensor) -> Tensor:  # noqa: ARG001
    """The positive part of the gradient, cell by cell, (N, K, h, w).

    Source: Jiang et al., "LayerCAM", IEEE TIP 2021, the definition of the weights.
    """
    return gradients.relu()


def grad_cam_plus_plus_weights(activations: Tensor, gradients: Tensor) -> Tensor:
    """Positive gradients, summed over a channel's cells by the paper's alpha, (N, K, 1, 1).

    alpha = g^2 / (2 g^2 + g^3 * sum(A)), 0 where g is 0. The paper takes exp(logit) as the class score; that
    only multiplies a whole map by exp(logit), so it is left out here and g is the gradient of the logit.
    Where the denominator is 0 or below (possible for activations below 0) alpha is 0 as well.

    Source: Chattopadhay et al., "Grad-CAM++", WACV 2018: the weights, and their closed form for exp.
    """
    # Divided by g^2: alpha = 1 / (2 + g * sum(A)).
    denominator = 2 + gradients * activations.sum(dim=(2, 3), keepdim=True)
    usable = (denominator > 0) & (gradients != 0)
    alpha = usable / torch.where(usable, denominator, torch.ones_like(denominator))
    return (alpha * gradients.relu()).sum(dim=(2, 3), keepdim=True)


def xgrad_cam_weights(activations: Tensor, gradients: Tensor) -> Tensor:
    """The mean gradient of a channel, each cell counted by its share of the activation, (N, K, 1, 1).

    0 for a channel whose activations sum to 0.

    Source: Fu et al., "Axiom-based Grad-CAM", BMVC 2020, the solution for the channel weights.
    """
    total = activations.sum(dim=(2, 3), keepdim=True)
    usable = total != 0
    share = usable * activations / torch.where(usable, total, torch.ones_like(total))
    return (share * gradients).sum(dim=(2, 3), keepdim=True)


CHANNEL_WEIGHTS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        "grad-cam": grad_cam_weights,
        "hirescam": hirescam_weights,
        "grad-cam++": grad_cam_plus_plus_weights,
        "layercam": layercam_weights,
        "xgrad-cam": xgrad_cam_weights,
    }
)


def class_activation_map(
    activations: Tensor, gradients: Tensor, method: str = "grad-cam", *, constant_weights: bool = False
) -> Tensor:
    """The weighted sum over the channels, before the ReLU: the evidence for the class, cell by cell.

    Arguments:
        activations: (N, K, h, w) floating point, any range.
        gradients: (N, K, h, w), the gradient of the class score with respect to `activations`.
        method: a name in `CHANNEL_WEIGHTS`.
        constant_weights: the weights are constants for the gradient.

    Returns:
        (N, h, w) on the feature grid, any sign. Gradient flows to both arguments.

    Raises:
        ValueError: the method is unknown.

    Example:
        >>> import torch
        >>> activations = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])
        >>> gradients = torch.tensor([[[[1.0, 3.0]], [[-1.0, 0.0]]]])
        >>> class_activation_map(activations, gradients)
        tensor([[[0.5000, 4.0000]]])
    """
    if method not in CHANNEL_WEIGHTS:
        raise ValueError(f"unknown method {method!r}; there are {', '.join(CHANNEL_WEIGHTS)}")
    weights = CHANNEL_WEIGHTS[method](activations, gradients)
    if constant_weights:
        weights = weights.detach()
    return (weights * activations).sum(dim=1)


def widen(values: Tensor) -> Tensor:
    """In float32, or float64 if they are so already."""
    return values if values.dtype == torch.float64 else values.float()
