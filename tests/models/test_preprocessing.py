"""Preprocessing: what it accepts, and the round trip through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visteer.models.preprocessing import Preprocessing

HALF = (0.5, 0.5, 0.5)
channel = st.floats(-10, 10)
positive = st.floats(1e-6, 10)


@given(st.integers(1, 10_000), st.tuples(channel, channel, channel), st.tuples(positive, positive, positive))
def test_json_round_trip_is_exact(size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    preprocessing = Preprocessing(size, mean, std)
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


def test_lists_become_tuples_so_that_it_is_hashable() -> None:
    assert Preprocessing(8, [0, 0, 0], [1, 1, 1]) == Preprocessing(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert len({Preprocessing(8, [0, 0, 0], [1, 1, 1])}) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, HALF, HALF), ValueError, "at least 1, got 0"),
        ((8.0, HALF, HALF), TypeError, "integer, got 8.0"),
        ((True, HALF, HALF), TypeError, "integer, got True"),
        ((8, (0.5, 0.5), HALF), ValueError, "mean must be three numbers"),
        ((8, 0.5, HALF), ValueError, "mean must be three numbers"),
        ((8, HALF, (0.5, 0.0, 0.5)), ValueError, "std must be above 0"),
        ((8, (float("nan"), 0, 0), HALF), ValueError, "mean must be finite"),
        ((8, HALF, ("a", 1, 1)), ValueError, "std must be three numbers"),
    ],
)
def test_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Preprocessing(*arguments)


@pytest.mark.parametrize(
    "values", [{}, {"image_size": 8, "mean": HALF}, {"image_size": 8, "mean": HALF, "std": HALF, "x": 1}, [1]]
)
def test_from_dict_refuses_other_fields(values: Any) -> None:
    with pytest.raises(ValueError, match="needs image_size, mean and std"):
        Preprocessing.from_dict(values)
