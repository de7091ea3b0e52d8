"""Attribution in its slow paper form: loops, one image, one channel, one cell at a time."""

from __future__ import annotations

import torch
from torch import Tensor


def grad_cam_of_linear_head(activations: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM before the ReLU, for a global average pool and a linear head: no autograd.

    The gradient of logit c with respect to each cell of channel k is weight[c, k] / (h * w).
    """
    n, channels, h, w = activations.shape
    maps = []
    for i in range(n):
        total = activations.new_zeros(h, w)
        for k in range(channels):
            total = total + weight[targets[i], k] / (h * w) * activations[i, k]
        maps.append(total)
    return torch.stack(maps)


def min_max(image: Tensor, floor: float) -> Tensor:
    """(h, w) to [0, 1], never stretched by more than 1 / floor."""
    low, high = min(image.flatten().tolist()), max(image.flatten().tolist())
    return (image - low) / (high - low if high - low > floor else floor)


def pooled_edit(target: Tensor, weight: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Weighted mean target and mean weight of each new cell, by the area it shares with each old one."""
    rows, columns = target.shape
    new_target, new_weight = torch.zeros(size, dtype=target.dtype), torch.zeros(size, dtype=target.dtype)
    for i in range(size[0]):
        for j in range(size[1]):
            weight_sum, mass = 0.0, 0.0
            for y in range(rows):
                for x in range(columns):
                    share = _overlap(i, size[0], y, rows) * _overlap(j, size[1], x, columns)
                    weight_sum += share * weight[y, x].item()
                    mass += share * weight[y, x].item() * target[y, x].item()
            area = 1 / (size[0] * size[1])
            new_weight[i, j] = weight_sum / area
            new_target[i, j] = mass / weight_sum if weight_sum > 0 else 0.0
    return new_target, new_weight


def _overlap(new: int, new_count: int, old: int, old_count: int) -> float:
    low = max(new / new_count, old / old_count)
    high = min((new + 1) / new_count, (old + 1) / old_count)
    # Rounding of the quotients must not make touching cells overlap.
    return high - low if high - low > 1e-12 else 0.0


def channel_map(method: str, activation: Tensor, gradient: Tensor) -> Tensor:
    """The map of one image (K, h, w) before the ReLU, as each paper writes it."""
    channels, h, w = activation.shape
    total = torch.zeros(h, w, dtype=activation.dtype)
    for k in range(channels):
        weight = torch.zeros(h, w, dtype=activation.dtype)
        for i in range(h):
            for j in range(w):
                weight[i, j] = _weight(method, activation[k], gradient[k], i, j)
        total += weight * activation[k]
    return total


def _weight(method: str, a_k: Tensor, g: Tensor, i: int, j: int) -> float:
    h, w = a_k.shape
    cells = [(y, x) for y in range(h) for x in range(w)]
    if method == "grad-cam":
        return sum(g[c].item() for c in cells) / (h * w)
    if method == "hirescam":
        return g[i, j].item()
    if method == "layercam":
        return max(g[i, j].item(), 0.0)
    if method == "xgrad-cam":
        activity = sum(a_k[c].item() for c in cells)
        return sum(g[c].item() * a_k[c].item() / activity for c in cells) if activity else 0.0
    assert method == "grad-cam++"
    activity = sum(a_k[c].item() for c in cells)
    weight = 0.0
    for c in cells:
        denominator = 2 * g[c].item() ** 2 + activity * g[c].item() ** 3
        if denominator > 0:
            weight += g[c].item() ** 2 / denominator * max(g[c].item(), 0.0)
    return weight
