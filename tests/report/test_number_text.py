"""Figures are written the same way everywhere, and a missing one never as a number."""

from __future__ import annotations

import math

import pytest

from visteer.evaluation.result import Figure
from visteer.report.number_text import (
    difference_interval_text,
    difference_text,
    interval_text,
    p_text,
    value_text,
)

NAN = Figure(math.nan, math.nan, math.nan)


@pytest.mark.parametrize("key", ["accuracy", "f2", "something_new"])
def test_a_missing_figure_is_no_number(key):
    assert value_text(key, NAN.value) == "not measured"
    assert difference_text(key, NAN.value) == "not measured"
    assert interval_text(key, NAN) == "–"
    assert difference_interval_text(key, NAN) == "–"


def test_a_value_may_lack_only_its_interval():
    lone = Figure(0.5, math.nan, math.nan)
    assert value_text("f2", lone.value) == "0.500"
    assert interval_text("f2", lone) == "–"


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("f2", 0.0, "0.000"),
        ("f2", -0.0001, "0.000"),
        ("f2", 0.0004, "0.000"),
        ("f2", 0.25, "+0.250"),
        ("f2", -0.25, "−0.250"),
        ("accuracy", -0.00001, "0.0 points"),
        ("accuracy", 0.1, "+10.0 points"),
        ("map_distance", -10.0, "−10.000"),
    ],
)
def test_differences_carry_a_sign_unless_they_show_as_zero(key, value, text):
    assert difference_text(key, value) == text


@pytest.mark.parametrize(("p_value", "text"), [(0, "p < 0.001"), (0.001, "p = 0.001"), (1, "p = 1.00")])
def test_p_values(p_value, text):
    assert p_text(p_value) == text
