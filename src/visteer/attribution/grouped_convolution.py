"""Grouped convolutions whose second derivative is as fast as their first.

The gradient of a loss on maps differentiates the network behind the maps' layer twice. PyTorch's second derivative of a
grouped convolution (depthwise in EfficientNet, MobileNet, ConvNeXt) goes through the groups one by one: thousands of
tiny convolutions a step. A convolution is linear in its input and in its weight, so each derivative of a derivative is
a convolution or one of its two gradients again, all groups at once; that is what stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Shape = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]
"""Stride, padding, dilation and groups."""


def has_grouped_convolution(model: nn.Module) -> bool:
    """Whether any convolution of `model` has groups.

    Example:
        >>> has_grouped_convolution(nn.Conv2d(4, 4, 3, groups=4)), has_grouped_convolution(nn.Conv2d(4, 4, 3))
        (True, False)
    """
    return any(isinstance(module, nn.Conv2d) and module.groups > 1 for module in model.modules())


@contextmanager
def fast_second_derivatives() -> Iterator[None]:
    """Grouped convolutions of forward passes inside it can be differentiated twice fast; the values are the same.

    Put it around the model's call where a loss on its maps is to be differentiated, as `steer` does.

    Example:
        >>> convolution = nn.Conv2d(4, 4, 3, groups=4)
        >>> with fast_second_derivatives():
        ...     output = convolution(torch.rand(1, 4, 8, 8))
        >>> output.shape
        torch.Size([1, 4, 6, 6])
    """
    with _GroupedConvolutions():
        yield


class _GroupedConvolutions(TorchFunctionMode):
    """Sends calls of a grouped `conv2d` that need a gradient to `_Convolution`."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - of whatever function is called
        del types
        if func is torch.conv2d and not torch.compiler.is_compiling():
            call = _call(*args, **(kwargs or {}))
            if call is not None:
                return _convolve(*call)
        return func(*args, **(kwargs or {}))


def _call(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> tuple[Tensor, Tensor, Tensor | None, Shape] | None:
    """The arguments of `_convolve`; None where PyTorch's own way is as good."""
    needs = torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad)
    if groups == 1 or not needs or isinstance(padding, str) or input.ndim != 4:
        return None
    return input, weight, bias, (_pair(stride), _pair(padding), _pair(dilation), groups)


def _pair(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _convolve(images: Tensor, weight: Tensor, bias: Tensor | None, shape: Shape) -> Tensor:
    device = images.device.type
    if torch.is_autocast_enabled(device) and images.dtype != torch.float64:
        kind = torch.get_autocast_dtype(device)
        images, weight = images.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
    output: Tensor = _Convolution.apply(images, weight, bias, shape)
    return output


def _gradients(
    outer: Tensor, images: Tensor, weight: Tensor, shape: Shape, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """PyTorch's gradients of a convolution to its input and its weight, where `wanted`."""
    stride, padding, dilation, groups = shape
    found = torch.ops.aten.convolution_backward(
        outer, images, weight, None, stride, padding, dilation, False, [0, 0], groups, [*wanted, False]
    )
    return found[0], found[1]


class _Convolution(torch.autograd.Function):
    """conv(x, w) + b."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, shape: Shape) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(images, weight)
        ctx.shape = shape
        return F.conv2d(images, weight, bias, *shape)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        images, weight = ctx.saved_tensors
        to_images = (
            _InputGradient.apply(outer, weight, images, ctx.shape) if ctx.needs_input_grad[0] else None
        )
        to_weight = (
            _WeightGradient.apply(outer, images, weight, ctx.shape) if ctx.needs_input_grad[1] else None
        )
        return to_images, to_weight, outer.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None, None


class _InputGradient(torch.autograd.Function):
    """The gradient to the input, g -> convT(g, w): linear in g and w. The input itself gives only the size."""

    @staticmethod
    def forward(ctx: Any, outer: Tensor, weight: Tensor, images: Tensor, shape: Shape) -> Tensor | None:  # noqa: ANN401
        ctx.save_for_backward(outer, weight)
        ctx.shape = shape
        return _gradients(outer, images, weight, shape, (True, False))[0]

    @staticmethod
    def backward(ctx: Any, inner: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        outer, weight = ctx.saved_tensors
        to_outer = _Convolution.apply(inner, weight, None, ctx.shape) if ctx.needs_input_grad[0] else None
        to_weight = (
            _WeightGradient.apply(outer, inner, weight, ctx.shape) if ctx.needs_input_grad[1] else None
        )
        return to_outer, to_weight, None, None


class _WeightGradient(torch.autograd.Function):
    """The gradient to the weight, from g and x: linear in both. The weight itself gives only the size."""

    @staticmethod
    def forward(ctx: Any, outer: Tensor, images: Tensor, weight: Tensor, shape: Shape) -> Tensor | None:  # noqa: ANN401
        ctx.save_for_backward(outer, images)
        ctx.shape = shape
        return _gradients(outer, images, weight, shape, (False, True))[1]

    @staticmethod
    def backward(ctx: Any, inner: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        outer, images = ctx.saved_tensors
        to_outer = _Convolution.apply(images, inner, None, ctx.shape) if ctx.needs_input_grad[0] else None
        to_images = _InputGradient.apply(outer, inner, images, ctx.shape) if ctx.needs_input_grad[1] else None
        return to_outer, to_images, None, None
