"""Line plots as inline SVG that takes its colours from the page.

Names of runs and classes stand around a plot in HTML. matplotlib escapes the text that is in it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray


@dataclass(frozen=True)
class Curve:
    """Points of one run: `x`, `y` and optionally an interval `low` to `high`, all (n,); NaN leaves a gap."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None


def line_plot(
    curves: Sequence[Curve], name: str, x_label: str, y_limits: tuple[float, float] | None
) -> Markup:
    """Draw the curves, one a run, as an `<svg>` element that can stand inside a page.

    The same curves give the same text. Run colours are the page's variables `--run-0` to `--run-3` (see
    `run_style`), other inks `--muted` and `--line`; lines also differ in their dashes. `name` (letters,
    digits, hyphens) must be unique on the page: it begins every id in the plot.
    """
    figure = Figure(figsize=(3.6, 2.2), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    whole_numbers = True
    for index, curve in enumerate(curves):
        style = run_style(index, len(curves))
        ink, dashes = RUN_INKS[style], _DASHES[style]
        y = np.where(np.isfinite(curve.y), curve.y, np.nan)
        axes.plot(
            curve.x,
            y,
            color=ink,
            linestyle=(0, dashes) if dashes else "-",
            linewidth=1.8,
            marker="o" if len(y) == 1 else None,
            markersize=4,
        )
        if curve.low is not None and curve.high is not None:
            axes.fill_between(curve.x, curve.low, curve.high, color=ink, alpha=0.14, linewidth=0)
        whole_numbers = whole_numbers and bool(np.all(curve.x == np.rint(curve.x)))
    quieten_axes(axes, x_label, whole_numbers)
    if y_limits is not None:
        axes.set_ylim(*y_limits)
    return inline_svg(figure, name)


def run_style(index: int, runs: int) -> int:
    """Choose a line style for run `index` of `runs`: the first has 0, the last 1, those between 2 and 3.

    Example:
        >>> [run_style(i, 2) for i in range(2)], [run_style(i, 4) for i in range(4)], run_style(0, 1)
        ([0, 1], [0, 2, 3, 1], 1)
    """
    if index == runs - 1:
        return 1
    return 0 if index == 0 else 2 + (index - 1) % 2


# Inks that no plot uses otherwise: each becomes a variable of the page's style sheet.
MUTED, LINE = "#010203", "#010204"
RUN_INKS = ("#010210", "#010211", "#010212", "#010213")
_INKS = {MUTED: "var(--muted)", LINE: "var(--line)"} | {
    ink: f"var(--run-{style})" for style, ink in enumerate(RUN_INKS)
}
_DASHES: tuple[tuple[float, ...], ...] = ((4, 2), (), (1, 1.6), (6, 2, 1, 2))


def quieten_axes(axes: Axes, x_label: str, whole_numbers: bool) -> None:
    """Give axes the look of all plots: no frame, faint lines, few ticks."""
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, labelcolor=MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=whole_numbers))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.set_xlabel(x_label, fontsize=8, color=MUTED)


def inline_svg(figure: Figure, name: str) -> Markup:
    """The figure as an `<svg>` element; ids begin with `name`, and inks of this module become the page's variables."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Inside a page the parser knows the namespaces, and ids are shared with every other plot.
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    for before in (' id="', "url(#", ' href="#'):
        svg = svg.replace(before, f"{before}{name}-")
    for ink, variable in _INKS.items():
        svg = svg.replace(ink, variable)
    return Markup(svg)  # noqa: S704 (matplotlib escapes its text)
