"""docs/steering.md lists every setting with its default, and no other; presets are as it says."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest
import torch

from tests.docs.markdown import ROOT, sections, table_rows
from visteer.attribution import normalize_maps
from visteer.data.transforms import PRESETS as AUGMENTATIONS
from visteer.steering import METHODS, PRESETS, SteeringConfig, attention_mse_loss
from visteer.steering.irrelevant import (
    CLEAN_SHARE,
    DRAW_PROBABILITY,
    DRAWS_AN_IMAGE,
    LARGEST_DONOR,
    LARGEST_PASTE,
)

PAGE = ROOT / "docs" / "steering.md"
SECTIONS = sections(PAGE, 2)
SETTINGS = {row[0].strip("`"): row[1].strip("`") for row in table_rows(SECTIONS["Settings"])}
FIELDS = {field.name: str(field.default) for field in dataclasses.fields(SteeringConfig)}


def test_every_setting_is_there_and_no_other():
    assert set(SETTINGS) == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_defaults_are_as_stated(name):
    assert SETTINGS[name] == FIELDS[name]


def test_choices_are_named():
    text = SECTIONS["Settings"]
    for name, kind in SteeringConfig.__annotations__.items():
        if "Literal" in str(kind):
            for choice in re.findall(r'"([^"]+)"', str(kind)):
                assert f"`{choice}`" in text, (name, choice)
    for name in AUGMENTATIONS:
        assert f"`{name}`" in text, name


def test_the_paper_preset_is_as_stated():
    text, paper = SECTIONS["Settings"], SteeringConfig.from_dict(PRESETS["paper"])
    assert "SGD with 1e-3, momentum 0.9, weight decay 5e-4, gamma 10, batch 32, 100\nepochs" in text
    stated = (paper.optimizer, paper.learning_rate, paper.momentum, paper.weight_decay, paper.gamma)
    assert stated == ("sgd", 1e-3, 0.9, 5e-4, 10)
    assert (paper.batch_size, paper.epochs) == (32, 100)
    assert (paper.map_resolution, paper.empty_regions) == ("image", "suppress")
    assert (paper.irrelevant, paper.augment) == ("none", "light")
    assert "gamma and learning rate\nconstant, without a warm-up, and classes not weighed" in text
    assert (paper.gamma_schedule, paper.schedule, paper.warmup_epochs) == ("constant", "constant", 0)
    assert paper.class_weights == "none"


def test_the_formula_is_the_one_computed():
    """N and the attention loss as the page writes them, in plain Python."""
    assert "N = (M - min M) / max(max M - min M, 0.1 / (h * w))" in SECTIONS["The map"]
    formula = "attention = 0.9 * sum W (N - T)^2 / sum W   +   0.1 * sum W T (N - T)^2 / sum W T"
    assert formula in SECTIONS["The attention loss"]
    maps = [[0.0, 3.0, 1.0], [0.001, 0.002, 0.0]]
    targets, weights = [1.0, 0.25, 0.0], [1.0, 0.5, 0.25]
    for cells in maps:
        spread = max(max(cells) - min(cells), 0.1 / 3)
        unit = [(cell - min(cells)) / spread for cell in cells]
        squares = [(n - t) ** 2 for n, t in zip(unit, targets, strict=True)]
        region = [w * t for w, t in zip(weights, targets, strict=True)]
        everywhere = sum(w * s for w, s in zip(weights, squares, strict=True)) / sum(weights)
        inside = sum(w * s for w, s in zip(region, squares, strict=True)) / sum(region)
        raw = torch.tensor([[cells]], dtype=torch.float64)
        assert normalize_maps(raw)[0, 0].tolist() == pytest.approx(unit)
        loss = attention_mse_loss(raw, torch.tensor([[targets]]), torch.tensor([[weights]]))
        assert loss.item() == pytest.approx(0.9 * everywhere + 0.1 * inside)


def test_the_transplant_is_as_stated():
    text = " ".join(SECTIONS["Regions marked irrelevant"].split())
    assert DRAWS_AN_IMAGE == 12
    assert "the first of twelve drawn marks" in text
    assert f"with probability {DRAW_PROBABILITY:g}" in text
    assert math.isclose(LARGEST_DONOR, 1 / 4)
    assert "at most a quarter" in text
    assert math.isclose(LARGEST_PASTE, 1 / 10)
    assert "at most a tenth" in text
    assert math.isclose(CLEAN_SHARE, 3 / 10)
    assert "three in ten get no donor" in text


def test_the_table_of_methods_is_the_one_computed():
    rows = table_rows(SECTIONS["Methods"])
    assert rows == [
        [f"`{m.name}`", m.adds, m.marks, m.cost, f"{m.gamma:g}", m.source] for m in METHODS.values()
    ]
    (formulas,) = re.findall(r"^```text\n(.*?)^```$", SECTIONS["Methods"], re.M | re.S)
    stated = dict(line.split(None, 1) for line in formulas.splitlines())
    assert stated == {m.name: m.formula for m in METHODS.values() if m.loss is not None}
