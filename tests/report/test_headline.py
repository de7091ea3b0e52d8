"""The words at the top say what the intervals allow, and no more."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tests.report.sample_report import NAN, make_content, make_result
from visteer.evaluation import ComparedFigure
from visteer.evaluation.result import Figure
from visteer.report import ReportContent, RunReport
from visteer.report.headline import verdict_of, write_headline


def row(key: str, low: float, high: float) -> ComparedFigure:
    middle = (low + high) / 2
    return ComparedFigure(
        key, Figure(0.5, 0.4, 0.6), Figure(0.5 + middle, 0, 1), Figure(middle, low, high), 0.02, "t"
    )


def compared(*rows: ComparedFigure) -> ReportContent:
    return dataclasses.replace(make_content(), comparison=rows)


@pytest.mark.parametrize(
    ("key", "low", "high", "verdict"),
    [
        ("accuracy", 0.01, 0.1, "better"),
        ("accuracy", -0.1, -0.01, "worse"),
        ("accuracy", -0.01, 0.1, "unclear"),
        ("accuracy", 0.0, 0.1, "unclear"),
        ("map_distance", -0.3, -0.1, "better"),
        ("reliance_irrelevant", 0.1, 0.3, "worse"),
        ("reliance_relevant", 0.1, 0.3, "higher"),
        ("reliance_relevant", -0.3, -0.1, "lower"),
    ],
)
def test_a_change_is_clear_only_off_zero(key, low, high, verdict):
    assert verdict_of(row(key, low, high)) == verdict


def test_a_difference_without_an_interval_is_not_clear():
    lone = ComparedFigure(
        "f2", Figure(0.5, 0.4, 0.6), Figure(0.9, 0.8, 1), Figure(0.4, math.nan, math.nan), 0.1, "t"
    )
    assert verdict_of(lone) == "unclear"
    predictions = write_headline(compared(lone))[0]
    assert "F2: 0.500 before, 0.900 after; the difference has no interval." in predictions.sentences


def test_an_unclear_change_is_not_praised():
    predictions = write_headline(
        compared(row("accuracy", -0.01, 0.1), row("f2", -0.2, 0.1), row("auc", -1, 1))
    )[0]
    assert predictions.verdict == "unclear"
    assert predictions.phrase == "its predictions: no clear change"
    assert all("includes zero" in sentence for sentence in predictions.sentences)
    assert not any(word in sentence for sentence in predictions.sentences for word in ("rose", "fell"))


def test_better_and_worse_together_are_mixed():
    predictions = write_headline(compared(row("accuracy", 0.01, 0.1), row("f2", -0.2, -0.1)))[0]
    assert predictions.verdict == "mixed"
    assert "better in some figures, worse in others" in predictions.phrase
    assert predictions.sentences[1] == "F2 fell by 0.150, from 0.500 to 0.350 (interval −0.200 to −0.100)."
    assert predictions.sentences[2] == "AUC was not compared."


def test_a_partial_gain_names_the_figures_that_carry_it():
    predictions = write_headline(
        compared(row("accuracy", 0.01, 0.1), row("f2", -0.2, 0.1), row("auc", 0.1, 0.2))
    )[0]
    assert predictions.phrase == "it predicts better (clear in Accuracy and AUC only)"


def test_dead_maps_count_only_where_there_are_more_of_them():
    good = (row("iou", 0.1, 0.2), row("epg", 0.1, 0.2))
    assert write_headline(compared(*good, row("dead", -0.1, 0.1)))[1].verdict == "better"
    assert write_headline(compared(*good, row("dead", -0.2, -0.1)))[1].verdict == "better"
    assert write_headline(compared(*good, row("dead", 0.4, 0.6)))[1].verdict == "mixed"


def test_what_was_not_measured_is_said():
    missing = ComparedFigure("reliance_irrelevant", NAN, NAN, NAN, math.nan, "t")
    reliance = write_headline(compared(missing))[2]
    assert reliance.verdict == "unmeasured"
    assert reliance.sentences == ("Reliance on the irrelevant was not measured.",)
    assert reliance.phrase.endswith("not measured")


@pytest.mark.parametrize(
    ("low", "high", "verdict", "phrase"),
    [
        (-0.3, -0.1, "better", "it relies less on what is marked irrelevant"),
        (-0.1, 0.3, "better", "it relies less on what is marked irrelevant"),
        (0.1, 0.3, "mixed", "but its class changes more often"),
    ],
)
def test_a_classifier_that_is_only_less_sure_is_not_praised(low, high, verdict, phrase):
    """Its probabilities change less when the region is replaced; its class may clearly change more often."""
    content = compared(row("reliance_irrelevant", -0.3, -0.1))
    changes = row("irrelevant/another image/flips", low, high)
    reliance = write_headline(dataclasses.replace(content, class_changes=changes))[2]
    assert reliance.verdict == verdict
    assert phrase in reliance.phrase
    after = f"{100 * (0.5 + (low + high) / 2):.1f}\xa0%"
    said = f"Replacing it changed the class of 50.0\xa0% of the predictions before, {after} after (interval"
    assert reliance.sentences[-1].startswith(said)
    assert write_headline(content)[2].sentences == reliance.sentences[:-1]


def test_no_change_at_all_is_said():
    assert (
        "Accuracy stayed the same: 50.0\xa0%." in write_headline(compared(row("accuracy", 0, 0)))[0].sentences
    )


def test_without_a_comparison_values_are_stated_and_nothing_is_judged():
    aspects = write_headline(compared())
    assert all(aspect.verdict is None for aspect in aspects)
    assert aspects[0].sentences[0].endswith("the difference was not tested.")
    result = make_result(accuracy=0.6, f2=0.5, auc=0.7, epg=0.2, iou=0.1, reliance=0.3)
    alone = ReportContent("One", (RunReport("a", "A", "", result),))
    assert write_headline(alone)[0].sentences[0] == "Accuracy is 60.0\xa0% (interval 56.0 to 64.0)."
