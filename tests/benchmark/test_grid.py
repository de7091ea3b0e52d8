"""The grid: all cells run, what is done stays, what was killed goes on, what fails is shown."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command_line import call
from visteer.atomic import write_text
from visteer.benchmark import grid as grid_module
from visteer.benchmark.cell import has_run, keep_edits, run_cell
from visteer.benchmark.grid import Standing, read_grid, run_grid
from visteer.benchmark.records import CellRecord, read_record, record_path
from visteer.benchmark.spec import Cell, read_spec
from visteer.edits.map_edit import MapEdit
from visteer.edits.rating import Rating
from visteer.errors import VisteerError
from visteer.lock import held
from visteer.steering import METHODS, SteeringDataset
from visteer.steering.methods import usable
from visteer.study import Study, default_selection


def test_every_cell_runs_in_its_own_run_and_again_nothing_is_left(spec_path: Path, tmp_path: Path):
    spec_path.write_text(spec_path.read_text(encoding="utf-8").replace("[0, 1]", "[0]"), encoding="utf-8")
    out = tmp_path / "out"
    told: list[Standing] = []
    records = run_grid(spec_path, out, workers=2, on_cell=told.append)
    assert [record.state for record in records] == ["done"] * 3, [record.error for record in records]
    assert len({record.run for record in records}) == 3
    assert all(0 <= record.value("accuracy") <= 1 for record in records)
    assert [standing.ended for standing in told] == [1, 2, 3]
    assert told[0].seconds_left is not None
    assert told[-1].seconds_left == 0
    again: list[Standing] = []
    assert run_grid(spec_path, out, on_cell=again.append) == records
    assert again == []
    assert read_grid(out)[1] == records
    assert not (out / "logs").exists()  # no run had anything to say

    shown = call("benchmark", spec_path, "--out", out)
    assert shown.out.splitlines()[0].startswith("| data | annotated |")
    told = call("benchmark", spec_path, "--out", out, "--report", "--json").json
    assert told["done"] == 3
    page = Path(told["report"]).read_text(encoding="utf-8")
    assert "3 of 3 done" in page
    assert "One seed: differences have no interval" in page
    assert "Student" not in page
    assert "cores" in page
    assert page.count("data:image/png;base64") == 1
    assert call("benchmark", "decoy-mnist-ross", "--approach", "clean", "--report").code == 2


def test_figures_of_other_settings_are_not_called_those_of_the_file(spec_path: Path, tmp_path: Path):
    out = tmp_path / "out"
    spec = read_spec(spec_path)
    grid_module.prepare_studies(spec, out)
    run_cell(spec, out, next(spec.cells()))
    write_text(out / "spec.toml", "the one that was run")
    text = spec_path.read_text(encoding="utf-8")
    for old, new, said in (
        (
            "epochs = 1",
            "epochs = 2",
            r"without.* was measured with epochs 1, and the file says 2; .*cells.*runs",
        ),
        ("image_size = 32", "image_size = 64", "was made with other settings"),
    ):
        spec_path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(VisteerError, match=said):
            run_grid(spec_path, out)
    assert (out / "spec.toml").read_text(encoding="utf-8") == "the one that was run"


def test_two_calls_at_once_are_one_too_many(spec_path: Path, tmp_path: Path):
    with held(tmp_path, ""), pytest.raises(VisteerError, match="another call is at work"):
        run_grid(spec_path, tmp_path)


def test_a_data_set_without_regions_is_for_approaches_without_edits(spec_path: Path, tmp_path: Path):
    text = spec_path.read_text(encoding="utf-8").replace('masks = "pictures/masks"\n', "")
    spec_path.write_text(text, encoding="utf-8")
    with pytest.raises(VisteerError, match=r"data blobs: .* write masks ="):
        run_grid(spec_path, tmp_path / "out")
    assert not (tmp_path / "out" / "studies").exists()
    spec_path.write_text(text.replace('"without", "proposed"', '"without"'), encoding="utf-8")
    grid_module.prepare_studies(read_spec(spec_path), tmp_path / "out")
    assert Study(tmp_path / "out" / "studies" / "blobs--tiny").settings.masks is None


def test_regions_are_measured_against_where_no_approach_uses_them(spec_path: Path, tmp_path: Path):
    text = spec_path.read_text(encoding="utf-8").replace('"without", "proposed"', '"without"')
    spec_path.write_text(text, encoding="utf-8")
    spec, out = read_spec(spec_path), tmp_path / "out"
    grid_module.prepare_studies(spec, out)
    assert run_cell(spec, out, next(spec.cells())).value("iou") is not None


def test_a_study_is_made_again_only_for_cells_that_wait(spec_path: Path, tmp_path: Path):
    spec = read_spec(spec_path)
    grid_module.prepare_studies(spec, tmp_path, wanted=set())
    assert not (tmp_path / "studies").exists()
    grid_module.prepare_studies(spec, tmp_path, wanted={("blobs", "tiny")})
    assert (tmp_path / "studies" / "blobs--tiny" / "visteer.toml").exists()


def test_tables_stay_when_the_studies_were_deleted(spec_path: Path, tmp_path: Path):
    spec, out = read_spec(spec_path), tmp_path / "out"
    grid_module.prepare_studies(spec, out)
    record = run_cell(spec, out, next(spec.cells()))
    write_text(
        out / "spec.toml", spec_path.read_text(encoding="utf-8").replace("pictures", f"{tmp_path}/pictures")
    )
    shutil.rmtree(out / "studies")
    assert read_grid(out)[1][0] == record


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_ctrl_c_stops_the_grid_and_the_same_call_goes_on(spec_path: Path, tmp_path: Path):
    text = spec_path.read_text(encoding="utf-8")
    spec_path.write_text(
        text.replace("epochs = 1", "epochs = 1000").replace("[0, 1]", "[0]"), encoding="utf-8"
    )
    out = tmp_path / "out"
    listening = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # tests in the background
    )
    code = f"{listening}; from visteer.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "benchmark", spec_path, "--out", out],
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        metrics = out / "studies" / "blobs--tiny" / "runs" / "plain-1" / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while not metrics.exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130
    assert "stopped; the same command goes on" in said
    assert "Traceback" not in said
    assert not list((out / "cells").glob("*"))  # nothing was called failed
    finished = len(metrics.read_text(encoding="utf-8").splitlines())
    time.sleep(2)
    assert len(metrics.read_text(encoding="utf-8").splitlines()) == finished  # and nothing goes on


@pytest.mark.parametrize(
    ("given", "workers", "threads"), [("", 2, 4), ("1", 2, 1), ("8", 2, 4), ("no", 16, 1)]
)
def test_a_worker_has_its_share_of_the_processors_at_most(monkeypatch, tmp_path, given, workers, threads):
    seen: list[dict[str, str]] = []
    record = CellRecord(Cell("busi", "net", "without", 1.0, 0))
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(
        grid_module._Job, "run", lambda _job, environment, _: seen.append(environment) or record
    )
    job = grid_module._Job("spec.toml", "root", str(tmp_path), record.cell)
    assert list(grid_module._on_this_machine([job], workers)) == [record]
    assert seen[0]["OMP_NUM_THREADS"] == str(threads)


def test_a_cell_that_was_cut_short_goes_on_with_its_run(spec_path: Path, tmp_path: Path):
    out = tmp_path / "out"
    spec = read_spec(spec_path)
    grid_module.prepare_studies(spec, out)
    cell = next(spec.cells())
    first = run_cell(spec, out, cell)
    record_path(out, cell).unlink()  # killed after training, before the record
    second = run_cell(spec, out, cell)
    assert second.run == first.run
    assert Study(out / "studies" / "blobs--tiny").runs() == (first.run,)


def test_a_run_that_does_not_say_whose_it_is_is_left_aside(spec_path: Path, tmp_path: Path):
    out, spec = tmp_path / "out", read_spec(spec_path)
    grid_module.prepare_studies(spec, out)
    cell = next(spec.cells())
    first = run_cell(spec, out, cell)
    record_path(out, cell).unlink()
    facts = out / "studies" / "blobs--tiny" / "runs" / first.run / "run.json"
    for damage in ("{", json.dumps({"cell": cell.name}), json.dumps({"cell": cell.name, "config": [1]})):
        facts.write_text(damage, encoding="utf-8")
        assert has_run(out, first) == (damage != "{")
        assert run_cell(spec, out, cell).run != first.run


def test_an_id_that_was_given_to_another_cell_is_not_the_cells_run(spec_path: Path, tmp_path: Path):
    out, spec = tmp_path / "out", read_spec(spec_path)
    grid_module.prepare_studies(spec, out)
    cells = [cell for cell in spec.cells() if cell.approach == "without"]
    first = run_cell(spec, out, cells[0])
    assert has_run(out, first)
    shutil.rmtree(out / "studies" / "blobs--tiny" / "runs" / first.run)
    second = run_cell(spec, out, cells[1])
    assert second.run == first.run
    assert has_run(out, second)
    assert not has_run(out, first)
    changed = spec_path.read_text(encoding="utf-8").replace("epochs = 1", "epochs = 2")
    spec_path.write_text(changed, encoding="utf-8")
    with pytest.raises(
        VisteerError, match=rf"or delete \S*{cells[0].name}\.json$"
    ):  # not the other cell's run
        run_grid(spec_path, out)


def test_a_cell_cut_short_before_its_edits_changed_starts_anew(spec_path: Path, tmp_path: Path):
    text = spec_path.read_text(encoding="utf-8").replace("epochs = 1", "epochs = 2")
    spec_path.write_text(text, encoding="utf-8")
    out, spec = tmp_path / "out", read_spec(spec_path)
    grid_module.prepare_studies(spec, out)
    cell = next(cell for cell in spec.cells() if cell.approach == "proposed")
    study = Study(out / "studies" / "blobs--tiny")
    first = run_cell(spec, out, cell).run
    folder = study.folder / "runs" / first
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps({**facts, "data_digest": "of before"}), encoding="utf-8")
    assert run_cell(spec, out, cell).run == first  # finished: it is what it is
    (folder / "model.safetensors").unlink()
    assert run_cell(spec, out, cell).run != first


def test_a_damaged_state_says_what_to_delete(spec_path: Path, tmp_path: Path):
    text = spec_path.read_text(encoding="utf-8").replace("epochs = 1", "epochs = 2")
    spec_path.write_text(text, encoding="utf-8")
    out, spec = tmp_path / "out", read_spec(spec_path)
    grid_module.prepare_studies(spec, out)
    cell = next(spec.cells())
    run = run_cell(spec, out, cell).run
    folder = out / "studies" / "blobs--tiny" / "runs" / run
    (folder / "model.safetensors").replace(folder / "best.safetensors")
    for damage in (b"junk", b"PK", b""):
        (folder / "state.pt").write_bytes(damage)
        with pytest.raises(VisteerError, match=f"state.pt.* is damaged.*: delete .*{run} and start it anew"):
            run_cell(spec, out, cell)


def test_a_benchmark_without_a_name_keeps_that_of_its_file(spec_path: Path, tmp_path: Path):
    text = spec_path.read_text(encoding="utf-8").replace('name = "small"', "", 1)
    text = text.replace('"without", "proposed"', '"without"').replace("[0, 1]", "[0]")
    spec_path.write_text(text, encoding="utf-8")
    run_grid(spec_path, tmp_path / "out")
    assert read_grid(tmp_path / "out")[0].name == "small"
    strange = spec_path.rename(tmp_path / "a b.toml")
    with pytest.raises(VisteerError, match=r'write name = "\.\.\." at the top'):
        read_spec(strange)
    bare = strange.rename(tmp_path / "bare")
    told = call("benchmark", bare, "--out", bare)
    assert (told.code, told.err.count("\n")) == (1, 1)
    assert "is a file; name a folder for the results with --out" in told.err


def test_a_cell_begun_with_other_settings_is_not_taken_for_this_one(spec_path: Path, tmp_path: Path):
    out = tmp_path / "out"
    spec = read_spec(spec_path)
    grid_module.prepare_studies(spec, out)
    cell = next(spec.cells())
    run_cell(spec, out, cell)
    spec_path.write_text(spec_path.read_text(encoding="utf-8").replace("epochs = 1", "epochs = 2"), "utf-8")
    with pytest.raises(VisteerError, match="begun with other settings"):
        run_cell(read_spec(spec_path), out, cell)


def test_a_cell_that_failed_before_its_first_epoch_starts_anew_with_mended_settings(
    spec_path, tmp_path: Path
):
    text = spec_path.read_text(encoding="utf-8")
    spec_path.write_text(text.replace("epochs = 1", "epochs = 1\nlearning_rate = 1e30"), encoding="utf-8")
    spec, out = read_spec(spec_path), tmp_path / "out"
    grid_module.prepare_studies(spec, out)
    cell = next(spec.cells())
    with pytest.raises(VisteerError, match="no number any more"):
        run_cell(spec, out, cell)
    spec_path.write_text(text, encoding="utf-8")
    record = run_cell(read_spec(spec_path), out, cell)
    assert record.state == "done"
    record_path(out, cell).unlink()
    assert run_cell(read_spec(spec_path), out, cell).run == record.run


def test_files_that_cannot_be_used_are_told(spec_path: Path, tmp_path: Path):
    (tmp_path / "pictures/images/cat/03.png").write_bytes(b"no picture")
    told: list[str] = []
    grid_module.prepare_studies(read_spec(spec_path), tmp_path / "out", on_note=told.append)
    bad, few_cells = told
    assert bad.startswith("blobs: 1 files cannot be used and are left out, such as ")
    assert "03.png" in bad
    assert few_cells.startswith("blobs with tiny: maps have 1 x 1 cells at backbone.layer4 only")


def test_a_cell_that_fails_is_tried_twice_and_shown_while_the_others_run(spec_path: Path, tmp_path: Path):
    text = spec_path.read_text(encoding="utf-8").replace('approaches = ["without", "proposed"]', "")
    text = text.replace("seeds = [0, 1]", "seeds = [0]").replace("fractions = [1.0, 0.5]", "")
    text += (
        '\n[approaches.without]\n[approaches.broken]\nmethod = "attention-mse"\ntarget_layer = "nowhere"\n'
    )
    spec_path.write_text(text, encoding="utf-8")
    good, bad = run_grid(spec_path, tmp_path / "out")
    assert (good.state, bad.state, bad.attempts) == ("done", "failed", 2)
    assert "nowhere" in bad.error
    assert "\n" not in bad.error
    log = (tmp_path / "out" / "logs" / f"{bad.cell.name}.log").read_text(encoding="utf-8")
    assert log.count("nowhere") == 2  # a line an attempt
    told: list[Standing] = []
    run_grid(spec_path, tmp_path / "out", on_cell=told.append)
    # The failed cell is tried again, so it waits until it has ended.
    assert [(standing.ended, standing.total) for standing in told] == [(2, 2)]


def test_a_killed_cell_is_told_so_whatever_it_wrote_before(tmp_path: Path):
    log = tmp_path / "cell.log"
    log.write_text("UserWarning: ...\n  warnings.warn(\n", encoding="utf-8")
    assert grid_module._last_words(log, -9) == "killed by signal 9"
    assert grid_module._last_words(log, 1) == "  warnings.warn("


@pytest.mark.parametrize(
    ("named", "seen"),
    [(None, ["0", "1", "0"]), ("2,3", ["2", "3", "2"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b", "GPU-a"])],
)
def test_workers_take_turns_on_the_devices_that_the_user_named(monkeypatch, named, seen):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert [grid_module._accelerator(place)["CUDA_VISIBLE_DEVICES"] for place in range(3)] == seen


def test_an_attention_branch_cell_goes_on_though_the_file_names_a_layer(spec_path: Path, tmp_path: Path):
    text = spec_path.read_text(encoding="utf-8").replace('["without", "proposed"]', '["abn"]')
    spec_path.write_text(text.replace("[settings]", '[settings]\ntarget_layer = "layer3"'), encoding="utf-8")
    spec, out = read_spec(spec_path), tmp_path / "out"
    grid_module.prepare_studies(spec, out)
    cell = next(spec.cells())
    first = run_cell(spec, out, cell)
    record_path(out, cell).unlink()
    assert run_cell(spec, out, cell).run == first.run


@pytest.mark.parametrize(
    "damage",
    [
        "{",
        '"figures": null',
        '"figures": {"f2": 1}',
        '"figures": {"f2": {"value": "x"}}',
        '"seconds": null',
        '"epoch_seconds": "x"',
        '"machine": "x"',
        '"run": ["a"]',
        '"run": "../steered-1"',
        '"run": ".."',
        '"seconds": 1' + "0" * 400,
        '"attempts": "x"',
        '"error": null',
        '"state": "?"',
    ],
)
def test_a_damaged_record_is_named_with_the_mend(spec_path: Path, tmp_path: Path, damage: str):
    cell = next(read_spec(spec_path).cells())
    whole = json.dumps(dataclasses.asdict(CellRecord(cell)))
    text = damage if damage == "{" else f"{whole[:-1]}, {damage}}}"
    path = record_path(tmp_path, cell)
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(VisteerError, match="damaged; delete it"):
        read_record(tmp_path, cell)


def test_a_record_that_cannot_be_read_is_not_called_damaged(spec_path: Path, tmp_path: Path):
    cell = next(read_spec(spec_path).cells())
    record_path(tmp_path, cell).mkdir(parents=True)
    with pytest.raises(VisteerError, match="cannot be read: Is a directory"):
        read_record(tmp_path, cell)


def test_what_is_left_of_the_edits_is_all_that_counts():
    edits = {
        "0": MapEdit(np.ones((8, 8)), np.ones((8, 8)), author="test"),
        "1": MapEdit(np.zeros((8, 8)), np.ones((8, 8)), author="test"),
    }
    data = SteeringDataset(np.zeros((4, 8, 8, 3), np.uint8), [0, 1] * 2, ["a", "b"], edits=edits)
    for seed in range(8):
        thinned = keep_edits(data, 0.5, seed)
        (row,) = thinned.edited
        assert np.array_equal(thinned.targets[thinned.edit_rows[row]], data.targets[data.edit_rows[row]])
        relevant = data.ids[row] == "0"
        selection = default_selection(thinned, steered=True)
        assert selection == ("f2+auc+epg+iou" if relevant else "f2+auc")
        assert usable(METHODS["hint"], thinned).any() == relevant


def test_a_smaller_part_of_the_edits_lies_in_a_larger_one():
    edits = {str(i): MapEdit([[1.0]], [[1.0]], author="test") for i in range(20)}
    data = SteeringDataset(np.zeros((30, 8, 8, 3), np.uint8), [0, 1] * 15, ["a", "b"], edits=edits)
    tenth, half = (set(keep_edits(data, share, seed=4).edited) for share in (0.1, 0.5))
    assert (len(tenth), len(half)) == (2, 10)
    assert tenth < half < set(data.edited)
    assert set(keep_edits(data, 0.5, seed=5).edited) != half
    assert len(data.edited) == 20


def test_ratings_of_people_stand_in_the_table(spec_path: Path, tmp_path: Path):
    spec, out = read_spec(spec_path), tmp_path / "out"
    grid_module.prepare_studies(spec, out)
    write_text(
        out / "spec.toml", spec_path.read_text(encoding="utf-8").replace("pictures", f"{tmp_path}/pictures")
    )
    cell = next(spec.cells())
    record = run_cell(spec, out, cell)
    assert read_grid(out)[1][0] == record
    study = Study(out / "studies" / "blobs--tiny")
    with study.open_edits() as store:
        for name, value in zip(study.ids("test")[:2], (2, 5), strict=True):
            store.rate(Rating(name, str(record.run), "Ada", value))
    rated = read_grid(out)[1][0]
    assert rated.value("expert_rating") == 3.5
    assert read_record(out, cell) == record  # people may go on rating


def test_a_local_ray_runs_the_same_cells(spec_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ray = pytest.importorskip("ray", reason="Ray is an extra")
    spec_path.write_text(
        spec_path.read_text(encoding="utf-8").replace("[0, 1]", "[0]").replace("[1.0, 0.5]", "[1.0]"),
        encoding="utf-8",
    )
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    told: list[Standing] = []
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        records = run_grid(spec_path, tmp_path / "ray", workers=2, engine="ray", on_cell=told.append)
    finally:
        ray.shutdown()
    assert [record.state for record in records] == ["done"] * 2, [record.error for record in records]
    assert sorted(standing.ended for standing in told) == [1, 2]
    here = run_grid(spec_path, tmp_path / "here")
    for one, other in zip(records, here, strict=True):
        assert one.value("accuracy") == other.value("accuracy")
