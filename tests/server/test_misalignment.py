"""Misalignment against its slow form, by hand, and at its ends."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles.misalignment import paper_edit_misalignment, paper_guessed_misalignment
from visteer.edits.map_edit import MapEdit
from visteer.server.misalignment import edit_misalignment, guessed_misalignment


@pytest.mark.parametrize("seed", range(6))
def test_by_an_edit_as_in_the_slow_form(seed):
    rng = np.random.default_rng(seed)
    values = rng.random((3, 4)).astype(np.float32)
    target = rng.random((9, 8)) * rng.integers(0, 2, (9, 8))
    weight = rng.random((9, 8)) * rng.integers(0, 2, (9, 8))
    edit = MapEdit(target, weight, author="Ada")
    expected = paper_edit_misalignment(values.tolist(), edit.target.tolist(), edit.weight.tolist())
    assert edit_misalignment(values, edit) == pytest.approx(expected, abs=1e-6)


def test_by_an_edit_at_its_ends():
    region = np.array([[1.0, 0.0], [0.0, 0.0]])
    edit = MapEdit(region, np.ones((2, 2)), author="Ada")
    assert edit_misalignment(region.astype(np.float32), edit) == 0
    assert edit_misalignment((1 - region).astype(np.float32), edit) == 1
    assert edit_misalignment(np.zeros((2, 2), np.float32), edit) == 1  # a dead map is nowhere near
    half = np.array([[1.0, 1.0], [0.0, 0.0]], np.float32)
    assert edit_misalignment(half, edit) == pytest.approx(0.5)


def test_unknown_cells_do_not_count():
    edit = MapEdit([[1.0, 0.0]], [[1.0, 0.0]], author="Ada")
    assert edit_misalignment(np.array([[1.0, 1.0]], np.float32), edit) == 0
    nothing = MapEdit([[0.0]], [[0.0]], author="Ada")
    assert np.isnan(edit_misalignment(np.ones((2, 2), np.float32), nothing))


@pytest.mark.parametrize("shape", [(7, 7), (8, 8), (3, 4), (1, 1), (16, 5)])
def test_without_an_edit_as_in_the_slow_form(shape):
    rng = np.random.default_rng(sum(shape))
    maps = rng.random((3, *shape)).astype(np.float32)
    confidence, instability = rng.random((2, 3)).astype(np.float32)
    found = guessed_misalignment(maps, confidence, instability)
    for row in range(3):
        # Cells of 7 and 3 are not cut exactly by 80 points on a side: one point in 80 may fall on the wrong side.
        expected = paper_guessed_misalignment(
            maps[row].tolist(), float(confidence[row]), float(instability[row])
        )
        assert found[row] == pytest.approx(expected, abs=0.01)


def test_without_an_edit_at_its_ends():
    middle, corner = np.zeros((2, 8, 8), np.float32)
    middle[4, 4], corner[0, 7] = 1, 1
    sure, unmeasured = np.full(2, 0.9, np.float32), np.full(2, np.nan, np.float32)
    maps = np.stack([middle, corner])
    assert guessed_misalignment(maps, sure, unmeasured).tolist() == pytest.approx([0.0, 0.9])
    moving = np.array([0.5, 0.5], np.float32)
    assert guessed_misalignment(maps, sure, moving).tolist() == pytest.approx([0.45, 0.9])
    dead = guessed_misalignment(
        np.zeros((1, 8, 8), np.float32), np.ones(1, np.float32), np.ones(1, np.float32)
    )
    assert np.isnan(dead).all()
