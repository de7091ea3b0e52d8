"""Settings: ranges, presets, round trip, schedules."""

from __future__ import annotations

import dataclasses
import json

import pytest

from visteer.steering import METHODS, SteeringConfig


@pytest.mark.parametrize(
    "change",
    [
        {"method": "magic"},
        {"epochs": -1},
        {"attention_every": 0},
        {"gamma": -1.0},
        {"gamma": float("nan")},
        {"learning_rate": float("inf")},
        {"patience": 0},
        {"epochs": 10**400},
        {"accumulate": 10**10},
        {"gamma": 10**400},
        {"learning_rate": 1e31},
        {"seed": -1},
        {"seed": 2**63},
        {"optimizer": "lion"},
        {"irrelevant": "erase"},
    ],
)
def test_values_that_cannot_be_meant_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        SteeringConfig(**change)


@pytest.mark.parametrize(
    "change",
    [{"seed": float("nan")}, {"epochs": "1"}, {"epochs": True}, {"target_layer": 5}, {"freeze": (1,)}],
)
def test_values_of_another_type_are_refused(change):
    with pytest.raises(TypeError, match=next(iter(change))):
        SteeringConfig(**change)


def test_the_paper_preset_is_what_the_paper_states():
    paper = SteeringConfig.preset("paper")
    stated = (paper.optimizer, paper.learning_rate, paper.momentum, paper.weight_decay, paper.gamma)
    assert stated == ("sgd", 1e-3, 0.9, 5e-4, 10.0)
    assert (paper.batch_size, paper.epochs, paper.method) == (32, 100, "attention-mse")
    assert paper.gamma_schedule == "constant"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_its_own_gamma_unless_told_otherwise(name):
    assert SteeringConfig(method=name).gamma == METHODS[name].gamma
    assert SteeringConfig(method=name, gamma=3.0).gamma == 3.0
    own = METHODS[name].gamma if name != "attention-mse" else 10.0
    assert SteeringConfig.preset("paper", {"method": name}).gamma == own
    assert SteeringConfig.preset("paper", {"method": name, "gamma": 4.0}).gamma == 4.0


def test_a_setting_that_is_gone_is_left_out_if_it_was_off():
    stored = {**SteeringConfig(epochs=3).to_dict(), "gone": False, "gone_too": None}
    assert SteeringConfig.stored(stored) == SteeringConfig(epochs=3)
    with pytest.raises(TypeError, match="must be a mapping, not int"):
        SteeringConfig.stored(3)
    with pytest.raises(ValueError, match="not a setting: gone"):
        SteeringConfig.stored({**stored, "gone": True})


def test_an_unknown_preset_or_setting_is_refused():
    with pytest.raises(ValueError, match="no preset"):
        SteeringConfig.preset("best")
    with pytest.raises(ValueError, match="not a setting: speed"):
        SteeringConfig.from_dict({"speed": 3})
    with pytest.raises(TypeError, match="must be a mapping, not list"):
        SteeringConfig.from_dict([])
    with pytest.raises(TypeError, match="must be a mapping, not NoneType"):
        SteeringConfig.preset("paper", None)


def test_survives_json():
    config = SteeringConfig(freeze=("a", "b"), patience=3, gamma=0.5)
    assert SteeringConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SteeringConfig().gamma = 2.0


def test_learning_rate_rises_then_falls():
    config = SteeringConfig(epochs=10, warmup_epochs=2, learning_rate=1.0, schedule="cosine")
    rates = [config.learning_rate_at(epoch) for epoch in (0, 1, 2, 6, 10)]
    assert rates[0] < 0.02
    assert 0.4 < rates[1] < 0.6
    assert rates[2] == 1.0
    assert rates[3] == pytest.approx(0.5)
    assert rates[4] == pytest.approx(0.0)


def test_step_schedule_divides_by_ten_at_each_third():
    config = SteeringConfig(epochs=9, warmup_epochs=0, learning_rate=1.0, schedule="step")
    assert [config.learning_rate_at(e) for e in (0, 3, 6, 9)] == pytest.approx([1, 0.1, 0.01, 0.01])


def test_gamma_schedule():
    assert SteeringConfig(epochs=4, gamma=8.0, gamma_schedule="constant").gamma_at(1) == 8.0
    assert SteeringConfig(epochs=4, gamma=8.0, gamma_schedule="linear").gamma_at(1) == 2.0


def test_no_epochs_have_a_rate_and_a_factor_too():
    config = SteeringConfig(epochs=0, method="hint")
    assert config.learning_rate_at(0) == config.learning_rate
    assert config.gamma_at(0) == 0
