"""MNIST and Fashion-MNIST with a grey square whose brightness tells the class in training and not in the test.

Three data sets::

    decoy-mnist-ross, decoy-fashion-ross   4 x 4 square flush in a random corner; training 255 - 25 y, test 255 - 25 c
                                           with c a uniformly random class
    decoy-mnist-cdep                       5 x 5 square flush in a random corner; training 255 - 25 y, test 25 y

The first two are those of Ross et al. 2017 and of the XIL typology (Friedrich et al. 2023), the third is that of Rieger
et al. 2020 (CDEP), a different task. The damaged marks are those of the typology's public code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from visteer.data.readers.idx import LabelledImages, read_mnist
from visteer.errors import VisteerError

DecoyName = Literal["decoy-mnist-ross", "decoy-fashion-ross", "decoy-mnist-cdep"]
MarkKind = Literal["full", "half", "wrong"]
FASHION: DecoyName = "decoy-fashion-ross"

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts Fashion-MNIST."""

SIDE = 28
CLASSES = 10
_FASHION_NAMES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "boot",
)
# Wrong marks on Fashion-MNIST lie left or right of these, and above or below the others, which are low and wide.
_UPRIGHT = (0, 1, 2, 3, 4, 6, 8)
_NO_CLASS = -1


@dataclass(frozen=True)
class DecoyImages:
    """Images with decoys.

    Attributes:
        images: (n, 28, 28) uint8, with the decoy.
        labels: (n,) int64, the true classes.
        originals: (n, 28, 28) uint8, without the decoy.
        boxes: (n, 4) int64, the square: top, left, bottom, right, the last two exclusive; all 0 without a decoy.
        told: (n,) int64, the class whose square in the training is of that brightness, or nearest to it; -1 without.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    originals: NDArray[np.uint8]
    boxes: NDArray[np.int64]
    told: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def rgb(self) -> NDArray[np.uint8]:
        """The images as `SteeringDataset` takes them: a read-only view (n, 28, 28, 3) with three equal channels."""
        return np.broadcast_to(self.images[..., None], (*self.images.shape, 3))

    def rows(self, chosen: NDArray[np.int64]) -> DecoyImages:
        """The images `chosen`, in that order."""
        return DecoyImages(
            self.images[chosen],
            self.labels[chosen],
            self.originals[chosen],
            self.boxes[chosen],
            self.told[chosen],
        )

    def without_decoy(self) -> DecoyImages:
        """The same images before the square was drawn."""
        return replace(
            self,
            images=self.originals,
            boxes=np.zeros_like(self.boxes),
            told=np.full_like(self.told, _NO_CLASS),
        )


@dataclass(frozen=True)
class DecoySet:
    """A decoy data set; `without_decoy()` of any part gives that part without squares.

    Attributes:
        name: which one.
        class_names: the ten names in label order.
        train, validation: the training images; squares tell the label in both.
        test: the test images with squares that do not: of random classes, or reversed for "decoy-mnist-cdep".
        test_agreeing: the same with squares that tell the label, in the same corners.
    """

    name: DecoyName
    class_names: tuple[str, ...]
    train: DecoyImages
    validation: DecoyImages
    test: DecoyImages
    test_agreeing: DecoyImages


@dataclass(frozen=True)
class DecoyMarks:
    """What was marked on some images.

    Attributes:
        rows: (m,) int64, the marked images, ascending.
        boxes: (m, 4) int64, the region marked irrelevant, as in `DecoyImages.boxes`.
        irrelevant: (m, 28, 28) bool, the same as masks.
        relevant: (m, 28, 28) bool, the object: pixels of the original image above 1, as the typology has it for HINT;
            damaged in the same way.
    """

    rows: NDArray[np.int64]
    boxes: NDArray[np.int64]
    irrelevant: NDArray[np.bool_]
    relevant: NDArray[np.bool_]


def make_decoys(
    name: DecoyName, folder: Path | None = None, *, seed: int = 0, validation: float = 1 / 12
) -> DecoySet:
    """Read the images and draw the squares. The same seed gives the same set.

    Arguments:
        name: which set.
        folder: where the four IDX files lie; may be left out for Fashion-MNIST where Debian's package is installed.
        seed: of the corners, of the test squares' classes and of which images are for validation.
        validation: the share of the training images that is held out; 1/12 is 5,000 of 60,000.

    Raises:
        VisteerError: files are missing or damaged, or hold other than 28 x 28 images of ten classes.
        ValueError: no such set, or `validation` outside [0, 1).
    """
    if name not in get_args(DecoyName):
        raise ValueError(f"no decoy set {name!r}; there are {', '.join(get_args(DecoyName))}")
    if not 0 <= validation < 1:
        raise ValueError(f"validation must lie in [0, 1), got {validation}")
    where = _folder(name, folder)
    train, test = read_mnist(where)
    for part in (train, test):
        _check(part, where)
    side = 5 if name == "decoy-mnist-cdep" else 4
    order_seed, train_seed, test_seed = np.random.SeedSequence(seed).spawn(3)
    test_rng = np.random.default_rng(test_seed)
    boxes = _corners(test_rng, len(test.labels), side)
    told = 9 - test.labels if name == "decoy-mnist-cdep" else test_rng.integers(0, CLASSES, len(test.labels))
    train_boxes = _corners(np.random.default_rng(train_seed), len(train.labels), side)
    drawn = _draw(train, train_boxes, train.labels)
    order = np.random.default_rng(order_seed).permutation(len(drawn))
    held_out = round(validation * len(drawn))
    if held_out == len(drawn) or (validation and not held_out):
        raise VisteerError(
            f"{where} has {len(drawn)} training images, too few to hold some out for validation"
        )
    test_grey = 25 * test.labels if name == "decoy-mnist-cdep" else None
    return DecoySet(
        name=name,
        class_names=_FASHION_NAMES if name == FASHION else tuple(str(digit) for digit in range(CLASSES)),
        train=drawn.rows(np.sort(order[held_out:])),
        validation=drawn.rows(np.sort(order[:held_out])),
        test=_draw(test, boxes, told, test_grey),
        test_agreeing=_draw(test, boxes, test.labels),
    )


def decoy_marks(
    decoys: DecoySet, kind: MarkKind = "full", *, fraction: float = 1.0, seed: int = 0
) -> DecoyMarks:
    """Marks on a random share of the training images.

    ::

        full    the square; the whole object
        half    the lower half of the square (of five rows the lower three); the object without the first half of its
                pixels from the top
        wrong   a rectangle of 2 x 8 in the middle of the border across from the square: above or below on MNIST; on
                Fashion-MNIST left or right of upright pieces, above or below others. It stands for the object too.

    Arguments:
        decoys: the set; its training images are marked.
        kind: which damage.
        fraction: the share of the images that is marked, at least one; a smaller share lies in a larger one.
        seed: of which.

    Raises:
        ValueError: unknown kind, or a fraction outside (0, 1].
    """
    if kind not in get_args(MarkKind):
        raise ValueError(f"marks must be {', '.join(get_args(MarkKind))}, got {kind!r}")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be above 0 and at most 1, got {fraction}")
    part = decoys.train
    order = np.random.default_rng([seed, len(part)]).permutation(len(part))
    rows = np.sort(order[: max(1, round(fraction * len(part)))])
    boxes, relevant = part.boxes[rows], part.originals[rows] > 1
    if kind == "half":
        boxes = boxes.copy()
        boxes[:, 0] += (boxes[:, 2] - boxes[:, 0]) // 2
        before = relevant.reshape(len(rows), -1).cumsum(axis=1)
        relevant &= (before > before[:, -1:] // 2).reshape(relevant.shape)
    elif kind == "wrong":
        boxes = _across(boxes, np.isin(part.labels[rows], _UPRIGHT) & (decoys.name == FASHION))
        relevant = box_masks(boxes)
    return DecoyMarks(rows, boxes, box_masks(boxes), relevant)


def box_masks(boxes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n, 4) boxes as (n, 28, 28) masks.

    Example:
        >>> box_masks(np.array([[0, 24, 4, 28]])).sum()
        np.int64(16)
    """
    top, left, bottom, right = (side[:, None] for side in boxes.T)
    at = np.arange(SIDE)[None]
    masks: NDArray[np.bool_] = ((at >= top) & (at < bottom))[:, :, None] & ((at >= left) & (at < right))[
        :, None
    ]
    return masks


