"""Regions marked irrelevant, used against the prediction's dependence on them.

A map can be made to look right while the prediction still hangs on a shortcut. Changing the marked content in
training, with the label kept, takes away what the shortcut tells about the label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visteer.errors import VisteerError
from visteer.steering.dataset import SteeringBatch, SteeringDataset, irrelevant_cells, relevant_cells

DRAWS_AN_IMAGE = 12
"""So many marks are drawn for one image."""

DRAW_PROBABILITY = 0.8
"""Each of them is meant to be pasted with this probability."""

LARGEST_DONOR = 0.25
"""A mark that covers more of its image than this would bury the receiver and is not transplanted."""

LARGEST_PASTE = 0.1
"""No further mark is pasted onto an image if all of them would cover more of it than this."""

CLEAN_SHARE = 0.3
"""Of the images whose own mark is known so many get none pasted: so the classifier also sees images without a mark."""

CANDIDATES = 4
"""So many marked images are looked at for one that has no mark where another mark lies."""

_PLACES = 8
"""A mark's place is the set of cells that it touches on a grid of 8 x 8."""


@dataclass(frozen=True)
class DonorMarks:
    """The marks that can be transplanted: of the images `rows` (m,) int64, ascending.

    `places` (m,) uint64 has a bit for each cell that the mark touches on a grid of 8 x 8 over the image; `areas` (m,)
    float64 are shares of the image.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.uint64]
    areas: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


def donor_marks(data: SteeringDataset) -> DonorMarks:
    """The marks of `data` that can be transplanted, and where they lie.

    Raises:
        VisteerError: there is none.
    """
    rows = donor_rows(data)
    if not len(rows):
        raise VisteerError(
            "no edit of a training image marks a region of at most a quarter of it as irrelevant, so nothing can be "
            "transplanted; mark the shortcut itself, or use --irrelevant replace or none"
        )
    places, areas = np.zeros(len(rows), np.uint64), np.zeros(len(rows))
    cells = np.arange(data.image_size) * _PLACES // data.image_size
    bits = np.uint64(1) << (cells[:, None] * _PLACES + cells).astype(np.uint64)
    for number, row in enumerate(rows):
        edit = data.edit_rows[row]
        mark = irrelevant_cells(data.targets[edit], data.weights[edit])
        areas[number] = mark.mean()
        places[number] = np.bitwise_or.reduce(bits[mark])
    return DonorMarks(rows, places, areas)


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


def draw_donors(marked: NDArray[np.bool_], marks: DonorMarks, generator: torch.Generator) -> Tensor:
    """For each receiver the rows of its donors: (count, d) int64, -1 for none.

    Twelve marks are drawn for each receiver, and each is taken with probability 0.8 if it lies at least in part where
    no mark taken before lies, and, but for the first, if all of them together cover at most a tenth of the image. So
    where marks occur at few places, these are nearly all covered: the receiver's own mark is under one of them, also
    where nobody marked it. Of the receivers whose own mark is known three in ten get none.

    Arguments:
        marked: (count,) bool, whether the receiver's own mark is known.
        marks: the donors.
        generator: draws the same numbers whatever is marked.
    """
    count = len(marked)
    shape = (count, DRAWS_AN_IMAGE)
    drawn = torch.randint(len(marks), shape, generator=generator).numpy()
    wanted = (torch.rand(shape, generator=generator) < DRAW_PROBABILITY).numpy()
    clean = (torch.rand(count, generator=generator) < CLEAN_SHARE).numpy() & marked
    donors = np.full(shape, -1, np.int64)
    covered, area, taken = np.zeros(count, np.uint64), np.zeros(count), np.zeros(count, np.int64)
    receivers = np.arange(count)
    for choice, meant in zip(drawn.T, wanted.T, strict=True):
        is_new = (marks.places[choice] & ~covered) != 0
        fits = (taken == 0) | (area + marks.areas[choice] <= LARGEST_PASTE)
        chosen = receivers[meant & is_new & fits & ~clean]
        donors[chosen, taken[chosen]] = marks.rows[choice[chosen]]
        covered[chosen] |= marks.places[choice[chosen]]
        area[chosen] += marks.areas[choice[chosen]]
        taken[chosen] += 1
    return torch.from_numpy(donors[:, : max(1, int(taken.max(initial=0)))])


def draw_contents(
    donors: Tensor, marked: NDArray[np.bool_], marks: DonorMarks, generator: torch.Generator
) -> Tensor:
    """For each donor the row of the image whose pixels are pasted in its mark's place: as `donors`, (count, d) int64.

    That is the donor itself, so its mark is pasted, where the receiver's own mark is known. Where it is not, the
    receiver may carry one all the same, and only what is pasted can take it away. So that the classifier also sees
    these images with few marks or none, a share is drawn for each from 0 to 1, and each donor keeps its mark with this
    probability; else a marked image without a mark in that place gives the pixels, if there is one among four drawn.

    Arguments:
        donors: (count, d) int64 as `draw_donors` gives.
        marked: (count,) bool, whether the receiver's own mark is known.
        marks: the donors.
        generator: draws numbers in the shape of `donors`.
    """
    kept_share = torch.rand((len(donors), 1), generator=generator)
    kept = (torch.rand(donors.shape, generator=generator) < kept_share).numpy()
    candidates = torch.randint(len(marks), (*donors.shape, CANDIDATES), generator=generator).numpy()
    rows = donors.numpy()
    place = marks.places[np.searchsorted(marks.rows, rows)]
    is_clear = (marks.places[candidates] & place[..., None]) == 0
    first = np.take_along_axis(candidates, is_clear.argmax(-1)[..., None], -1)[..., 0]
    instead = is_clear.any(-1) & ~kept & ~marked[:, None] & (rows >= 0)
    return torch.from_numpy(np.where(instead, marks.rows[first], rows))


def transplant(
    batch: SteeringBatch,
    data: SteeringDataset,
    donors: Tensor,
    contents: Tensor,
    sources: Tensor,
    fills: Tensor,
) -> SteeringBatch:
    """Paste onto the images of `batch` what `contents` have in the marked regions of `donors`, labels kept.

    The mark's weight is the opacity of the paste. A pasted cell is irrelevant in the receiver (target 0, weight
    at least the mark's), and a relevant cell of the receiver (weight and target above 0) is never covered.

    A receiver's own mark is covered first: it agrees with the label, so as long as it stays among the pasted ones the
    most frequent mark still tells the class. It gets what another image has there, so that the image looks as if it had
    no mark; where that image is marked there itself, a colour.

    Arguments:
        batch: the receivers, N images.
        data: the data set that holds the donors.
        donors: (N, D) int64 as `draw_donors` gives.
        contents: (N, D) int64 as `draw_contents` gives; `donors` itself pastes their marks.
        sources: (N,) int64 rows of the images that give what own marks are covered with.
        fills: (N, 3) colours as `draw_fills` gives.
    """
    batch = _cover_own_marks(batch, data, sources, fills)
    device, count = batch.images.device, len(batch.images)
    # Only the cells of marks are touched: copies of whole images would cost more than the training step.
    images = batch.images.clone().reshape(count, 3, -1)
    targets, weights = batch.targets.clone().reshape(count, -1), batch.weights.clone().reshape(count, -1)
    free = ~relevant_cells(targets, weights)
    for column, content_column in zip(donors.numpy().T, contents.numpy().T, strict=True):
        receivers = np.flatnonzero(column >= 0)
        rows = column[receivers]
        content_rows = content_column[receivers]
        donor_targets, donor_weights = data.edit_arrays(rows)
        which, ys, xs = np.nonzero(irrelevant_cells(donor_targets, donor_weights))
        cells = torch.from_numpy(ys * data.image_size + xs).to(device)
        at = (torch.from_numpy(receivers[which]).to(device), cells)
        opacity = torch.from_numpy(donor_weights[which, ys, xs]).to(device).float().div(255) * free[at]
        content = torch.from_numpy(data.images[content_rows[which], ys, xs]).to(device).float().div(255)
        at_all = (at[0][:, None], torch.arange(3, device=device), cells[:, None])
        images[at_all] = torch.lerp(images[at_all], content, opacity[:, None])
        targets[at] = targets[at] * (opacity == 0)
        weights[at] = torch.maximum(weights[at], opacity)
    return replace(
        batch,
        images=images.reshape(batch.images.shape),
        targets=targets.reshape(batch.targets.shape),
        weights=weights.reshape(batch.weights.shape),
    )


def _cover_own_marks(
    batch: SteeringBatch, data: SteeringDataset, sources: Tensor, fills: Tensor
) -> SteeringBatch:
    """Each image's own mark covered with what `sources` have there, or with a colour where they are marked."""
    own = (
        irrelevant_cells(batch.targets, batch.weights) & has_mark(batch.targets, batch.weights)[:, None, None]
    )
    which, ys, xs = (index.cpu().numpy() for index in torch.nonzero(own, as_tuple=True))
    if not len(which):
        return batch
    device, rows = batch.images.device, sources.numpy()[which]
    targets, weights = data.edit_arrays(sources.numpy())
    is_marked = torch.from_numpy(irrelevant_cells(targets, weights)[which, ys, xs]).to(device)
    content = torch.from_numpy(data.images[rows, ys, xs]).to(device).float().div(255)
    at = tuple(torch.from_numpy(index).to(device) for index in (which, ys, xs))
    cover = torch.where(is_marked[:, None], fills.to(device)[at[0]], content)
    images = batch.images.permute(0, 2, 3, 1).clone()
    images[at] = torch.lerp(images[at], cover, batch.weights[at][:, None])
    return replace(batch, images=images.permute(0, 3, 1, 2))


def draw_fills(count: int, generator: torch.Generator) -> Tensor:
    """A random colour an image: (count, 3) float in [0, 1], grey for every other image on average."""
    colours = torch.rand((count, 3), generator=generator)
    grey = torch.rand((count, 1), generator=generator) < 0.5
    return torch.where(grey, colours[:, :1].expand(-1, 3), colours)


def replace_irrelevant(batch: SteeringBatch, fills: Tensor) -> SteeringBatch:
    """Fill the irrelevant region of each image with its colour (N, 3); the edit stays as it is."""
    opacity = (batch.weights * irrelevant_cells(batch.targets, batch.weights)).unsqueeze(1)
    colour = fills.to(batch.images)[:, :, None, None]
    return replace(batch, images=batch.images * (1 - opacity) + colour * opacity)
