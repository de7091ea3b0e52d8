"""A report as one HTML file that needs no network, no script and no second file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from visteer.report.content import GalleryRow, ReportContent, RunReport
from visteer.report.glossary import meaning_of
from visteer.report.headline import write_headline
from visteer.report.images import (
    SIDE,
    colour_scale,
    data_uri,
    draw_edit,
    draw_image,
    draw_map,
    is_dead,
)
from visteer.report.number_text import (
    difference_interval_text,
    difference_text,
    interval_text,
    p_text,
    value_text,
)
from visteer.report.plots import Curve, line_plot, run_style
from visteer.report.safe_text import shorten, visible_text
from visteer.report.tables import (
    class_lines,
    class_measures,
    frequent_mistakes,
    intervention_lines,
    matrix_lines,
    setting_lines,
    summary_groups,
)


def render_report(content: ReportContent) -> str:
    r"""Write the report as the text of one HTML file, to be saved as UTF-8.

    The file shows figures, tables, curves and pictures, and refers to nothing outside itself: its own policy
    forbids the browser any script and any request. Names of classes, files and runs are escaped and their
    invisible characters spelled out. The same content gives the same text.

    Example:
        >>> import numpy as np
        >>> from visteer.evaluation.result import EvaluationResult, Figure, PerImage
        >>> from visteer.report.content import RunReport
        >>> images = PerImage((), np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0, np.bool_), {})
        >>> result = EvaluationResult(
        ...     ("cat", "dog"), {"accuracy": Figure(0.9, 0.8, 0.95)}, {}, np.array([[9, 1], [1, 9]]),
        ...     {}, {}, {}, (), {"images": 20}, images,
        ... )
        >>> page = render_report(ReportContent("Pets", (RunReport("r1", "Plain", "cross-entropy", result),)))
        >>> "90.0\xa0%" in page and "<script" not in page
        True
    """
    runs = content.runs
    return (
        _environment()
        .get_template("report.html")
        .render(
            content=content,
            runs=runs,
            styles=[run_style(index, len(runs)) for index in range(len(runs))],
            aspects=write_headline(content),
            groups=summary_groups(content),
            interventions=intervention_lines(runs),
            measures=class_measures(runs),
            classes=class_lines(runs),
            matrices=[matrix_lines(run.result) for run in runs],
            mistakes=[frequent_mistakes(run.result) for run in runs],
            training=_training_plots(runs),
            sweep=_sweep_plot(runs),
            gallery=_gallery(content),
            gallery_meaning=meaning_of(content.gallery_score),
            colour_scale=data_uri(colour_scale()),
            side=SIDE,
            settings=setting_lines(runs),
        )
    )


@dataclass(frozen=True)
class _MapView:
    uri: str
    prediction: str
    confidence: float
    right: bool
    score: str
    dead: bool


@dataclass(frozen=True)
class _GalleryView:
    sample_id: str
    true_class: str
    image: str
    edit: str | None
    maps: tuple[_MapView, ...]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("visteer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        visible=visible_text,
        shorten=shorten,
        value=lambda figure, key: value_text(key, figure.value),
        interval=lambda figure, key: interval_text(key, figure),
        difference=lambda figure, key: difference_text(key, figure.value),
        difference_interval=lambda figure, key: difference_interval_text(key, figure),
        p=p_text,
    )
    environment.globals["meaning_of"] = meaning_of
    return environment


def _training_plots(runs: Sequence[RunReport]) -> list[tuple[str, Markup]]:
    """Plot over the epochs, under its name, each quantity that the runs recorded."""
    quantities = dict.fromkeys(key for run in runs for row in run.history for key in row if key != "epoch")
    plots: list[tuple[str, Markup]] = []
    for quantity in quantities:
        curves = [_history_curve(run, quantity) for run in runs]
        if any(np.isfinite(curve.y).any() for curve in curves):
            name = f"training-{len(plots)}"
            plots.append((quantity, line_plot(curves, name, "epoch", None)))
    return plots


def _history_curve(run: RunReport, quantity: str) -> Curve:
    rows = [
        (row.get("epoch", place), row[quantity])
        for place, row in enumerate(run.history, 1)
        if quantity in row
    ]
    points = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return Curve(points[:, 0], points[:, 1])


def _sweep_plot(runs: Sequence[RunReport]) -> Markup | None:
    """IoU over the threshold at which a map counts as hot; None where no run has it."""
    curves = []
    for run in runs:
        sweep = sorted(run.result.iou_sweep.items())
        x = np.array([threshold for threshold, _ in sweep], dtype=np.float64)
        rows = [(figure.value, figure.low, figure.high) for _, figure in sweep]
        value, low, high = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        curves.append(Curve(x, value, low, high))
    top = _greatest([array for curve in curves for array in (curve.y, curve.high) if array is not None])
    if top is None:
        return None
    return line_plot(curves, "sweep", "threshold on the map", (0.0, max(1.05 * top, 0.05)))


def _greatest(arrays: Sequence[NDArray[np.float64]]) -> float | None:
    finite = [array[np.isfinite(array)] for array in arrays]
    return max((float(array.max()) for array in finite if array.size), default=None)


def _gallery(content: ReportContent) -> list[_GalleryView]:
    """Sort the rows worst first by the last run's score; those without a score come last."""
    sign = -1 if meaning_of(content.gallery_score).better == "lower" else 1

    def badness(row: GalleryRow) -> tuple[bool, float]:
        score = row.scores[-1]
        return math.isnan(score), 0.0 if math.isnan(score) else sign * score

    return [_gallery_view(row, content.gallery_score) for row in sorted(content.gallery, key=badness)]


def _gallery_view(row: GalleryRow, score_key: str) -> _GalleryView:
    edit = draw_edit(row)
    maps = tuple(
        _MapView(
            uri=data_uri(draw_map(row, run)),
            prediction=row.predictions[run],
            confidence=row.confidences[run],
            right=row.predictions[run] == row.true_class,
            score=value_text(score_key, row.scores[run]),
            dead=is_dead(row, run),
        )
        for run in range(len(row.maps))
    )
    return _GalleryView(
        sample_id=row.sample_id,
        true_class=row.true_class,
        image=data_uri(draw_image(row)),
        edit=data_uri(edit) if edit is not None else None,
        maps=maps,
    )
