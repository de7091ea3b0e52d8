"""Tables of a grid: means, intervals, the best in bold, published figures apart, in four formats."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from visteer.benchmark.published import published_figures
from visteer.benchmark.records import CellRecord
from visteer.benchmark.spec import BenchmarkSpec, DataSpec, ModelSpec
from visteer.benchmark.table import mean_over_seeds, result_table, to_csv, to_html, to_latex, to_markdown

SCORES = {"without": (0.5, 0.6), "proposed": (0.8, 0.9)}


@pytest.fixture
def spec() -> BenchmarkSpec:
    """Two approaches on BUSI with ResNet-50, two seeds."""
    return BenchmarkSpec(
        "small & quick",
        (DataSpec("BUSI", Path("busi"), "busi"),),
        (ModelSpec("resnet50", "resnet50", "none"),),
        {"without": {"method": "none"}, "proposed": {"method": "attention-mse"}},
        seeds=(0, 1),
    )


@pytest.fixture
def records(spec: BenchmarkSpec) -> list[CellRecord]:
    """All cells done."""
    return [
        CellRecord(
            cell,
            "done",
            figures={
                "f2": {"value": SCORES[cell.approach][cell.seed], "low": None, "high": None},
                "map_distance": {"value": 3 - SCORES[cell.approach][cell.seed], "low": None, "high": None},
            },
        )
        for cell in spec.cells()
    ]


def test_the_interval_is_scipys_for_the_mean():
    values = [0.71, 0.80, 0.78, 0.69]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    value = mean_over_seeds([*values, math.nan])
    assert (value.mean - value.half, value.mean + value.half) == pytest.approx((low, high))
    assert value.count == 4


def test_the_best_of_each_column_is_bold_also_where_less_is_better(
    spec: BenchmarkSpec, records: list[CellRecord]
):
    table = result_table(spec, records)
    assert table.columns == ("f2", "map_distance")
    without, proposed = table.rows
    assert [without.values[c].best for c in table.columns] == [False, False]
    assert [proposed.values[c].best for c in table.columns] == [True, True]
    assert "**0.850 ± 0.635**" in to_markdown(table)
    assert r"\textbf{0.850 $\pm$ 0.635}" in to_latex(table)
    assert "<b>0.850 ± 0.635</b>" in to_html(table)


def test_nothing_is_bold_where_seeds_differ(spec: BenchmarkSpec, records: list[CellRecord]):
    table = result_table(spec, records[:-1])
    assert [len(row.seeds) for row in table.rows] == [2, 1]
    assert not any(row.values[c].best for row in table.rows for c in table.columns)


def test_published_figures_stand_in_rows_of_their_own(spec: BenchmarkSpec, records: list[CellRecord]):
    text = to_markdown(result_table(spec, records))
    assert "| BUSI |  | resnet50 | proposed, published | 0.860 |  |" in text
    assert "published (Elbeialy et al. 2023)" in text
    assert "BUSI resnet50 proposed 1.3292" in text


def test_the_published_table_is_the_papers():
    assert published_figures("Imagenette2", "resnet101", "abn") == {
        "accuracy": 0.9646,
        "auc": 0.9982,
        "qualitative_measure": 2.7847,
    }
    assert published_figures("ISIC-2017", "ResNet152", "Proposed")["f2"] == 0.7126
    assert published_figures("phantom", "resnet50", "proposed") == {}


def test_a_cell_that_failed_or_waits_is_said(spec: BenchmarkSpec, records: list[CellRecord]):
    records[0] = CellRecord(records[0].cell, "failed", error="no memory <b>")
    records[1] = CellRecord(records[1].cell)
    table = result_table(spec, records)
    assert r"BUSI--resnet50--without--f1--s0 failed: no memory \<b\>" in to_markdown(table)
    assert "BUSI, resnet50: runs are still to do of proposed" in to_markdown(table)
    assert "no memory &lt;b&gt;" in to_html(table)


def test_csv_has_a_row_a_figure_with_the_published_value(spec: BenchmarkSpec, records: list[CellRecord]):
    rows = list(csv.DictReader(io.StringIO(to_csv(result_table(spec, records)))))
    (row,) = [r for r in rows if r["approach"] == "proposed" and r["figure"] == "f2"]
    assert (float(row["mean"]), row["seeds"], row["published"]) == (pytest.approx(0.85), "2", "0.8599")


def test_latex_signs_are_escaped(spec: BenchmarkSpec, records: list[CellRecord]):
    records[0] = CellRecord(records[0].cell, "failed", error="50 % of a_b & c")
    text = to_latex(result_table(spec, records))
    assert r"100 \%" in text
    assert text.splitlines()[0].startswith("% ")
