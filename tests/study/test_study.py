"""The folder of a study: what goes in comes out."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from visteer.data.sample import Catalogue, Sample
from visteer.edits.map_edit import MapEdit
from visteer.edits.store import EditStore
from visteer.errors import VisteerError
from visteer.lock import held
from visteer.steering import RunFolder, SteeringDataset
from visteer.steering.run_folder import digest_data
from visteer.study import BadFiles, Study, StudySettings, make_study


def test_settings_come_back(study, settings):
    assert study.settings == settings
    assert study.class_names == ("cat", "dog")
    assert len(study.samples) == 40


def test_every_setting_comes_back(made, tmp_path):
    settings = StudySettings(
        images=Path("/data/a 'b' \"c\" #d"),
        layout="isic9",
        masks=Path("/data/é"),
        irrelevant_masks=None,
        classes=("one, two", "[three]"),
        model="torchvision:vgg16",
        weights="/w/x.safetensors",
        layer="backbone.stages.2",
        image_size=17,
        seed=2**63 - 1,
        database="postgresql://ada:p%40ss@host/name",
    )
    from visteer.study.study import _settings_toml

    (tmp_path / "visteer.toml").write_text(_settings_toml(settings), encoding="utf-8")
    (tmp_path / "samples.csv").write_bytes((made / "samples.csv").read_bytes())
    assert Study(tmp_path).settings == settings


HOSTILE = ("a,b", 'c"d"', "e\nf", "g\r\nh", "  i ", "=1+1", "'", "ü\u202e", ";\t")


def test_ids_and_classes_with_commas_quotes_and_newlines(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    classes = ("plain", 'a,"b"\n', "\r")
    samples = tuple(Sample(name, tmp_path / "x.png", row % 2) for row, name in enumerate(HOSTILE))
    splits = {name: ("train", "val", "test")[row % 3] for row, name in enumerate(HOSTILE)}
    groups = {name: 10 * row for row, name in enumerate(HOSTILE)}
    study = Study.create(
        tmp_path / "s",
        StudySettings(images=tmp_path, image_size=8),
        Catalogue(tmp_path, classes, samples),
        splits,
        groups,
    )
    opened = Study(tmp_path / "s")
    assert opened.samples == study.samples
    assert opened.class_names == classes  # the third has no image and keeps its label
    assert opened.ids() == HOSTILE
    assert {s.id: s.split for s in opened.samples} == splits
    assert opened.groups("val").tolist() == [10, 40, 70]
    assert opened.dataset("val").ids == opened.ids("val") == (HOSTILE[1], HOSTILE[4], HOSTILE[7])


def test_a_study_is_made_by_one_process_at_a_time(settings, tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    with held(folder, ""), pytest.raises(VisteerError, match="another process makes a study in"):
        make_study(folder, settings)
    make_study(folder, settings)
    with pytest.raises(VisteerError, match="holds a study already"):
        make_study(folder, settings)


def test_the_data_of_a_split_is_in_the_order_of_its_ids(study, pictures):
    data = study.dataset("val")
    assert data.ids == study.ids("val")
    for row, name in enumerate(data.ids):
        picture = np.asarray(Image.open(pictures / "images" / name))
        assert np.array_equal(data.images[row], picture)
        assert data.class_names[data.labels[row]] == name.split("/")[0]


def test_the_data_of_a_split_stays_on_disk(study):
    """What is written to the cache's file after the split was opened is seen, so nothing was read before."""
    data = study.dataset("val")
    held = np.array(data.images[:])
    digest = digest_data(data)
    assert digest == digest_data(
        SteeringDataset(held, data.labels, data.class_names, data.ids)  # the split has no edit
    )
    (file,) = (study.folder / "cache").glob("*.npy")
    np.load(file, mmap_mode="r+")[:] = 7
    assert (data.images[:] == 7).all()
    assert torch.equal(data.batch([1, 0]).images, torch.full((2, 3, 48, 48), 7 / 255))
    assert digest_data(data) != digest


def test_near_duplicates_are_on_one_side(study):
    of = {s.id: s for s in study.samples}
    for name in ("cat", "dog"):
        copy, original = of[f"{name}/19.png"], of[f"{name}/18.png"]
        assert copy.group == original.group
        assert copy.split == original.split
    assert len({s.group for s in study.samples}) == 38


