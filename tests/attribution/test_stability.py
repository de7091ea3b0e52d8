"""Instability under mirroring against its slow form, and at its ends."""

from __future__ import annotations

import pytest
import torch

from tests.oracles.misalignment import paper_flip_instability
from visteer.attribution import flip_instability


def test_as_in_the_slow_form():
    torch.manual_seed(0)
    maps, mirrored = torch.rand(2, 5, 3, 4, dtype=torch.float64)
    found = flip_instability(maps, mirrored)
    for row in range(5):
        expected = paper_flip_instability(maps[row].tolist(), mirrored[row].tolist())
        assert found[row].item() == pytest.approx(expected, abs=1e-12)


def test_at_its_ends():
    left = torch.tensor([[[1.0, 0.0]]])
    assert flip_instability(left, left.flip(-1)).item() == 0  # it went along with the image
    assert flip_instability(left, left).item() == 1  # it stayed on the same side
    assert flip_instability(left, torch.zeros(1, 1, 2)).item() == 1
    assert flip_instability(torch.zeros(1, 1, 2), torch.zeros(1, 1, 2)).isnan().all()
    with pytest.raises(ValueError, match="both must be"):
        flip_instability(left, torch.zeros(1, 2, 2))
