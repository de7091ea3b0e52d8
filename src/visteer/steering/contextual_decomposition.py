"""Contextual decomposition: how much of each logit comes from a region, layer by layer, in one pass.

Every layer's output is kept as two parts that sum to it: what came from the region, and the rest. The rules are known
for layers in a row (convolution, linear, ReLU, pooling, flatten, dropout), so for sequences of such layers and for
torchvision's VGG and AlexNet without BatchNorm. There is no rule for BatchNorm in training, where it mixes the images
of a batch, and none for smooth activations: other networks are refused.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import VGG, AlexNet

from visteer.errors import VisteerError
from visteer.models import Classifier
from visteer.models.wrapping import unwrap_model
from visteer.steering.input_gradient_losses import irrelevant_pixels
from visteer.steering.peer_losses import Reduction

_WEIGHTED = (nn.Conv2d, nn.Linear)
_LINEAR = (nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Flatten)
_IDENTICAL = (nn.Dropout, nn.Dropout2d, nn.Identity)


def cdep_loss(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """How much of the logits comes from the irrelevant region: mean over the classes of softmax(b, g)_1; 0 to 1.

    b is the part of a class's logit that comes from the region and g the rest (`decompose`); 0 is best. Dropout is left
    out. Costs two forward passes on top of the caller's. Needs irrelevant marks.

    Arguments:
        model: layers in a row (see the module), or a `Classifier` of such a network.
        images: (N, 3, H, W) float, as the model takes them.
        targets, weights: (N, H, W) float in [0, 1]. No gradient.
        reduction: "mean" over the images that have an irrelevant pixel (0 if none has); "none" gives (N,), 0 for images
            without one. Gradient flows into the network.

    Raises:
        VisteerError: the network has a layer without a rule.
        ValueError: the shapes do not fit.

    Source: Rieger et al. 2020, "Interpretations are useful" (CDEP), with the penalty of its public code.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[9.0, 0.0], [9.0, 0.0]]))
        >>> edit = torch.tensor([[[0.0, 1.0]]])  # the left pixel is irrelevant, and all comes from it
        >>> cdep_loss(net, torch.ones(1, 1, 1, 2), edit).item() > 0.999
        True
    """
    region = irrelevant_pixels(images, targets, weights)
    part, rest = decompose(model, images, region)
    has_region = region.flatten(1).sum(1) > 0
    losses = torch.where(has_region, torch.sigmoid(part - rest).mean(1), torch.zeros_like(part[:, 0]))
    return losses if reduction == "none" else losses.sum() / has_region.sum().clamp_min(1)


def decompose(model: nn.Module, images: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
    """The logits as two parts that sum to them: from the region (N, H, W) in [0, 1], and from the rest; (N, C) each.

    ::

        convolution, linear   W b + s bias,  W g + (1 - s) bias,  s = |W b| / (|W b| + |W g|), 0 where both are 0
        ReLU                  relu(b),       relu(b + g) - relu(b)
        max pooling           both parts at the place of the largest b + g
        other pooling         both parts pooled

    Raises:
        VisteerError: the network has a layer without a rule.

    Source: Murdoch et al. 2018; Singh et al. 2019 for convolutions.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False), nn.ReLU())
        >>> _ = net[1].weight.data.fill_(1.0)
        >>> decompose(net, torch.tensor([[[[3.0, 4.0]]]]), torch.tensor([[[1.0, 0.0]]]))
        (tensor([[3.]], grad_fn=<ReluBackward0>), tensor([[4.]], grad_fn=<SubBackward0>))
    """
    layers = layers_in_a_row(model)
    bare = unwrap_model(model)
    if isinstance(bare, Classifier):
        images = (images - bare.mean.to(images.dtype)) / bare.std.to(images.dtype)
    part = images * region.unsqueeze(1)
    rest = images - part
    for layer in layers:
        part, rest = _through(layer, part, rest)
    return part, rest


def layers_in_a_row(model: nn.Module) -> list[nn.Module]:
    """The layers of `model` in the order in which they run.

    Raises:
        VisteerError: it has a layer without a rule, or they do not run in a row.

    Example:
        >>> len(layers_in_a_row(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), nn.Flatten()))))
        3
    """
    model = unwrap_model(model)
    if isinstance(model, Classifier):
        return layers_in_a_row(model.backbone)
    if isinstance(model, (VGG, AlexNet)):
        parts = [model.features, model.avgpool, nn.Flatten(), model.classifier]
        return [layer for part in parts for layer in layers_in_a_row(part)]
    if isinstance(model, nn.Sequential):
        return [layer for part in model for layer in layers_in_a_row(part)]
    if isinstance(model, (*_WEIGHTED, *_LINEAR, *_IDENTICAL, nn.ReLU, nn.MaxPool2d)):
        return [model]
    raise VisteerError(
        f"cdep has no rule for {type(model).__name__}: it takes convolutions, linear layers, ReLU and pooling in a "
        "row, such as torchvision:vgg16; take rrr for this network"
    )


def _through(layer: nn.Module, part: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(layer, _IDENTICAL):
        return part, rest
    if isinstance(layer, nn.ReLU):
        positive = part.relu()
        return positive, (part + rest).relu() - positive
    if isinstance(layer, nn.MaxPool2d):
        _, places = F.max_pool2d(
            part + rest,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            ceil_mode=layer.ceil_mode,
            return_indices=True,
        )
        return _at(part, places), _at(rest, places)
    if not isinstance(layer, _WEIGHTED):
        return layer(part), layer(rest)
    run = _without_bias(layer)
    part, rest = run(part), run(rest)
    if layer.bias is None:
        return part, rest
    bias = layer.bias if isinstance(layer, nn.Linear) else layer.bias[:, None, None]
    size = part.abs() + rest.abs()
    share = torch.where(size > 0, part.abs() / torch.where(size > 0, size, torch.ones_like(size)), 0)
    return part + share * bias, rest + (1 - share) * bias


def _without_bias(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    if isinstance(layer, nn.Conv2d):
        return lambda values: layer._conv_forward(values, layer.weight, None)
    return lambda values: F.linear(values, layer.weight)  # type: ignore[arg-type]  # a linear layer's


def _at(values: Tensor, places: Tensor) -> Tensor:
    return values.flatten(2).gather(2, places.flatten(2)).view_as(places)
