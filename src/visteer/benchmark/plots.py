"""The plots of a benchmark's report: each approach with its own colour and sign, means with 95 % intervals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from visteer.benchmark.spec import APPROACHES
from visteer.benchmark.table import Value
from visteer.report.plots import LINE, MUTED, RUN_INKS, inline_svg, quieten_axes

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
        approaches: all names that a plot of the page has; each has its own colour and sign, the approaches without a
            table in a benchmark's file (`APPROACHES`) the same in every benchmark.
        name: letters, digits, hyphens; unique on the page.
        labels: those of the axes, x first.
        x_within, y_within: what the figures can be; an interval of few seeds is cut off there.
    """
    figure, axes = _axes(*labels)
    places = _places(approaches)
    for point in points:
        place = places[point.name]
        _mark(axes, place, point.x, point.y, label=point.name)
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
    places = _places(approaches)
    for number, (approach, values) in enumerate(lines.items()):
        place, shares = places[approach], sorted(values)
        at = [100 * share * 1.03 ** (number - len(lines) / 2) for share in shares]
        means = [values[share].mean for share in shares]
        axes.plot(at, means, color=_ink(place), linewidth=1.4)
        for x, share in zip(at, shares, strict=True):
            _mark(axes, place, _exact(x), values[share], label=approach if share == shares[0] else None)
    for number, (approach, value) in enumerate(level.items()):
        ink = _ink(places[approach])
        axes.axhline(value.mean, color=ink, linewidth=1.2, linestyle=(0, (4, 2 + number)), label=approach)
    axes.set_xscale("log")
    shares = sorted({share for values in lines.values() for share in values})
    axes.xaxis.set_major_locator(FixedLocator([100 * share for share in shares]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.margins(x=0.15)
    _legend(axes)
    return inline_svg(figure, name)


@dataclass(frozen=True)
class ForestRow:
    """A row of a forest plot: the heading that it stands under, the approach, and a value for each column."""

    heading: str
    name: str
    values: tuple[Value, ...]


def forest_plot(
    rows: Sequence[ForestRow],
    columns: Sequence[str],
    approaches: Sequence[str],
    name: str,
    *,
    zero: bool = True,
) -> Markup:
    """A row an approach under the heading of its data set, a panel a figure: a sign for the mean, a bar its interval.

    Arguments:
        rows: those of one heading in a row; what has no mean stays empty.
        columns: the titles of the panels.
        approaches, name: as in `points_plot`.
        zero: whether the values are differences: then a line marks 0 and stays in sight.

    Each panel shows all means; a bar that is much longer than the others goes on beyond its edge.
    """
    lines: list[ForestRow | str] = []
    for heading in dict.fromkeys(row.heading for row in rows):
        lines += [heading, *(row for row in rows if row.heading == heading)]
    figure = Figure(figsize=(2.2 + 1.9 * len(columns), 0.55 + 0.2 * len(lines)), layout="constrained")
    figure.patch.set_visible(False)
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    places = _places(approaches)
    for number, (axes, title) in enumerate(zip(panels, columns, strict=True)):
        quieten_axes(axes, title, whole_numbers=False)
        axes.grid(visible=False, axis="y")
        axes.grid(axis="x", color=LINE, linewidth=0.8)
        if zero:
            axes.axvline(0, color=MUTED, linewidth=0.9)
        shown = []
        for place, line in enumerate(lines):
            if isinstance(line, ForestRow) and line.values[number].count:
                value = line.values[number]
                _mark(axes, places[line.name], value, _exact(place))
                shown.append(value)
        axes.set_xlim(*_span(shown, zero=zero))
        axes.xaxis.set_major_locator(MaxNLocator(4))
    panels[0].set_yticks(range(len(lines)), [line if isinstance(line, str) else line.name for line in lines])
    for line, label in zip(lines, panels[0].get_yticklabels(), strict=True):
        label.set_fontweight("bold" if isinstance(line, str) else "normal")
    panels[0].set_ylim(len(lines) - 0.4, -0.6)
    return inline_svg(figure, name)


def _span(values: Sequence[Value], *, zero: bool) -> tuple[float, float]:
    """From where to where a panel goes: over all bars, but those much longer than the others are cut off."""
    means = [value.mean for value in values] + [0.0] * (zero or not values)
    halves = [0.0 if math.isnan(value.half) else value.half for value in values]
    low, high = min(means), max(means)
    room = max(2 * (high - low), 1.1 * median(halves or [1.0]))
    bars = [value.mean - half for value, half in zip(values, halves, strict=True)]
    left = max(min([low, *bars]), low - room)
    bars = [value.mean + half for value, half in zip(values, halves, strict=True)]
    right = min(max([high, *bars]), high + room)
    pad = 0.06 * (right - left) or 1.0
    return left - pad, right + pad


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


def _places(approaches: Sequence[str]) -> dict[str, int]:
    """A place among colours and signs for each name: those of `APPROACHES` have their own, the others what is free."""
    places = {name: place for place, name in enumerate(APPROACHES) if name in approaches}
    free = (place for place in itertools.count() if place not in set(places.values()))
    others = [name for name in dict.fromkeys(approaches) if name not in places]
    return places | dict(zip(others, free, strict=False))


def _ink(place: int) -> str:
    return RUN_INKS[place % len(RUN_INKS)]


def _sign(place: int) -> str:
    """Another one after all signs, so that ink and sign together come once."""
    return _SIGNS[(place + place // len(_SIGNS)) % len(_SIGNS)]


def _exact(number: float) -> Value:
    """A place on an axis, which has no interval."""
    return Value(number, math.nan, 1)


def _mark(axes: Axes, place: int, x: Value, y: Value, label: str | None = None) -> None:
    """A point with its intervals; one that is not known has none."""
    axes.errorbar(
        x.mean,
        y.mean,
        xerr=None if math.isnan(x.half) else x.half,
        yerr=None if math.isnan(y.half) else y.half,
        fmt=_sign(place),
        markersize=5,
        color=_ink(place),
        elinewidth=1.2,
        label=label,
    )
