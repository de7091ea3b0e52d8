"""Regions marked irrelevant, used against the prediction's dependence on them.

A map can be made to look right while the prediction still hangs on a shortcut. Changing the marked content in
training, with the label kept, takes away what the shortcut tells about the label.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visteer.errors import VisteerError
from visteer.steering.dataset import SteeringBatch, SteeringDataset, irrelevant_cells, relevant_cells

DONORS_AN_IMAGE = 3
"""At most so many marks are pasted onto one image."""

DONOR_PROBABILITY = 0.7
"""Each of them with this probability."""

LARGEST_DONOR = 0.25
"""A mark that covers more of its image than this would bury the receiver and is not transplanted."""


def donor_rows(data: SteeringDataset) -> NDArray[np.int64]:
    """The rows of the images whose edits have a mark that can be transplanted, ascending (`has_mark`)."""
    marked = has_mark(torch.from_numpy(data.targets), torch.from_numpy(data.weights)).numpy()
    rows = data.edited
    donors: NDArray[np.int64] = rows[marked[data.edit_rows[rows]]]
    return donors


def has_mark(targets: Tensor, weights: Tensor) -> Tensor:
    """Whether the irrelevant region of each edit is a mark of its own: (N, H, W) twice gives (N,) bool.

    A mark is not empty and covers at most a quarter of the image. An edit that leaves nothing unknown has none: there
    the irrelevant region is just the rest, such as the skin around a large lesion.
    """
    share = irrelevant_cells(targets, weights).float().mean(dim=(1, 2))
    return (share > 0) & (share <= LARGEST_DONOR) & (weights == 0).any(dim=2).any(dim=1)


def draw_donors(count: int, donors: NDArray[np.int64], generator: torch.Generator) -> Tensor:
    """For each of `count` receivers the rows of its donors: (count, 3) int64, -1 for none.

    Raises:
        VisteerError: there is no donor.
    """
    if not len(donors):
        raise VisteerError(
            "no edit marks a region of at most a quarter of its image as irrelevant, so nothing can be "
            "transplanted; mark the shortcut itself as irrelevant, or use --irrelevant replace or none"
        )
    shape = (count, DONORS_AN_IMAGE)
    chosen = torch.from_numpy(donors)[torch.randint(len(donors), shape, generator=generator)]
    taken = torch.rand(shape, generator=generator) < DONOR_PROBABILITY
    return torch.where(taken, chosen, torch.full_like(chosen, -1))


def transplant(batch: SteeringBatch, data: SteeringDataset, donors: Tensor, fills: Tensor) -> SteeringBatch:
    """Paste the marked regions of `donors` onto the images of `batch`, at the same place, labels kept.

    The mark's weight is the opacity of the paste. A pasted cell is irrelevant in the receiver (target 0, weight
    at least the mark's), and a relevant cell of the receiver (weight and target above 0) is never covered.

    A receiver's own mark is filled first: it agrees with the label, so as long as it stays among the pasted ones the
    most frequent mark still tells the class.

    Arguments:
        batch: the receivers, N images.
        data: the data set that holds the donors.
        donors: (N, D) int64 as `draw_donors` gives.
        fills: (N, 3) colours as `draw_fills` gives.
    """
    batch = replace_irrelevant(batch, fills, marks_only=True)
    images, targets, weights = batch.images, batch.targets, batch.weights
    device = images.device
    free = (~relevant_cells(targets, weights)).to(images.dtype)
    for column in donors.T:
        receivers = torch.nonzero(column >= 0).squeeze(1).to(device)
        if not len(receivers):
            continue
        source = data.batch(column[column >= 0].numpy(), device)
        opacity = source.weights * irrelevant_cells(source.targets, source.weights) * free[receivers]
        layer = opacity.unsqueeze(1)
        images = images.index_copy(0, receivers, images[receivers] * (1 - layer) + source.images * layer)
        kept = targets[receivers] * (opacity == 0)
        targets = targets.index_copy(0, receivers, kept)
        weights = weights.index_copy(0, receivers, torch.maximum(weights[receivers], opacity))
    return replace(batch, images=images, targets=targets, weights=weights)


def draw_fills(count: int, generator: torch.Generator) -> Tensor:
    """A random colour an image: (count, 3) float in [0, 1], grey for every other image on average."""
    colours = torch.rand((count, 3), generator=generator)
    grey = torch.rand((count, 1), generator=generator) < 0.5
    return torch.where(grey, colours[:, :1].expand(-1, 3), colours)


def replace_irrelevant(batch: SteeringBatch, fills: Tensor, *, marks_only: bool = False) -> SteeringBatch:
    """Fill the irrelevant region of each image with its colour (N, 3); the edit stays as it is.

    With `marks_only`, irrelevant regions that are no mark (`has_mark`) are left alone.
    """
    opacity = batch.weights * irrelevant_cells(batch.targets, batch.weights)
    if marks_only:
        opacity = opacity * has_mark(batch.targets, batch.weights)[:, None, None]
    opacity = opacity.unsqueeze(1)
    colour = fills.to(batch.images)[:, :, None, None]
    return replace(batch, images=batch.images * (1 - opacity) + colour * opacity)
