"""Steering inside a plain PyTorch loop: three lines more than without it.

Run it: python examples/plain_loop.py
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

import visteer


def make_batch(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise with a red or green blob (the class) at a random place, and a blob-shaped target map an image."""
    images = torch.rand((32, 3, 32, 32), generator=generator) * 0.3
    labels = torch.randint(2, (32,), generator=generator)
    targets = torch.zeros((32, 32, 32))
    corners = torch.randint(24, (32, 2), generator=generator).tolist()
    for image, target, label, (top, left) in zip(images, targets, labels.tolist(), corners, strict=True):
        image[label, top : top + 8, left : left + 8] += 0.6
        target[top : top + 8, left : left + 8] = 1
    return images, labels, targets


def main() -> None:
    """Train a small network and print how it learns the class and how its maps approach the targets."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()
    )
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    with visteer.GradCAM(model, layer="0") as cam:
        for step in range(101):
            images, labels, targets = make_batch(generator)
            logits = model(images)  # the only forward pass
            maps = cam.maps(logits, labels, create_graph=True)
            attention = visteer.attention_mse_loss(maps, targets)
            prediction = F.cross_entropy(logits, labels)
            loss = prediction + 10 * step / 100 * attention  # first the class, then the maps
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 20 == 0:
                right = (logits.argmax(1) == labels).float().mean()
                print(
                    f"step {step}: {right:.0%} right, prediction loss {prediction.item():.3f}, "
                    f"attention loss {attention.item():.3f}"
                )


if __name__ == "__main__":
    main()
