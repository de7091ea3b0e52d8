"""The report on a data set: every figure against one counted by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visteer.data.catalogue_report import CatalogueReport, catalogue_report
from visteer.data.readers import read_catalogue
from visteer.data.sample import Box, Catalogue, Sample


def write(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """Two classes; a copy across classes and splits; masks of a quarter, of nothing, and of two halves."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, 60, 80, 3), dtype=np.uint8)
    quarter, nothing = np.zeros((60, 80), np.uint8), np.zeros((60, 80), np.uint8)
    quarter[:30, :40] = 255
    masks = {
        "quarter": write(tmp_path / "quarter.png", quarter),
        "nothing": write(tmp_path / "nothing.png", nothing),
        "other": write(tmp_path / "other.png", quarter[::-1]),
    }
    large = np.repeat(np.repeat(pictures[3], 5, axis=0), 4, axis=1)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    samples = (
        Sample("a", write(tmp_path / "a.png", pictures[0]), 0, masks=(masks["quarter"],), split="train"),
        Sample("b", write(tmp_path / "b.png", pictures[1]), 0, masks=(masks["nothing"],), split="train"),
        Sample("c", write(tmp_path / "c.png", pictures[2]), 0, masks=(masks["quarter"], masks["other"])),
        Sample("d", write(tmp_path / "d.png", large), 0, boxes=(Box(0, 0, 0.5, 0.5),), split="train"),
        Sample("e", write(tmp_path / "e.png", pictures[0]), 1, split="test"),
        Sample("f", write(tmp_path / "f.png", pictures[1]), 0, split="train"),
        Sample("g", broken, 1),
    )
    return Catalogue(tmp_path, ("cat", "dog", "empty"), samples)


def test_figures_are_those_counted_by_hand(catalogue: Catalogue) -> None:
    told = []
    report = catalogue_report(catalogue, progress=lambda done, total: told.append((done, total)))
    assert told[0] == (1, 7)
    assert told[-1] == (7, 7)
    cat, dog = report.classes["cat"], report.classes["dog"]
    assert (report.images, cat.images, dog.images, report.classes["empty"].images) == (6, 5, 1, 0)
    assert (cat.share, cat.annotated, cat.boxed, cat.empty_masks) == (5 / 6, 3 / 5, 1 / 5, 1)
    assert (cat.coverage["min"], cat.coverage["50%"], cat.coverage["max"]) == (0, 0.25, 0.5)
    assert dog.coverage == {}
    assert report.splits == {"train": 4, "none": 1, "test": 1}
    assert report.widths == {"min": 80, "median": 80, "max": 320}
    assert report.shorter_sides == {"up to 63": 5, "256 to 511": 1}
    assert report.duplicates == (("a", "e"), ("b", "f"))
    assert report.duplicates_across_classes == (("a", "e"),)
    assert report.duplicates_across_splits == (("a", "e"),)
    assert len(report.unreadable) == 1
    assert "broken.png" in report.unreadable[0]


def test_the_report_survives_json(catalogue: Catalogue) -> None:
    plain = catalogue_report(catalogue).to_json()
    assert json.loads(json.dumps(plain))["duplicates"] == [["a", "e"], ["b", "f"]]


def test_masks_of_different_sizes_are_told(tmp_path: Path) -> None:
    masks = tuple(write(tmp_path / f"{n}_mask.png", np.full((n, n), 255, np.uint8)) for n in (8, 9))
    image = write(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    report = catalogue_report(Catalogue(tmp_path, ("x",), (Sample("a", image, 0, masks=masks),)))
    assert "9_mask.png" in report.unreadable[0]
    assert report.images == 1


def test_an_empty_catalogue_gives_an_empty_report(tmp_path: Path) -> None:
    report = catalogue_report(Catalogue(tmp_path, (), ()))
    assert report == CatalogueReport(0, {}, {}, {}, {}, {}, (), (), (), ())


@pytest.mark.real_data
def test_busi_labels_that_contradict_each_other_are_found(real_data: Path) -> None:
    report = catalogue_report(read_catalogue("busi", real_data / "busi"))
    assert {name: one.images for name, one in report.classes.items()} == {
        "benign": 292,
        "malignant": 139,
        "normal": 87,
    }
    assert report.classes["normal"].empty_masks == 87
    assert len(report.duplicates) == 61
    doubtful = {tuple(Path(name).stem for name in group) for group in report.duplicates_across_classes}
    assert doubtful == {
        ("benign (131)", "benign (42)", "malignant (51)"),
        ("benign (399)", "malignant (93)"),
        ("benign (437)", "normal (34)"),
    }
