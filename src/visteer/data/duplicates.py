"""Groups of pictures that are the same or nearly the same, so that no split sees one of them twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from visteer.data.images import read_image
from visteer.data.sample import Sample

# Two pictures are near-duplicates when their thumbnails correlate above both bounds.
COARSE_SIDE = 32
COARSE_CORRELATION = 0.985
FINE_SIDE = 64
FINE_CORRELATION = 0.45

# From this many pictures on, what all of them share (a frame, a fixture) counts no longer as likeness.
ENOUGH_FOR_A_MEAN = 50

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of one picture to compare it: a digest of its pixels and two grey thumbnails.

    `digest` is the same exactly where the decoded pixels are; `coarse` (32, 32) and `fine` (64, 64) are
    uint8 means over equal areas, whatever the aspect ratio; `size` is (width, height) in pixels.
    """

    digest: bytes
    coarse: NDArray[np.uint8]
    fine: NDArray[np.uint8]
    size: tuple[int, int]


def find_duplicate_groups(
    samples: Sequence[Sample],
    *,
    progress: Progress | None = None,
    read: Callable[[Path], NDArray[np.uint8]] = read_image,
) -> dict[str, int]:
    """Give every picture the number of its group of near-copies: sample id -> group, singletons included.

    Pictures with equal pixels are always together. Others are near-duplicates when two correlations hold:
    above 0.985 between their 32 x 32 grey thumbnails, and above 0.45 between the fine detail (64 x 64,
    without the mean picture of the data set from 50 pictures on, high-pass with sigma 2). The second keeps
    apart smooth pictures and pictures of one fixture, which are all alike at 32 x 32. Likeness is carried
    on from one to the next. Groups are numbered from 0 by their first id in sorted order, so the order of
    the samples does not matter. Flipped, rotated and cropped copies are not found.

    Arguments:
        samples: the pictures, with unique ids; no masks are read.
        progress: called with (pictures read, all pictures).
        read: how a path becomes an (H, W, 3) uint8 picture.

    Raises:
        BadImage: a picture cannot be read.
        ValueError: two samples have the same id.

    Example:
        >>> import tempfile
        >>> from visteer.data.sample import Sample
        >>> pictures = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, row in (("a", 0), ("b", 1), ("c", 0)):
        ...         Image.fromarray(pictures[row]).save(Path(folder) / f"{name}.png")
        ...     samples = [Sample(name, Path(folder) / f"{name}.png", label=0) for name in "abc"]
        ...     find_duplicate_groups(samples)
        {'a': 0, 'b': 1, 'c': 0}
    """
    fingerprints = {}
    for done, sample in enumerate(samples, 1):
        fingerprints[sample.id] = take_fingerprint(read(sample.image))
        if progress is not None:
            progress(done, len(samples))
    if len(fingerprints) != len(samples):
        raise ValueError("sample ids must be unique")
    return group_fingerprints(fingerprints)


def take_fingerprint(pixels: NDArray[np.uint8]) -> Fingerprint:
    """Reduce a picture (H, W, 3) uint8 to its `Fingerprint`."""
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{height}x{width}:".encode())
    digest.update(pixels.tobytes())
    grey = Image.fromarray(pixels).convert("L")
    coarse, fine = (
        np.asarray(grey.resize((side, side), Image.Resampling.BOX)) for side in (COARSE_SIDE, FINE_SIDE)
    )
    return Fingerprint(digest.digest(), coarse, fine, (width, height))


def group_fingerprints(fingerprints: dict[str, Fingerprint]) -> dict[str, int]:
    """Group fingerprints as `find_duplicate_groups` groups pictures: id -> group."""
    names = sorted(fingerprints)
    # Equal pictures are compared once: `first` maps a digest to the row of its first picture.
    first: dict[bytes, int] = {}
    for name in names:
        first.setdefault(fingerprints[name].digest, len(first))
    by_digest = {print_.digest: print_ for print_ in fingerprints.values()}
    distinct = [by_digest[digest] for digest in first]
    parents = np.arange(len(distinct))
    for left, right in _near_pairs(distinct):
        _unite(parents, left, right)
    roots = [_root(parents, first[fingerprints[name].digest]) for name in names]
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots))}
    by_name = {name: numbers[root] for name, root in zip(names, roots, strict=True)}
    return {name: by_name[name] for name in fingerprints}


def _near_pairs(prints: Sequence[Fingerprint], block: int = 1024) -> list[tuple[int, int]]:
    """All pairs of rows that pass both bounds; products of blocks, so memory grows with n only."""
    if len(prints) < 2:
        return []
    coarse = _standardised(np.stack([p.coarse for p in prints]))
    detail = _detail(np.stack([p.fine for p in prints]))
    pairs: list[tuple[int, int]] = []
    for top in range(0, len(prints), block):
        for left in range(top, len(prints), block):
            alike = coarse[top : top + block] @ coarse[left : left + block].T > COARSE_CORRELATION
            if top == left:
                alike = np.triu(alike, 1)
            rows, columns = np.flatnonzero(alike.any(axis=1)), np.flatnonzero(alike.any(axis=0))
            if not len(rows):
                continue
            same = detail[top + rows] @ detail[left + columns].T > FINE_CORRELATION
            above, beside = np.nonzero(same & alike[np.ix_(rows, columns)])
            found = zip(top + rows[above], left + columns[beside], strict=True)
            pairs.extend((int(one), int(other)) for one, other in found)
    return pairs


def _standardised(pictures: NDArray[np.generic]) -> NDArray[np.float32]:
    """(n, h, w) -> (n, h * w) with mean 0 and length 1, so that a product of rows is their correlation."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    # A flat picture has no pattern: its row is zero and correlates with nothing.
    np.divide(flat, length, out=flat, where=length > 1e-6)
    flat[length[:, 0] <= 1e-6] = 0
    return flat


def _detail(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, h, w) -> standardised rows of what is fine and not common to the whole data set."""
    own = _standardised(pictures)
    if len(own) >= ENOUGH_FOR_A_MEAN:
        own -= own.mean(axis=0)
    own = own.reshape(pictures.shape)
    own -= gaussian_filter(own, sigma=(0, 2, 2))
    return _standardised(own)


def _unite(parents: NDArray[np.int64], left: int, right: int) -> None:
    left, right = _root(parents, left), _root(parents, right)
    parents[max(left, right)] = min(left, right)


def _root(parents: NDArray[np.int64], row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = int(parents[row])
    return row
