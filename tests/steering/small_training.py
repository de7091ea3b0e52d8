"""A small steering problem; as a script, one training run of it that a test can kill or launch twice."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from visteer.edits.map_edit import MapEdit
from visteer.steering import SteeringConfig, SteeringDataset, steer

SIZE = 16


def small_data(count: int = 24, region: bool = True) -> SteeringDataset:
    """Dark images with a blob whose colour is the class; edits on most images, marks in a corner on some."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (count, SIZE, SIZE, 3), dtype=np.uint8)
    labels = np.arange(count) % 2
    edits = {}
    for row, label in enumerate(labels):
        top, left = rng.integers(4, SIZE - 6, 2)
        images[row, top : top + 5, left : left + 5, label] = 220
        target = np.zeros((SIZE, SIZE), np.float32)
        if region:
            target[top : top + 5, left : left + 5] = 1
        weight = np.ones((SIZE, SIZE), np.float32)
        if row % 5 == 1 and region:
            target[:], weight[:] = 0, 0
            weight[:3, :3] = 1
        if row % 5 != 3:
            edits[str(row)] = MapEdit(target, weight, author="test")
    return SteeringDataset(images, labels, ["red", "green"], edits=edits)


def small_model() -> nn.Sequential:
    """A small network without batch statistics, so that parts of a batch add up to the whole."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 2),
        )


def small_config(**changes: object) -> SteeringConfig:
    """Settings that train it in a second."""
    values = {
        "method": "attention-mse",
        "target_layer": "3",
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 1e-2,
        "warmup_epochs": 0.0,
        "augment": "none",
        "gamma": 1.0,
        "gamma_schedule": "constant",
    }
    return SteeringConfig.from_dict({**values, **changes})


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_folder, run_epochs = Path(sys.argv[1]), int(sys.argv[2])
    run_config = small_config(epochs=run_epochs, irrelevant="transplant", augment="light")
    steer(small_model(), small_data(), run_config, folder=run_folder, resume="resume" in sys.argv[3:])
