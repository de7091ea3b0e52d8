"""Masks and boxes of real data sets, through every step that an edit takes."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visteer.edits.formats.png import export_png, import_png
from visteer.edits.formats.regions import edit_from_boxes, edit_from_masks
from visteer.edits.map_edit import MapEdit, resample_edit
from visteer.edits.store import EditStore

pytestmark = pytest.mark.real_data


def busi_edits(root: Path) -> dict[str, MapEdit]:
    folder = root / "busi" / "Dataset_BUSI_with_GT"
    edits = {}
    for kind in ("benign", "malignant", "normal"):
        for path in sorted((folder / kind).glob("*_mask.png"))[:5]:
            with Image.open(path) as image:
                mask = np.asarray(image.convert("L")) > 127
            image_id = f"{kind}/{path.name.replace('_mask', '')}"
            edits[image_id] = edit_from_masks(mask, outside="irrelevant", author="BUSI")
    return edits


def imagenette_edits(root: Path) -> dict[str, MapEdit]:
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    with (root / "imagenette" / "boxes_ilsvrc2012_val.csv").open() as file:
        for row in csv.DictReader(file):
            width, height = float(row["orig_width"]), float(row["orig_height"])
            left, right = float(row["xmin"]) / width, float(row["xmax"]) / width
            top, bottom = float(row["ymin"]) / height, float(row["ymax"]) / height
            boxes.setdefault(row["path"], []).append((left, top, min(right, 1.0), min(bottom, 1.0)))
    return {
        name: edit_from_boxes(found, (56, 56), outside="unknown", author="ImageNet")
        for name, found in list(boxes.items())[:40]
    }


@pytest.mark.parametrize("read", [busi_edits, imagenette_edits])
def test_regions_of_real_data_survive_store_and_files(real_data: Path, tmp_path: Path, read: object) -> None:
    edits = read(real_data)  # type: ignore[operator]
    assert len(edits) >= 15
    with EditStore(tmp_path / "visteer.db") as store:
        store.append_many(edits)
        export_png(store, tmp_path / "png")
        stored = store.latest()
    assert import_png(tmp_path / "png") == stored
    assert stored == {name: replace(edits[name], revision=1) for name in edits}
    for name, edit in stored.items():
        assert edit.has_relevant == (not name.startswith("normal/"))
        target, weight = resample_edit(edit, (7, 7))
        mass = (edit.weight.astype(np.float64) * edit.target).mean()
        assert (target * weight).mean(dtype=np.float64) == pytest.approx(mass, abs=1e-6)
