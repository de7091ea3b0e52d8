"""Images, labels and edits side by side: what training and evaluation read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from visteer.data.image_cache import ImageRows
from visteer.edits.map_edit import MapEdit, resample_edit


@dataclass(frozen=True)
class SteeringBatch:
    """A batch on one device.

    `images` (N, 3, S, S) float32 in [0, 1]; `labels` (N,) int64; `targets` (N, S, S) float32 in [0, 1] and
    `weights` (N, S, S) float32 in [0, 1] on the image grid, all zero for images without an edit;
    `indices` (N,) int64, the images' rows in the data set.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor
    weights: Tensor
    indices: Tensor


class SteeringDataset(Dataset[SteeringBatch]):
    """Images with labels and, for some of them, edited maps.

    Arguments:
        images: (n, S, S, 3) uint8, an array, a memory map or rows of one; never copied as a whole.
        labels: (n,) integers in [0, len(class_names)).
        class_names: the names in label order.
        ids: one unique name an image; default "0", "1", ...
        edits: image id -> `MapEdit`. Edits are resampled to S x S and held as 8-bit (steps of 1/255).

    Raises:
        ValueError: shapes, lengths or labels do not fit, or an edit names an unknown image.

    Example:
        >>> import numpy as np
        >>> data = SteeringDataset(np.zeros((4, 8, 8, 3), np.uint8), [0, 1, 0, 1], ["a", "b"])
        >>> data.batch([0, 3]).images.shape
        torch.Size([2, 3, 8, 8])
    """

    def __init__(
        self,
        images: NDArray[np.uint8] | ImageRows,
        labels: Sequence[int] | NDArray[np.integer],
        class_names: Sequence[str],
        ids: Sequence[str] | None = None,
        edits: Mapping[str, MapEdit] | None = None,
    ) -> None:
        if images.ndim != 4 or images.shape[3] != 3 or images.shape[1] != images.shape[2]:
            raise ValueError(f"images must be (n, S, S, 3), got {images.shape}")
        if images.dtype != np.uint8:
            raise ValueError(f"images must be uint8, got {images.dtype}")
        self.images = images
        self.labels = np.asarray(labels, dtype=np.int64)
        self.class_names = tuple(class_names)
        self.ids = tuple(ids) if ids is not None else tuple(str(i) for i in range(len(images)))
        if not len(self.ids) == len(self.labels) == len(images):
            raise ValueError(f"{len(images)} images, {len(self.labels)} labels, {len(self.ids)} ids")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
            raise ValueError(f"labels must lie in [0, {len(self.class_names)})")
        rows = {name: row for row, name in enumerate(self.ids)}
        if len(rows) != len(self.ids):
            raise ValueError("image ids must be unique")
        edits = edits or {}
        unknown = sorted(set(edits) - set(rows))
        if unknown:
            raise ValueError(f"edits of images that are not in the data: {unknown[:3]}")
        size = images.shape[1]
        # edit_rows[i] is the row of image i in targets and weights, or -1 without an edit.
        self.edit_rows = np.full(len(images), -1, dtype=np.int64)
        self.targets = np.zeros((len(edits), size, size), dtype=np.uint8)
        self.weights = np.zeros((len(edits), size, size), dtype=np.uint8)
        for row, (name, edit) in enumerate(edits.items()):
            target, weight = resample_edit(edit, (size, size))
            self.targets[row] = np.rint(target * 255)
            self.weights[row] = np.rint(weight * 255)
            self.edit_rows[rows[name]] = row

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> SteeringBatch:
        """The batch of one image `index`."""
        return self.batch([index])

    @property
    def image_size(self) -> int:
        """The side S of the square images, in pixels."""
        return int(self.images.shape[1])

    @property
    def edited(self) -> NDArray[np.int64]:
        """The rows of the images that have an edit, ascending."""
        return np.flatnonzero(self.edit_rows >= 0)

    def batch(
        self, indices: Sequence[int] | NDArray[np.int64], device: torch.device | str = "cpu"
    ) -> SteeringBatch:
        """The images `indices`, in that order, on `device`."""
        rows = np.asarray(indices, dtype=np.int64)
        images = torch.from_numpy(np.ascontiguousarray(self.images[rows])).to(device)
        targets, weights = self.edit_arrays(rows)
        return SteeringBatch(
            images=images.permute(0, 3, 1, 2).float().div_(255),
            labels=torch.from_numpy(self.labels[rows]).to(device),
            targets=torch.from_numpy(targets).to(device).float().div_(255),
            weights=torch.from_numpy(weights).to(device).float().div_(255),
            indices=torch.from_numpy(rows).to(device),
        )

    def edit_arrays(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Targets and weights (len(rows), S, S) uint8 of the images `rows`; zero without an edit."""
        size = self.image_size
        targets = np.zeros((len(rows), size, size), dtype=np.uint8)
        weights = np.zeros((len(rows), size, size), dtype=np.uint8)
        edit_rows = self.edit_rows[rows]
        has_edit = edit_rows >= 0
        if has_edit.any():
            targets[has_edit] = self.targets[edit_rows[has_edit]]
            weights[has_edit] = self.weights[edit_rows[has_edit]]
        return targets, weights


CellsT = TypeVar("CellsT", Tensor, NDArray[Any])


def relevant_cells(targets: CellsT, weights: CellsT) -> CellsT:
    """Where an edit says that the classifier should look: bool, in the shape of `targets` and `weights`.

    Example:
        >>> relevant_cells(torch.tensor([0.0, 0.5, 0.5]), torch.tensor([1.0, 1.0, 0.0]))
        tensor([False,  True, False])
    """
    cells: CellsT = (weights > 0) & (targets > 0)
    return cells


def irrelevant_cells(targets: CellsT, weights: CellsT) -> CellsT:
    """Where an edit says that the classifier must not look: bool, in the shape of `targets` and `weights`.

    Example:
        >>> irrelevant_cells(torch.tensor([0.0, 0.5, 0.0]), torch.tensor([1.0, 1.0, 0.0]))
        tensor([ True, False, False])
    """
    cells: CellsT = (weights > 0) & (targets == 0)
    return cells
