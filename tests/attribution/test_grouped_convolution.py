"""Grouped convolutions for second derivatives: the values and every derivative are PyTorch's own."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from visteer.attribution import (
    GradCAM,
    fast_second_derivatives,
    grouped_convolution,
    has_grouped_convolution,
)
from visteer.edits.map_edit import MapEdit
from visteer.models import build_classifier
from visteer.steering import SteeringConfig, SteeringDataset, attention_mse_loss, steer

SHAPES = [
    pytest.param({"groups": 2, "padding": 1}, id="depthwise"),
    pytest.param({"groups": 2, "stride": 2, "padding": (1, 0)}, id="stride"),
    pytest.param({"groups": 2, "dilation": (2, 1)}, id="dilation"),
    pytest.param({"groups": 1}, id="no groups"),
    pytest.param({"groups": 2, "padding": "same"}, id="padding by name"),
]


def convolve(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, shape: dict) -> torch.Tensor:
    with fast_second_derivatives():
        return F.conv2d(images, weight, bias, **shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_first_and_second_derivatives_pass_gradcheck(shape):
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64).requires_grad_()

    inputs = (draw(1, 2, 6, 3), draw(2, 2 // shape["groups"], 3, 1), draw(2))
    assert torch.equal(convolve(*inputs, shape), F.conv2d(*inputs, **shape))
    assert torch.autograd.gradcheck(lambda *given: convolve(*given, shape), inputs)
    assert torch.autograd.gradgradcheck(lambda *given: convolve(*given, shape), inputs)


def test_third_derivatives_are_pytorchs():
    images = torch.linspace(-1, 1, 72, dtype=torch.float64).reshape(1, 2, 6, 6).requires_grad_()
    weight = torch.linspace(1, -2, 18, dtype=torch.float64).reshape(2, 1, 3, 3).requires_grad_()

    def third(output: torch.Tensor) -> torch.Tensor:
        for _ in range(2):
            (output,) = torch.autograd.grad(output.pow(3).sum(), images, create_graph=True)
        return torch.autograd.grad(output.pow(2).sum(), weight)[0]

    own = third(convolve(images, weight, None, {"groups": 2}))
    torch.testing.assert_close(own, third(F.conv2d(images, weight, groups=2)))


def test_what_needs_no_gradient_is_left_alone():
    convolution = nn.Conv2d(4, 4, 3, groups=4)
    with fast_second_derivatives():
        with torch.no_grad():
            assert convolution(torch.rand(1, 4, 5, 5)).grad_fn is None
        output = convolution(torch.rand(1, 4, 5, 5))
    assert output.grad_fn is not None
    assert type(convolution(torch.rand(1, 4, 5, 5)).grad_fn).__name__ == "ConvolutionBackward0"


def test_autocast_decides_the_dtype_as_always():
    convolution = nn.Conv2d(4, 4, 3, groups=4)
    images = torch.rand(1, 4, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        plain = convolution(images)
        with fast_second_derivatives():
            output = convolution(images)
    assert output.dtype == plain.dtype == torch.bfloat16
    torch.testing.assert_close(output, plain)
    output.float().sum().backward()
    assert convolution.weight.grad.dtype == torch.float32


def test_the_gradient_of_a_loss_on_maps_is_the_same():
    model = build_classifier("test_efficientnet", 3, weights="none", image_size=32).train()
    images, labels = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.arange(4) % 3
    targets = torch.zeros(4, 32, 32)
    targets[:, 5:15, 5:15] = 1
    gradients = []
    for context in (nullcontext(), fast_second_derivatives()):
        model.zero_grad()
        with GradCAM(model, "backbone.blocks.1") as cam:
            with context:
                logits = model(images)
            maps = cam.maps(logits, labels, create_graph=True)
        attention_mse_loss(maps, targets, torch.ones_like(targets)).backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for plain, fast in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-3, atol=1e-3 * float(plain.abs().max()) + 1e-12)


@pytest.mark.parametrize(
    ("settings", "model", "expected"),
    [
        ({"method": "attention-mse"}, "test_efficientnet", True),
        ({"method": "attention-mse"}, "test_resnet", False),
        ({"method": "attention-mse", "constant_weights": True}, "test_efficientnet", False),
        ({"method": "rrr"}, "test_efficientnet", True),
        ({"method": "none"}, "test_efficientnet", False),
    ],
)
def test_the_loop_uses_it_where_something_is_differentiated_twice(monkeypatch, settings, model, expected):
    used = []
    monkeypatch.setattr(
        grouped_convolution, "_convolve", lambda *given: used.append(1) or F.conv2d(*given[:3], *given[3])
    )
    edit = MapEdit([[1.0, 0.0]], [[1.0, 1.0]], author="Ada")
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    data = SteeringDataset(images, [0, 1, 0, 1], ["a", "b"], list("wxyz"), dict.fromkeys("wxyz", edit))
    network = build_classifier(model, 2, weights="none", image_size=32)
    assert has_grouped_convolution(network) == (model == "test_efficientnet")
    steer(network, data, SteeringConfig.from_dict({**settings, "epochs": 1}))
    assert bool(used) == expected
