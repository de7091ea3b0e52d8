"""Benchmark files: what they hold, which cells they make, what is refused."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from visteer.benchmark.spec import PUBLISHED_LOSS, Cell, read_spec
from visteer.errors import VisteerError
from visteer.steering import METHODS, SteeringConfig
from visteer.steering.config import changed_settings


def test_a_file_gives_its_grid_seed_by_seed(spec_path: Path):
    spec = read_spec(spec_path)
    assert [cell.name for cell in spec.cells()] == [
        f"blobs--tiny--{approach}--f{fraction}--s{seed}"
        for seed in (0, 1)
        for fraction, approach in (("1", "without"), ("1", "proposed"), ("0.5", "proposed"))
    ]


def test_an_approach_without_edits_is_run_once_for_all_fractions(spec_path: Path):
    cells = list(read_spec(spec_path).cells())
    assert Cell("blobs", "tiny", "without", 0.5, 0) not in cells
    assert Cell("blobs", "tiny", "proposed", 0.5, 0) in cells


def test_settings_go_from_preset_and_benchmark_to_model_data_and_approach(spec_path: Path):
    text = spec_path.read_text(encoding="utf-8").replace('approaches = ["without", "proposed"]', "")
    text = text.replace(
        "image_size = 32", "image_size = 32\nsettings = {epochs = 3, gamma = 2.0, patience = 4}"
    )
    text = text.replace('weights = "none"', 'weights = "none"\nsettings = {epochs = 2, batch_size = 4}')
    spec_path.write_text(text + '\n[approaches.paper]\npreset = "paper"\ngamma = 3.0\n', encoding="utf-8")
    config = read_spec(spec_path).config(Cell("blobs", "tiny", "paper", 1.0, 7))
    assert (config.optimizer, config.epochs, config.gamma, config.seed) == ("sgd", 3, 3.0, 7)
    assert (config.batch_size, config.patience) == (4, 4)


def test_the_papers_grid_trains_all_approaches_alike(tmp_path: Path):
    """They differ in the loss alone."""
    spec = read_spec(Path(str(files("visteer.benchmark"))) / "specs" / "paper.toml", tmp_path)
    plain = spec.config(Cell("busi", "resnet50", "without", 1.0, 0)).to_dict()
    for approach in spec.approaches:
        other = spec.config(Cell("busi", "resnet50", approach, 1.0, 0)).to_dict()
        assert {name for name in other if other[name] != plain[name]} <= set(PUBLISHED_LOSS), approach
    paper = SteeringConfig.preset("paper", {"select_by": "f2+auc"})
    assert spec.config(Cell("busi", "resnet50", "proposed", 1.0, 0)) == paper


def test_a_setting_that_is_gone_counts_where_it_was_on():
    assert changed_settings({"gone": False}, {}) == {}
    assert changed_settings({"gone": True}, {}) == {"gone": (True, None)}


def test_paths_count_from_the_file_or_from_the_data_root(spec_path: Path, tmp_path: Path):
    assert read_spec(spec_path).data[0].images == tmp_path / "pictures" / "images"
    assert read_spec(spec_path, tmp_path / "else").data[0].images == tmp_path / "else" / "pictures" / "images"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds = [0, 1]", "seeds = [0, 0]", "twice"),
        ("seeds = [0, 1]", "seeds = []", "at least one number"),
        ('["without", "proposed"]', '["abn", "abn"]', "one stands there twice"),
        ("seeds = [0, 1]", "seeds = [-1]", "no whole number"),
        ("fractions = [1.0, 0.5]", "fractions = [1.5]", "no number in"),
        ('"proposed"]', '"mine"]', "'mine' needs a table"),
        ("epochs = 1", "epoks = 1", "epoks"),
        (
            "epochs = 1",
            'epochs = "one"',
            "settings of without on blobs with tiny: epochs must be a whole number",
        ),
        (
            '["without", "proposed"]',
            '"without"',
            "approaches must be a list of names or a table, not 'without'",
        ),
        ('name = "blobs"', "", "an entry of data: name is missing"),
        ('name = "blobs"', 'name = "../blobs"', "is no name"),
        ('name = "blobs"', 'name = "a--b"', "is no name"),
        ('images = "pictures/images"', "", "blobs: images is missing"),
        ('weights = "none"', 'weights = "none"\nurl = "x"', "not an entry: url"),
        ("image_size = 32", "image_size = 32\nsettings = {epoks = 1}", "epoks"),
        ('weights = "none"', 'weights = "none"\nsettings = 3', "model tiny: settings must be a table"),
        ("[[data]]", "[[data", "small.toml"),
        ('["without", "proposed"]', "[]", "approaches must name at least one"),
        ("epochs = 1", f"gamma = {'9' * 400}", "gamma must be a number from 0 to"),
        ("epochs = 1", 'augment = "wild"', "no transform preset 'wild'"),
        ("epochs = 1", "seed = 5", "seed is no setting"),
        ("fractions = [1.0, 0.5]", "fractions = [0.5, 0.5000000001]", "both called 0.5"),
        ("fractions = [1.0, 0.5]", "fractions = [1.0, -0.0]", "above 0"),
        ("image_size = 32", 'image_size = 32\nclasses = "cat"', "classes must be a list"),
        ("image_size = 32", "image_size = 32\nlayer = 3", "layer must be a text"),
        ('name = "tiny"', f'name = "{"x" * 61}"', "at most 60"),
    ],
)
def test_what_cannot_be_meant_is_one_line_with_the_file(spec_path: Path, old: str, new: str, said: str):
    text = spec_path.read_text(encoding="utf-8")
    assert old in text
    spec_path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(VisteerError, match=r"^\S*small\.toml: [^\n]*$") as raised:
        read_spec(spec_path)
    assert said in str(raised.value)


def test_a_byte_order_mark_does_no_harm(spec_path: Path):
    spec = read_spec(spec_path)
    spec_path.write_text("\ufeff" + spec_path.read_text(encoding="utf-8"), encoding="utf-8")
    assert read_spec(spec_path) == spec


def test_settings_that_were_changed_are_told_and_those_of_the_data_are_not(spec_path: Path):
    spec = read_spec(spec_path)
    cell = Cell("blobs", "tiny", "proposed", 1.0, 0)
    ran = {**spec.config(cell).to_dict(), "target_layer": "layer4", "select_by": "f2+auc"}
    assert spec.changes(cell, ran) == {}
    assert spec.changes(cell, {**ran, "gamma": 99.0}) == {"gamma": (99.0, 10.0)}
    assert spec.changes(cell, {}) == {
        name: (default, now)
        for name, now in spec.config(cell).to_dict().items()
        if (default := SteeringConfig().to_dict()[name]) != now
    }
    assert spec.changes(cell, {**ran, "method": "magic"}) == {"method": ("magic", "attention-mse")}  # damaged
    plain = replace(cell, approach="without")
    assert spec.changes(plain, {**spec.config(plain).to_dict(), "gamma": 99.0}) == {}  # it adds nothing
    text = spec_path.read_text(encoding="utf-8").replace("[settings]", '[settings]\ntarget_layer = "layer3"')
    spec_path.write_text(text, encoding="utf-8")
    assert read_spec(spec_path).changes(cell, ran) == {"target_layer": ("layer4", "layer3")}


def test_a_method_has_its_own_gamma_unless_told_otherwise(spec_path: Path):
    tables = (
        '[approaches]\nproposed = {}\nl1 = {method = "l1"}\nstrong = {method = "l1", gamma = 50.0}\n[[data]]'
    )
    text = spec_path.read_text(encoding="utf-8").replace('approaches = ["without", "proposed"]', "")
    spec_path.write_text(text.replace("[[data]]", tables), encoding="utf-8")
    spec = read_spec(spec_path)
    gammas = {name: spec.config(Cell("blobs", "tiny", name, 1.0, 0)).gamma for name in spec.approaches}
    assert (gammas["l1"], gammas["strong"], gammas["proposed"]) == (METHODS["l1"].gamma, 50.0, 10.0)
    spec_path.write_text(spec_path.read_text(encoding="utf-8").replace('method = "l1"}', 'method = ["l1"]}'))
    with pytest.raises(VisteerError, match="method must be one of"):
        read_spec(spec_path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(VisteerError, match=r"none\.toml cannot be read"):
        read_spec(tmp_path / "none.toml")
