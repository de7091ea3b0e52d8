"""Contextual decomposition: it sums to the logits, follows its rules by hand, and refuses what it has no rule for."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from visteer.errors import VisteerError
from visteer.models import Classifier, Preprocessing, build_classifier
from visteer.steering import cdep_loss
from visteer.steering.contextual_decomposition import decompose


@pytest.fixture
def net() -> nn.Sequential:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5))
    head = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))
    return nn.Sequential(body, head).double()


def paper_decompose(net: nn.Sequential, image: torch.Tensor, region: torch.Tensor) -> tuple[list, list]:
    """The rules of Murdoch 2018 and Singh 2019 written out for the small network, one value at a time."""
    part, rest = image * region, image * (1 - region)
    for layer in [*net[0], *net[1]]:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            zero = layer(torch.zeros_like(part)[None])[0]
            from_part, from_rest = layer(part[None])[0] - zero, layer(rest[None])[0] - zero
            part, rest = torch.empty_like(zero), torch.empty_like(zero)
            for i, (b, g, bias) in enumerate(
                zip(from_part.flatten(), from_rest.flatten(), zero.flatten(), strict=True)
            ):
                share = abs(b) / (abs(b) + abs(g)) if abs(b) + abs(g) > 0 else 0
                part.view(-1)[i], rest.view(-1)[i] = b + share * bias, g + (1 - share) * bias
        elif isinstance(layer, nn.ReLU):
            both = (part + rest).clamp(min=0)
            part = part.clamp(min=0)
            rest = both - part
        elif isinstance(layer, nn.MaxPool2d):
            kept = [torch.empty(4, 4, 4, dtype=torch.float64) for _ in range(2)]
            for c, y, x in torch.cartesian_prod(*[torch.arange(4)] * 3).tolist():
                block = (slice(c, c + 1), slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2))
                place = (part + rest)[block].flatten().argmax()
                kept[0][c, y, x] = part[block].flatten()[place]
                kept[1][c, y, x] = rest[block].flatten()[place]
            part, rest = kept
        elif not isinstance(layer, nn.Dropout):
            part, rest = layer(part[None])[0], layer(rest[None])[0]
    return part.tolist(), rest.tolist()


def test_equals_the_rules_written_out_and_sums_to_the_logits(net):
    images = torch.rand(3, 3, 8, 8, dtype=torch.float64)
    region = (torch.rand(3, 8, 8) > 0.7).double()
    with torch.no_grad():
        part, rest = decompose(net, images, region)
        for number in range(3):
            expected = paper_decompose(net, images[number], region[number])
            assert part[number].tolist() == pytest.approx(expected[0], abs=1e-12)
            assert rest[number].tolist() == pytest.approx(expected[1], abs=1e-12)
        assert torch.allclose(part + rest, net.eval()(images))


def test_an_empty_region_has_no_part(net):
    images = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    part, _ = decompose(net, images, torch.zeros(1, 8, 8, dtype=torch.float64))
    assert torch.equal(part, torch.zeros_like(part))


def test_the_loss_by_hand_and_its_gradient(net):
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    targets, weights = torch.zeros(2, 8, 8), torch.zeros(2, 8, 8)
    weights[0, :4] = 1
    part, rest = decompose(net, images, weights.double())
    expected = torch.softmax(torch.stack((part[0], rest[0])), dim=0)[0].mean()
    losses = cdep_loss(net, images, targets, weights, reduction="none")
    assert losses.tolist() == pytest.approx([expected.item(), 0.0])
    assert cdep_loss(net, images, targets, weights).item() == pytest.approx(expected.item())

    class Loss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self) -> torch.Tensor:
            return cdep_loss(self.net, images, targets, weights)

    weight = net[0][0].weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda w: torch.func.functional_call(Loss(), {"net.0.0.weight": w}, ()), (weight,)
    )


def test_a_classifier_and_torchvision_nets_are_taken():
    torch.manual_seed(0)
    model = build_classifier("torchvision:vgg11", 2, "none", 64).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        part, rest = decompose(model, images, torch.ones(1, 64, 64) * 0.5)
        assert torch.allclose(part + rest, model(images), atol=1e-4)


@pytest.mark.parametrize("network", [torchvision.models.resnet18, torchvision.models.vgg11_bn])
def test_a_network_without_rules_is_refused(network):
    model = Classifier(network(num_classes=2), "net", ("a", "b"), Preprocessing(64, (0.5,) * 3, (0.5,) * 3))
    with pytest.raises(VisteerError, match="cdep has no rule for"):
        cdep_loss(model, torch.rand(1, 3, 64, 64), torch.zeros(1, 64, 64))


def test_shapes_that_do_not_fit_are_refused(net):
    with pytest.raises(ValueError, match="do not fit"):
        cdep_loss(net, torch.rand(1, 3, 8, 8), torch.zeros(1, 4, 4))
