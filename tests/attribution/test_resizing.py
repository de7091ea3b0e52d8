"""Grids: exact areas for any ratio of sizes, and unknown cells that dilute nothing."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import interpolate

from tests.oracles.attribution import pooled_edit
from visteer.attribution import pool_edits, resize_maps
from visteer.edits.map_edit import MapEdit, resample_edit

SIZES = [
    ((12, 8), (3, 4)),
    ((12, 8), (5, 3)),
    ((7, 9), (4, 9)),
    ((4, 4), (4, 4)),
    ((2, 3), (5, 4)),
    ((8, 8), (1, 1)),
]


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_pooled_edits_equal_the_slow_form(old: tuple[int, int], new: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.rand(2, *old, dtype=torch.float64, generator=generator)
    weights = torch.rand(2, *old, dtype=torch.float64, generator=generator)
    weights[:, : old[0] // 2] = 0
    pooled = pool_edits(targets, weights, new)
    for i in range(2):
        expected = pooled_edit(targets[i], weights[i], new)
        torch.testing.assert_close((pooled[0][i], pooled[1][i]), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_pooled_edits_equal_the_twin_on_arrays(old: tuple[int, int], new: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    edit = MapEdit(
        torch.rand(old, generator=generator).numpy(),
        torch.rand(old, generator=generator).gt(0.4).numpy(),
        author="test",
    )
    expected_target, expected_weight = resample_edit(edit, new)
    target, weight = pool_edits(
        torch.from_numpy(edit.target.copy())[None], torch.from_numpy(edit.weight.copy())[None], new
    )
    torch.testing.assert_close(target[0], torch.from_numpy(expected_target), rtol=0, atol=1e-6)
    torch.testing.assert_close(weight[0], torch.from_numpy(expected_weight), rtol=0, atol=1e-6)


def test_an_edit_without_any_weight_gives_zeros_and_no_nan() -> None:
    targets, weights = pool_edits(torch.ones(1, 4, 4), torch.zeros(1, 4, 4), (3, 3))
    assert targets.eq(0).all()
    assert weights.eq(0).all()


def test_pool_edits_has_a_right_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.rand(1, 5, 5, dtype=torch.float64, generator=generator).requires_grad_()
    weights = (0.1 + torch.rand(1, 5, 5, dtype=torch.float64, generator=generator)).requires_grad_()
    assert torch.autograd.gradcheck(lambda t, w: pool_edits(t, w, (2, 3)), (targets, weights))


def test_maps_grow_by_bilinear_interpolation() -> None:
    maps = torch.rand(2, 3, 4, 5)
    expected = interpolate(maps, size=(9, 11), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize_maps(maps, (9, 11)), expected)
    torch.testing.assert_close(resize_maps(maps[:, 0], (9, 11)), expected[:, 0])


def test_maps_shrink_by_areas_and_keep_their_mean() -> None:
    maps = torch.rand(2, 10, 7, dtype=torch.float64)
    small = resize_maps(maps, (4, 3))
    ones = torch.ones_like(maps)
    expected = torch.stack([pooled_edit(m, w, (4, 3))[0] for m, w in zip(maps, ones, strict=True)])
    torch.testing.assert_close(small, expected)
    torch.testing.assert_close(small.mean(dim=(1, 2)), maps.mean(dim=(1, 2)))


def test_an_axis_can_grow_while_the_other_shrinks() -> None:
    maps = torch.rand(1, 6, 3)
    expected = interpolate(resize_maps(maps, (2, 3))[:, None], size=(2, 5), mode="bilinear")[:, 0]
    torch.testing.assert_close(resize_maps(maps, (2, 5)), expected)


def test_what_inference_mode_cached_is_good_for_autograd() -> None:
    with torch.inference_mode():
        resize_maps(torch.rand(1, 17, 17), (13, 13))
    maps = torch.rand(1, 17, 17, requires_grad=True)
    resize_maps(maps, (13, 13)).sum().backward()
    assert maps.grad is not None


def test_autocast_does_not_round_the_areas() -> None:
    maps = torch.rand(1, 17, 17)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        small = resize_maps(maps, (5, 5))
    assert small.dtype == torch.float32
    torch.testing.assert_close(small, resize_maps(maps, (5, 5)))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="sides of at least 1"):
        resize_maps(torch.rand(1, 4, 4), (0, 4))
    with pytest.raises(ValueError, match=r"\(4, 4\)"):
        resize_maps(torch.rand(4, 4), (2, 2))
    with pytest.raises(ValueError, match="must both be"):
        pool_edits(torch.rand(1, 4, 4), torch.rand(2, 4, 4), (2, 2))
