"""The attention branch network in the form of the paper, written out for a ResNet-18 without its modules."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def batch_norm(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    """The inference form: (x - mean) / sqrt(var + eps) * weight + bias."""
    scale = weights[f"{name}.weight"] / torch.sqrt(weights[f"{name}.running_var"] + 1e-5)
    shift = weights[f"{name}.bias"] - weights[f"{name}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def basic_block(x: Tensor, weights: dict[str, Tensor], name: str, stride: int) -> Tensor:
    out = F.conv2d(x, weights[f"{name}.conv1.weight"], stride=stride, padding=1)
    out = F.relu(batch_norm(out, weights, f"{name}.bn1"))
    out = batch_norm(F.conv2d(out, weights[f"{name}.conv2.weight"], padding=1), weights, f"{name}.bn2")
    if f"{name}.downsample.0.weight" in weights:
        x = batch_norm(
            F.conv2d(x, weights[f"{name}.downsample.0.weight"], stride=stride),
            weights,
            f"{name}.downsample.1",
        )
    return F.relu(out + x)


def paper_abn_resnet18(images: Tensor, weights: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """(logits_per, logits_att, map) of an ABN ResNet-18 in eval mode; the branch's layers are given by their names."""
    x = F.relu(batch_norm(F.conv2d(images, weights["conv1.weight"], stride=2, padding=3), weights, "bn1"))
    x = F.max_pool2d(x, 3, 2, 1)
    for layer, stride in (("layer1", 1), ("layer2", 2), ("layer3", 2)):
        x = basic_block(basic_block(x, weights, f"{layer}.0", stride), weights, f"{layer}.1", 1)

    branch = "layer4.branch"
    a = basic_block(basic_block(x, weights, f"{branch}.stage.0", 1), weights, f"{branch}.stage.1", 1)
    a = batch_norm(a, weights, f"{branch}.stage_norm")
    a = F.relu(
        batch_norm(F.conv2d(a, weights[f"{branch}.squeeze.weight"]), weights, f"{branch}.squeeze_norm")
    )
    scores = F.conv2d(a, weights[f"{branch}.classify.weight"], weights[f"{branch}.classify.bias"])
    logits_att = scores.flatten(2).mean(2)
    located = F.conv2d(a, weights[f"{branch}.locate.weight"], padding=1)
    attention = torch.sigmoid(batch_norm(located, weights, f"{branch}.locate_norm"))

    x = x * attention + x
    x = basic_block(x, weights, "layer4.stage.0", 2)
    x = basic_block(x, weights, "layer4.stage.1", 1)
    logits_per = x.flatten(2).mean(2) @ weights["fc.weight"].T + weights["fc.bias"]
    return logits_per, logits_att, attention[:, 0]
