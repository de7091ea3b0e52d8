"""Objects and superpixels in a picture, found from clicks or a box. Pure functions: the same input, the same answer."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

SIDE = 512
MOST_SUPERPIXELS = 2000
_ROUNDS = 6
_COMPACTNESS = 10.0
_SMOOTHING = 0.006
_SEED = 0.02
_NEAR_BORDER = 0.05
_CUTS = 4
_CUT_SIDE = 256
_SURROUND = 0.2
_ELLIPSE = 0.9
_CORE = 0.25
_POSITION = 60
_COLOURED = 3.0

Pixels = NDArray[np.uint8]
Cells = NDArray[np.bool_]


def superpixels(pixels: Pixels, count: int) -> NDArray[np.uint16]:
    """About `count` compact pieces of similar colour, by SLIC.

    Arguments:
        pixels: (h, w, 3) RGB.
        count: how many pieces are wanted, 1 to `MOST_SUPERPIXELS`.

    Returns:
        (h, w) the piece of each cell, numbered from 0 without gaps. Every piece is one 4-connected region.

    Source: Achanta et al. 2012, "SLIC superpixels compared to state-of-the-art superpixel methods", algorithm 1;
    fragments that are cut off from their piece go to a neighbour.

    Example:
        >>> halves = np.zeros((40, 40, 3), np.uint8)
        >>> halves[:, 20:] = 255
        >>> pieces = superpixels(halves, 4)
        >>> int(pieces.max()) + 1, bool(np.isin(pieces[:, :20], pieces[:, 20:]).any())
        (4, False)
    """
    height, width = pixels.shape[:2]
    step = max(1.0, (height * width / count) ** 0.5)
    features = _features(pixels, _COMPACTNESS / step)
    centres = _grid(features, step)
    nearest = np.zeros((height, width), np.int64)
    for _ in range(_ROUNDS):
        nearest = _assigned(features, centres, step, _COMPACTNESS / step)
        centres = _means(features, nearest, centres)
    return _joined(nearest).astype(np.uint16)


def object_at(pixels: Pixels, inside: NDArray[np.float64], outside: NDArray[np.float64]) -> Cells:
    """The object under the points `inside`, by a seeded watershed on the magnitude of the gradient.

    Arguments:
        pixels: (h, w, 3) RGB.
        inside, outside: (n, 2) points as x and y, shares of the width and the height. The border of the picture is
            outside, too, but for a side that has a point inside within a twentieth of it.

    Returns:
        (h, w) the cells of the object. Where two points contradict each other on one cell, the one outside counts.

    Source: Cousty et al. 2009, "Watershed cuts": a minimum spanning forest rooted in the seeds.

    Example:
        >>> square = np.zeros((60, 60, 3), np.uint8)
        >>> square[20:40, 20:40] = 200
        >>> found = object_at(square, np.array([[0.5, 0.5]]), np.empty((0, 2)))
        >>> bool(found[30, 30]), bool(found[5, 5]), 300 < int(found.sum()) < 450
        (True, False, True)
    """
    height, width = pixels.shape[:2]
    seeds = np.zeros((height, width), np.uint8)
    sides: tuple[Any, ...] = (np.s_[:, 0], np.s_[0], np.s_[:, -1], np.s_[-1])
    for side, distance in zip(sides, (*inside.T, *(1 - inside.T)), strict=True):
        if not (distance < _NEAR_BORDER).any():
            seeds[side] = 2
    radius = max(1, round(_SEED * max(height, width)))
    for label, points in ((1, inside), (2, outside)):
        for x, y in points:
            at = (min(width - 1, int(x * width)), min(height - 1, int(y * height)))
            cv2.circle(seeds, at, radius, label, -1)
    return flood(_gradient(pixels), seeds)


def flood(heights: NDArray[np.float64], seeds: NDArray[np.uint8]) -> Cells:
    """The cells that water from the seeds 1 reaches before water from the seeds 2.

    Arguments:
        heights: (h, w) at least 0. To pass between two cells, water must rise to the higher of them.
        seeds: (h, w) 1 and 2 where water comes from, 0 elsewhere. Without seeds 2 all is reached, if there are seeds 1.

    Returns:
        (h, w) whether the cell belongs to seeds 1.
    """
    cells = heights.size
    numbers = np.arange(cells).reshape(heights.shape)
    starts = [numbers[:, :-1].ravel(), numbers[:-1].ravel()]
    ends = [numbers[:, 1:].ravel(), numbers[1:].ravel()]
    passes = [
        np.maximum(heights.ravel()[a], heights.ravel()[b]) + 1 for a, b in zip(starts, ends, strict=True)
    ]
    for label in (1, 2):  # one root for the seeds of each label, joined to them below every pass
        seeded = numbers[seeds == label]
        starts.append(np.full(len(seeded), cells + label - 1))
        ends.append(seeded)
        passes.append(np.full(len(seeded), 0.5))
    starts.append(np.array([cells]))
    ends.append(np.array([cells + 1]))
    passes.append(np.array([0.25]))
    edges = (np.concatenate(passes), (np.concatenate(starts), np.concatenate(ends)))
    graph = sparse.csr_array(sparse.coo_array(edges, shape=(cells + 2, cells + 2)))
    forest = csgraph.minimum_spanning_tree(graph)
    forest[cells, cells + 1] = 0
    forest.eliminate_zeros()
    _, trees = csgraph.connected_components(forest, directed=False)
    found: Cells = (trees[:cells] == trees[cells]).reshape(heights.shape)
    return found


def object_in(pixels: Pixels, box: tuple[float, float, float, float], sketch: Cells | None = None) -> Cells:
    """The object within a box, by GrabCut; its holes filled and crumbs left out.

    Arguments:
        pixels: (h, w, 3) RGB.
        box: left, top, right and bottom, shares of the width and the height. Nothing beyond it is found.
        sketch: (h, w) a rough drawing of the object to start from, else the ellipse within the box.

    Returns:
        (h, w) the cells of the object; none where nothing stands out.

    Source: Rother et al. 2004, "GrabCut: interactive foreground extraction using iterated graph cuts".

    Example:
        >>> disc = np.full((60, 60, 3), 90, np.uint8)
        >>> disc[20:40, 20:40] = 200
        >>> found = object_in(disc, (0.25, 0.25, 0.75, 0.75))
        >>> bool(found[22:38, 22:38].all()), int(found.sum()) > 350
        (True, True)
    """
    height, width = pixels.shape[:2]
    left, top, right, bottom = _cells_of(box, width, height)
    found = np.zeros((height, width), bool)
    around = max(8, round(_SURROUND * max(right - left, bottom - top)))
    crop = np.s_[max(0, top - around) : bottom + around, max(0, left - around) : right + around]
    states = np.full((height, width), cv2.GC_BGD, np.uint8)
    within = np.s_[max(1, top) : min(height - 1, bottom), max(1, left) : min(width - 1, right)]
    distance = _from_centre((height, width), (left, top, right, bottom))
    guess, core = (distance < _ELLIPSE, distance < _CORE) if sketch is None else (sketch, _core_of(sketch))
    states[within] = np.where(guess, cv2.GC_PR_FGD, cv2.GC_PR_BGD)[within]
    states[within][core[within]] = cv2.GC_FGD
    part = states[crop]
    if not (part & 1).any():
        return found
    cells = _cut(np.ascontiguousarray(_appearance(pixels, distance)[crop]), np.ascontiguousarray(part))
    found[crop] = _main_parts(cells & (part != cv2.GC_BGD))
    return found


def encode_labels(labels: NDArray[np.uint16] | Cells) -> bytes:
    r"""`VSL1`, width and height (uint32), the label of each cell row by row (uint16); little-endian.

    Example:
        >>> encode_labels(np.array([[1, 2]], np.uint16))
        b'VSL1\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x02\x00'
    """
    height, width = labels.shape
    return b"VSL1" + struct.pack("<II", width, height) + labels.astype("<u2").tobytes()


def _features(pixels: Pixels, weight: float) -> NDArray[np.float32]:
    """(h, w, 5) Lab, and x and y times `weight`."""
    height, width = pixels.shape[:2]
    smooth = cv2.GaussianBlur(pixels, (0, 0), 1.0)
    lab = cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    y, x = np.mgrid[:height, :width].astype(np.float32) * np.float32(weight)
    return np.dstack([lab, x, y])


def _grid(features: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """(n, 5) the features at a regular grid."""
    height, width = features.shape[:2]
    rows, columns = (max(1, round(side / step)) for side in (height, width))
    y = ((np.arange(rows) + 0.5) * height / rows).astype(int)
    x = ((np.arange(columns) + 0.5) * width / columns).astype(int)
    return features[np.ix_(y, x)].reshape(-1, features.shape[2])


def _assigned(
    features: NDArray[np.float32], centres: NDArray[np.float32], step: float, weight: float
) -> NDArray[np.int64]:
    """(h, w) the nearest centre of each cell, among those whose window of twice the step has the cell."""
    height, width = features.shape[:2]
    nearest = np.zeros((height, width), np.int64)
    least = np.full((height, width), np.inf, np.float32)
    reach = int(np.ceil(1.5 * step))
    for number, centre in enumerate(centres):
        x, y = int(centre[3] / weight), int(centre[4] / weight)
        window = np.s_[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        difference = features[window] - centre
        distance = np.einsum("ijk,ijk->ij", difference, difference)
        closer = distance < least[window]
        least[window][closer] = distance[closer]
        nearest[window][closer] = number
    return nearest


def _means(
    features: NDArray[np.float32], nearest: NDArray[np.int64], centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n, 5) the mean features of each piece; a piece without a cell keeps its centre."""
    sizes = np.bincount(nearest.ravel(), minlength=len(centres))
    sums = [np.bincount(nearest.ravel(), part.ravel(), len(centres)) for part in np.moveaxis(features, 2, 0)]
    means = np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None]
    return np.where(sizes[:, None] > 0, means, centres).astype(np.float32)


