"""Counterexamples: copies of images whose irrelevant pixels are random, with the label kept."""

from __future__ import annotations

import torch
from torch import Tensor


def counterexamples(images: Tensor, targets: Tensor, weights: Tensor, seeds: Tensor) -> Tensor:
    """`images` with random values, uniform in [0, 1], in each irrelevant pixel and channel.

    What the network sees there says nothing about the label any more. Training on them beside the images is the method
    CE (CAIPI): samples are made, no loss is added. A pixel that is trusted in part is mixed in that part.

    Arguments:
        images: (N, K, H, W) float in [0, 1]. Gradient flows through what is not replaced.
        targets, weights: (N, H, W) float in [0, 1].
        seeds: (N,) int64, one an image: equal seeds give equal noise, whatever else is in the batch.

    Raises:
        ValueError: the shapes do not fit.

    Source: Teso and Kersting 2019, "Explanatory interactive machine learning", the strategy that randomises.

    Example:
        >>> images, edit = torch.zeros(1, 1, 1, 2), torch.tensor([[[0.0, 1.0]]])
        >>> changed = counterexamples(images, edit, torch.ones_like(edit), torch.tensor([0]))
        >>> (changed != images).tolist()
        [[[[True, False]]]]
    """
    shape = (len(images), *images.shape[2:])
    if images.ndim != 4 or targets.shape != shape or weights.shape != shape or len(seeds) != len(images):
        raise ValueError(
            f"images (N, K, H, W), targets and weights (N, H, W), seeds (N,) do not fit: {tuple(images.shape)}, "
            f"{tuple(targets.shape)}, {tuple(weights.shape)}, {tuple(seeds.shape)}"
        )
    draws = [
        torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds.tolist()
    ]
    noise = torch.stack(draws).to(images) if draws else torch.zeros_like(images)
    opacity = (weights * (targets == 0)).to(images.dtype).unsqueeze(1)
    return images * (1 - opacity) + noise * opacity
