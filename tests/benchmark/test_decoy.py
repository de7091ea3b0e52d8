"""One run on a decoy set, in the small: what is trained, what is measured, and what the command prints."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.cli.command_line import call
from tests.data.readers.test_idx import write_mnist
from visteer.benchmark.decoy import (
    DecoyRun,
    accuracy,
    approaches,
    decoy_config,
    decoy_edits,
    run_decoy,
)
from visteer.benchmark.kept import kept_result
from visteer.data.decoys import decoy_marks, make_decoys
from visteer.errors import VisteerError
from visteer.models import build_classifier
from visteer.steering import METHODS

COUNT = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits that are told by where a bar lies."""
    where = tmp_path_factory.mktemp("mnist")
    rng = np.random.default_rng(0)
    parts = []
    for count in (COUNT, 60):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = rng.integers(0, 40, (count, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[5 + 2 * label : 7 + 2 * label, 8:20] = 255
        parts.append((images, labels))
    write_mnist(where, *parts)
    return where


def test_one_run_measures_all_parts_and_says_what_it_was(folder):
    run = DecoyRun("decoy-mnist-ross", "transplant", 1, 0.1, epochs=1)
    result = run_decoy(run, folder)
    assert result["marked_images"] == 22
    assert result["config"] == decoy_config(run).to_dict()
    for name in ("accuracy", "accuracy_clean", "accuracy_agreeing", "accuracy_validation"):
        assert 0 <= result[name] <= 1
    again = run_decoy(run, folder)
    assert {**again, "seconds": 0} == {**result, "seconds": 0}


def test_accuracy_is_the_share_that_is_right(folder):
    images = make_decoys("decoy-mnist-ross", folder).test
    model = build_classifier("decoy-network", 10, weights="none", image_size=28).eval()
    right = 0
    for pixels, label in zip(images.images, images.labels, strict=True):
        grey = torch.from_numpy(pixels.astype(np.float32) / 255)[None, None].expand(1, 3, 28, 28)
        right += int(model(grey).argmax()) == label
    assert accuracy(model, images) == right / len(images)


def test_marks_become_edits(folder):
    marked = decoy_marks(make_decoys("decoy-mnist-ross", folder), fraction=0.1, seed=3)
    plain, with_object = (decoy_edits(marked, relevant=relevant) for relevant in (False, True))
    row = str(marked.rows[0])
    assert np.array_equal(plain[row].irrelevant, marked.irrelevant[0])
    assert not plain[row].has_relevant
    assert np.array_equal(with_object[row].relevant, marked.relevant[0] & ~marked.irrelevant[0])
    assert np.array_equal(with_object[row].irrelevant, marked.irrelevant[0])
    whole = decoy_edits(marked, relevant=True, everything_else=True)[row]
    assert np.array_equal(whole.relevant, with_object[row].relevant)
    assert np.array_equal(whole.irrelevant, ~whole.relevant)


def test_the_published_loss_gets_what_the_paper_has(folder, monkeypatch):
    seen = {}

    def stop(model, data, config, **_):
        seen[config.method] = data
        raise KeyboardInterrupt

    monkeypatch.setattr("visteer.benchmark.decoy.steer", stop)
    for approach in ("proposed", "rrr"):
        with pytest.raises(KeyboardInterrupt):
            run_decoy(DecoyRun("decoy-mnist-ross", approach, 1), folder)
    assert (seen["attention-mse"].weights > 0).all()
    assert (seen["attention-mse"].targets > 0).any()
    assert not (seen["rrr"].targets > 0).any()


def test_every_approach_has_settings(folder):
    assert {"clean", "without", "rrr", "cdep"} <= set(approaches())
    for approach in approaches():
        config = decoy_config(DecoyRun("decoy-mnist-ross", approach, 1))
        assert (config.optimizer, config.batch_size) == ("adam", 256)
        assert config.gamma == (10.0 if approach == "proposed" else METHODS[config.method].gamma)
    with pytest.raises(ValueError, match="approach must be one of"):
        run_decoy(DecoyRun("decoy-mnist-ross", "magic", 1), folder)


def test_the_command_prints_one_run_and_keeps_it(folder, tmp_path):
    words = ("benchmark", "decoy-mnist-ross", "--data", folder, "--epochs", 1, "--out", tmp_path / "runs")
    said = call(*words, "--approach", "without", "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert (result["approach"], result["seed"], result["marked_images"]) == ("without", 1, 0)
    again = json.loads(call(*words, "--approach", "without", "--json").out)
    assert again["seconds"] == result["seconds"]
    assert "right where the decoys lie" in call(*words, "--approach", "without").out

    path = tmp_path / "runs" / "decoy-mnist-ross--without--f1--full--s1.json"
    longer = call(*words, "--approach", "without", "--epochs", 2)
    assert "was measured with epochs 1, not 2; delete it" in longer.error
    whole = path.read_text(encoding="utf-8")
    for damage in (
        "",
        "[]",
        "null",
        "{}",
        whole.replace('"accuracy": ', '"accuracy": "x", "a": '),
        whole.replace('"accuracy": ', '"accuracy": 1e999, "a": '),
        whole.replace('"accuracy": ', '"accuracy": 55.0, "a": '),
        "[" * 10**5,
    ):
        path.write_text(damage, encoding="utf-8")
        assert f"{path} is damaged; delete it" in call(*words, "--approach", "without", "--json").error


def test_a_result_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    def full(path: Path, text: str) -> None:
        if path.suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        assert len(text) > 10_000  # as much room as the result will need, before it is measured

    monkeypatch.setattr("visteer.benchmark.kept.write_text", full)
    monkeypatch.setattr(Path, "unlink", lambda *_: None)
    with pytest.raises(
        VisteerError, match=r'r.json cannot be written \(No space.*would hold \{"accuracy": 0.5\}'
    ):
        kept_result(tmp_path / "r.json", {}, {}, lambda: {"accuracy": 0.5})


def test_a_place_where_nothing_can_be_kept_is_found_before_training(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("visteer.cli.benchmark.run_decoy", lambda *_, **__: pytest.fail("it was trained"))
    words = ("benchmark", "decoy-mnist-ross", "--data", folder, "--out", tmp_path / "file")
    assert str(tmp_path / "file") in call(*words, "--approach", "without").error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "a decoy run needs --approach, one of clean, without"),
        (("--approach", "magic"), "not 'magic'"),
        (("--approach", "rrr", "--fraction", "0"), "--fraction must be above 0"),
        (("--approach", "rrr", "--marks", "most"), "--marks must be one of full, half, wrong"),
        (("--approach", "rrr"), "needs MNIST's four IDX files"),
    ],
)
def test_what_cannot_be_meant_is_one_line(words, said):
    found = call("benchmark", "decoy-mnist-ross", *words)
    assert found.code != 0
    assert said in " ".join(found.err.split())


@pytest.mark.parametrize("word", ["--approach", "--seed", "--fraction", "--marks", "--epochs", "--data"])
def test_options_of_a_decoy_run_are_not_for_a_file(tmp_path, word):
    path = tmp_path / "a.toml"
    path.touch()
    assert f"{word} is for a run on a decoy set" in call("benchmark", path, word, 1).misuse


@pytest.mark.parametrize(
    "words", [("--workers", 3), ("--engine", "ray"), ("--data-root", "x"), ("--report",)]
)
def test_options_of_a_file_are_not_for_a_decoy_run(words):
    said = call("benchmark", "decoy-mnist-ross", "--approach", "without", *words).misuse
    assert f"{words[0]} is for a benchmark's file" in said


def test_a_name_that_is_nothing_names_what_there_is():
    assert "decoy-foo is no file; a benchmark is a TOML file" in call("benchmark", "decoy-foo").error
    assert "--data-root" in call("benchmark", "paper").misuse