def _joined(pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each piece as its largest region, what is cut off given to a neighbour; numbered from 0 without gaps."""
    numbers = np.arange(pieces.size).reshape(pieces.shape)
    starts = np.concatenate([numbers[:, :-1].ravel(), numbers[:-1].ravel()])
    ends = np.concatenate([numbers[:, 1:].ravel(), numbers[1:].ravel()])
    flat = pieces.ravel()
    same = flat[starts] == flat[ends]
    links = (np.ones(int(same.sum()), np.int8), (starts[same], ends[same]))
    graph = sparse.coo_array(links, shape=(pieces.size, pieces.size))
    count, regions = csgraph.connected_components(graph, directed=False)
    of_region = np.zeros(count, np.int64)
    of_region[regions] = flat
    by_size = np.lexsort((np.arange(count), np.bincount(regions, minlength=count)))
    largest = np.zeros(int(flat.max()) + 1, np.int64)
    largest[of_region[by_size]] = by_size  # the last one written is the largest
    kept = largest[of_region] == np.arange(count)
    taken = np.where(kept, of_region, -1)
    a, b = regions[starts[~same]], regions[ends[~same]]
    a, b = np.concatenate([a, b]), np.concatenate([b, a])
    while (taken < 0).any():
        reached = (taken[a] < 0) & (taken[b] >= 0)
        taken[a[reached]] = taken[b[reached]]
    return np.unique(taken[regions], return_inverse=True)[1].reshape(pieces.shape)


def _from_centre(shape: tuple[int, int], box: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """(h, w) the distance from the centre of a box; 1 on the ellipse within it."""
    left, top, right, bottom = box
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    across = (x - (left + right) / 2) / max(1, (right - left) / 2)
    down = (y - (top + bottom) / 2) / max(1, (bottom - top) / 2)
    distance: NDArray[np.float32] = np.hypot(across, down).astype(np.float32)
    return distance


def _core_of(sketch: Cells) -> Cells:
    """The cells of a sketch that are deepest in it."""
    depth = ndimage.distance_transform_edt(sketch)
    core: Cells = sketch & (depth > 0.6 * depth.max())
    return core


def _cut(features: Pixels, states: NDArray[np.uint8]) -> Cells:
    """The foreground by GrabCut, looked for at most `_CUT_SIDE` wide and high: its time grows fast with the cells."""
    height, width = states.shape
    scale = min(1.0, _CUT_SIDE / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrunk = np.asarray(cv2.resize(features, small, interpolation=cv2.INTER_AREA), np.uint8)
    part = np.asarray(cv2.resize(states, small, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    if not (part & 1).any():
        foreground: Cells = (states & 1) == 1
        return foreground
    cv2.setRNGSeed(0)
    cv2.grabCut(
        shrunk, part, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), _CUTS, cv2.GC_INIT_WITH_MASK
    )
    inside = (part & 1).astype(np.float32)  # GC_FGD and GC_PR_FGD are odd
    cells: Cells = cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5
    return cells


def _appearance(pixels: Pixels, distance: NDArray[np.float32]) -> Pixels:
    """(h, w, 3) what tells an object from what is round it.

    Its colour; in a grey picture, where colour says nothing, its brightness nearby and the distance from the centre.
    """
    lab = cv2.cvtColor(cv2.medianBlur(pixels, 7), cv2.COLOR_RGB2LAB)
    if lab[..., 1:].std(axis=(0, 1)).max() > _COLOURED:
        return np.asarray(lab, np.uint8)
    grey = lab[..., 0]
    position = np.clip(distance * _POSITION, 0, 255).astype(np.uint8)
    return np.dstack([grey, cv2.GaussianBlur(grey, (0, 0), 4.0), position])


def _gradient(pixels: Pixels) -> NDArray[np.float64]:
    """(h, w) how fast the smoothed colour changes."""
    lab = cv2.cvtColor(cv2.medianBlur(pixels, 9).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    sigma = max(1.0, _SMOOTHING * max(pixels.shape[:2]))
    parts = [ndimage.gaussian_gradient_magnitude(lab[..., i].astype(np.float64), sigma) for i in range(3)]
    steepness: NDArray[np.float64] = np.sqrt(np.sum(np.square(parts), axis=0))
    return steepness


def _cells_of(box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    """The box in whole cells, at least one."""
    left, top = min(width - 1, int(box[0] * width)), min(height - 1, int(box[1] * height))
    return left, top, max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))


def _main_parts(cells: Cells) -> Cells:
    """The largest region and those of at least a tenth of it, without holes."""
    regions, count = ndimage.label(cells)
    if count == 0:
        return cells
    sizes = np.bincount(regions.ravel())[1:]
    main = np.flatnonzero(sizes * 10 >= sizes.max()) + 1
    filled: Cells = ndimage.binary_fill_holes(np.isin(regions, main))
    return filled
