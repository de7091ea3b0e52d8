"""The map losses of other papers against their slow form, values by hand, gradcheck, and what no image must change."""

from __future__ import annotations

import pytest
import torch

from tests.oracles import peer_losses as paper
from visteer.attribution import normalize_maps
from visteer.steering import (
    abn_map_loss,
    dice_loss,
    distance_aware_loss,
    energy_loss,
    gradia_loss,
    hint_loss,
    map_l1_loss,
    ppce_loss,
    res_g_loss,
    rrr_g_loss,
)

LOSSES = {
    rrr_g_loss: paper.rrr_g,
    hint_loss: paper.hint,
    map_l1_loss: paper.l1,
    ppce_loss: paper.ppce,
    energy_loss: paper.energy,
    gradia_loss: paper.gradia,
    res_g_loss: paper.res_g,
    distance_aware_loss: paper.distance_aware,
    dice_loss: paper.dice,
    abn_map_loss: paper.abn_map,
}
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)


@pytest.fixture
def maps() -> torch.Tensor:
    maps = torch.rand((4, 6, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    maps[1, :3] *= 0.1  # little of this map lies in its region
    return maps


@pytest.fixture
def targets() -> torch.Tensor:
    targets = torch.zeros((4, 6, 5), dtype=torch.float64)
    targets[:, 1:3, 1:4] = torch.tensor([1.0, 0.5, 1.0], dtype=torch.float64)
    return targets


@pytest.fixture
def weights() -> torch.Tensor:
    weights = torch.ones((4, 6, 5), dtype=torch.float64)
    weights[:, 4] = 0
    weights[:, 2] = 0.5
    return weights


@every_loss
def test_equals_the_slow_form(loss, maps, targets, weights):
    found = loss(maps, targets, weights, reduction="none").tolist()
    parts = (maps, normalize_maps(maps), targets, weights)
    for image, value in enumerate(found):
        cells = paper.cells_of(*(part[image].tolist() for part in parts))
        assert value == pytest.approx(LOSSES[loss](cells), abs=1e-12)
    assert loss(maps, targets, weights).item() == pytest.approx(sum(found) / 4)


@every_loss
def test_gradient_is_right(loss, maps, targets, weights):
    maps.requires_grad_()
    assert torch.autograd.gradcheck(lambda m: loss(m, targets, weights), (maps,))


@every_loss
def test_unknown_cells_do_not_count(loss, maps, targets, weights):
    scrambled = targets.clone()
    scrambled[:, 4] = 1
    assert torch.equal(loss(maps, scrambled, weights), loss(maps, targets, weights))


@every_loss
def test_images_without_marks_do_not_count(loss, maps, targets, weights):
    alone = loss(maps[:2], targets[:2], weights[:2]).item()
    weights[2:] = 0
    assert loss(maps, targets, weights).item() == pytest.approx(alone)
    assert loss(maps, targets, weights, reduction="none")[2:].tolist() == [0, 0]


@every_loss
def test_nothing_known_and_dead_maps_give_finite_gradients(loss, targets, weights):
    for known in (weights, torch.zeros_like(weights)):
        dead = torch.zeros((4, 6, 5), dtype=torch.float64, requires_grad=True)
        value = loss(dead, targets, known)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(dead.grad).all()


@every_loss
def test_the_edit_may_lie_on_a_finer_grid(loss, maps, targets, weights):
    fine = [part.repeat_interleave(3, 1).repeat_interleave(3, 2) for part in (targets, weights)]
    assert loss(maps, *fine).item() == pytest.approx(loss(maps, targets, weights).item())
    assert loss(maps.float(), *fine).dtype == torch.float32


@every_loss
@pytest.mark.parametrize(
    ("maps_shape", "targets_shape"), [((2, 3), (2, 3, 3)), ((2, 3, 3), (3, 3, 3)), ((2, 3, 3), (2, 9))]
)
def test_shapes_that_do_not_fit_are_refused(loss, maps_shape, targets_shape):
    with pytest.raises(ValueError, match="do not fit"):
        loss(torch.rand(maps_shape), torch.rand(targets_shape))


ROW = torch.tensor([[[0.0, 1.0, 4.0, 2.0]]])
EDIT = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (rrr_g_loss, 0.25**2),
        (hint_loss, (0.25**2 + 0.5**2) / 4),
        (map_l1_loss, 0.75 / 4),
        (energy_loss, 1 / 7),
        (gradia_loss, 0.0),
        (distance_aware_loss, 0.25 * 1 / 17**0.5 / 4),
        (dice_loss, 1 - 2 * 1.5 / 3.75),
        (abn_map_loss, (1 + 3**2 + 1) ** 0.5),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_hand_computed_value(loss, expected):
    """Normalised the map is 0, .25, 1, .5."""
    assert loss(ROW, EDIT).item() == pytest.approx(expected, abs=1e-6)


def test_a_perfect_map_costs_nothing():
    for loss in (hint_loss, map_l1_loss, ppce_loss, energy_loss, distance_aware_loss, dice_loss, rrr_g_loss):
        assert loss(EDIT * 7, EDIT).item() == pytest.approx(0, abs=1e-6), loss.__name__


def test_energy_lifts_a_dead_map_inside_the_region_alone():
    dead = torch.zeros((1, 1, 4), requires_grad=True)
    energy_loss(dead, EDIT).backward()
    assert dead.grad.tolist() == [[[0, 0, -10, -10]]]


def test_slack_forgives():
    strict, lenient = res_g_loss(ROW, EDIT), res_g_loss(ROW, EDIT, slack=0.1)
    assert (strict - lenient).item() == pytest.approx(0.1, abs=1e-6)


def test_gradia_moves_the_unreasonable_maps_only():
    wrong = torch.tensor([[[4.0, 2.0, 0.0, 1.0]]])
    assert gradia_loss(torch.cat((ROW, wrong)), EDIT.repeat(2, 1, 1), reduction="none").tolist() == (
        pytest.approx([0, map_l1_loss(wrong, EDIT).item()])
    )


def test_ppce_asks_for_nothing_outside():
    outside = ROW.clone().requires_grad_()
    ppce_loss(outside, EDIT).backward()
    assert outside.grad[0, 0, 1] == 0
