"""Plots are the same for the same curves, stand inside a page, and take their colours from it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest

from visteer.report.plots import Curve, line_plot

X = np.arange(1.0, 6.0)


def points(svg: str, ink: str) -> np.ndarray:
    """The data line of one ink, (n, 2) in the plot's own units."""
    root = ET.fromstring(svg)
    for path in root.iter("path"):
        style = path.get("style", "")
        if f"stroke: var({ink})" in style and "fill: none" in style:
            pairs = re.findall(r"[ML] (\S+) (\S+)", path.get("d"))
            return np.array(pairs, dtype=float)
    raise LookupError(ink)


def test_the_same_curves_give_the_same_text():
    curves = [Curve(X, X**2), Curve(X, X)]
    assert line_plot(curves, "a", "epoch", None) == line_plot(curves, "a", "epoch", None)


def test_lines_follow_the_data():
    y = np.array([1.0, 4.0, 2.0, 8.0, 5.0])
    line = points(line_plot([Curve(X, y)], "a", "epoch", None), "--run-1")
    assert line.shape == (5, 2)
    # SVG counts downwards.
    assert np.corrcoef(line[:, 1], y)[0, 1] == pytest.approx(-1)
    assert np.allclose(np.diff(line[:, 0], 2), 0, atol=1e-3)


def test_nothing_but_variables_colours_it_and_nothing_points_outside():
    svg = line_plot([Curve(X, X, X - 1, X + 1), Curve(X, -X, -X - 1, -X + 1)], "a", "epoch", None)
    assert "http" not in svg
    assert "xmlns" not in svg
    assert "metadata" not in svg
    assert not re.search(r"(?:stroke|fill): #", svg)
    assert {"var(--run-0)", "var(--run-1)", "var(--muted)", "var(--line)"} <= set(
        re.findall(r"var\(\S+?\)", svg)
    )


def test_ids_begin_with_the_name_and_references_fit():
    svg = line_plot([Curve(X, X)], "loss", "epoch", None)
    ids = set(re.findall(r'\bid="([^"]*)"', svg))
    assert ids
    assert all(name.startswith("loss-") for name in ids)
    assert set(re.findall(r'(?:url\(|href=")#([^)"]*)', svg)) <= ids


def test_lines_differ_without_colour():
    svg = line_plot([Curve(X, X), Curve(X, -X), Curve(X, 2 * X), Curve(X, 3 * X)], "a", "epoch", None)
    dashes = {
        ink: re.search(
            rf'd="[^"]*" clip-path="[^"]*" style="fill: none;( stroke-dasharray: [^;]*;)?[^"]*{ink}', svg
        )
        for ink in ("--run-0", "--run-1", "--run-2", "--run-3")
    }
    assert len({match and match.group(1) for match in dashes.values()}) == 4


@pytest.mark.parametrize("y", [[np.nan, 1, np.inf, 2, -np.inf], [np.nan] * 5])
def test_what_is_not_finite_leaves_a_gap(y):
    ET.fromstring(line_plot([Curve(X, np.array(y))], "a", "epoch", None))


def test_a_single_point_is_drawn():
    assert "<use" in line_plot([Curve(np.array([1.0]), np.array([2.0]))], "a", "epoch", None)


def test_global_settings_are_left_alone():
    before = dict(matplotlib.rcParams)
    line_plot([Curve(X, X)], "a", "epoch", None)
    assert dict(matplotlib.rcParams) == before
