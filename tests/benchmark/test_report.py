"""The report of a benchmark: differences paired by seed, plots of all that is known, one file without the network."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from scipy import stats

from visteer.benchmark.differences import differences
from visteer.benchmark.plots import (
    ForestRow,
    Point,
    _ink,
    _places,
    _sign,
    _span,
    forest_plot,
    fractions_plot,
    points_plot,
)
from visteer.benchmark.records import CellRecord
from visteer.benchmark.report import render_benchmark
from visteer.benchmark.spec import BenchmarkSpec, DataSpec, ModelSpec
from visteer.benchmark.table import Value, mean_over_seeds

F2 = {
    ("without", 1.0): (0.50, 0.60, 0.55),
    ("proposed", 1.0): (0.60, 0.72, 0.66),
    ("proposed", 0.1): (0.51, 0.60, 0.57),
}


@pytest.fixture
def spec() -> BenchmarkSpec:
    """One data set and model, two approaches, two fractions, three seeds."""
    return BenchmarkSpec(
        "small",
        (DataSpec("busi", Path("busi"), "busi"),),
        (ModelSpec("tiny", "test_resnet", "none"),),
        {"without": {"method": "none"}, "proposed": {"method": "attention-mse", "gamma": 30.0}},
        seeds=(0, 1, 2),
        fractions=(1.0, 0.1),
    )


@pytest.fixture
def records(spec: BenchmarkSpec) -> list[CellRecord]:
    """All cells done, on one machine; a steered epoch takes 1.1 times as long."""
    return [
        CellRecord(
            cell,
            "done",
            seconds=60.0,
            epoch_seconds=11.0 if cell.approach == "proposed" else 10.0,
            machine={"device": "cpu", "torch": "2.14"},
            config=spec.config(cell).to_dict(),
            figures={
                name: {"value": F2[cell.approach, cell.fraction][cell.seed], "low": None, "high": None}
                for name in ("f2", "iou")
            },
        )
        for cell in spec.cells()
    ]


def test_differences_are_paired_by_seed_and_reuse_the_reference_of_all_fractions(spec, records):
    rows = {(row.approach, row.fraction): row for row in differences(spec, records)}
    assert set(rows) == {("proposed", 1.0), ("proposed", 0.1)}
    for (approach, fraction), row in rows.items():
        pairs = [a - b for a, b in zip(F2[approach, fraction], F2["without", 1.0], strict=True)]
        low, high = stats.t.interval(0.95, 2, loc=sum(pairs) / 3, scale=stats.sem(pairs))
        value = row.values["f2"]
        assert (value.mean - value.half, value.mean + value.half) == pytest.approx((low, high))
        assert row.cost.mean == pytest.approx(1.1)
        assert math.isnan(row.values["auc"].mean)


def test_a_seed_without_its_reference_is_left_out(spec, records):
    kept = [r for r in records if (r.cell.approach, r.cell.seed) != ("without", 2)]
    assert {row.values["f2"].count for row in differences(spec, kept)} == {2}


def test_a_reference_with_edits_is_paired_at_the_same_fraction_only(spec, records):
    approaches = {"proposed": spec.approaches["proposed"], "other": {"method": "l1"}}
    other = replace(spec, approaches=approaches)
    kept = [r for r in records if r.cell.approach == "proposed"]
    kept += [replace(r, cell=replace(r.cell, approach="other")) for r in kept]
    kept = [r for r in kept if (r.cell.approach, r.cell.fraction, r.cell.seed) != ("proposed", 0.1, 2)]
    counts = {row.fraction: row.values["f2"].count for row in differences(other, kept)}
    assert counts == {1.0: 3, 0.1: 2}
    assert {row.values["f2"].mean for row in differences(other, kept)} == {0.0}


def test_times_of_different_machines_are_not_compared(spec, records):
    moved = [replace(r, machine={"device": "H100"}) if r.cell.approach == "without" else r for r in records]
    assert [math.isnan(row.cost.mean) for row in differences(spec, moved)] == [True, True]
    stopped = [replace(r, epoch_seconds=0.0) if r.cell.approach == "without" else r for r in records]
    assert [math.isnan(row.cost.mean) for row in differences(spec, stopped)] == [True, True]


def test_settings_that_differ_between_runs_are_all_shown(spec, records):
    longer = [
        replace(r, config={**r.config, "epochs": 3})
        if (r.cell.approach, r.cell.seed) == ("proposed", 0)
        else r
        for r in records
    ]
    assert "epochs = " not in render_benchmark(spec, records, "", {})
    assert re.search(r"epochs = (3 or 10|10 or 3)", render_benchmark(spec, longer, "", {}))


def test_the_page_says_what_was_run_and_refers_to_nothing_outside(spec, records, tmp_path: Path):
    picture = tmp_path / "figure.png"
    Image.new("RGB", (4, 4)).save(picture)
    page = render_benchmark(spec, records, 'name = "small" # <script>', {"busi, tiny": picture})
    for text in ("9 of 9 done", "device cpu", "+0.110 ± ", "1.100 ± 0.000 ×", "gamma = 30.0", "--report"):
        assert text in page
    assert page.count("<svg") == 5  # gains, agreement, f2 and IoU over the fractions, cost
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert page == render_benchmark(spec, records, 'name = "small" # <script>', {"busi, tiny": picture})


def test_a_clear_difference_is_marked_and_an_unclear_one_is_not(spec, records):
    page = render_benchmark(spec, records, "", {})
    clear = re.findall(r"<b>([+-][^<]*)</b>", page)
    assert [text[:6] for text in clear] == ["+0.110", "+0.110"]  # f2 and iou, at all edits
    assert "+0.010 ±" in page


def test_a_benchmark_of_which_nothing_is_done_has_a_page(spec):
    page = render_benchmark(spec, [CellRecord(cell) for cell in spec.cells()], "", {})
    assert "0 of 9 done" in page
    assert "<svg" not in page


@pytest.mark.parametrize(
    "names", [("name0", "name1"), ("visteer", *(f"own{n}" for n in range(9)), "without")]
)
def test_each_approach_of_a_plot_has_its_name_and_its_own_ink_and_sign(names):
    value = mean_over_seeds([0.1, 0.2])
    plot = points_plot([Point(name, value, value) for name in names], names, "p", ("x", "y"), (0, 1), (0, 1))
    assert all(name in plot for name in names)
    places = _places(names)
    looks = {(_ink(place), _sign(place)) for place in places.values()}
    assert len(looks) == len(names)
    assert all(f"var(--run-{place % 4})" in plot for place in places.values())


def test_approaches_of_every_benchmark_look_the_same_in_all():
    few, many = _places(["visteer", "mine", "without"]), _places(["without", "abn", "proposed", "visteer"])
    assert (few["without"], few["visteer"]) == (many["without"], many["visteer"])
    assert few["mine"] not in (few["without"], few["visteer"])


def test_a_wide_interval_does_not_show_what_cannot_be():
    value = mean_over_seeds([0.0, 0.9])
    plot = points_plot([Point("a", value, value)], ["a"], "p", ("x", "y"), (0, 1), (0, 1))
    ticks = [
        float(tick.replace("\N{MINUS SIGN}", "-"))
        for tick in re.findall(r">([\N{MINUS SIGN}]?[0-9.]+)<", plot)
    ]
    assert value.half > 5
    assert ticks
    assert all(0 <= tick <= 1 for tick in ticks)


def test_a_forest_plot_has_a_heading_a_data_set_and_shows_every_mean():
    values = (Value(-0.3, 0.05, 3), Value(0.02, math.nan, 1))
    rows = [
        ForestRow("busi", "a", values),
        ForestRow("busi", "b", (Value(0.1, 3.0, 2), Value(math.nan, math.nan, 0))),
        ForestRow("isic", "a", values),
    ]
    plot = forest_plot(rows, ["accuracy", "IoU"], ["a", "b"], "f")
    texts = re.findall(r">([a-z]+)</text>", plot)
    assert [text for text in texts if text in ("busi", "isic", "a", "b")] == ["busi", "a", "b", "isic", "a"]
    assert ("accuracy" in plot, "IoU" in plot) == (True, True)
    low, high = _span([values[0], Value(0.1, 3.0, 2)], zero=True)
    assert low < -0.35
    assert 0.1 < high < 3.0  # the long bar is cut off, its mean is not
    low, high = _span([Value(0.5, math.nan, 1)], zero=False)
    assert low < 0.5 < high
    assert _span([], zero=True)[0] < 0


def test_the_report_shows_the_gains_at_a_glance(spec, records):
    page = render_benchmark(spec, records, "", {})
    assert ">busi, 100 %</text>" in page


def test_what_was_never_annotated_is_a_level_beside_the_lines():
    lines = {"visteer": {0.1: Value(0.5, 0.1, 3), 1.0: Value(0.6, math.nan, 1)}}
    plot = fractions_plot(lines, {"without": Value(0.4, 0.1, 3)}, ("without", "visteer"), "f", "F2")
    assert "without" in plot
    assert "visteer" in plot
    assert re.search(r">10<", plot)
    assert re.search(r">100<", plot)
