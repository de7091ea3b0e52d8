"""visteer methods prints the table; visteer steer takes its names, and refuses one whose marks are missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command_line import call
from tests.cli.conftest import SMALL_MODEL
from visteer.steering import METHODS


def test_the_table_has_every_method():
    assert [row["name"] for row in call("methods", "--json").json["methods"]] == list(METHODS)
    shown = call("methods").out
    for name in METHODS:
        assert f" {name} " in shown, name


@pytest.mark.parametrize("method", ["rrr", "energy", "caipi"])
def test_steer_runs_a_method_with_its_own_gamma(study, method):
    result = call("steer", study, "--method", method, "--epochs", 1, "--json").json
    assert result["irrelevant"] == "none"
    assert result["history"][0]["attention_loss"] > 0
    described = json.loads((study / "runs" / result["run"] / "run.json").read_text())
    assert described["config"]["method"] == method
    assert described["config"]["gamma"] == METHODS[method].gamma


def test_a_gamma_that_drowns_the_prediction_is_told(study):
    drowned = call("steer", study, "--method", "rrr", "--gamma", 1e6, "--epochs", 1)
    assert "times the prediction loss; with a lower --gamma" in drowned.err
    assert "with a lower --gamma" not in call("steer", study, "--gamma", 1, "--epochs", 1).err


def test_what_the_other_command_takes_is_said(study):
    assert "that is for visteer train" in call("steer", study, "--method", "abn").misuse


def test_steer_refuses_a_method_without_marks_and_begins_no_run(phantom: Path, tmp_path: Path):
    study = tmp_path / "new"
    masks = ("--images", phantom / "images", "--masks", phantom / "masks")
    assert call("init", study, *masks, *SMALL_MODEL).code == 0
    assert call("import", study, "--format", "masks", "--outside", "unknown").code == 0
    error = call("steer", study, "--method", "rrr", "--epochs", 1).error
    assert "rrr needs irrelevant marks; this study has none" in error
    assert "visteer edit" in error
    assert not list((study / "runs").glob("*"))


def test_a_name_that_is_none_is_wrong_use(study):
    assert "--method must be one of" in call("steer", study, "--method", "nonsense").misuse
    assert "visteer steer takes the others" in call("train", study, "--method", "rrr").misuse


def test_an_attention_branch_network_goes_through_the_whole_flow(study):
    """Trained plainly, steered from there, explained and measured by its own map, compared with a plain run."""
    plain = call("train", study, "--method", "abn", "--epochs", 1, "--json").json["run"]
    steered = call("steer", study, "--method", "abn-edit", "--from", plain, "--epochs", 1, "--json").json
    assert (plain.split("-")[0], steered["run"].split("-")[0]) == ("plain", "steered")
    assert steered["history"][0]["attention_loss"] > 0
    explained = call("explain", study, "--run", steered["run"], "--json").json
    with np.load(explained["maps"]) as file:
        assert file["maps"].shape[1:] == (3, 3)  # 48 px: the grid before layer4
        assert not file["dead"].any()
    by_gradient = call("explain", study, "--run", steered["run"], "--method", "grad-cam", "--json").json
    assert by_gradient["maps"].endswith(f"{steered['run']}-test-grad-cam.npz")
    assert call("evaluate", study, "--run", steered["run"], "--json").code == 0
    assert call("compare", study, "plain-1", steered["run"], "--json").code == 0
    assert (
        "no attention branch" in call("explain", study, "--run", "plain-1", "--method", "abn-attention").error
    )
    refused = call("steer", study, "--method", "rrr", "--from", plain, "--epochs", 1).error
    assert "attention branch, which rrr would leave untrained" in refused
