"""The plots of a benchmark's report: each approach with its own colour and sign, means with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from visteer.benchmark.table import Value
from visteer.report.plots import MUTED, RUN_INKS, inline_svg, quieten_axes

_SIGNS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class Point:
    """One approach in a plot of one figure against another."""

    name: str
    x: Value
    y: Value


def points_plot(
    points: Sequence[Point],
    approaches: Sequence[str],
    name: str,
    labels: tuple[str, str],
    x_within: tuple[float, float],
    y_within: tuple[float, float],
) -> Markup:
    """Each approach as a point with both intervals, as an `<svg>` element for a page; the legend is beside the plot.

    Arguments:
        points: what is drawn.
        approaches: the place of an approach here gives its colour and sign, so that all plots of a page agree.
        name: letters, digits, hyphens; unique on the page.
        labels: those of the axes, x first.
        x_within, y_within: what the figures can be; an interval of few seeds is cut off there.
    """
    figure, axes = _axes(*labels)
    for point in points:
        place = approaches.index(point.name)
        _mark(axes, place, point.x.mean, point.y, x_half=point.x.half, label=point.name)
    axes.margins(x=0.15, y=0.15)
    axes.set_xlim(*np.clip(axes.get_xlim(), *x_within))
    axes.set_ylim(*np.clip(axes.get_ylim(), *y_within))
    _legend(axes)
    return inline_svg(figure, name)


def fractions_plot(
    lines: Mapping[str, Mapping[float, Value]],
    level: Mapping[str, Value],
    approaches: Sequence[str],
    name: str,
    y_label: str,
) -> Markup:
    """A figure over the annotated share of the images: a line an approach; `level` holds those without annotation.

    The share is on a logarithmic axis. `approaches` and `name` are as in `points_plot`.
    """
    figure, axes = _axes("annotated images, %", y_label)
    for number, (approach, values) in enumerate(lines.items()):
        place, shares = approaches.index(approach), sorted(values)
        at = [100 * share * 1.03 ** (number - len(lines) / 2) for share in shares]
        means = [values[share].mean for share in shares]
        axes.plot(at, means, color=_ink(place), linewidth=1.4)
        for x, share in zip(at, shares, strict=True):
            _mark(axes, place, x, values[share], label=approach if share == shares[0] else None)
    for number, (approach, value) in enumerate(level.items()):
        ink = _ink(approaches.index(approach))
        axes.axhline(value.mean, color=ink, linewidth=1.2, linestyle=(0, (4, 2 + number)), label=approach)
    axes.set_xscale("log")
    shares = sorted({share for values in lines.values() for share in values})
    axes.xaxis.set_major_locator(FixedLocator([100 * share for share in shares]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.margins(x=0.15)
    _legend(axes)
    return inline_svg(figure, name)


def _axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, 2.8), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    quieten_axes(axes, x_label, whole_numbers=False)
    axes.set_ylabel(y_label, fontsize=8, color=MUTED)
    return figure, axes


def _legend(axes: Axes) -> None:
    legend = axes.legend(fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    for text in legend.get_texts():
        text.set_color(MUTED)


def _ink(place: int) -> str:
    return RUN_INKS[place % len(RUN_INKS)]


def _mark(
    axes: Axes, place: int, x: float, y: Value, x_half: float = math.nan, label: str | None = None
) -> None:
    """A point with its intervals; one that is not known has none."""
    axes.errorbar(
        x,
        y.mean,
        yerr=None if math.isnan(y.half) else y.half,
        xerr=None if math.isnan(x_half) else x_half,
        fmt=_SIGNS[place % len(_SIGNS)],
        markersize=6,
        color=_ink(place),
        elinewidth=1,
        label=label,
    )
