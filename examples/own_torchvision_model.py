"""Steering a torchvision model of your own with `visteer.steer`, and proving what it relies on.

Run it: python examples/own_torchvision_model.py
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

import visteer

LAYER = "layer3"  # a 4 x 4 map of a 64 px image; the last stage's has 2 x 2 cells


def make_data(count: int, seed: int, shortcut: bool) -> visteer.SteeringDataset:
    """Grey images: the class is a bright bar, lying or standing; a white corner gives it away in training."""
    rng = np.random.default_rng(seed)
    images = rng.integers(40, 120, (count, 64, 64, 3), dtype=np.uint8)
    labels = rng.integers(0, 2, count)
    edits = {}
    for row, label in enumerate(labels):
        top, left = rng.integers(20, 32, 2)
        height, width = (6, 20) if label else (20, 6)
        images[row, top : top + height, left : left + width] = 200
        marked = label if shortcut else rng.integers(0, 2)
        images[row, :8, 56 * marked : 56 * marked + 8] = 255
        target = np.zeros((64, 64), np.float32)
        target[top : top + height, left : left + width] = 1
        weight = target.copy()
        weight[:8] = 1  # the upper margin is irrelevant; everything else is unknown
        edits[str(row)] = visteer.MapEdit(target, weight, author="expert")
    return visteer.SteeringDataset(images, labels, ["standing", "lying"], edits=edits)


def make_model() -> ResNet:
    """Ten layers; any module will do that takes (N, 3, S, S) images in [0, 1].

    With GroupNorm in place of BatchNorm, since a few steps are too few for the statistics of batches.
    """
    torch.manual_seed(0)
    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=2, norm_layer=lambda width: nn.GroupNorm(8, width))


def main() -> None:
    """Train plainly and steered, and print accuracy and reliance on the corner."""
    training, test = make_data(128, seed=0, shortcut=True), make_data(40, seed=1, shortcut=False)
    plain = visteer.SteeringConfig(epochs=4, batch_size=16, augment="none")
    steered = dataclasses.replace(plain, method="attention-mse", irrelevant="transplant", target_layer=LAYER)
    for name, config in {"plain": plain, "steered": steered}.items():
        model = make_model()
        visteer.steer(model, training, config)
        result = visteer.evaluate(model, test, layer=LAYER, resamples=100)
        accuracy, reliance = result.figures["accuracy"], result.interventions["reliance_irrelevant"]
        print(f"{name}: accuracy {accuracy.value:.2f}, reliance on the corner {reliance.value:.2f}")


if __name__ == "__main__":
    main()
