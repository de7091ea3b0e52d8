"""The typology's network: layer by layer, one channel, 0 to 255."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from visteer.attribution import GradCAM
from visteer.checkpoint import load_checkpoint, save_checkpoint
from visteer.errors import VisteerError
from visteer.models import build_classifier, find_target_layer


def test_is_the_typology_s_network_on_one_channel_of_0_to_255():
    torch.manual_seed(0)
    model = build_classifier("decoy-network", 10, weights="none", image_size=28)
    torch.manual_seed(0)
    _ = nn.Conv2d(3, 1, 1, bias=False)
    conv1, conv2 = nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5)
    linear1, linear2 = nn.Linear(4 * 4 * 50, 256), nn.Linear(256, 10)
    grey = torch.randint(0, 256, (3, 1, 28, 28)).float().requires_grad_()
    x = F.max_pool2d(F.relu(conv1(grey)), 2)
    x = F.max_pool2d(F.relu(conv2(x)), 2).flatten(1)
    expected = linear2(F.relu(linear1(x)))
    images = (grey.detach() / 255).expand(3, 3, 28, 28).clone().requires_grad_()
    logits = model(images)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    ours = torch.autograd.grad(logits[:, 0].sum(), images)[0].square().sum(1)
    theirs = torch.autograd.grad(expected[:, 0].sum(), grey)[0].mul(255).square().sum(1)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_maps_have_8_x_8_cells_and_the_channel_is_not_trained():
    model = build_classifier("decoy-network", 10, weights="none", image_size=28)
    assert find_target_layer(model) == "backbone.relu2"
    with GradCAM(model) as cam:
        logits = model(torch.rand(2, 3, 28, 28))
        assert cam.maps(logits, torch.tensor([0, 1])).shape == (2, 8, 8)
    assert not model.get_parameter("backbone.grey.weight").requires_grad
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 520 + 25_050 + 205_056 + 2_570


def test_a_checkpoint_keeps_it(tmp_path):
    model = build_classifier("decoy-network", 4, weights="none", image_size=28)
    save_checkpoint(tmp_path / "model.safetensors", model)
    images = torch.rand(2, 3, 28, 28)
    torch.testing.assert_close(load_checkpoint(tmp_path / "model.safetensors").model(images), model(images))


def test_takes_no_other_size_and_has_no_imagenet_weights():
    with pytest.raises(VisteerError, match="32 x 32"):
        build_classifier("decoy-network", 10, weights="none", image_size=32)
    with pytest.raises(VisteerError, match="--weights"):
        build_classifier("decoy-network", 10, image_size=28)
