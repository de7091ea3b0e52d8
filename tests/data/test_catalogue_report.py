"""The report counts what is there, on a made-up set with known figures and on real skin lesions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visteer.data.catalogue_report import catalogue_report
from visteer.data.inspection import inspect_files
from visteer.data.readers import read_catalogue


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    twin = rng.integers(0, 256, (40, 70, 3), dtype=np.uint8)
    for name in ("train/cat/1", "train/dog/1", "test/dog/1"):
        (tmp_path / f"{name}.png").parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(twin).save(tmp_path / f"{name}.png")
    for number in (2, 3, 4):
        other = rng.integers(0, 256, (100, 300, 3), dtype=np.uint8)
        Image.fromarray(other).save(tmp_path / "train" / "cat" / f"{number}.png")
    (tmp_path / "train" / "cat" / "bad.png").write_bytes(b"")
    masks = tmp_path / "masks" / "train" / "cat"
    masks.mkdir(parents=True)
    for number, rows in ((2, 0), (3, 50), (4, 100)):
        mask = np.zeros((100, 300), np.uint8)
        mask[:rows] = 255
        Image.fromarray(mask).save(masks / f"{number}.png")
    return tmp_path


def test_figures_of_a_known_set(root: Path) -> None:
    report = catalogue_report(read_catalogue("folder", root, masks=root / "masks"))
    assert report.images == 6
    assert report.errors == 1
    cat, dog = report.classes["cat"], report.classes["dog"]
    assert (cat.images, cat.annotated, cat.empty_masks, cat.share) == (4, 3, 1, 4 / 6)
    expected = np.quantile([0, 0.5, 1], [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
    assert list(cat.coverage) == ["min", "5%", "25%", "50%", "75%", "95%", "max"]
    assert np.allclose(list(cat.coverage.values()), expected)
    assert (dog.images, dog.annotated, dog.coverage) == (2, 0, {})
    assert report.splits == {"train": 5, "test": 1}
    assert report.shorter_sides == {"0-63": 3, "64-127": 3}
    assert report.widths == {"min": 70, "median": 185, "max": 300}
    assert report.heights == {"min": 40, "median": 70, "max": 100}
    group = {"test/dog/1.png": "dog", "train/cat/1.png": "cat", "train/dog/1.png": "dog"}
    assert [item.members for item in report.duplicates] == [group]
    assert report.cross_class == report.cross_split == report.duplicates


def test_the_report_is_json_and_takes_a_finished_inspection(root: Path) -> None:
    catalogue = read_catalogue("folder", root)
    inspection = inspect_files(catalogue)
    report = catalogue_report(catalogue, inspection)
    assert report == catalogue_report(catalogue)
    read_back = json.loads(json.dumps(report.to_dict()))
    assert read_back["classes"]["cat"]["images"] == 4
    assert read_back["duplicates"][0]["members"]["test/dog/1.png"] == "dog"


def test_a_set_without_a_readable_image_is_all_zero(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(b"")
    report = catalogue_report(read_catalogue("folder", tmp_path))
    assert (report.images, report.errors, report.widths, report.shorter_sides) == (0, 1, {}, {})


@pytest.mark.real_data
def test_real_isic9_same_picture_under_two_classes(real_data: Path) -> None:
    report = catalogue_report(read_catalogue("isic9", real_data / "isic9"))
    listed: dict[str, set[str]] = {}
    with (real_data / "notes" / "isic9_same_image_in_several_folders.csv").open() as file:
        for row in csv.DictReader(file):
            listed.setdefault(row["group"], set()).add(row["path"])
    found = [set(group.members) for group in report.cross_class]
    across = [group for group in listed.values() if len({path.split("/")[1] for path in group}) > 1]
    assert all(any(group <= item for item in found) for group in across)
    assert len(found) <= len(across) + 3
