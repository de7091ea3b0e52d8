"""Differentiable maps from the caller's own forward pass."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from visteer.attribution.batch_statistics import ConstantStatistics
from visteer.attribution.methods import class_activation_map, widen
from visteer.models.target_layer import find_target_layer, get_layer


class GradCAM:
    """Maps of the CAM family for any convolutional network, from the forward pass that predicts anyway.

    A context manager. Inside it, every forward pass of `model` with gradients on can be explained by `maps`,
    at the cost of a backward pass through the head (what lies behind `layer`) alone. The network is not
    changed: hooks sit on the layer and on the BatchNorms while the context is open, and are gone after it,
    whatever happened inside. Several contexts, and several forward passes in one, do not disturb each other.

    What is captured is the layer's output as it left the layer: the network goes on with a copy, so that an
    in-place ReLU behind the layer does not change it. If nothing up to the layer needs a gradient (frozen
    layers), the gradient starts at the layer. A capture lives exactly as long as the graph of its logits.

    In training, the statistics of a BatchNorm behind the layer are constants for the channel weights, as they are in
    evaluation, where maps are looked at: else the weights would mix the images of a batch, and a loss on maps would
    train maps that nobody sees. The gradient of the prediction goes through them as always. It does not work with
    `SyncBatchNorm` over several processes, nor in a compiled model.

    Works under autocast, with `channels_last`, and with a model wrapped in `DistributedDataParallel` or by
    `torch.compile` (open the context before the first call of the compiled model; second order through a
    compiled head needs a backend that can differentiate twice). If a layer runs several times in one forward
    pass, its last output counts.

    Source: Selvaraju et al., "Grad-CAM", ICCV 2017. Second order: the gradient of a loss on the maps reaches
    the channel weights too, so it trains the head as well as the body.

    Arguments:
        model: any module that gives logits (N, C).
        layer: dotted name of the layer in `model`; by default the last spatial stage (`find_target_layer`).

    Raises:
        VisteerError: no layer was given and none is found, or there is none of that name.
        ValueError: in the forward pass, if the layer's output is not (N, K, h, w).

    Example:
        >>> import torch
        >>> from torch import nn
        >>> _ = torch.manual_seed(0)
        >>> body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.ReLU())
        >>> model = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
        >>> with GradCAM(model, "0") as cam:
        ...     logits = model(torch.rand(5, 3, 32, 32))
        ...     maps = cam.maps(logits, torch.tensor([0, 1, 0, 1, 1]), create_graph=True)
        >>> maps.shape, maps.requires_grad
        (torch.Size([5, 8, 8]), True)
    """

    def __init__(self, model: nn.Module, layer: str | None = None) -> None:
        self.layer_name = find_target_layer(model) if layer is None else layer
        self._layer = get_layer(model, self.layer_name)
        self._captures: weakref.WeakValueDictionary[int, _Capture] = weakref.WeakValueDictionary()
        self._count = 0
        self._statistics = ConstantStatistics(model)
        self._handle: RemovableHandle | None = None

    def __enter__(self) -> Self:
        if self._handle is not None:
            raise ValueError("this GradCAM is open already; make a second one to nest them")
        # A compiled model must leave its graph at the layer, or the captured tensor is no part of it.
        capture = torch.compiler.disable(self._capture)  # type: ignore[no-untyped-call]
        self._statistics.watch()
        self._handle = self._layer.register_forward_hook(capture)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        self._statistics.leave()

    def maps(
        self,
        logits: Tensor,
        targets: Tensor | None = None,
        *,
        method: str = "grad-cam",
        create_graph: bool = False,
        constant_weights: bool = False,
    ) -> Tensor:
        """Where the evidence for a class lies: ReLU(sum over k of weight_k * A_k), not normalised.

        The forward pass that gave the logits is found by itself. It can be asked several times, and
        afterwards the caller can still call `backward()` on a loss made of the logits.

        A map that is 0 everywhere has no gradient under the ReLU, so no loss could ever bring it back to
        life, and 3 to 19 % of the maps of a trained network are such dead ones. With `create_graph` the ReLU
        of a dead map therefore lets the gradient pass straight through: its value stays 0, and a loss that
        asks for more somewhere raises the evidence there. Maps with a value above 0 get the ordinary
        gradient of the ReLU.

        Arguments:
            logits: (N, C) as the model gave them, with their graph, in any floating point dtype.
            targets: (N,) integer class indices, or (N, K) for K maps an image (as from `logits.topk(K)`);
                None takes the predicted classes.
            method: "grad-cam", "hirescam", "grad-cam++", "layercam" or "xgrad-cam".
            create_graph: gradient flows through the maps, into activations and channel weights
                (second order).
            constant_weights: with `create_graph`, gradient flows into the activations only, and the channel
                weights are constants (first order).

        Returns:
            (N, h, w), or (N, K, h, w) for (N, K) targets, on the feature grid; values from 0 up in units of
            the logit; float32, or float64 if the network computes in it.

        Raises:
            ValueError: the logits have no graph (made under `no_grad` or `inference_mode`).
            ValueError: the logits come from no forward pass inside this context.
            ValueError: the layer's output was changed in place behind the hook.
            ValueError: logits or targets do not fit in shape, or a target is no class.
            ValueError: the method is unknown.
            TypeError: the targets are not integers.
        """
        _check_logits(logits)
        columns, single = target_columns(logits, targets)
        second_order = create_graph and not constant_weights
        maps = []
        with torch.autocast(logits.device.type, enabled=False), torch.set_grad_enabled(create_graph):
            for column in columns:
                activation, gradient = self._gradient(logits, column, second_order)
                raw = class_activation_map(
                    widen(activation), widen(gradient), method, constant_weights=constant_weights
                )
                maps.append(_relu_with_dead_maps_open(raw) if create_graph else raw.relu())
        self._statistics.active = False  # until the layer has run again: what lies before it costs nothing
        return maps[0] if single else torch.stack(maps, dim=1)

    def _capture(self, _module: nn.Module, _inputs: object, output: object) -> Tensor | None:
        if not isinstance(output, Tensor) or output.ndim != 4:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"layer {self.layer_name!r} gives {shape}; GradCAM needs a layer that gives (N, K, h, w)"
            )
        if not torch.is_grad_enabled():
            return None
        self._statistics.active = True
        activation = output if output.requires_grad else output.detach().clone().requires_grad_()
        passed_on = activation.clone()
        capture = _Capture(activation, activation._version)
        # The graph owns the capture; this object only looks at it. So a capture is there as long as its
        # logits can be explained, and no loop without `maps` piles up graphs.
        if passed_on.grad_fn is not None:
            passed_on.grad_fn.metadata["visteer"] = capture  # type: ignore[index]  # a property, not a method
        self._captures[self._count] = capture
        self._count += 1
        return passed_on

    def _gradient(self, logits: Tensor, column: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
        """The activations behind `logits`, and the gradient of the logits `column` (N,) to them."""
        score = torch.zeros_like(logits).scatter_(1, column[:, None], 1)
        changed = False
        for capture in reversed(list(self._captures.values())):
            if capture.activation._version != capture.version:
                changed = True
                continue
            with self._statistics.for_maps():
                gradients: tuple[Tensor | None, ...] = torch.autograd.grad(
                    logits,
                    capture.activation,
                    score,
                    retain_graph=True,
                    create_graph=create_graph,
                    allow_unused=True,
                )
            gradient = gradients[0]
            if gradient is None:
                continue
            if len(capture.activation) != len(logits):
                raise ValueError(
                    f"{len(logits)} rows of logits but {len(capture.activation)} images at layer "
                    f"{self.layer_name!r}; pass the logits as the model gave them"
                )
            return capture.activation, gradient
        if changed:
            raise ValueError(
                f"the output of layer {self.layer_name!r} was changed in place; "
                "take the module that changes it"
            )
        raise ValueError(
            f"these logits come from no forward pass through layer {self.layer_name!r} in this context; "
            "call the model inside `with GradCAM(model)` and pass its logits before they are detached"
        )


@dataclass(frozen=True, eq=False)
class _Capture:
    """The layer's output in one forward pass, and how often it had been changed in place by then."""

    activation: Tensor
    version: int


