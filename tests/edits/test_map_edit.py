"""MapEdit: what it accepts, what it keeps, and how it changes its grid."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from visteer.edits.map_edit import MapEdit, from_steps, resample_edit

TIME = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


@st.composite
def edits(draw: st.DrawFn, max_side: int = 9) -> MapEdit:
    shape = draw(npst.array_shapes(min_dims=2, max_dims=2, max_side=max_side))
    target = draw(npst.arrays(np.uint16, shape))
    weight = draw(npst.arrays(np.uint8, shape))
    return MapEdit(*from_steps(target, weight), author="Ada", time=TIME)


def slow_resample(edit: MapEdit, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Area averaging in its plain form: repeat every cell on the common grid, then average blocks."""
    (rows, columns), (h, w) = edit.shape, shape

    def average(values: np.ndarray) -> np.ndarray:
        fine = values.astype(np.float64).repeat(h, axis=0).repeat(w, axis=1)
        return fine.reshape(h, rows, w, columns).mean(axis=(1, 3))

    weight = average(edit.weight)
    mass = average(edit.weight.astype(np.float64) * edit.target)
    return np.where(weight > 0, mass / np.where(weight > 0, weight, 1), 0), weight


def test_every_cell_is_exactly_one_of_three_kinds() -> None:
    edit = MapEdit([[0.7, 0.0, 0.7, 0.0]], [[0.5, 0.5, 0.0, 0.0]], author="Ada")
    assert edit.relevant.tolist() == [[True, False, False, False]]
    assert edit.irrelevant.tolist() == [[False, True, False, False]]
    assert edit.unknown.tolist() == [[False, False, True, True]]
    assert edit.has_relevant
    assert not MapEdit([[0.0, 1.0]], [[1.0, 0.0]], author="Ada").has_relevant


def test_values_are_rounded_to_the_steps_they_are_stored_in() -> None:
    edit = MapEdit([[0.31, 0.4 / 65535]], [[0.31, 0.4 / 255]], author="Ada")
    assert edit.target.dtype == edit.weight.dtype == np.float32
    np.testing.assert_allclose(edit.target, [[20316 / 65535, 0]], rtol=1e-7)  # 20315.85
    np.testing.assert_allclose(edit.weight, [[79 / 255, 0]], rtol=1e-7)  # 79.05


def test_every_step_survives_the_round_trip() -> None:
    target = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    weight = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    edit = MapEdit(*from_steps(target, weight), author="Ada")
    np.testing.assert_array_equal(edit.steps[0], target)
    np.testing.assert_array_equal(edit.steps[1], weight)
    assert replace(edit, target=edit.target.astype(np.float64)) == edit


def test_an_edit_of_steps_is_the_edit_of_their_values() -> None:
    target = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    weight = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    slow = MapEdit(target / 65535, weight / 255, author="Ada", time=TIME, comment="c", revision=3)
    fast = MapEdit.of_steps(target, weight, author="Ada", time=TIME, comment="c", revision=3)
    assert fast == slow
    assert fast.digest == slow.digest
    target[:], weight[:] = 0, 0
    assert fast.steps[0].max() == 65535
    assert fast.digest == slow.digest
    for array in (fast.target, fast.weight, *fast.steps):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    ("target", "weight", "error"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2), np.uint8), TypeError),
        (np.zeros((2, 2), np.uint16), np.zeros((2, 2), np.uint16), TypeError),
        (np.zeros((2, 2), np.uint16), np.zeros((2, 3), np.uint8), ValueError),
        (np.zeros(2, np.uint16), np.zeros(2, np.uint8), ValueError),
        (np.zeros((4097, 1), np.uint16), np.zeros((4097, 1), np.uint8), ValueError),
    ],
)
def test_steps_of_another_kind_or_shape_are_refused(target, weight, error) -> None:
    with pytest.raises(error):
        MapEdit.of_steps(target, weight, author="Ada")


def test_arrays_are_copies_and_read_only() -> None:
    target = np.ones((2, 2), np.float32)
    edit = MapEdit(target, target, author="Ada")
    target[:] = 0
    assert edit.target.min() == 1
    for made in (edit, pickle.loads(pickle.dumps(edit)), copy.deepcopy(edit)):
        assert made == edit
        with pytest.raises(ValueError, match="read-only"):
            made.target[0, 0] = 0
        with pytest.raises(ValueError, match="read-only"):
            made.weight[0, 0] = 0
    with pytest.raises(FrozenInstanceError):
        edit.author = "Eve"  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        {"target": [[1, 0.5]]},
        {"weight": [[1, 0.5]]},
        {"author": "Eve"},
        {"time": TIME + timedelta(microseconds=1)},
        {"revision": 2},
        {"source": "masks"},
        {"map_digest": "abc"},
        {"comment": "look"},
    ],
)
def test_edits_are_equal_only_when_all_fields_are(change: dict) -> None:
    edit = MapEdit([[1, 0]], [[1, 1]], author="Ada", time=TIME)
    same = MapEdit(np.array([[1, 0]], bool), np.array([[1, 1]], np.int64), author="Ada", time=TIME)
    assert edit == same
    assert hash(edit) == hash(same)
    assert replace(edit, **change) != edit
    assert edit != "edit"


