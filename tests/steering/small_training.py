"""A small steering problem; as a script, one training run of it that a test can kill or launch twice."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.steering import RunFolder, SteeringConfig, SteeringDataset, steer

SIZE = 16


def small_data(count: int = 24, region: bool = True) -> SteeringDataset:
    """Dark images with a blob whose colour is the class; edits on most images, marks in two corners on some."""
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
            corner = slice(0, 3) if row % 2 else slice(SIZE - 3, SIZE)
            weight[corner, corner] = 1
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
        "precision": "fp32",
        "gamma": 1.0,
        "gamma_schedule": "constant",
    }
    return SteeringConfig.from_dict({**values, **changes})


def fail_on_one_process(folder: Path, config: SteeringConfig, process: str, what: str) -> None:
    """Let `what` fail on one process and write down the error that every process ends with.

    A process waits after its error: were it to end, the launcher or a closed connection would wake the others.
    """
    rank = os.environ["RANK"]

    def broken(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    changes = {"validate": broken} if (rank, what) == (process, "validate") else {}
    if rank == process and what != "validate":
        setattr(RunFolder, what, broken)
    try:
        steer(small_model(), small_data(), config, folder=folder, **changes)
    except (OSError, VisteerError) as error:
        (folder.parent / f"error-{rank}").write_text(f"{type(error).__name__}: {error}")
        time.sleep(120)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_folder, run_epochs = Path(sys.argv[1]), int(sys.argv[2])
    run_config = small_config(epochs=run_epochs, irrelevant="transplant", augment="light")
    if sys.argv[3:4] == ["fail"]:
        fail_on_one_process(run_folder, run_config, *sys.argv[4:])
    else:
        steer(small_model(), small_data(), run_config, folder=run_folder, resume="resume" in sys.argv[3:])
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
