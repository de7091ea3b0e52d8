"""Small networks for the tests of maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def smooth_network(seed: int = 0) -> nn.Sequential:
    """Twice differentiable everywhere; its maps are above 0, so that the ReLU has no kink there."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.Softplus(),
        nn.Conv2d(4, 5, 3, stride=2),
        nn.Softplus(),
        nn.Flatten(),
        nn.Linear(5 * 9, 6),
        nn.Softplus(),
        nn.Linear(6, 3),
    ).double()
    with torch.no_grad():
        for layer in (network[5], network[7]):
            layer.weight.abs_()
    return network


class LinearHead(nn.Module):
    """Convolutions, global average pool, linear head: the case with a closed form. Layer: `body`."""

    def __init__(self, classes: int = 3, in_place: bool = False, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.Tanh(), nn.Conv2d(6, 8, 3)
        )
        self.relu = nn.ReLU(inplace=True) if in_place else nn.Identity()
        self.head = nn.Linear(8, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.relu(self.body(images)).mean(dim=(2, 3)))
        return logits


def random_images(n: int = 4, size: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed))
