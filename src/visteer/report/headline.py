"""What changed, in words: sentences that follow from the figures by plain rules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from visteer.evaluation.compare import ComparedFigure
from visteer.evaluation.result import EvaluationResult, Figure
from visteer.report.content import ReportContent
from visteer.report.glossary import meaning_of
from visteer.report.number_text import (
    difference_interval_text,
    difference_text,
    interval_text,
    value_text,
)

Verdict = Literal["better", "worse", "higher", "lower", "mixed", "unclear", "unmeasured"]


@dataclass(frozen=True)
class Aspect:
    """One side of the evidence: a few sentences and, where two runs are compared, what they amount to."""

    title: str
    sentences: tuple[str, ...]
    verdict: Verdict | None
    phrase: str


def verdict_of(row: ComparedFigure) -> Verdict:
    """Say what a comparison allows: a change is clear only where its whole interval lies off zero."""
    difference = row.difference
    if math.isnan(difference.value):
        return "unmeasured"
    if not (difference.low > 0 or difference.high < 0):
        return "unclear"
    direction: Verdict = "higher" if difference.low > 0 else "lower"
    better = meaning_of(row.figure).better
    if better == "neither":
        return direction
    return "better" if direction == better else "worse"


def write_headline(content: ReportContent) -> tuple[Aspect, ...]:
    """Put predictions, maps and reliance into words. No sentence claims what an interval denies."""
    if not content.comparison:
        return tuple(_described(content, subject) for subject in _SUBJECTS)
    predictions, maps, reliance = (_compared(content, subject) for subject in _SUBJECTS)
    return predictions, maps, _with_class_changes(content, reliance)


def _with_class_changes(content: ReportContent, aspect: Aspect) -> Aspect:
    """Reliance is a change of probabilities; a classifier that is only less sure may change its class more often."""
    row = content.class_changes
    if row is None or aspect.verdict == "unmeasured" or math.isnan(row.difference.value):
        return aspect
    before, after = value_text("flips", row.before.value), value_text("flips", row.after.value)
    interval = difference_interval_text("flips", row.difference)
    sentence = (
        f"Replacing it changed the class of {before} of the predictions before, {after} after "
        f"(interval of the difference {interval})."
    )
    aspect = replace(aspect, sentences=(*aspect.sentences, sentence))
    if aspect.verdict != "better" or verdict_of(row) != "higher":
        return aspect
    phrase = (
        "its probabilities change less when what is marked irrelevant is replaced, "
        "but its class changes more often"
    )
    return replace(aspect, verdict="mixed", phrase=phrase)


def figure_of(result: EvaluationResult, key: str) -> Figure:
    """Find the figure `key` of `result` in whichever group has it; NaN where none does."""
    for group in (result.figures, result.maps, result.interventions):
        if key in group:
            return group[key]
    return Figure(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class _Subject:
    """Figures that decide a verdict, guards that count only where they got worse, and the words for it."""

    title: str
    figures: tuple[str, ...]
    guards: tuple[str, ...]
    better: str
    worse: str
    other: str


_SUBJECTS = (
    _Subject(
        "How well it predicts",
        ("accuracy", "f2", "auc"),
        (),
        "it predicts better",
        "it predicts worse",
        "its predictions",
    ),
    _Subject(
        "Where it looks",
        ("iou", "epg"),
        ("dead",),
        "its maps agree better with the edits",
        "its maps agree worse with the edits",
        "its maps",
    ),
    _Subject(
        "What it relies on",
        ("reliance_irrelevant",),
        (),
        "it relies less on what is marked irrelevant",
        "it relies more on what is marked irrelevant",
        "its reliance on what is marked irrelevant",
    ),
)


def _compared(content: ReportContent, subject: _Subject) -> Aspect:
    rows = {row.figure: row for row in content.comparison}
    sentences = []
    verdicts: list[Verdict] = []
    shown = (*subject.figures, *subject.guards)
    for key in shown:
        if key not in rows:
            sentences.append(f"{meaning_of(key).label} was not compared.")
            continue
        sentences.append(_change(rows[key]))
        verdict = verdict_of(rows[key])
        if key in subject.figures or verdict == "worse":
            verdicts.append(verdict)
    verdict = _sum_up(verdicts)
    phrase = _phrase(subject, verdict)
    if verdict in {"better", "worse"} and set(verdicts) != {verdict}:
        clear = (key for key in shown if key in rows and verdict_of(rows[key]) == verdict)
        phrase = f"{phrase} (clear in {' and '.join(meaning_of(key).label for key in clear)} only)"
    return Aspect(subject.title, tuple(sentences), verdict, phrase)


def _described(content: ReportContent, subject: _Subject) -> Aspect:
    sentences = []
    for key in (*subject.figures, *subject.guards):
        figures = [figure_of(run.result, key) for run in content.runs]
        sentences.append(_statement(key, figures))
    return Aspect(subject.title, tuple(sentences), None, "")


def _change(row: ComparedFigure) -> str:
    key, label, verdict = row.figure, meaning_of(row.figure).label, verdict_of(row)
    if verdict == "unmeasured":
        return f"{label} was not measured."
    before, after = value_text(key, row.before.value), value_text(key, row.after.value)
    interval = difference_interval_text(key, row.difference)
    if verdict == "unclear":
        if math.isnan(row.difference.low) or math.isnan(row.difference.high):
            return f"{label}: {before} before, {after} after; the difference has no interval."
        if row.difference.low == row.difference.high == 0:
            return f"{label} stayed the same: {after}."
        return (
            f"{label}: {before} before, {after} after; the interval of the difference ({interval}) "
            "includes zero, so chance may explain it."
        )
    verb = "rose" if row.difference.value > 0 else "fell"
    amount = difference_text(key, abs(row.difference.value)).removeprefix("+")
    return f"{label} {verb} by {amount}, from {before} to {after} (interval {interval})."


def _statement(key: str, figures: Sequence[Figure]) -> str:
    label = meaning_of(key).label
    if all(math.isnan(figure.value) for figure in figures):
        return f"{label} was not measured."
    values = [
        f"{value_text(key, figure.value)} (interval {interval_text(key, figure)})" for figure in figures
    ]
    if len(values) == 1:
        return f"{label} is {values[0]}."
    return f"{label}: {', then '.join(values)}; the difference was not tested."


def _sum_up(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    if found >= {"better", "worse"}:
        return "mixed"
    for verdict in ("better", "worse", "unclear"):
        if verdict in found:
            return verdict
    return "unmeasured"


def _phrase(subject: _Subject, verdict: Verdict) -> str:
    match verdict:
        case "better":
            return subject.better
        case "worse":
            return subject.worse
        case "mixed":
            return f"{subject.other}: better in some figures, worse in others"
        case "unclear":
            return f"{subject.other}: no clear change"
        case _:
            return f"{subject.other}: not measured"