def test_digest_is_of_the_raster_alone() -> None:
    edit = MapEdit([[1, 0]], [[1, 1]], author="Ada", time=TIME)
    assert edit.digest == replace(edit, author="Eve", comment="x", revision=4).digest
    assert edit.digest != MapEdit([[1], [0]], [[1], [1]], author="Ada").digest
    assert edit.digest != replace(edit, weight=[[1, 0]]).digest
    # Fixed for ever: databases hold it.
    assert edit.digest == "7dcb39530e953b096da09d3733c5737ebfd13a30ce86307b15df9e7f2c5126ea"


def test_time_is_kept_in_utc() -> None:
    edit = MapEdit([[1]], [[1]], author="Ada", time=TIME.astimezone(timezone(timedelta(hours=5))))
    assert edit.time == TIME
    assert edit.time.tzinfo is UTC
    before = datetime.now(UTC)
    assert before <= MapEdit([[1]], [[1]], author="Ada").time <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"target": [[np.nan, 0]]}, ValueError, "target must lie in"),
        ({"target": [[np.inf, 0]]}, ValueError, "target must lie in"),
        ({"target": [[1.001, 0]]}, ValueError, "target must lie in"),
        ({"weight": [[-0.001, 0]]}, ValueError, "weight must lie in"),
        ({"weight": [[1, 255]]}, ValueError, "weight must lie in"),
        ({"weight": [[1], [1]]}, ValueError, "one shape"),
        ({"target": [1, 0]}, ValueError, r"\(H, W\)"),
        ({"target": np.zeros((0, 3))}, ValueError, "sides from 1 to 4096"),
        ({"target": np.zeros((1, 4097), bool)}, ValueError, "sides from 1 to 4096"),
        ({"target": [["1", "0"]]}, TypeError, "numbers"),
        ({"target": [[1j, 0]]}, TypeError, "numbers"),
        ({"author": " "}, ValueError, "author must not be empty"),
        ({"author": None}, TypeError, "author must be a string"),
        ({"comment": "a\0b"}, ValueError, "NUL"),
        ({"source": "\udc80"}, ValueError, "Unicode"),
        ({"map_digest": 3}, TypeError, "map_digest"),
        ({"time": datetime(2026, 1, 1)}, ValueError, "time zone"),
        ({"time": "2026-01-01"}, TypeError, "datetime"),
        ({"revision": -1}, ValueError, "revision"),
        ({"revision": 1.5}, TypeError, "integer"),
    ],
)
def test_bad_arguments_are_refused(change: dict, error: type[Exception], words: str) -> None:
    arguments = {"target": [[1, 0]], "weight": [[1, 1]], "author": "Ada"} | change
    with pytest.raises(error, match=words):
        MapEdit(**arguments)


@given(edits(), st.tuples(st.integers(1, 11), st.integers(1, 11)))
def test_resampling_equals_the_plain_form_and_keeps_mass(edit: MapEdit, shape: tuple[int, int]) -> None:
    target, weight = resample_edit(edit, shape)
    slow_target, slow_weight = slow_resample(edit, shape)
    assert target.shape == weight.shape == shape
    assert target.dtype == weight.dtype == np.float32
    np.testing.assert_allclose(target, slow_target, atol=1e-6)
    np.testing.assert_allclose(weight, slow_weight, atol=1e-6)
    assert 0 <= target.min() <= target.max() <= 1
    mass = edit.weight.astype(np.float64) * edit.target
    assert weight.mean(dtype=np.float64) == pytest.approx(edit.weight.mean(dtype=np.float64), abs=1e-6)
    assert (target * weight).mean(dtype=np.float64) == pytest.approx(mass.mean(), abs=1e-6)
    assert (target[weight == 0] == 0).all()


@given(edits())
def test_resampling_to_the_same_grid_changes_nothing_known(edit: MapEdit) -> None:
    target, weight = resample_edit(edit, edit.shape)
    np.testing.assert_array_equal(weight, edit.weight)
    np.testing.assert_allclose(target, np.where(edit.unknown, 0, edit.target), atol=1e-7)


def test_resampling_keeps_kinds_of_cells_apart() -> None:
    """Touching cells share nothing: no rounding error leaks a relevant or known cell into its neighbour."""
    weight = np.zeros((30, 30))
    weight[10:20, 10:20] = 1
    edit = MapEdit(weight, weight, author="Ada")
    target, new_weight = resample_edit(edit, (3, 3))
    assert np.flatnonzero(new_weight).tolist() == [4]
    assert np.flatnonzero(target).tolist() == [4]
    target, new_weight = resample_edit(edit, (7, 7))
    assert set(np.unique(target)) == {0.0, 1.0}  # unknown neighbours do not dilute


@pytest.mark.parametrize("shape", [(0, 3), (3, -1)])
def test_resampling_refuses_an_empty_grid(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        resample_edit(MapEdit([[1]], [[1]], author="Ada"), shape)