def _check_logits(logits: Tensor) -> None:
    if logits.ndim != 2:
        raise ValueError(f"logits must be (N, C), got {tuple(logits.shape)}")
    if logits.is_inference() or torch.is_inference_mode_enabled():
        raise ValueError(
            "maps need gradients, which torch.inference_mode() cannot give; "
            "leave it out around the model and `maps`, or use explain_images"
        )
    if not logits.requires_grad:
        raise ValueError(
            "the logits have no graph; call the model with gradients on (not under torch.no_grad(), "
            "not detached), or use explain_images"
        )


def target_columns(logits: Tensor, targets: Tensor | None) -> tuple[tuple[Tensor, ...], bool]:
    """The classes to explain as (N,) int64 tensors on the logits' device; and whether it is one an image.

    Raises:
        ValueError: the targets are not (N,) or (N, K), or one of them is no class.
        TypeError: the targets are not integers.
    """
    count, classes = logits.shape
    if targets is None:
        return (logits.detach().argmax(dim=1),), True
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise TypeError(f"targets must be integer class indices, got {targets.dtype}")
    if targets.ndim not in (1, 2) or len(targets) != count or 0 in targets.shape[1:]:
        raise ValueError(f"targets must be ({count},) or ({count}, K), got {tuple(targets.shape)}")
    # Only where it costs no waiting for a device; there an index out of range fails by itself.
    if targets.device.type == "cpu" and count and not 0 <= targets.min() <= targets.max() < classes:
        raise ValueError(f"targets must lie in [0, {classes}), got {targets.min()} to {targets.max()}")
    targets = targets.to(logits.device, torch.int64)
    return ((targets,), True) if targets.ndim == 1 else (targets.unbind(dim=1), False)


def _relu_with_dead_maps_open(raw: Tensor) -> Tensor:
    dead = raw.detach().amax(dim=(1, 2), keepdim=True) <= 0
    return torch.where(dead, raw - raw.detach(), raw.relu())
