"""Regions of the data set as edits, and edits that were drawn elsewhere."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.study import Study, export_edits, import_drawn, import_regions, make_study


def edited(study: Study, split: str) -> set[str]:
    with study.open_edits() as store:
        return set(store.latest(study.ids(split)))


def test_fractions_are_nested_and_what_is_measured_is_complete(study, tmp_path):
    found = []
    for fraction in (0.25, 0.5, 1.0):
        before = {name for split in ("train", "val", "test") for name in edited(study, split)}
        count = import_regions(study, "masks", fraction=fraction)
        found.append(edited(study, "train"))
        assert edited(study, "val") == set(study.ids("val"))
        assert edited(study, "test") == set(study.ids("test"))
        after = found[-1] | set(study.ids("val")) | set(study.ids("test"))
        assert count == len(after - before)
    train = len(study.ids("train"))
    assert [len(some) for some in found] == [round(train * 0.25), round(train * 0.5), train]
    assert found[0] < found[1] < found[2]


def test_no_fraction_at_all_still_measures(study):
    import_regions(study, "masks", fraction=0)
    assert edited(study, "train") == set()
    assert edited(study, "test") == set(study.ids("test"))


def test_another_seed_chooses_others(study, made):
    import_regions(study, "masks", fraction=0.5, seed=1)
    first = edited(study, "train")
    with study.open_edits() as store:
        assert store.count() == len(first) + len(study.ids("val")) + len(study.ids("test"))
    import_regions(study, "masks", fraction=0.5, seed=2)
    assert edited(study, "train") > first


@pytest.mark.parametrize("outside", ["irrelevant", "unknown"])
def test_relevant_irrelevant_and_outside(study, outside):
    import_regions(study, "masks", outside=outside)
    with study.open_edits() as store:
        edit = store.latest()["cat/00.png"]
    relevant = np.zeros((48, 48), bool)
    relevant[8:24, 8:24] = True
    mark = np.zeros((48, 48), bool)
    mark[:5, :5] = True
    assert np.array_equal(edit.target > 0, relevant)
    known = relevant | mark if outside == "unknown" else np.ones((48, 48), bool)
    assert np.array_equal(edit.weight > 0, known)
    assert (edit.author, edit.source) == ("folder masks", "masks")


def test_masks_that_went_bad_since_write_nothing(study, tmp_path, pictures):
    import shutil

    masks = shutil.copytree(pictures / "masks", tmp_path / "masks")
    path = study.folder / "visteer.toml"
    path.write_text(path.read_text().replace(str(pictures / "masks"), str(masks)))
    (masks / "dog/07.png").write_bytes(b"")
    moved = Study(study.folder)
    with pytest.raises(VisteerError, match=r"07\.png"):
        import_regions(moved, "masks")
    with moved.open_edits() as store:
        assert store.count() == 0


def test_export_and_import_give_the_same_edits(study, tmp_path):
    import_regions(study, "masks", fraction=0.5)
    count = export_edits(study, tmp_path / "edits")
    assert import_drawn(study, tmp_path / "edits") == 0
    with study.open_edits() as store:
        assert len(store.latest()) == count
        assert store.count() == count


def test_only_what_was_drawn_anew_becomes_a_revision(study, tmp_path):
    import_regions(study, "masks")
    export_edits(study, tmp_path / "edits")
    with study.open_edits() as store:
        store.append("dog/03.png", MapEdit([[1]], [[1]], author="Ada", comment="later"))
    importance = next(
        path
        for path in (tmp_path / "edits").rglob("*")
        if path.name.startswith("03.png") and path.parent.name == "cat" and "trust" not in path.name
    )
    Image.fromarray(np.zeros((48, 48), np.uint16)).save(importance)
    assert (
        import_drawn(study, tmp_path / "edits") == 2
    )  # the drawn one, and the older one of dog/03 taken back
    with study.open_edits() as store:
        assert len(store.history("cat/03.png")) == 2
        assert not store.latest()["cat/03.png"].target.any()
        assert len(store.history("cat/04.png")) == 1


def test_edits_of_unknown_images_are_refused(study, tmp_path):
    (tmp_path / "edits").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "edits" / "bird.importance.png")
    with pytest.raises(VisteerError, match=r"images that the study has not, such as 'bird'"):
        import_drawn(study, tmp_path / "edits")


def test_outside_is_unknown_by_default_where_marks_are_given(study):
    import_regions(study, "masks")
    with study.open_edits() as store:
        edits = store.latest()
    assert any(edit.unknown.any() for edit in edits.values())
    plain = replace(study.settings, irrelevant_masks=None)
    study.settings = plain
    import_regions(study, "masks")
    with study.open_edits() as store:
        edits = store.latest()
    assert not any(edit.unknown.any() for edit in edits.values())


def test_a_mask_does_not_supersede_what_an_expert_drew(study):
    import_regions(study, "masks", outside="unknown")
    name = study.ids("train")[0]
    size = study.settings.image_size
    drawn = MapEdit(np.ones((size, size)), np.ones((size, size)), author="Ada")
    with study.open_edits() as store:
        store.append(name, drawn)
    import_regions(study, "masks", outside="irrelevant")
    with study.open_edits() as store:
        assert store.latest([name])[name].author == "Ada"
    assert import_regions(study, "masks", outside="irrelevant") == 0


def test_masks_larger_than_any_edit_are_brought_to_the_studys_grid(study, tmp_path):
    masks = tmp_path / "masks"
    shutil.copytree(study.settings.masks, masks)
    Image.new("L", (5000, 5000), 255).save(min(masks.rglob("*.png")))
    study.settings = replace(study.settings, masks=masks)
    assert import_regions(study, "masks") > 0


def test_in_a_study_whose_unpainted_cells_are_irrelevant_they_count_so_and_stay_as_they_were_drawn(
    settings, tmp_path
):
    study = make_study(tmp_path / "study", replace(settings, unpainted="irrelevant")).study
    name = study.ids("train")[0]
    drawn = MapEdit([[1.0, 0.0]], [[0.5, 0.0]], author="Ada")
    with study.open_edits() as store:
        store.append(name, drawn)
        assert store.latest([name])[name].digest == drawn.digest
    again = Study(study.folder)
    assert again.settings.unpainted == "irrelevant"
    data = again.dataset("train")
    targets, weights = data.edit_arrays(np.array([0]))
    half = settings.image_size // 2
    assert (weights[0, :, :half] == 128).all()
    assert (weights[0, :, half:] == 255).all()
    assert (targets[0, :, half:] == 0).all()


def test_a_study_from_before_the_setting_leaves_unpainted_cells_unknown(study):
    path = study.folder / "visteer.toml"
    text = path.read_text(encoding="utf-8")
    assert 'unpainted = "unknown"\n' in text
    path.write_text(text.replace('unpainted = "unknown"\n', ""), encoding="utf-8")
    assert Study(study.folder).settings.unpainted == "unknown"
    path.write_text(text.replace('"unknown"', '"maybe"'), encoding="utf-8")
    with pytest.raises(VisteerError, match="unpainted must be one of unknown, irrelevant"):
        Study(study.folder)
