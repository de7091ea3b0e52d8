"""The rows of a report's tables, taken from the results as they are: nothing is measured here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from visteer.evaluation.compare import ComparedFigure
from visteer.evaluation.result import EvaluationResult, Figure, InterventionRow
from visteer.report.content import ReportContent, RunReport
from visteer.report.glossary import Meaning, meaning_of
from visteer.report.headline import Verdict, figure_of, verdict_of

Key = TypeVar("Key")

UNKNOWN = Figure(math.nan, math.nan, math.nan)

# With more classes than this a matrix cannot be read, and the most frequent mistakes are listed instead.
MATRIX_CLASSES = 24
LISTED_MISTAKES = 20


@dataclass(frozen=True)
class SummaryRow:
    """One figure of all runs, with the comparison of the last run against the first where there is one."""

    key: str
    meaning: Meaning
    figures: tuple[Figure, ...]
    comparison: ComparedFigure | None
    verdict: Verdict | None


@dataclass(frozen=True)
class InterventionLine:
    """One region and replacement, with the row of each run or None where a run has none."""

    region: str
    replacement: str
    images: int
    runs: tuple[InterventionRow | None, ...]


@dataclass(frozen=True)
class ClassLine:
    """One class; `figures` holds each run's values in the order of the measures."""

    name: str
    figures: tuple[tuple[Figure, ...], ...]


@dataclass(frozen=True)
class MatrixLine:
    """One true class of a confusion matrix: counts, and their shares of the row (0 for an empty row)."""

    name: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Mistake:
    """How often images of one class were taken for another."""

    true_class: str
    predicted: str
    count: int


def summary_groups(content: ReportContent) -> tuple[tuple[str, tuple[SummaryRow, ...]], ...]:
    """Group every figure that any run has; those that only the comparison has come under "Further"."""
    results = [run.result for run in content.runs]
    groups = {
        "Predictions": _united_keys(result.figures for result in results),
        "Maps against edits": _united_keys(result.maps for result in results),
        "Reliance, by intervention": _united_keys(result.interventions for result in results),
    }
    shown = {key for keys in groups.values() for key in keys}
    groups["Further"] = tuple(row.figure for row in content.comparison if row.figure not in shown)
    return tuple(
        (title, tuple(_summary_row(content, key) for key in keys)) for title, keys in groups.items() if keys
    )


def intervention_lines(runs: tuple[RunReport, ...]) -> tuple[InterventionLine, ...]:
    """List every region and replacement of any run, the irrelevant regions first."""
    by_run = [{(row.region, row.replacement): row for row in run.result.intervention_rows} for run in runs]
    keys = sorted(_united_keys(by_run), key=lambda key: key[0] != "irrelevant")
    lines = []
    for key in keys:
        rows = tuple(rows.get(key) for rows in by_run)
        images = max(row.images for row in rows if row is not None)
        lines.append(InterventionLine(*key, images, rows))
    return tuple(lines)


def class_measures(runs: tuple[RunReport, ...]) -> tuple[str, ...]:
    """List the measures that are given by class, in the order of the results."""
    return _united_keys(measures for run in runs for measures in run.result.per_class.values())


def class_lines(runs: tuple[RunReport, ...]) -> tuple[ClassLine, ...]:
    """List every class in label order, with `class_measures` of each run."""
    measures = class_measures(runs)
    return tuple(
        ClassLine(
            name,
            tuple(
                tuple(run.result.per_class.get(name, {}).get(measure, UNKNOWN) for measure in measures)
                for run in runs
            ),
        )
        for name in runs[0].result.class_names
    )


def matrix_lines(result: EvaluationResult) -> tuple[MatrixLine, ...]:
    """List the confusion matrix, a line for each true class; none with more than `MATRIX_CLASSES`."""
    if len(result.class_names) > MATRIX_CLASSES:
        return ()
    lines = []
    for name, counts in zip(result.class_names, np.asarray(result.confusion), strict=True):
        total = max(int(counts.sum()), 1)
        lines.append(MatrixLine(name, tuple(int(n) for n in counts), tuple(float(n) / total for n in counts)))
    return tuple(lines)


def frequent_mistakes(result: EvaluationResult) -> tuple[Mistake, ...]:
    """List the `LISTED_MISTAKES` most frequent mistakes, the most frequent first."""
    counts = np.array(result.confusion)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:LISTED_MISTAKES]
    mistakes = []
    for true, predicted in zip(*np.unravel_index(order, counts.shape), strict=True):
        if counts[true, predicted]:
            names = result.class_names[true], result.class_names[predicted]
            mistakes.append(Mistake(*names, int(counts[true, predicted])))
    return tuple(mistakes)


def setting_lines(runs: tuple[RunReport, ...]) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
    """List each setting's name, its value in each run (empty without one), and whether the runs differ."""
    lines = []
    for key in _united_keys(run.settings for run in runs):
        values = tuple(run.settings.get(key, "") for run in runs)
        lines.append((key, values, len(set(values)) > 1))
    return tuple(lines)


def _summary_row(content: ReportContent, key: str) -> SummaryRow:
    comparison = next((row for row in content.comparison if row.figure == key), None)
    figures = [figure_of(run.result, key) for run in content.runs]
    if comparison is not None and all(math.isnan(figure.value) for figure in figures):
        figures[0], figures[-1] = comparison.before, comparison.after
    verdict = verdict_of(comparison) if comparison is not None else None
    return SummaryRow(key, meaning_of(key), tuple(figures), comparison, verdict)


def _united_keys(mappings: Iterable[Mapping[Key, object]]) -> tuple[Key, ...]:
    """List the keys of all mappings, each once, in the order of first sight."""
    return tuple(dict.fromkeys(key for mapping in mappings for key in mapping))
