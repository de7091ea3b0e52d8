"""In training, maps take a batch's statistics as constants; predictions and their gradient do not change."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import visteer

LABELS = torch.tensor([0, 1, 0, 1, 1, 0])


class NormAndActivation(nn.BatchNorm2d):
    """Like timm's: the activation, in place, belongs to the module."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).relu_()


def network() -> nn.Sequential:
    """BatchNorms before and behind the layer "0": with and without own factors, before an activation in place."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU())
    tail = [nn.Conv2d(6, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True)]
    tail += [nn.Conv2d(5, 4, 3), nn.BatchNorm2d(4, affine=False), nn.ReLU()]
    tail += [nn.Conv2d(4, 4, 3), NormAndActivation(4)]
    model = nn.Sequential(body, *tail, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    return model.train()


def images() -> Tensor:
    return torch.rand(6, 3, 24, 24, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def loss_on(maps: Tensor) -> Tensor:
    wanted = torch.rand(maps.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return (maps - wanted).square().mean()


def gradients(model: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters())))


def with_constants(model: nn.Sequential, activation: Tensor) -> Tensor:
    """What lies behind the layer, slowly: each BatchNorm with this batch's mean and variance as constants."""
    for module in model[1:]:
        if isinstance(module, nn.BatchNorm2d):
            variance, mean = torch.var_mean(activation.detach(), dim=(0, 2, 3), correction=0)
            activation = F.batch_norm(activation, mean, variance, module.weight, module.bias, eps=module.eps)
            activation = activation.relu() if isinstance(module, NormAndActivation) else activation
        else:
            activation = module(activation)
    return activation


def test_maps_and_all_gradients_are_those_of_constant_statistics():
    model, batch = network(), images()
    with visteer.GradCAM(model, "0") as cam:
        logits = model(batch)
        maps = cam.maps(logits, LABELS, create_graph=True)
        found = gradients(model, loss_on(maps) + F.cross_entropy(logits, LABELS))
    activation = model[0](batch)
    score = with_constants(model, activation).gather(1, LABELS[:, None]).sum()
    (weights,) = torch.autograd.grad(score, activation, create_graph=True)
    expected_maps = F.relu((weights.mean((2, 3), keepdim=True) * activation).sum(1))
    torch.testing.assert_close(maps, expected_maps, rtol=1e-10, atol=1e-14)
    assert maps.max() > 1e-3
    prediction = F.cross_entropy(model[1:](activation), LABELS)
    expected = gradients(model, loss_on(expected_maps) + prediction)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_maps_in_training_are_those_of_evaluation_and_were_not_before():
    model, batch = network(), images()
    still = copy.deepcopy(model)
    for module in still.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # the statistics of the last batch, but for the unbiased variance
    still(batch)
    still.eval()
    with visteer.GradCAM(still, "0") as cam:
        wanted = cam.maps(still(batch), LABELS)
    with visteer.GradCAM(model, "0") as cam:
        maps = cam.maps(model(batch), LABELS)
    activation = model[0](batch)
    (through,) = torch.autograd.grad(model[1:](activation).gather(1, LABELS[:, None]).sum(), activation)
    mixed = F.relu((through.mean((2, 3), keepdim=True) * activation).sum(1))
    assert (maps - wanted).abs().max() < 0.1 * wanted.max()
    assert (mixed - wanted).abs().max() > 0.3 * wanted.max()


def test_first_order_maps_take_constants_too():
    model, batch = network(), images()
    with visteer.GradCAM(model, "0") as cam:
        logits = model(batch)
        second = cam.maps(logits, LABELS, create_graph=True)
        first = cam.maps(logits, LABELS, create_graph=True, constant_weights=True)
        nested = torch.autograd.grad(loss_on(first), model[0][0].weight, retain_graph=True)[0]
    torch.testing.assert_close(first, second)
    assert nested.abs().max() > 0


def test_predictions_and_their_gradient_do_not_change():
    model, batch = network(), images()
    plain = copy.deepcopy(model)
    with visteer.GradCAM(model, "0") as cam:
        logits = model(batch)
        cam.maps(logits, LABELS)
        found = gradients(model, F.cross_entropy(logits, LABELS))
    expected = plain(batch)
    assert torch.equal(logits, expected)
    for one, other in zip(found, gradients(plain, F.cross_entropy(expected, LABELS)), strict=True):
        torch.testing.assert_close(one, other)
    for name, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name  # the running statistics


def test_two_contexts_on_two_layers_do_not_disturb_each_other():
    model, batch = network(), images()
    alone = {}
    for layer in ("0", "3"):
        with visteer.GradCAM(model, layer) as cam:
            alone[layer] = cam.maps(model(batch), LABELS)
    with visteer.GradCAM(model, "0") as one, visteer.GradCAM(model, "3") as other:
        logits = model(batch)
        torch.testing.assert_close(one.maps(logits, LABELS), alone["0"])
        torch.testing.assert_close(other.maps(logits, LABELS), alone["3"])


def test_nothing_is_left_behind_whatever_happens():
    model = network()
    with visteer.GradCAM(model, "0"):
        for _ in range(2):
            with pytest.raises(ValueError, match="more than 1 value per channel"):
                model(torch.rand(1, 3, 15, 15, dtype=torch.float64))
    assert torch.overrides._get_current_function_mode() is None
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_network_that_does_not_train_needs_nothing():
    model, batch = network().eval(), images()
    with visteer.GradCAM(model, "0") as cam:
        logits = model(batch)
        maps = cam.maps(logits, LABELS, create_graph=True)
    activation = model[0](batch)
    score = model[1:](activation).gather(1, LABELS[:, None]).sum()
    (weights,) = torch.autograd.grad(score, activation)
    torch.testing.assert_close(maps, F.relu((weights.mean((2, 3), keepdim=True) * activation).sum(1)))
