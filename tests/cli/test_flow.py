"""The whole flow by command line, and the shapes that other programs rely on."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.cli.command_line import call
from tests.cli.conftest import init_options
from visteer.steering import SteeringConfig, SteeringDataset, SteeringRun
from visteer.study import Study, load_run, runs_to_report
from visteer.study.reporting import training_commands

STEPS = (
    "init",
    "train",
    "explain",
    "import",
    "steer",
    "evaluate",
    "compare",
    "report",
    "export",
    "import again",
    "doctor",
)
FIGURES = {"accuracy", "balanced_accuracy", "auc", "f2", "ece"}
MAPS = {"epg", "iou", "dice", "pointing_game", "map_distance", "dead"}
RELIANCES = {"reliance_irrelevant", "reliance_relevant"}


@pytest.mark.parametrize("step", STEPS)
def test_standard_output_is_one_json_object_and_nothing_else(flow, step):
    assert flow.calls[step].json


def test_init_tells_what_it_made(flow):
    said = flow.calls["init"].json
    assert said["images"] == {"train": 40, "val": 16, "test": 24}
    assert said["classes"] == ["benign", "malignant"]
    assert said["study"] == str(flow.study)


def test_training_names_the_run(flow):
    assert flow.calls["train"].json["run"] == "plain-1"
    steered = flow.calls["steer"].json
    assert steered["run"] == "steered-2"
    assert steered["irrelevant"] == "transplant"  # the marks of the phantom are small
    assert [row["epoch"] for row in steered["history"]] == [1, 2]
    config = json.loads((flow.study / "runs/steered-2/run.json").read_text())["config"]
    assert (config["method"], config["gamma"], config["epochs"]) == ("attention-mse", 5, 2)
    assert config["select_by"] == "f2+auc+epg+iou"


def test_explain_writes_maps_and_a_sheet(flow):
    said = flow.calls["explain"].json
    with np.load(said["maps"], allow_pickle=False) as arrays:
        assert arrays["maps"].shape[0] == len(arrays["ids"]) == said["images"] == 24
        assert float(arrays["maps"].max()) <= 1
        right = (arrays["probabilities"].argmax(1) == arrays["labels"]).mean()
    assert said["accuracy"] == pytest.approx(right)
    assert Path(said["sheet"]).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_each_method_has_files_of_its_own(study):
    maps = study / "maps"
    before = {path.name: path.read_bytes() for path in maps.iterdir()}
    assert sorted(before) == ["plain-1-test.npz", "plain-1-test.png"]
    words = ("explain", study, "--run", "plain-1", "--method", "grad-cam++", "--json")
    said = call(*words).json
    assert said["maps"] == str(maps / "plain-1-test-grad-cam++.npz")
    assert said["sheet"] == str(maps / "plain-1-test-grad-cam++.png")
    assert {name: (maps / name).read_bytes() for name in before} == before
    assert len(list(maps.iterdir())) == 4


def test_import_takes_a_fraction_of_train_and_all_of_the_rest(flow):
    assert flow.calls["import"].json == {"edits": 20 + 16 + 24}


def test_evaluate_has_the_keys_that_are_promised(flow):
    said = flow.calls["evaluate"].json
    assert set(said) >= FIGURES | {"maps", "interventions"}
    assert set(said["maps"]) >= MAPS
    assert set(said["interventions"]) >= RELIANCES
    figures = [said[name] for name in FIGURES]
    figures += [said["maps"][name] for name in MAPS]
    figures += [said["interventions"][name] for name in RELIANCES]
    for figure in figures:
        assert set(figure) == {"value", "low", "high"}
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert all(math.isfinite(number) for number in figure.values())


def test_figures_that_the_data_cannot_give_are_null(flow, study):
    for path in study.glob("visteer.db*"):
        path.unlink()
    Study(study).open_edits(create=True).close()
    said = call("evaluate", study, "--run", "plain-1", "--json").json
    assert said["maps"]["epg"] == {"value": None, "low": None, "high": None}
    assert said["interventions"]["reliance_relevant"]["value"] is None
    assert said["accuracy"]["value"] is not None


def test_compare_pairs_the_runs(flow):
    said = flow.calls["compare"].json
    assert (said["before"], said["after"]) == ("plain-1", "steered-2")
    text = json.dumps(said)
    assert "accuracy" in text
    assert "difference" in text


def test_report_is_one_offline_file(flow):
    said = flow.calls["report"].json
    assert said == {"report": str(flow.study / "report.html"), "runs": ["plain-1", "steered-2"]}
    page = (flow.study / "report.html").read_text(encoding="utf-8")
    assert "steered-2" in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)


def test_the_report_tells_how_to_train_its_runs(flow):
    commands = training_commands(Study(flow.study), ["plain-1", "steered-2"])
    assert commands == (
        "visteer train study --method none --epochs 1 --seed 0 --set select_by=f2+auc",
        "visteer steer study --method attention-mse --epochs 2 --seed 0 --gamma 5.0 --irrelevant transplant "
        "--set select_by=f2+auc+epg+iou",
    )
    page = (flow.study / "report.html").read_text(encoding="utf-8")
    assert all(command in page for command in commands)
    assert "visteer compare study plain-1 steered-2 --split test" in page


def test_the_run_that_another_started_from_is_trained_before_it(study):
    change_description(study, "steered-2", start_from="plain-1")
    plain, steered = training_commands(Study(study), ["steered-2"])
    assert "--method none" in plain
    assert "--from plain-1" in steered
    assert training_commands(Study(study), ["steered-2", "plain-1"]) == (plain, steered)
    change_description(study, "steered-2", cell="a--b")
    assert training_commands(Study(study), ["steered-2", "plain-1"]) == (plain,)


def change_description(study: Path, run: str, **facts: str) -> None:
    path = study / "runs" / run / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


@pytest.mark.parametrize(
    "config",
    [
        SteeringConfig(method="abn", seed=3),
        SteeringConfig(method="none", irrelevant="replace", freeze=("a", "b.c"), patience=2),
        SteeringConfig.preset("paper"),
        SteeringConfig(method="l1", gamma=0.1, learning_rate=1 / 3, channels_last=True, augment="none"),
    ],
    ids=["abn", "replace", "paper", "l1"],
)
def test_a_runs_command_says_all_of_its_settings(study, monkeypatch, config):
    taken = []

    def note(_study, given, **_options):
        taken.append(given)
        return "steered-9", SteeringRun(given, (), 0, math.nan, None)

    monkeypatch.setattr("visteer.cli.train.train_run", note)
    monkeypatch.setattr("visteer.study.reporting.run_config", lambda *_: config)
    study = study.rename(study.parent / "-my 'study'")
    monkeypatch.chdir(study.parent)
    (command,) = training_commands(Study(study), ["steered-2"])
    words = shlex.split(command)
    assert words[0] == "visteer"
    assert call(*words[1:]).code == 0
    assert taken == [config]


def test_edits_come_back_unchanged_and_write_no_new_revision(flow):
    assert flow.calls["export"].json["edits"] == 60
    assert flow.calls["import again"].json == {"edits": 0}
    with Study(flow.study).open_edits() as store:
        assert store.count() == 60


def test_progress_is_never_on_standard_output(flow):
    assert "epoch 1:" in flow.calls["train"].err
    assert "epoch" not in flow.calls["train"].out.replace("best_epoch", "").replace('"epoch"', "")


def test_the_same_in_words(flow, study, tmp_path):
    said = call("evaluate", study, "--run", "plain-1")
    assert said.code == 0
    assert "plain-1 on test: 24 images" in said.out
    assert "map energy" in said.out or "EPG" in said.out
    assert said.out.splitlines()[-1] == f"next: visteer report {study}"
    said = call("compare", study, "plain-1", "steered-2")
    assert "plain-1 against steered-2 on test" in said.out
    assert said.out.splitlines()[-1] == f"next: visteer report {study} plain-1 steered-2"
    said = call("compare", study, "plain-1", "steered-2", "--split", "val")
    assert said.out.splitlines()[-1] == f"next: visteer report {study} plain-1 steered-2 --split val"
    assert "60 edits in" in call("export", study, "--out", tmp_path / "edits").out
    assert "next: visteer steer" in call("import", study, "--format", "masks").out
    assert "24 maps of run steered-2" in call("explain", study).out
    assert "torch" in call("doctor").out


def test_the_command_suggested_next_is_quoted_for_a_shell(phantom, tmp_path):
    said = call("init", tmp_path / "my study", *init_options(phantom))
    assert said.out.splitlines()[-1] == f"next: visteer train '{tmp_path / 'my study'}'"
    assert "80 files, such as benign_0000.png: grey is copied to RGB" in said.err


def test_a_run_can_start_from_another(study):
    said = call("steer", study, "--from", "plain-1", "--epochs", 1, "--irrelevant", "none", "--json").json
    assert (said["run"], said["irrelevant"]) == ("steered-3", "none")
    assert json.loads((study / "runs/steered-3/run.json").read_text())["start_from"] == "plain-1"


def test_a_classifier_can_be_seen_before_any_training(study):
    """With no epochs it is a run like any other, with the weights that every training starts from."""
    said = call("train", study, "--epochs", 0)
    assert "the classifier as it is, not trained" in said.out
    run = said.out.split()[1].rstrip(":")
    tensors = load_run(Study(study), run).state_dict()
    with torch.random.fork_rng():
        torch.manual_seed(Study(study).settings.seed)
        initial = Study(study).initial_model().state_dict()
    assert all(torch.equal(tensors[name], value) for name, value in initial.items())
    assert call("explain", study, "--run", run).code == 0
    assert 0 <= call("evaluate", study, "--run", run, "--json").json["accuracy"]["value"] <= 1
    assert call("report", study, run).code == 0


@pytest.mark.parametrize("command", ["train", "steer"])
def test_a_training_reads_each_split_once(study, monkeypatch, command):
    read, real = [], Study.dataset

    def counted(self: Study, split: str) -> SteeringDataset:
        read.append(split)
        return real(self, split)

    monkeypatch.setattr(Study, "dataset", counted)
    assert call(command, study, "--epochs", 1, "--json").json
    assert sorted(read) == ["train", "val"]


def test_a_run_that_uses_marks_without_a_map_loss_counts_as_steered(study):
    said = call("steer", study, "--method", "none", "--irrelevant", "replace", "--epochs", 1, "--json").json
    assert said["run"] == "steered-3"
    assert runs_to_report(Study(study)) == ("plain-1", "steered-3")


def test_settings_by_name(study):
    words = ("--set", "optimizer=sgd", "--set", "freeze=backbone.conv1", "--set", "patience=none")
    words += ("--set", "channels_last=true", "--preset", "paper", "--epochs", 1, "--seed", 7)
    run = call("steer", study, *words, "--json").json["run"]
    config = json.loads((study / "runs" / run / "run.json").read_text())["config"]
    assert config["freeze"] == ["backbone.conv1"]
    assert config["channels_last"] is True
    assert (config["seed"], config["map_resolution"], config["learning_rate"]) == (7, "image", 1e-3)


def test_a_presets_factor_is_for_its_own_method(study):
    found = {}
    for method in ("attention-mse", "l1"):
        words = ("steer", study, "--preset", "paper", "--method", method, "--epochs", 1, "--json")
        run = call(*words).json["run"]
        config = json.loads((study / "runs" / run / "run.json").read_text())["config"]
        assert config["optimizer"] == "sgd"
        found[method] = config["gamma"], config["irrelevant"]
    assert found == {"attention-mse": (10.0, "none"), "l1": (5.0, "none")}


def test_a_preset_is_taken_as_it_says_unless_told_otherwise(study):
    words = ("steer", study, "--preset", "paper", "--epochs", 1, "--json")
    said = call(*words)
    assert said.json["irrelevant"] == "none"  # although there are marks that could be transplanted
    assert "irrelevant regions" not in said.err
    config = json.loads((study / "runs" / said.json["run"] / "run.json").read_text())["config"]
    chosen = {"epochs": 1, "select_by": "f2+auc+epg+iou"}
    assert config == {**SteeringConfig.preset("paper").to_dict(), **chosen}
    assert call(*words, "--irrelevant", "transplant").json["irrelevant"] == "transplant"


def test_data_check_counts_and_ends_with_1_where_a_file_is_bad(phantom, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # or a long path is folded within the name
    words = ("data", "check", phantom / "images", "--masks", phantom / "masks")
    said = call(*words, "--json").json
    assert said["classes"]["benign"]["images"] == 40
    assert "80 images" in call(*words).out
    folder = tmp_path / "images" / "a"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes((phantom / "images/train/benign/benign_0000.png").read_bytes())
    (folder / "2.png").write_bytes(b"")
    bad = call("data", "check", tmp_path / "images")
    assert bad.code == 1
    assert "2.png" in bad.err


def test_download_says_what_a_login_is_needed_for(tmp_path):
    assert "BUSI" in call("data", "download", "busi", "--to", tmp_path).out
    assert call("data", "download", "isic", "--json").json["instructions"]
    assert "imagenette" in call("data", "download", "nothing", "--to", tmp_path).error