def test_the_same_seed_splits_the_same_and_another_not(settings, made, tmp_path):
    again = make_study(tmp_path / "a", settings).study
    assert again.samples == Study(made).samples
    other = make_study(tmp_path / "b", dataclasses.replace(settings, seed=4)).study
    assert other.samples != again.samples


@pytest.mark.parametrize("given", ["sqlite:///visteer.db", "sqlite:///edits.sqlite", "ABSOLUTE"])
def test_where_the_database_is(settings, tmp_path, monkeypatch, given):
    url = f"sqlite:///{tmp_path / 'else where.db'}" if given == "ABSOLUTE" else given
    monkeypatch.chdir(tmp_path)
    study = make_study(Path("s? #1 100%"), dataclasses.replace(settings, database=url)).study
    with study.open_edits() as store:
        store.append("cat/00.png", MapEdit([[1]], [[1]], author="Ada"))
    expected = (
        tmp_path / "else where.db" if given == "ABSOLUTE" else study.folder / url.removeprefix("sqlite:///")
    )
    assert expected.is_file()
    monkeypatch.chdir("/")
    with EditStore(tmp_path / expected) as store:
        assert store.image_ids() == ("cat/00.png",)


def test_a_database_elsewhere_is_left_as_it_is():
    from visteer.study.study import _database_url

    url = _database_url(Path("/s"), "postgresql://ada:secret@host:5/name?x=1")
    assert str(url) == "postgresql://ada:***@host:5/name?x=1"
    kept = _database_url(Path("/s"), "sqlite:///a.db?timeout=5")
    assert (kept.database, dict(kept.query)) == ("/s/a.db", {"timeout": "5"})


def test_run_ids(with_runs):
    with with_runs().reserved_run("plain") as run:
        assert run == "plain-1"
    study = with_runs("plain-1", "steered-2", "plain-10", "steered-9")
    with study.reserved_run("steered") as run:
        assert run == "steered-11"
    assert study.runs() == ("plain-1", "steered-2", "steered-9", "plain-10")
    assert study.run_folder("plain-10").folder == study.folder / "runs" / "plain-10"


def test_a_reserved_run_is_no_run_until_it_is_begun(with_runs):
    study = with_runs("plain-1")
    with study.reserved_run("plain") as run, study.reserved_run("steered") as other:
        assert (run, other) == ("plain-2", "steered-3")
        assert study.runs() == ("plain-1",)
        with pytest.raises(VisteerError, match=r"has no run 'plain-2'; there are: plain-1$"):
            study.run_folder(run)
        RunFolder(study.folder / "runs" / other).start({})
        assert study.runs() == ("plain-1", "steered-3")
    assert study.runs() == ("plain-1", "steered-3")
    assert not (study.folder / "runs" / run).exists()


@pytest.mark.parametrize("kinds", [("plain",), ("plain", "steered")])
def test_runs_that_start_at_the_same_moment_take_different_numbers(study, kinds):
    workers, rounds = 8, 10
    together = threading.Barrier(workers)

    def reserve(worker: int) -> list[str]:
        taken = []
        for _ in range(rounds):
            together.wait(timeout=20)
            with study.reserved_run(kinds[worker % len(kinds)]) as run:
                RunFolder(study.folder / "runs" / run).start({})
                taken.append(run)
        return taken

    with ThreadPoolExecutor(workers) as pool:
        runs = [run for taken in pool.map(reserve, range(workers)) for run in taken]
    assert len({run.rpartition("-")[2] for run in runs}) == workers * rounds
    assert sorted(runs) == sorted(study.runs())


@pytest.mark.parametrize("name", ["", "..", ".", "plain-1/..", "/etc", "Plain-1", "plain-2", "plain-1\n"])
def test_what_is_no_run(with_runs, name):
    with pytest.raises(VisteerError, match="there are: plain-1"):
        with_runs("plain-1").run_folder(name)


def test_an_empty_split_is_named(study):
    text = (study.folder / "samples.csv").read_text().replace(",val,", ",train,")
    (study.folder / "samples.csv").write_text(text)
    with pytest.raises(VisteerError, match="the split 'val' has no image"):
        Study(study.folder).dataset("val")


