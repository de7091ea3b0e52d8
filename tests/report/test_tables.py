"""Tables hold every row of the results, unchanged and in a fixed order."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.report.sample_report import make_content, make_result
from visteer.evaluation import ComparedFigure
from visteer.evaluation.result import Figure
from visteer.report import RunReport
from visteer.report.tables import (
    MATRIX_CLASSES,
    frequent_mistakes,
    intervention_lines,
    matrix_lines,
    setting_lines,
    summary_groups,
)


def test_every_figure_of_every_run_is_listed_once():
    content = make_content()
    results = [run.result for run in content.runs]
    keys = [row.key for _, rows in summary_groups(content) for row in rows]
    assert sorted(keys) == sorted({*results[0].figures, *results[0].maps, *results[0].interventions})
    for _, rows in summary_groups(content):
        for row in rows:
            for figure, result in zip(row.figures, results, strict=True):
                assert figure in {
                    group[row.key]
                    for group in (result.figures, result.maps, result.interventions)
                    if row.key in group
                }


def test_a_figure_that_only_the_comparison_has_is_listed_with_its_values():
    content = make_content()
    extra = ComparedFigure(
        "expert_rating", Figure(1, 0, 2), Figure(2, 1, 3), Figure(1, 0.5, 1.5), 0.01, "sign test"
    )
    title, rows = summary_groups(dataclasses.replace(content, comparison=(*content.comparison, extra)))[-1]
    assert title == "Further"
    assert [row.figures for row in rows] == [(extra.before, extra.after)]


def test_irrelevant_regions_come_first_and_a_missing_row_stays_empty():
    content = make_content()
    plain, steered = content.runs
    fewer = dataclasses.replace(steered.result, intervention_rows=steered.result.intervention_rows[1:])
    lines = intervention_lines((plain, dataclasses.replace(steered, result=fewer)))
    assert [line.region for line in lines] == ["irrelevant"] * 5 + ["relevant"] * 5
    assert lines[5].runs == (plain.result.intervention_rows[0], None)


def test_matrix_shares_are_of_the_true_class():
    result = make_content().runs[0].result
    confusion = np.array([[6, 2, 0], [0, 0, 0], [1, 0, 1]])
    lines = matrix_lines(dataclasses.replace(result, confusion=confusion))
    assert [line.counts for line in lines] == [(6, 2, 0), (0, 0, 0), (1, 0, 1)]
    assert [line.shares for line in lines] == [(0.75, 0.25, 0.0), (0.0, 0.0, 0.0), (0.5, 0.0, 0.5)]


def test_mistakes_are_listed_most_frequent_first_and_leave_the_result_alone():
    result = make_content().runs[0].result
    confusion = np.array([[50, 2, 0], [7, 50, 0], [1, 0, 50]])
    mistakes = frequent_mistakes(dataclasses.replace(result, confusion=confusion))
    assert [(m.true_class, m.predicted, m.count) for m in mistakes] == [
        ("malignant", "benign", 7),
        ("benign", "malignant", 2),
        ("normal", "benign", 1),
    ]
    assert confusion.trace() == 150


def test_many_classes_have_no_matrix():
    names = tuple(f"class {i}" for i in range(MATRIX_CLASSES + 1))
    result = make_result(accuracy=0.5, f2=0.5, auc=0.5, epg=0.2, iou=0.2, reliance=0.2, classes=names)
    assert matrix_lines(result) == ()
    assert len(frequent_mistakes(result)) == 20


def test_settings_are_united_and_differences_marked():
    result = make_content().runs[0].result
    runs = (
        RunReport("a", "A", "", result, settings={"lr": "0.1", "seed": "0"}),
        RunReport("b", "B", "", result, settings={"seed": "0", "gamma": "10"}),
    )
    assert setting_lines(runs) == (
        ("lr", ("0.1", ""), True),
        ("seed", ("0", "0"), False),
        ("gamma", ("", "10"), True),
    )
