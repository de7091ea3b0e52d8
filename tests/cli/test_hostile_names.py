"""Files and classes whose names want to be markup, options, escapes or rows, all through the flow."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.command_line import call
from visteer.study import Study

CLASSES = ("<img src=x onerror=alert(1)>", '[bold]c, "d"\n$\\frac$', "-rf")
NAMES = (
    "line\nbreak.png",
    "\x1b[31mred.png",
    "<script>alert(1).png",
    "x" * 200 + ".png",
    "[bold]a[bold].png",
    "-dash.png",
    "quote'\"&amp;.png",
    'comma,"",;.png',
    "=1+1.png",
    "ünïcödé \u202e.png",
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A finished study of hostile names; its folder has one too."""
    root = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(0)
    for row, name in enumerate(CLASSES):
        for part in ("images", "masks"):
            (root / part / name).mkdir(parents=True)
        for column, file in enumerate(NAMES):
            # Eight by eight random blocks: no two are near-duplicates.
            blocks = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
            Image.fromarray(blocks).save(root / "images" / name / file)
            mask = np.zeros((32, 32), np.uint8)
            mask[row * 8 : row * 8 + 12, column : column + 12] = 255
            Image.fromarray(mask).save(root / "masks" / name / file)
    study = root / "what? #1 100% [bold]"
    words = ("--model", "test_resnet", "--weights", "none", "--image-size", 32)
    made = call("init", study, "--images", root / "images", "--masks", root / "masks", *words)
    assert made.code == 0, made.err
    assert "\x1b" not in made.out + made.err
    assert len(made.out.splitlines()) == 5
    return study


def test_the_whole_flow_takes_them(hostile):
    assert call("train", hostile, "--epochs", 1, "--json").json["run"] == "plain-1"
    assert call("import", hostile, "--format", "masks", "--json").json == {"edits": 30}
    assert call("steer", hostile, "--epochs", 1, "--json").json["irrelevant"] == "none"
    assert call("evaluate", hostile, "--run", "plain-1", "--json").json["class_names"] == sorted(CLASSES)
    assert call("explain", hostile, "--json").json["images"] > 0
    assert call("compare", hostile, "plain-1", "steered-2", "--json").json
    edits = hostile.parent / "edits"
    assert call("export", hostile, "--out", edits, "--json").json["edits"] == 30
    assert call("import", hostile, "--format", "png", "--from", edits, "--json").json == {"edits": 0}

    page = hostile.parent / "report.html"
    assert call("report", hostile, "--out", page).out == f"{page} shows plain-1, steered-2\n"
    tags = Tags()
    tags.feed(page.read_text(encoding="utf-8"))
    assert not tags.suspicious
    assert any("onerror" in text for text in tags.texts)  # shown, not run


def test_ids_and_classes_come_back_as_they_were(hostile):
    study = Study(hostile)
    assert study.class_names == tuple(sorted(CLASSES))
    assert set(study.ids()) == {f"{name}/{file}" for name in CLASSES for file in NAMES}


def test_the_check_of_files_shows_them_harmless(hostile):
    said = call("data", "check", hostile.parent / "images")
    assert said.code == 0
    assert "\x1b" not in said.out + said.err
    assert r"\n$\frac$" in said.out


class Tags(HTMLParser):
    """Collects what a browser would run or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.suspicious: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "script" or any(name.startswith("on") for name in given):
            self.suspicious.append(f"{tag} {given}")
        source = given.get("src") or ""
        if source and not source.startswith("data:"):
            self.suspicious.append(source)

    def handle_data(self, data):
        self.texts.append(data)