def test_images_that_have_only_train_and_test_get_a_validation_part(pictures, settings, tmp_path):
    for part, numbers in {"train": range(12), "test": range(12, 18)}.items():
        for name in ("cat", "dog"):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for number in numbers:
                source = pictures / f"images/{name}/{number:02}.png"
                (tmp_path / "images" / part / name / source.name).write_bytes(source.read_bytes())
    plain = dataclasses.replace(settings, images=tmp_path / "images", masks=None, irrelevant_masks=None)
    study = make_study(tmp_path / "s", plain).study
    assert len(study.ids("test")) == 12
    assert len(study.ids("val")) >= 2
    assert set(study.dataset("val").labels.tolist()) == {0, 1}


def test_an_empty_class_folder_is_left_out_with_a_note(pictures, settings, tmp_path):
    import shutil

    shutil.copytree(pictures / "images", tmp_path / "images")
    (tmp_path / "images" / "emu").mkdir()
    plain = dataclasses.replace(settings, images=tmp_path / "images", masks=None, irrelevant_masks=None)
    new = make_study(tmp_path / "s", plain)
    assert new.study.class_names == ("cat", "dog")
    assert any(problem.path.name == "emu" and problem.severity == "note" for problem in new.problems)


def test_bad_files_stop_before_anything_is_written(pictures, settings, tmp_path):
    import shutil

    shutil.copytree(pictures / "images", tmp_path / "images")
    (tmp_path / "images/cat/00.png").write_bytes(b"")
    (tmp_path / "images/dog/01.png").write_bytes(b"\x89PNG")
    plain = dataclasses.replace(settings, images=tmp_path / "images", masks=None, irrelevant_masks=None)
    with pytest.raises(BadFiles, match="2 file") as stopped:
        make_study(tmp_path / "s", plain)
    assert {problem.path.name for problem in stopped.value.problems} == {"00.png", "01.png"}
    assert not (tmp_path / "s").exists()
    new = make_study(tmp_path / "s", plain, on_bad="skip")
    assert len(new.study.samples) == 38
    assert {p.path.name for p in new.problems if p.severity == "error"} == {"00.png", "01.png"}


@pytest.mark.parametrize("which", ["images", "weights", "study"])
def test_paths_that_are_no_unicode_are_refused_before_anything_is_written(settings, tmp_path, which):
    odd = tmp_path / "caf\udce9"
    if which != "study":
        settings = dataclasses.replace(settings, **{which: odd if which == "images" else str(odd)})
    with pytest.raises(VisteerError, match=r"udce9' is not UTF-8; rename"):
        make_study(odd if which == "study" else tmp_path / "s", settings)
    assert not list(tmp_path.iterdir())


def test_making_a_study_does_not_touch_the_random_state(settings, tmp_path):
    import torch

    torch.manual_seed(5)
    before = torch.get_rng_state()
    make_study(tmp_path / "s", settings)
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_names_its_parts(settings, tmp_path):
    told = []
    make_study(tmp_path / "s", settings, progress=lambda what, done, total: told.append((what, done, total)))
    assert {what for what, _, _ in told} == {"checking files", "finding near-duplicates", "decoding images"}
    assert ("decoding images", 40, 40) in told


@pytest.mark.parametrize(("layer", "cells"), [(None, 2), ("backbone.layer3", 3), ("backbone.layer1", 12)])
def test_maps_of_few_cells_are_told(settings, tmp_path, layer, cells):
    maps = make_study(tmp_path / "study", dataclasses.replace(settings, layer=layer)).maps
    assert (maps.rows, maps.columns) == (cells, cells)
    assert maps.text == f"{cells} x {cells} cells at {layer or 'backbone.layer4'}"
    assert maps.coarse == (cells < 4)


def test_a_layer_without_maps_is_refused_before_anything_is_written(settings, tmp_path):
    with pytest.raises(VisteerError, match=r"backbone\.fc gives no maps"):
        make_study(tmp_path / "study", dataclasses.replace(settings, layer="backbone.fc"))
    assert not (tmp_path / "study").exists()
