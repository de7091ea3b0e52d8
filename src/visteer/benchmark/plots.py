"""The plots of a benchmark's report: each approach with its own colour and sign, means with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from visteer.benchmark.table import Value
from visteer.report.plots import MUTED, RUN_INKS, inline_svg, quieten_axes

_SIGNS = ("o", "s", "^", "D", "v", "P", "X", "*")
_INK_OF_PLACE = (RUN_INKS[0], RUN_INKS[1], RUN_INKS[2], RUN_INKS[3])


@dataclass(frozen=True)
class Point:
    """One approach in a plot of one figure against another."""

    name: str
    x: Value
    y: Value


def points_plot(points: Sequence[Point], name: str, x_label: str, y_label: str) -> Markup:
    """Each approach as a point with both intervals and its name beside it, as an `<svg>` element for a page.

    `name` (letters, digits, hyphens) must be unique on the page.
    """
    figure, axes = _axes(x_label, y_label)
    for place, point in enumerate(points):
        _mark(axes, place, point.x.mean, point.y, x_half=point.x.half)
        axes.annotate(
            point.name,
            (point.x.mean, point.y.mean),
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=8,
            color=_INK_OF_PLACE[place % 4],
        )
    axes.margins(x=0.25, y=0.15)
    return inline_svg(figure, name)


def fractions_plot(
    lines: Mapping[str, Mapping[float, Value]], name: str, y_label: str, level: Mapping[str, Value]
) -> Markup:
    """A figure over the annotated share of the images: a line an approach; `level` holds those without annotation.

    The share is on a logarithmic axis. The legend is in the plot.
    """
    figure, axes = _axes("annotated images, %", y_label)
    for place, (approach, values) in enumerate(lines.items()):
        shares = sorted(values)
        ink, shift = _INK_OF_PLACE[place % 4], 1.03 ** (place - len(lines) / 2)
        axes.plot(
            [100 * s * shift for s in shares],
            [values[s].mean for s in shares],
            color=ink,
            linewidth=1.4,
            label=approach,
            marker=_SIGNS[place % len(_SIGNS)],
            markersize=5,
        )
        for share in shares:
            _mark(axes, place, 100 * share * shift, values[share])
    for place, (approach, value) in enumerate(level.items(), len(lines)):
        ink = _INK_OF_PLACE[place % 4]
        axes.axhline(value.mean, color=ink, linewidth=1.2, linestyle=(0, (4, 2 + place)), label=approach)
    axes.set_xscale("log")
    shares = sorted({share for values in lines.values() for share in values})
    axes.xaxis.set_major_locator(FixedLocator([100 * share for share in shares]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.margins(x=0.15)
    legend = axes.legend(fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    for text in legend.get_texts():
        text.set_color(MUTED)
    return inline_svg(figure, name)


def _axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, 2.8), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    quieten_axes(axes, x_label, whole_numbers=False)
    axes.set_ylabel(y_label, fontsize=8, color=MUTED)
    return figure, axes


def _mark(axes: Axes, place: int, x: float, y: Value, x_half: float = math.nan) -> None:
    """A point with its intervals; one that is not known has none."""
    axes.errorbar(
        x,
        y.mean,
        yerr=None if math.isnan(y.half) else y.half,
        xerr=None if math.isnan(x_half) else x_half,
        fmt=_SIGNS[place % len(_SIGNS)],
        markersize=6,
        color=_INK_OF_PLACE[place % 4],
        elinewidth=1,
    )
