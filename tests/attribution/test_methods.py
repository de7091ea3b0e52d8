"""The CAM family against loops in paper form and against grad-cam."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from pytorch_grad_cam.base_cam import BaseCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from tests.attribution.networks import LinearHead, random_images
from tests.oracles.attribution import channel_map
from visteer.attribution import GradCAM
from visteer.attribution.methods import CHANNEL_WEIGHTS, class_activation_map

METHODS = list(CHANNEL_WEIGHTS)
CAM_CLASSES: dict[str, type[BaseCAM]] = {
    "grad-cam": pytorch_grad_cam.GradCAM,
    "hirescam": pytorch_grad_cam.HiResCAM,
    "grad-cam++": pytorch_grad_cam.GradCAMPlusPlus,
    "layercam": pytorch_grad_cam.LayerCAM,
    "xgrad-cam": pytorch_grad_cam.XGradCAM,
}


@pytest.mark.parametrize("method", METHODS)
def test_equals_the_paper_form(method: str) -> None:
    generator = torch.Generator().manual_seed(0)
    activations = torch.randn(2, 3, 4, 3, dtype=torch.float64, generator=generator)
    gradients = torch.randn(2, 3, 4, 3, dtype=torch.float64, generator=generator)
    activations[0, 0] = 0
    gradients[1, 1] = 0
    expected = torch.stack([channel_map(method, a, g) for a, g in zip(activations, gradients, strict=True)])
    torch.testing.assert_close(
        class_activation_map(activations, gradients, method), expected, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("method", METHODS)
def test_constant_weights_keep_the_value_and_cut_the_gradient_to_the_weights(method: str) -> None:
    generator = torch.Generator().manual_seed(0)
    activations = torch.rand(2, 3, 4, 3, generator=generator).requires_grad_()
    gradients = torch.randn(2, 3, 4, 3, generator=generator).requires_grad_()
    maps = class_activation_map(activations, gradients, method, constant_weights=True)
    torch.testing.assert_close(maps, class_activation_map(activations, gradients, method))
    found = torch.autograd.grad(maps.sum(), [activations, gradients], allow_unused=True)
    weights = CHANNEL_WEIGHTS[method](activations, gradients).detach()
    torch.testing.assert_close(found[0], weights.expand_as(activations))
    assert found[1] is None


@pytest.mark.parametrize("method", METHODS)
def test_all_zero_activations_and_gradients_give_no_nan_forward_or_backward(method: str) -> None:
    activations = torch.zeros(1, 2, 3, 3, requires_grad=True)
    gradients = torch.zeros(1, 2, 3, 3, requires_grad=True)
    maps = class_activation_map(activations, gradients, method)
    assert maps.eq(0).all()
    found = torch.autograd.grad(maps.sum(), [activations, gradients], allow_unused=True)
    assert all(torch.isfinite(g).all() for g in found if g is not None)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("head", ["linear", "flat"])
def test_equals_grad_cam_where_its_added_constants_do_not_count(method: str, head: str) -> None:
    """grad-cam adds 1e-6 and 1e-7 to the denominators of GradCAM++ and XGradCAM, in units of g^2 and of A.

    A head with large weights makes these vanish. A ReLU leaves out activations below 0, for which GradCAM++
    is not meant and where grad-cam divides by numbers below 0. Maps are read before grad-cam scales them.
    """
    network = LinearHead()
    network.body.append(nn.ReLU())
    if head == "flat":
        torch.manual_seed(1)
        network.relu = nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Tanh())
    with torch.no_grad():
        network.head.weight.mul_(1000)
    network.eval()
    images, labels = random_images(3), torch.tensor([0, 2, 1])
    with GradCAM(network, "body") as cam:
        maps = cam.maps(network(images), labels, method=method)

    with CAM_CLASSES[method](network, [network.body]) as other:
        goals = [ClassifierOutputTarget(int(label)) for label in labels]
        logits = other.activations_and_grads(images)
        sum(goal(row) for goal, row in zip(goals, logits, strict=True)).backward()
        activations = other.activations_and_grads.activations[0].numpy()
        gradients = other.activations_and_grads.gradients[0].numpy()
        raw = other.get_cam_image(images, network.body, goals, activations, gradients, False)
    expected = torch.from_numpy(np.maximum(raw, 0))
    assert expected.max() > 0
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))