def _folder(name: DecoyName, folder: Path | None) -> Path:
    if folder is not None:
        return Path(folder)
    if name != FASHION:
        raise VisteerError(f"{name} needs MNIST's four IDX files: give their folder (--data)")
    if not FASHION_FOLDER.is_dir():
        raise VisteerError(
            f"{FASHION_FOLDER} is not there: apt install dataset-fashion-mnist, or give a folder (--data)"
        )
    return FASHION_FOLDER


def _check(part: LabelledImages, folder: Path) -> None:
    if part.images.shape[1:] != (SIDE, SIDE):
        raise VisteerError(f"{folder} has images of {part.images.shape[1:]}; decoys are drawn on 28 x 28")
    if part.labels.max() >= CLASSES:
        raise VisteerError(f"{folder} has a label {part.labels.max()}; MNIST's are 0 to 9")


def _corners(rng: np.random.Generator, count: int, side: int) -> NDArray[np.int64]:
    """(count, 4) boxes flush in uniformly random corners."""
    start = rng.integers(0, 2, (count, 2)) * (SIDE - side)
    return np.concatenate([start, start + side], axis=1)


def _draw(
    plain: LabelledImages,
    boxes: NDArray[np.int64],
    told: NDArray[np.int64],
    grey: NDArray[np.int64] | None = None,
) -> DecoyImages:
    """Draw squares of brightness `grey`, by default the one that tells the class `told` in training."""
    grey = 255 - 25 * told if grey is None else grey
    images = np.where(box_masks(boxes), grey[:, None, None].astype(np.uint8), plain.images)
    return DecoyImages(images, plain.labels, plain.images, boxes, told)


def _across(boxes: NDArray[np.int64], sideways: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rectangles of 2 x 8 at the border across from each box, at the left or right one where `sideways`."""
    wrong = np.empty_like(boxes)
    near = np.where(sideways, boxes[:, 1], boxes[:, 0]) == 0
    low = np.where(near, SIDE - 2, 0)
    for axis, across in ((0, ~sideways), (1, sideways)):
        wrong[:, axis] = np.where(across, low, 10)
        wrong[:, axis + 2] = np.where(across, low + 2, 18)
    return wrong
