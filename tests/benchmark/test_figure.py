"""The result figure: its rows are picked by the stated rule, and it holds what the runs show."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visteer.benchmark.cell import prepare_studies, run_cell
from visteer.benchmark.figure import write_figures
from visteer.benchmark.spec import read_spec
from visteer.report import before_after_svg
from visteer.study import Study, result_rows, stored_result


def test_no_figure_where_no_image_has_a_region(spec_path: Path, tmp_path: Path):
    text = spec_path.read_text(encoding="utf-8").replace('"without", "proposed"', '"without", "abn"')
    spec_path.write_text(text.replace('masks = "pictures/masks"\n', ""), encoding="utf-8")
    spec, out = read_spec(spec_path), tmp_path / "out"
    prepare_studies(spec, out)
    records = [run_cell(spec, out, cell) for cell in spec.cells() if cell.seed == 0]
    assert len(records) == 2
    assert write_figures(out, spec, records) == []


def test_one_figure_a_data_set_and_model(spec_path: Path, tmp_path: Path):
    spec, out = read_spec(spec_path), tmp_path / "out"
    prepare_studies(spec, out)
    cells = [cell for cell in spec.cells() if (cell.seed, cell.fraction) == (0, 1.0)]
    records = [run_cell(spec, out, cell) for cell in cells]
    assert write_figures(out, spec, records[:1]) == []  # nothing to compare
    png, svg = write_figures(out, spec, records)
    assert (png.name, svg.name) == ("figure-blobs--tiny.png", "figure-blobs--tiny.svg")
    root = ET.fromstring(svg.read_text(encoding="utf-8"))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in ("Image", "Edit", "Without", "Proposed")] == [
        "Image",
        "Edit",
        "Without",
        "Proposed",
    ]
    with Image.open(png) as picture:
        assert picture.size == tuple(int(side) for side in root.attrib["viewBox"].split()[2:])
    study = Study(out / "studies" / "blobs--tiny")
    runs = [str(record.run) for record in records]
    scores = [stored_result(study, run, "test").per_image.scores["iou"] for run in runs]
    gain = scores[1] - scores[0]
    known = np.flatnonzero(~np.isnan(gain))
    ordered = sorted(known, key=lambda row: (-gain[row], row))
    ids = study.ids("test")
    expected = dict.fromkeys(ids[ordered[int((i + 0.5) / 5 * len(ordered))]] for i in range(5))
    assert [row.sample_id for row in result_rows(study, runs, "test")] == list(expected)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) == 4 * len(expected)
    with pytest.raises(ValueError, match="at least one row"):
        before_after_svg([])
    (study.folder / "runs" / runs[0] / "model.safetensors").write_bytes(b"junk")
    for stored in study.folder.rglob("*.npz"):
        stored.unlink()
    told: list[str] = []
    assert write_figures(out, spec, records, told.append) == []
    assert "no figure of blobs with tiny" in told[0]
    assert "damaged" in told[0]
    assert png.exists()
    assert svg.exists()
