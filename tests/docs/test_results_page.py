"""docs/results.md is what its runs give, and its arithmetic is right."""

from __future__ import annotations

import importlib.util

import pytest

from tests.docs.markdown import ROOT
from visteer.benchmark.decoy import DecoyRun, decoy_config
from visteer.benchmark.differences import differences
from visteer.benchmark.kept import kept_result
from visteer.benchmark.planted import PlantedRun, planted_settings
from visteer.benchmark.table import mean_over_seeds
from visteer.errors import VisteerError
from visteer.steering import SteeringConfig
from visteer.steering.config import changed_settings

_SPEC = importlib.util.spec_from_file_location("make_results_page", ROOT / "docs" / "make_results_page.py")
script = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(script)


def test_the_page_is_the_one_generated():
    assert script.PAGE.read_text(encoding="utf-8") == script.page(script.RESULTS)


@pytest.mark.parametrize(
    "result",
    [*script.read(script.RESULTS / "decoy"), *script.read(script.RESULTS / "length")],
    ids=lambda r: f"{r['approach']}-{r['seed']}-{r['config']['epochs']}",
)
def test_runs_have_the_settings_that_the_command_gives_today(result):
    names = ("data", "approach", "seed", "fraction", "marks")
    run = DecoyRun(**{name: result[name] for name in names}, epochs=result["config"]["epochs"])
    assert not changed_settings(result["config"], decoy_config(run).to_dict())


def test_the_command_that_the_page_gives_reads_the_result_that_is_there():
    run = DecoyRun("decoy-fashion-ross", "transplant", 1, 0.001)
    path = script.RESULTS / "decoy" / f"{run.name}.json"
    kept = kept_result(path, decoy_config(run).to_dict(), run.about, lambda: pytest.fail("it was run again"))
    assert kept == script.json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "result", script.read(script.RESULTS / "ablation"), ids=lambda r: f"{r['without']}-{r['seed']}"
)
def test_ablations_have_the_settings_of_the_whole(result):
    run = DecoyRun("decoy-fashion-ross", "transplant", result["seed"], result["fraction"])
    assert not changed_settings(result["config"], decoy_config(run).to_dict())


@pytest.mark.parametrize(
    "result",
    script.read(script.RESULTS / "planted"),
    ids=lambda r: f"{r['study']}-{r['mark']}-{r['approach']}-{r['seed']}",
)
def test_runs_with_planted_marks_have_todays_settings(result):
    config = result["config"]
    run = PlantedRun(
        result["mark"],
        result["approach"],
        result["seed"],
        result["fraction"],
        config["epochs"],
        tuple(config["freeze"]),
    )
    chosen = {key: config[key] for key in ("select_by", "target_layer")}
    today = SteeringConfig.from_dict({**planted_settings(run), **chosen})
    assert not changed_settings(config, today.to_dict())


@pytest.mark.parametrize(("spec", "records"), script.grids(script.RESULTS / "grids"), ids=lambda v: "")
def test_a_benchmarks_runs_have_the_settings_of_its_file(spec, records):
    shipped = (ROOT / "benchmarks" / "specs" / f"{spec.name}.toml").read_text(encoding="utf-8")
    assert (script.RESULTS / "grids" / spec.name / "spec.toml").read_text(encoding="utf-8") == shipped
    for record in records:
        if record.state == "done":
            assert not spec.changes(record.cell, record.config)


def decoy(approach: str, seed: int, accuracy: float) -> dict[str, object]:
    return {
        "approach": approach,
        "seed": seed,
        "fraction": 1.0,
        "marks": "full",
        "config": {"epochs": 12},
        **dict.fromkeys(("accuracy", "accuracy_clean", "accuracy_agreeing"), accuracy),
    }


def test_differences_are_paired_by_seed():
    results = [decoy("clean", seed, 0.9) for seed in (1, 2)]
    results += [decoy("transplant", 1, 0.89), decoy("transplant", 2, 0.91)]
    row = next(line for line in script.decoys(results)[3].splitlines() if "transplant" in line)
    # The mean difference is 0; half the interval of two points at -1 and 1 is 12.71 * 1.
    assert row.count("+0.00 ± 12.71") == 2
    assert script.with_interval([90.0]) == "90.00"


def test_an_ablation_is_less_the_whole_with_the_same_seed_and_marks():
    whole = [decoy("transplant", seed, 0.9) for seed in (1, 2)] + [
        {**decoy("transplant", 1, 0.5), "fraction": 0.1}
    ]
    parts = [{**decoy("transplant", seed, 0.9 - seed / 100), "without": "places"} for seed in (1, 2, 3)]
    row = script.ablation(parts, whole)[2].splitlines()[-1]
    # The third has no partner. The mean of -1 and -2 points; half the interval of two points is 12.71 * 0.5.
    assert row.startswith("| `places`: three donors")
    assert "| 100 % | 2 | -1.50 ± 6.35 |" in row
    assert script.ablation([], whole) == []


