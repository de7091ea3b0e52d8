"""Attention branch networks in the loop: both logits are trained, edits move the branch's own map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.steering.small_training import small_config, small_data
from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.models import AttentionBranchOutputs, Classifier, build_abn, build_classifier
from visteer.steering import SteeringDataset, steer


@pytest.fixture
def model() -> Classifier:
    torch.manual_seed(0)
    return build_classifier("abn:test_resnet", 2, "none", 64, ["red", "green"])


@pytest.fixture
def data() -> SteeringDataset:
    """The small data at four times the side, so that the branch has a grid of 4 x 4."""
    small = small_data()
    edits = {
        small.ids[row]: MapEdit(
            small.targets[small.edit_rows[row]] / np.float32(255),
            small.weights[small.edit_rows[row]] / np.float32(255),
            author="test",
        )
        for row in small.edited
    }
    images = np.asarray(small.images).repeat(4, 1).repeat(4, 2)
    return SteeringDataset(images, small.labels, small.class_names, edits=edits)


def test_the_prediction_loss_is_that_of_both_branches(model, data):
    """Of one step, at learning rate 0, in train mode."""
    config = small_config(
        method="abn", target_layer=None, epochs=1, batch_size=24, learning_rate=0.0, class_weights="none"
    )
    batch = data.batch(range(24))
    with torch.no_grad(), AttentionBranchOutputs(model) as seen:
        logits = model(batch.images)
    expected = F.cross_entropy(logits, batch.labels) + F.cross_entropy(seen.logits, batch.labels)
    run = steer(model, data, config)
    assert run.history[0]["prediction_loss"] == pytest.approx(expected.item(), rel=1e-4)
    assert run.history[0]["attention_loss"] == 0


def test_edits_move_the_map_of_the_branch(data):
    losses = {}
    for gamma in (0.0, 1.0):
        torch.manual_seed(0)
        model = build_classifier("abn:test_resnet", 2, "none", 64, ["red", "green"])
        config = small_config(method="abn-edit", target_layer=None, gamma=gamma, epochs=6)
        losses[gamma] = steer(model, data, config).history[-1]["attention_loss"]
    assert losses[1.0] < 0.8 * losses[0.0]


def test_networks_with_a_branch_take_the_two_methods_and_others_do_not(model, data):
    with pytest.raises(VisteerError, match="attention branch, which attention-mse would leave untrained"):
        steer(model, data, small_config(target_layer=None))
    plain = build_classifier("test_resnet", 2, "none", 64)
    with pytest.raises(VisteerError, match="build_abn"):
        steer(plain, data, small_config(method="abn-edit", target_layer=None))
    assert (
        steer(build_abn(plain), data, small_config(method="abn", target_layer=None, epochs=1)).best_epoch == 1
    )
