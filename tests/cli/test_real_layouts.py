"""`visteer init` on each real data set in its own download layout."""

from __future__ import annotations

import pytest

from tests.cli.command_line import call
from visteer.study import Study

pytestmark = pytest.mark.real_data
NET = ("--model", "test_resnet", "--weights", "none", "--image-size", 32, "--json")


def test_busi(real_data, tmp_path):
    words = ("--images", real_data / "busi", "--layout", "busi")
    said = call("init", tmp_path / "s", *words, *NET).json
    assert said["classes"] == ["benign", "malignant", "normal"]
    assert sum(said["images"].values()) == 518
    assert call("import", tmp_path / "s", "--format", "masks", "--json").json == {"edits": 518}


def test_isic9_two_classes(real_data, tmp_path):
    words = ("--images", real_data / "isic9", "--layout", "isic9", "--classes", "melanoma,nevus")
    said = call("init", tmp_path / "s", *words, *NET).json
    assert said["classes"] == ["melanoma", "nevus"]
    assert sum(said["images"].values()) == 293 + 238 + 22
    study = Study(tmp_path / "s")
    groups = {split: set(study.groups(split).tolist()) for split in ("train", "val", "test")}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["val"]
    assert call("import", tmp_path / "s", "--format", "masks", "--json").json == {"edits": 116 + 162 + 21}


def test_isic2017(real_data, tmp_path):
    words = ("--images", real_data / "isic2017", "--layout", "isic2017", "--on-bad", "skip")
    said = call("init", tmp_path / "s", *words, *NET).json
    assert sum(said["images"].values()) == 66
    assert call("import", tmp_path / "s", "--format", "masks", "--json").json == {"edits": 66}


def test_imagenette_with_boxes(real_data, tmp_path):
    words = ("--images", real_data / "imagenette", "--layout", "imagenette")
    words += ("--classes", "tench,church,golf ball")
    said = call("init", tmp_path / "s", *words, *NET).json
    assert said["classes"] == ["tench", "church", "golf ball"]
    assert said["images"]["val"] > 0
    assert call("import", tmp_path / "s", "--format", "boxes", "--json").json["edits"] > 50
    with Study(tmp_path / "s").open_edits() as store:
        assert all(edit.source == "boxes" for edit in store.latest().values())
    assert "has no masks to import" in call("import", tmp_path / "s", "--format", "masks").error