def test_lengths_are_compared_over_the_seeds_that_all_have():
    def run(epochs: int, seed: int, accuracy: float) -> dict[str, object]:
        return {
            **decoy("transplant", seed, accuracy),
            "accuracy_validation": accuracy,
            "config": {"epochs": epochs},
        }

    twelve = [run(12, 1, 0.9), run(12, 2, 0.5)]
    text = script.lengths([*twelve, run(6, 1, 0.8), decoy("clean", 1, 0.95)])[2].splitlines()
    assert text[2:] == ["| 6 | 1 | 80.00 | 80.00 | 80.00 |", "| 12 | 1 | 90.00 | 90.00 | 90.00 |"]
    assert script.lengths(twelve) == []


def test_what_is_recovered_is_a_share_of_what_was_lost():
    def run(
        approach: str, accuracy: float, clean: float, reliance: float, mark: str = "patch"
    ) -> dict[str, object]:
        named = {"study": "busi", "mark": mark, "approach": approach, "fraction": 1.0, "seed": 0}
        figures = {"accuracy": accuracy, "accuracy_clean": clean, "accuracy_agreeing": 1.0}
        return {**named, **figures, "reliance_irrelevant": reliance, "epg": 0.5, "iou": 0.5}

    # Training without marks is the same run whatever mark it is tested with.
    results = [
        run("clean", 0.7, 0.8, 0.1, "tag"),
        run("without", 0.4, 0.6, 0.5),
        run("transplant", 0.7, 0.7, 0.1),
    ]
    row = script.planted(results)[-2].splitlines()[-1]
    assert row.split("|")[-3].strip() == "75"  # of 0.8 - 0.4
    assert row.split("|")[-2].strip() == "80"


def test_the_summary_says_how_many_runs_there_are_and_how_far_they_go():
    def run(approach: str, seed: int, accuracy: float) -> dict[str, object]:
        named = {"study": "busi", "mark": "tag", "approach": approach, "fraction": 1.0, "seed": seed}
        return {**named, "accuracy": accuracy, "accuracy_clean": 0.8, "reliance_irrelevant": 0.5}

    def cost(layer: str, median: float) -> dict[str, object]:
        return {"model": "m", "layer": layer, "multiples": {"both": [1.0, median, 1.2]}}

    results = [run(name, seed, 0.4) for name in ("clean", "without") for seed in (0, 1)]
    results += [run("visteer", 0, 0.6), run("visteer", 1, 0.8)]
    decoys = [decoy("without", 1, 0.6), decoy("clean", 1, 0.9)]
    costs = [cost("backbone.bn2", 1.07), cost("backbone.blocks.4", 1.5)]
    text = script.summary(decoys, results, [], costs)[1]
    assert "Visteer brings back 75 (lowest 50, highest 100) (2 runs), the published loss – (0 runs)" in text
    assert "with plain training, 60.0 % (1 seed)" in text
    assert (
        "takes 1.07 times a plain one with maps at `backbone.bn2`, 1.50 times with maps at `backbone.blocks.4`."
        in text
    )


def test_the_cost_table_has_the_median_and_quartiles():
    about = {"model": "m", "layer": "l", "size": 96, "images": 8, "precision": "fp32", "rounds": 3}
    result = {**about, "multiples": {"both": [1.04, 1.084, 1.1]}}
    assert script.costs([result])[2].splitlines()[-1] == "| m | l | 96 | 8 | fp32 | 3 | 1.08 (1.04 to 1.10) |"
    assert script.costs([]) == []


@pytest.mark.parametrize(
    ("data", "title"), [("busi", "BUSI"), ("isic", "ISIC"), ("imagenette", "Imagenette")]
)
def test_the_readme_says_what_was_measured(data, title):
    spec, records = next(
        entry for entry in script.grids(script.RESULTS / "grids") if entry[0].name == "whole"
    )
    row = next(r for r in differences(spec, records) if (r.data, r.approach) == (data, "visteer"))

    def change(figure: str) -> str:
        means = [
            mean_over_seeds(
                [r.value(figure) for r in records if r.cell.data == data and r.cell.approach == name]
            )
            for name in ("without", "visteer")
        ]
        return f"{means[0].mean:.3f} → {means[1].mean:.3f}"

    gain = row.values["accuracy"]
    interval = f"{gain.mean:+.3f} ({gain.mean - gain.half:.3f} to {gain.mean + gain.half:.3f})"
    line = f"| {title} | {change('accuracy')} | {interval} | {change('epg')} | {change('iou')} |"
    assert line in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_damaged_result_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    with pytest.raises(VisteerError, match=r"a\.json is damaged"):
        script.read(tmp_path)
