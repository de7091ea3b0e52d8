"""Normalised maps: values, and a gradient that stays bounded where plain min-max explodes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.oracles.attribution import min_max
from visteer.attribution import dead_maps, normalize_maps


def test_equals_the_slow_form() -> None:
    maps = torch.rand(4, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    maps[2] *= 1e-6
    maps[3] = 0
    expected = torch.stack([min_max(image, 0.1 / 15) for image in maps])
    torch.testing.assert_close(normalize_maps(maps), expected, rtol=0, atol=1e-12)


def test_several_maps_an_image_are_normalised_one_by_one() -> None:
    maps = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(normalize_maps(maps), normalize_maps(maps.flatten(0, 1)).unflatten(0, (2, 3)))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(-12, 6))
def test_every_scale_gives_finite_values_in_the_unit_interval(seed: int, exponent: float) -> None:
    maps = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(seed)) * 10**exponent
    normal = normalize_maps(maps)
    assert torch.isfinite(normal).all()
    assert normal.min() >= 0
    assert normal.max() <= 1


def _jacobian(maps: Tensor, floor: float | None = None) -> Tensor:
    jacobian = torch.autograd.functional.jacobian(lambda m: normalize_maps(m, floor), maps)
    assert isinstance(jacobian, Tensor)
    return jacobian


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-12, 1e-8, 1e-3, 1.0, 1e3])
def test_no_entry_of_the_jacobian_exceeds_one_over_the_floor(scale: float) -> None:
    maps = scale * torch.rand(1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert _jacobian(maps).abs().max() <= 16 / 0.1 * (1 + 1e-12)
    assert _jacobian(maps, floor=0.5).abs().max() <= 2 * (1 + 1e-12)


def test_plain_min_max_breaks_the_bound_that_is_held_here() -> None:
    maps = 1e-8 * torch.rand(1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert _jacobian(maps, floor=1e-300).abs().max() > 1e6


def test_a_dead_map_keeps_a_gradient_for_every_cell() -> None:
    maps = torch.zeros(1, 2, 2, requires_grad=True)
    normalize_maps(maps).sum().backward()
    assert maps.grad is not None
    torch.testing.assert_close(maps.grad, torch.full((1, 2, 2), 40.0))


def test_gradcheck_above_the_floor() -> None:
    maps = torch.rand(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.autograd.gradcheck(normalize_maps, maps.requires_grad_())
    assert torch.autograd.gradgradcheck(normalize_maps, maps)


def test_dead_maps_are_those_without_a_positive_value() -> None:
    maps = torch.zeros(2, 2, 3, 3)
    maps[0, 1, 2, 2] = 1e-20
    assert dead_maps(maps).tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize("function", [normalize_maps, dead_maps])
def test_wrong_arguments_are_refused(function: object) -> None:
    assert callable(function)
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        function(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="with cells"):
        function(torch.zeros(2, 0, 2))
    with pytest.raises(TypeError, match="int64"):
        function(torch.zeros(1, 2, 2, dtype=torch.int64))


@pytest.mark.parametrize("floor", [0.0, -1.0, float("nan")])
def test_the_floor_must_be_above_zero(floor: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        normalize_maps(torch.zeros(1, 2, 2), floor)
