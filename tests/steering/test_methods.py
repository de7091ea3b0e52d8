"""Every method in the one loop: it learns, it needs its marks, and its own loss falls."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from tests.steering.small_training import small_config, small_data, small_model
from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.models import build_classifier
from visteer.steering import METHODS, SteeringDataset, steer
from visteer.steering.config import Method
from visteer.steering.methods import usable

STEERING = [name for name, method in METHODS.items() if method.loss and not method.has_branch]


def marked(relevant: bool = True, irrelevant: bool = True, count: int = 24) -> SteeringDataset:
    """The small data with one kind of edit on every second image: the blob's rough place, a corner, or both."""
    data = small_data(count)
    target, weight = np.zeros((2, 16, 16), np.float32)
    if relevant:
        target[4:14, 4:14], weight[4:14, 4:14] = 1, 1
    if irrelevant:
        weight[:3, :3] = 1
    edits = {str(row): MapEdit(target, weight, author="test") for row in range(0, count, 2)}
    return SteeringDataset(np.asarray(data.images), data.labels, data.class_names, edits=edits)


def weights_of(model: nn.Module) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in model.state_dict().values()])


def test_the_settings_take_the_names_of_the_table_and_no_other():
    assert tuple(METHODS) == get_args(Method)


@pytest.mark.parametrize("name", METHODS)
def test_an_entry_is_complete(name):
    method = METHODS[name]
    assert method.name == name
    assert method.adds
    assert method.formula
    assert (method.loss is None) == (method.gamma == 0)
    assert (method.source == "") == (name == "none")


@pytest.mark.parametrize("name", STEERING)
def test_every_method_trains_on_the_images_with_its_marks(name):
    model, data = small_model(), marked()
    before = weights_of(model)
    config = small_config(method=name, gamma=METHODS[name].gamma, epochs=2, precision="bf16")
    run = steer(model, data, config)
    assert all(math.isfinite(row["attention_loss"]) for row in run.history)
    assert run.history[0]["attention_loss"] > 0
    assert not torch.equal(weights_of(model), before)


@pytest.mark.parametrize(
    "name", ["hint", "ppce", "energy", "dice", "distance-aware", "res-g", "rrr-g", "rrr"]
)
def test_its_loss_falls_below_that_of_a_run_without_it(name):
    losses, data = {}, marked()
    # Asked to look where nothing is, and away from the blob: no prediction brings that about.
    data.targets[data.weights > 0] = 255 - data.targets[data.weights > 0]
    for gamma in (0.0, 10 * METHODS[name].gamma):
        run = steer(small_model(), data, small_config(method=name, gamma=gamma, epochs=10))
        losses[gamma > 0] = run.history[-1]["attention_loss"]
    assert losses[True] < 0.8 * losses[False]


@pytest.mark.parametrize("name", ["caipi", "rrr", "energy"])
def test_a_batch_in_parts_gives_the_same_weights(name):
    results = []
    for accumulate in (1, 3):
        model = small_model()
        steer(model, marked(), small_config(method=name, accumulate=accumulate, epochs=2))
        results.append(weights_of(model))
    assert torch.allclose(results[0], results[1], atol=1e-6)


@pytest.mark.parametrize("name", ["rrr", "caipi", "res-g"])
def test_edits_without_its_marks_change_nothing(name):
    """Images with a relevant mark alone take no part: with or without these edits the weights are the same."""
    weights, data, middle = [], small_data(), np.zeros((16, 16), np.float32)
    middle[4:14, 4:14] = 1
    corner = middle.copy()
    corner[:3, :3] = 1
    both = {str(row): MapEdit(middle, corner, author="test") for row in range(0, len(data), 2)}
    relevant = {str(row): MapEdit(middle, middle, author="test") for row in range(1, len(data), 2)}
    for edits in (both, {**both, **relevant}):
        model = small_model()
        mixed = SteeringDataset(np.asarray(data.images), data.labels, data.class_names, edits=edits)
        steer(model, mixed, small_config(method=name, gamma=METHODS[name].gamma))
        weights.append(weights_of(model))
    assert torch.equal(*weights)
    mixed = marked(irrelevant=False)
    few = {"1": MapEdit(np.zeros((16, 16), np.float32), np.ones((16, 16), np.float32), author="test")}
    data = SteeringDataset(np.asarray(mixed.images), mixed.labels, mixed.class_names, edits=few)
    assert usable(METHODS["rrr"], data).tolist() == [True]
    assert usable(METHODS["res-g"], data).tolist() == [False]
    with pytest.raises(VisteerError, match=f"{name} needs .*irrelevant marks; this study has none"):
        steer(small_model(), mixed, small_config(method=name))


def test_a_method_says_which_marks_are_missing():
    with pytest.raises(
        VisteerError, match=r"^hint needs relevant marks; .*draw some \(visteer edit, key B\)$"
    ):
        steer(small_model(), marked(relevant=False), small_config(method="hint"))
    with pytest.raises(VisteerError, match=r"key N.*--outside irrelevant"):
        steer(small_model(), marked(irrelevant=False), small_config(method="rrr"))
    data = small_data()
    without = SteeringDataset(data.images, data.labels, ["a", "b"])
    with pytest.raises(VisteerError, match="there is no edit"):
        steer(small_model(), without, small_config(method="rrr"))


def test_transplanted_marks_count_as_irrelevant():
    """With rrr every image that a mark was pasted onto takes part, not the marked ones alone."""
    alone = steer(small_model(), marked(), small_config(method="rrr", epochs=1, gamma=0))
    pasted = steer(
        small_model(), marked(), small_config(method="rrr", epochs=1, gamma=0, irrelevant="transplant")
    )
    assert pasted.history[0]["attention_loss"] > 0
    assert pasted.history[0]["attention_loss"] != alone.history[0]["attention_loss"]


def test_input_gradients_are_computed_in_full_precision():
    """A bf16 run of rrr has the weights of the fp32 run; one of attention-mse has not."""
    for name, same in (("rrr", True), ("attention-mse", False)):
        results = []
        for precision in ("fp32", "bf16"):
            model = small_model()
            steer(model, marked(), small_config(method=name, precision=precision, epochs=1))
            results.append(weights_of(model))
        assert torch.equal(*results) == same, name


def test_caipi_trains_on_copies_with_noise():
    seen, model = [], small_model()
    model.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0].detach()))
    steer(model, marked(), small_config(method="caipi", epochs=1, batch_size=24))
    images, copies = seen
    different = (images != copies).any(1)
    assert different[:, :3, :3].any(2).any(1).sum() == 12
    assert not different[:, 3:].any()


def test_rbr_refuses_batch_norm():
    with pytest.raises(VisteerError, match=r"rbr needs third derivatives.*take rrr"):
        steer(
            build_classifier("test_resnet", 2, "none", 32),
            marked(),
            small_config(method="rbr", target_layer=None),
        )


def test_cdep_refuses_a_network_without_rules():
    model = build_classifier("test_resnet", 2, "none", 32)
    with pytest.raises(VisteerError, match="cdep has no rule"):
        steer(model, marked(), small_config(method="cdep", target_layer=None))
