"""Steering as a callback of a trainer: hooks on fit start, batch end and fit end, as trainer libraries have them.

Any trainer that lets you add to the loss of a batch can use `SteeringCallback` as it stands.

Run it: python examples/callback_style.py
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import visteer


class SteeringCallback:
    """Adds gamma * attention loss to the loss of every batch that has edited maps."""

    def __init__(self, gamma: float, layer: str | None = None) -> None:
        self.gamma, self.layer = gamma, layer

    def on_fit_start(self, model: nn.Module) -> None:
        """Start to listen at the layer."""
        self._cam = visteer.GradCAM(model, self.layer)
        self._cam.__enter__()

    def on_loss(self, loss: Tensor, logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The loss with the attention loss on top."""
        if not batch["weights"].any():
            return loss
        maps = self._cam.maps(logits, batch["labels"], create_graph=True)
        return loss + self.gamma * visteer.attention_mse_loss(maps, batch["targets"], batch["weights"])

    def on_fit_end(self) -> None:
        """Stop to listen."""
        self._cam.__exit__(None, None, None)


class Trainer:
    """The least that a trainer does."""

    def __init__(self, callback: SteeringCallback, epochs: int) -> None:
        self.callback, self.epochs = callback, epochs

    def fit(self, model: nn.Module, batches: Iterable[dict[str, Tensor]]) -> list[float]:
        """Train `model`; the mean loss of each epoch."""
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        history = []
        self.callback.on_fit_start(model)
        try:
            for _ in range(self.epochs):
                losses = []
                for batch in batches:
                    logits = model(batch["images"])
                    loss = self.callback.on_loss(F.cross_entropy(logits, batch["labels"]), logits, batch)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    losses.append(loss.item())
                history.append(sum(losses) / len(losses))
        finally:
            self.callback.on_fit_end()
        return history


def make_batches(count: int) -> list[dict[str, Tensor]]:
    """Images whose class is the colour of a square; every other image has an edited map."""
    generator = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(count):
        images = torch.rand((16, 3, 32, 32), generator=generator) * 0.3
        labels = torch.randint(2, (16,), generator=generator)
        images[torch.arange(16), labels, 8:20, 8:20] += 0.6
        targets = torch.zeros((16, 32, 32))
        targets[:, 8:20, 8:20] = 1
        weights = torch.zeros((16, 32, 32))
        weights[::2] = 1  # the others are unknown: they do not count
        batches.append({"images": images, "labels": labels, "targets": targets, "weights": weights})
    return batches


def main() -> None:
    """Train and print the losses."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 2),
    )
    history = Trainer(SteeringCallback(gamma=10, layer="1"), epochs=5).fit(model, make_batches(8))
    for epoch, loss in enumerate(history, start=1):
        print(f"epoch {epoch}: loss {loss:.3f}")


if __name__ == "__main__":
    main()
