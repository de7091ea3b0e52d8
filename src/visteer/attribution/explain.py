"""Maps for viewing and evaluating, at the price of a plain prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from visteer.attribution.grad_cam import GradCAM, target_columns
from visteer.attribution.methods import CHANNEL_WEIGHTS, widen
from visteer.models.abn import AttentionBranchOutputs, find_attention_branch
from visteer.models.eval_mode import eval_mode
from visteer.models.wrapping import unwrap_model

# Methods on the pixels hold the graph of the whole network: so many images (or steps between images) at once.
_PIXEL_BATCH = 32
_STEPS = 32
ABN_ATTENTION = "abn-attention"
"""The method that reads the map of an attention branch network's own branch."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Maps of a batch with the predictions that they explain; nothing in it has a graph.

    `maps` (N, h, w), or (N, K, h, w) for K targets an image, not normalised, values from 0 up; `logits`
    (N, C) as the network gave them; `targets` (N,) or (N, K) int64, the classes explained.
    """

    maps: Tensor
    logits: Tensor
    targets: Tensor


def explain_images(
    model: nn.Module,
    images: Tensor,
    targets: Tensor | None = None,
    method: str | None = None,
    layer: str | None = None,
) -> Explanation:
    """Predict, and say where the evidence lies. For viewing and evaluating; train with `GradCAM`.

    The network runs in eval mode and its parameters get no gradients; the flags of both are as before
    afterwards. For the CAM family the body runs as in plain inference and only the head records a graph, so
    a batch may be as big as for plain inference and takes about as long; maps lie on the feature grid, in
    units of the logit. The methods on pixels run through captum, the whole network forward and backward:

    - "input-gradient": |d logit / d pixel| summed over the channels, on the image grid, logits per unit of
      the input (Simonyan et al. 2014, section 3, which takes the largest channel in place of the sum);
    - "integrated-gradients": the part above 0, summed over the channels, of the path integral from a black
      image, 32 steps of Gauss-Legendre, on the image grid, in units of the logit (Sundararajan et al. 2017,
      equation 1).

    An attention branch network has a map of its own: "abn-attention" reads it, in (0, 1) on the grid of its features,
    the same for every class, at no cost beside plain inference (Fukui et al. 2019).

    Arguments:
        model: any module that gives logits (N, C); also wrapped in `DistributedDataParallel` or by
            `torch.compile` (the network inside is what runs).
        images: (N, 3, H, W) floating point, as the model takes them; N at least 1.
        targets: (N,) or (N, K) integer class indices; None takes the predicted classes.
        method: one of the CAM family (see `GradCAM.maps`), or one of the three above; None takes "abn-attention" for an
            attention branch network where no layer is given, and else "grad-cam".
        layer: dotted name of the layer, for the CAM family; by default the last spatial stage.

    Returns:
        maps, logits and targets, without graph; maps float32, or float64 if the network computes in it.

    Raises:
        VisteerError: no layer was given and none is found, or there is none of that name; "abn-attention" for a network
            without an attention branch.
        ValueError: the method is unknown, or a layer is given to a method that has none.
        ValueError: images, targets or the layer's output do not fit in shape, or a target is no class.
        ValueError: called under `torch.inference_mode()`.
        TypeError: the targets are not integers.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> explanation = explain_images(model, torch.rand(5, 3, 16, 16), layer="0")
        >>> explanation.maps.shape, explanation.targets.shape
        (torch.Size([5, 14, 14]), torch.Size([5]))
    """
    if images.ndim != 4 or not len(images):
        raise ValueError(f"images must be (N, 3, H, W) with N at least 1, got {tuple(images.shape)}")
    if torch.is_inference_mode_enabled():
        raise ValueError("explain_images needs gradients in the head; call it outside torch.inference_mode()")
    if method is None:
        own = layer is None and find_attention_branch(model) is not None
        method = ABN_ATTENTION if own else "grad-cam"
    if method in _PIXEL_METHODS and layer is not None:
        raise ValueError(f"{method!r} works on pixels; leave the layer {layer!r} out")
    if method == ABN_ATTENTION and layer is not None:
        raise ValueError(f"{method!r} has a layer of its own; leave the layer {layer!r} out")
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; there are {', '.join(METHODS)}")
    network = unwrap_model(model)
    with _frozen_for_evaluation(network), torch.enable_grad():
        if method == ABN_ATTENTION:
            return _read_attention(network, images.detach(), targets)
        if method in _PIXEL_METHODS:
            return _explain_pixels(network, images.detach(), targets, _PIXEL_METHODS[method])
        with GradCAM(network, layer) as cam:
            logits = network(images.detach())
            columns, single = target_columns(logits, targets)
            explained = columns[0] if single else torch.stack(columns, dim=1)
            maps = cam.maps(logits, explained, method=method)
    return Explanation(maps, logits.detach(), explained)


def _read_attention(network: nn.Module, images: Tensor, targets: Tensor | None) -> Explanation:
    with torch.no_grad(), AttentionBranchOutputs(network) as seen:
        logits = network(images)
    columns, single = target_columns(logits, targets)
    maps = widen(seen.maps)
    if single:
        return Explanation(maps, logits, columns[0])
    return Explanation(torch.stack([maps] * len(columns), dim=1), logits, torch.stack(columns, dim=1))


@contextmanager
def _frozen_for_evaluation(network: nn.Module) -> Iterator[None]:
    """Eval mode, and no parameter asks for a gradient; as before afterwards, whatever happens."""
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in trainable:
            parameter.requires_grad_(False)
        with eval_mode(network):
            yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


def _explain_pixels(
    network: nn.Module,
    images: Tensor,
    targets: Tensor | None,
    attribute: Callable[[nn.Module, Tensor, Tensor], Tensor],
) -> Explanation:
    parts = torch.split(images, _PIXEL_BATCH)
    with torch.no_grad():
        logits = torch.cat([network(part) for part in parts])
    columns, single = target_columns(logits, targets)
    maps = []
    for column in columns:
        pairs = zip(parts, torch.split(column, _PIXEL_BATCH), strict=True)
        # A copy, since captum wants pixels that ask for a gradient.
        found = [attribute(network, part.clone().requires_grad_(), classes) for part, classes in pairs]
        maps.append(torch.cat(found).detach())
    if single:
        return Explanation(maps[0], logits, columns[0])
    return Explanation(torch.stack(maps, dim=1), logits, torch.stack(columns, dim=1))


def _input_gradient(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    from captum.attr import Saliency  # noqa: PLC0415  # seconds to import, and only viewing needs it

    return widen(Saliency(network).attribute(images, target=targets, abs=True)).sum(dim=1)


def _integrated_gradients(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    from captum.attr import IntegratedGradients  # noqa: PLC0415

    attributions = IntegratedGradients(network).attribute(
        images, target=targets, n_steps=_STEPS, internal_batch_size=_PIXEL_BATCH
    )
    return widen(attributions).relu().sum(dim=1)


_PIXEL_METHODS: Mapping[str, Callable[[nn.Module, Tensor, Tensor], Tensor]] = MappingProxyType(
    {"input-gradient": _input_gradient, "integrated-gradients": _integrated_gradients}
)


METHODS: tuple[str, ...] = (*CHANNEL_WEIGHTS, *_PIXEL_METHODS, ABN_ATTENTION)
"""The names that `explain_images` knows."""
