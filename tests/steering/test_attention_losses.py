"""The attention loss against its paper form, hand-computed values, and gradcheck."""

from __future__ import annotations

import math

import pytest
import torch

from tests.oracles.attention_losses import min_max, paper_attention_mse
from visteer.attribution import normalize_maps
from visteer.steering import attention_mse_loss, confidence_above_chance


@pytest.fixture
def maps() -> torch.Tensor:
    return torch.rand((4, 6, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def regions() -> torch.Tensor:
    draws = torch.rand((4, 6, 5), generator=torch.Generator().manual_seed(1))
    regions = (draws > 0.7).double()
    regions[3] = 0
    return regions


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_equals_the_paper_form_on_binary_fully_trusted_targets(maps, regions, share):
    expected = paper_attention_mse([min_max(m) for m in maps.tolist()], regions.tolist(), share)
    assert attention_mse_loss(maps, regions, region_share=share).item() == pytest.approx(expected, abs=1e-12)


def test_hand_computed_value():
    maps = torch.tensor([[[0.0, 2.0], [0.0, 4.0]]])
    targets = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    # normalised: 0, .5, 0, 1; squares: 0, .25, 0, 0; 0.9 * .25 / 4 + 0.1 * .25 / 2
    assert attention_mse_loss(maps, targets).item() == pytest.approx(0.9 * 0.0625 + 0.1 * 0.125)


def test_a_perfect_map_costs_nothing(regions):
    assert attention_mse_loss(regions[:3] * 7, regions[:3]).item() == 0


def test_unknown_cells_do_not_count(maps, regions):
    weights = torch.ones_like(regions)
    weights[:, 0] = 0
    scrambled = regions.clone()
    scrambled[:, 0] = 1 - scrambled[:, 0]
    assert attention_mse_loss(maps, scrambled, weights) == attention_mse_loss(maps, regions, weights)


def test_images_without_an_edit_do_not_count(maps, regions):
    weights = torch.ones_like(regions)
    weights[2:] = 0
    alone = attention_mse_loss(maps[:2], regions[:2])
    assert attention_mse_loss(maps, regions, weights).item() == pytest.approx(alone.item(), abs=1e-15)
    per_image = attention_mse_loss(maps, regions, weights, reduction="none")
    assert (per_image[2:] == 0).all()
    assert (per_image[:2] > 0).all()


def test_nothing_known_gives_zero_and_zero_gradient(maps, regions):
    maps.requires_grad_()
    loss = attention_mse_loss(maps, regions, torch.zeros_like(regions))
    loss.backward()
    assert loss.item() == 0
    assert (maps.grad == 0).all()


def test_trust_weighs_cells(maps):
    """Weight 2 on a cell is the same as that cell counted twice."""
    row = maps[:1, :1, :3]
    targets = torch.tensor([[[1.0, 0.0, 0.0]]], dtype=torch.float64)
    doubled = attention_mse_loss(row, targets, torch.tensor([[[1.0, 2.0, 1.0]]]), region_share=0)
    normalised = normalize_maps(row)[0, 0]
    squares = (normalised - targets[0, 0]) ** 2
    assert doubled.item() == pytest.approx(((squares[0] + 2 * squares[1] + squares[2]) / 4).item())


def test_soft_borders_count_in_part_and_none_drops_out():
    """A bilinear mask has no exact 1: the public code's `mask == 1` would divide by zero here."""
    targets = torch.full((1, 4, 4), 0.6)
    loss = attention_mse_loss(torch.rand((1, 4, 4)), targets)
    assert torch.isfinite(loss)
    assert loss > 0


def test_both_resolutions_agree_where_the_edit_is_constant_over_cells(maps, regions):
    fine = regions.repeat_interleave(3, 1).repeat_interleave(3, 2)
    assert attention_mse_loss(maps, fine).item() == pytest.approx(attention_mse_loss(maps, regions).item())
    at_image = attention_mse_loss(maps, fine, resolution="image")
    assert at_image.item() != pytest.approx(attention_mse_loss(maps, fine).item())
    assert torch.isfinite(at_image)


def test_gradient_is_right(maps, regions):
    maps.requires_grad_()
    assert torch.autograd.gradcheck(lambda m: attention_mse_loss(m, regions), (maps,))
    fine = regions.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.autograd.gradcheck(lambda m: attention_mse_loss(m, fine, resolution="image"), (maps,))


def test_all_zero_maps_give_a_finite_gradient(regions):
    maps = torch.zeros((4, 6, 5), dtype=torch.float64, requires_grad=True)
    attention_mse_loss(maps, regions).backward()
    assert torch.isfinite(maps.grad).all()


@pytest.mark.parametrize(
    ("maps_shape", "targets_shape"), [((2, 3), (2, 3, 3)), ((2, 3, 3), (3, 3, 3)), ((2, 3, 3), (2, 9))]
)
def test_shapes_that_do_not_fit_are_refused(maps_shape, targets_shape):
    with pytest.raises(ValueError, match="do not fit"):
        attention_mse_loss(torch.rand(maps_shape), torch.rand(targets_shape))


def test_a_share_outside_its_range_is_refused(maps, regions):
    with pytest.raises(ValueError, match="region_share"):
        attention_mse_loss(maps, regions, region_share=1.5)


def test_confidence_is_measured_from_chance_to_certainty():
    """Against the formula by hand: 0 at 1/C and below, 1 at 1, straight between."""
    probabilities = torch.tensor(
        [[1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25], [0.2, 0.7, 0.1], [0.0, 1.0, 0.0]], dtype=torch.float64
    )
    logits = (probabilities + 1e-30).log().requires_grad_()
    found = confidence_above_chance(logits, torch.tensor([0, 0, 0, 1]))
    assert found.tolist() == pytest.approx([0.0, 0.25, 0.0, 1.0])
    assert not found.requires_grad
    two = torch.tensor([[0.0, math.log(3.0)]], dtype=torch.float64)  # p = 1/4, 3/4
    assert confidence_above_chance(two, torch.tensor([1])).item() == pytest.approx(0.5)
