"""RRR and RBR against derivatives written out, finite differences and the sums of the papers; counterexamples."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from visteer.steering import counterexamples, rbr_loss, rrr_loss


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    )
    return layers.double()


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand((3, 3, 6, 6), generator=generator, dtype=torch.float64).requires_grad_()


@pytest.fixture
def edit() -> tuple[torch.Tensor, torch.Tensor]:
    """A corner irrelevant on the first two images, half trusted on the second; a relevant patch on all."""
    targets, weights = torch.zeros((2, 3, 6, 6), dtype=torch.float64).unbind()
    weights[0, :2, :2], weights[1, :2, :2] = 1, 0.5
    targets[:, 4:, 4:], weights[:, 4:, 4:] = 1, 1
    return targets, weights


LABELS = torch.tensor([0, 2, 1])


def paper_rrr(net, images, weights) -> list[float]:
    """sum over pixels and channels of (A * gradient)^2, every derivative by central differences."""
    step, losses = 1e-5, []
    with torch.no_grad():
        for image, weight in zip(images, weights, strict=True):
            total = 0.0
            for c, y, x in torch.cartesian_prod(torch.arange(3), torch.arange(6), torch.arange(6)).tolist():
                if y > 1 or x > 1:
                    continue
                sides = []
                for move in (step, -step):
                    moved = image.detach().clone()
                    moved[c, y, x] += move
                    sides.append(F.log_softmax(net(moved[None]), dim=1).sum().item())
                total += (weight[y, x].item() * (sides[0] - sides[1]) / (2 * step)) ** 2
            losses.append(total)
    return losses


def test_rrr_equals_the_paper_form_by_finite_differences(net, images, edit):
    found = rrr_loss(net(images), images, *edit, reduction="none")
    assert found.tolist() == pytest.approx(paper_rrr(net, images, edit[1]), rel=1e-6, abs=1e-12)
    assert rrr_loss(net(images), images, *edit).item() == pytest.approx(found.sum().item() / 2)


def test_rrr_by_hand():
    """Two classes and logits (0, 3x): sum_k log p_k = 3x - 2 log(1 + e^3x), whose derivative at 0 is 0, at 1 below."""
    for x in (0.0, 1.0):
        image = torch.tensor([[[[x]]]], dtype=torch.float64, requires_grad=True)
        logits = torch.cat((0 * image.flatten(1), 3 * image.flatten(1)), dim=1)
        sigmoid = 1 / (1 + torch.exp(torch.tensor(-3 * x, dtype=torch.float64)))
        loss = rrr_loss(logits, image, torch.zeros(1, 1, 1))
        assert loss.item() == pytest.approx(float((3 - 6 * sigmoid) ** 2), abs=1e-12)


def test_rbr_equals_its_two_gradients_multiplied(net, images, edit):
    """u of one image by hand: the derivative of the sum of the parameter gradients, pixel by pixel."""
    found = rbr_loss(net(images), images, LABELS, net.parameters(), *edit, reduction="none")
    step = 1e-5
    for number in range(3):
        total = 0.0
        image = images[number].detach()
        single = image[None].clone().requires_grad_()
        g = torch.autograd.grad(F.log_softmax(net(single), dim=1).sum(), single)[0][0]
        for c, y, x in torch.cartesian_prod(torch.arange(3), torch.arange(2), torch.arange(2)).tolist():
            sums = []
            for move in (step, -step):
                moved = image.clone()
                moved[c, y, x] += move
                loss = F.cross_entropy(net(moved[None]), LABELS[number : number + 1])
                sums.append(sum(v.sum().item() for v in torch.autograd.grad(loss, list(net.parameters()))))
            u = (sums[0] - sums[1]) / (2 * step)
            total += (edit[1][number, y, x].item() * g[c, y, x].item() * u) ** 2
        assert found[number].item() == pytest.approx(total, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("name", ["rrr", "rbr"])
def test_gradient_reaches_the_weights_and_is_right(net, images, edit, name):
    def loss(weight):
        parameters = {**dict(net.named_parameters()), "0.weight": weight}
        logits = torch.func.functional_call(net, parameters, (images,))
        if name == "rrr":
            return rrr_loss(logits, images, *edit)
        return rbr_loss(logits, images, LABELS, parameters.values(), *edit)

    assert torch.autograd.gradcheck(loss, (net[0].weight.detach().clone().requires_grad_(),), atol=1e-6)


@pytest.mark.parametrize("name", ["rrr", "rbr"])
def test_images_without_irrelevant_marks_do_not_count(net, images, edit, name):
    targets, weights = edit
    parts = (LABELS, net.parameters()) if name == "rbr" else ()
    loss = {"rrr": rrr_loss, "rbr": rbr_loss}[name]
    assert loss(net(images), images, *parts, targets, weights, reduction="none")[2] == 0
    parts = (LABELS, net.parameters()) if name == "rbr" else ()
    assert loss(net(images), images, *parts, targets, torch.zeros_like(weights)).item() == 0


def test_descending_on_rrr_frees_the_prediction_from_the_pixel():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    images = torch.rand(16, 1, 1, 2, requires_grad=True)
    targets = torch.tensor([0.0, 1.0]).expand(16, 1, 2)
    before = (net[1].weight[0] - net[1].weight[1]).detach().abs()
    for _ in range(300):
        optimizer.zero_grad()
        (10 * rrr_loss(net(images), images, targets)).backward()
        optimizer.step()
    after = (net[1].weight[0] - net[1].weight[1]).detach().abs()
    assert after[0] < 0.3 * before[0]
    assert after[1] > 0.3 * before[1]


def test_images_that_ask_for_no_gradient_are_refused(net, images, edit):
    quiet = images.detach()
    with pytest.raises(ValueError, match="requires_grad_"):
        rrr_loss(net(quiet), quiet, *edit)


def test_shapes_that_do_not_fit_are_refused(net, images, edit):
    with pytest.raises(ValueError, match="do not fit"):
        rrr_loss(net(images), images, edit[0][:, :3], edit[1][:, :3])
    with pytest.raises(ValueError, match="do not fit"):
        counterexamples(images, *edit, torch.tensor([0]))


def test_counterexamples_change_the_irrelevant_pixels_alone(images, edit):
    targets, weights = edit
    seeds = torch.tensor([5, 6, 7])
    changed = counterexamples(images, targets, weights, seeds)
    where = (changed != images).any(1)
    assert torch.equal(where, (weights > 0) & (targets == 0))
    assert (changed[0, :, :2, :2].unique().numel()) == 12  # every pixel and channel of its own
    assert 0 <= changed.min() <= changed.max() <= 1
    half = counterexamples(torch.zeros_like(images), targets, weights, seeds)[1]
    assert half.max() <= 0.5


def test_the_noise_of_an_image_depends_on_its_seed_alone(images, edit):
    targets, weights = edit
    together = counterexamples(images, targets, weights, torch.tensor([5, 6, 7]))
    alone = counterexamples(images[1:2], targets[1:2], weights[1:2], torch.tensor([6]))
    assert torch.equal(together[1:2], alone)
