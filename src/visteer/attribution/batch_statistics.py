"""Channel weights in training as they will be in use: the statistics of a batch are constants for them.

A map's channel weights are the gradient of a logit. In training a BatchNorm behind the maps' layer normalises by its
batch, so that this gradient also goes through mean and variance, over to the other images. In evaluation, where maps
are looked at, both are constants. The two maps can be opposites, and then a loss moves maps that nobody sees. So the
gradient for maps leaves mean and variance out, and that of the prediction loss does not (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from visteer.attribution.methods import widen


class ConstantStatistics:
    """Watches the BatchNorms of `model`; inside `for_maps` gradients take the statistics of a batch as constants.

    Values and all other gradients stay as they are. Those BatchNorms count that run while `active` is true, train, and
    call `torch.nn.functional.batch_norm`: those of PyTorch and timm, not `SyncBatchNorm` over several processes, nor
    those of a compiled model.

    Example:
        >>> norm = nn.BatchNorm2d(2)
        >>> statistics = ConstantStatistics(norm)
        >>> statistics.watch()
        >>> statistics.active = True
        >>> x = torch.tensor([[[[1.0]], [[5.0]]], [[[3.0]], [[9.0]]]], requires_grad=True)
        >>> y = norm(x)
        >>> with statistics.for_maps():
        ...     (constant,) = torch.autograd.grad(y[0].sum(), x, retain_graph=True)
        >>> (whole,) = torch.autograd.grad(y[0].sum(), x)
        >>> constant[0].flatten(), whole.abs().max() < 1e-4  # 1 and 1/2: one over the deviations; nothing is left of it
        (tensor([1.0000, 0.5000]), tensor(True))
        >>> statistics.leave()
    """

    def __init__(self, model: nn.Module) -> None:
        self.active = False
        self.asked = False
        self._norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
        self._modes: list[_BatchNormCalls] = []
        self._handles: list[RemovableHandle] = []

    def watch(self) -> None:
        """Begin to watch."""
        for norm in self._norms:
            self._handles.append(norm.register_forward_pre_hook(self._before))
            self._handles.append(norm.register_forward_hook(self._after))

    def leave(self) -> None:
        """Watch no longer; graphs that were made meanwhile can still be asked."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        while self._modes:  # of forward passes that failed
            self._after()

    @contextmanager
    def for_maps(self) -> Iterator[None]:
        """Gradients taken inside it are for maps."""
        self.asked = True
        try:
            yield
        finally:
            self.asked = False

    def _before(self, module: nn.Module, _inputs: object) -> None:
        if self.active and module.training and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            self._modes.append(_BatchNormCalls(self))
            self._modes[-1].__enter__()  # type: ignore[no-untyped-call]

    def _after(self, *_: object) -> None:
        if self._modes:
            self._modes.pop().__exit__(None, None, None)  # type: ignore[no-untyped-call]


class _BatchNormCalls(TorchFunctionMode):
    """Gives what `torch.nn.functional.batch_norm` gives from a batch a second gradient, for maps."""

    def __init__(self, statistics: ConstantStatistics) -> None:
        super().__init__()
        self._statistics = statistics

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - of whatever function is called
        del types
        output = func(*args, **(kwargs or {}))
        if func is F.batch_norm and output.requires_grad:
            images, scale = _scaled_by(*args, **(kwargs or {}))
            return output if scale is None else _TwoGradients.apply(output, images, scale, self._statistics)
        return output


def _scaled_by(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor | None]:
    """The input of `torch.nn.functional.batch_norm` and its factors; None where it does not go by the batch."""
    del running_mean, running_var, bias, momentum
    return input, _scale(input.detach(), weight, eps) if training else None


def _scale(images: Tensor, weight: Tensor | None, epsilon: float) -> Tensor:
    """What a BatchNorm multiplies by, for each channel, in the shape of `images`."""
    axes = [axis for axis in range(images.ndim) if axis != 1]
    inverse = (widen(images).var(axes, correction=0) + epsilon).rsqrt()
    scale = inverse if weight is None else inverse * weight
    return scale.reshape([-1 if axis == 1 else 1 for axis in range(images.ndim)])


class _TwoGradients(torch.autograd.Function):
    """`output` as it is. Its gradient goes to `output`; that of maps goes to `images`, times `scale`."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        output: Tensor,
        images: Tensor,
        scale: Tensor,
        statistics: ConstantStatistics,
    ) -> Tensor:
        del images
        ctx.save_for_backward(scale)
        ctx.statistics = statistics
        ctx.mark_dirty(output)  # so that what follows may still work in place
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        if not ctx.statistics.asked:
            return gradient, None, None, None
        (scale,) = ctx.saved_tensors
        return None, gradient * scale.to(gradient.dtype), None, None
