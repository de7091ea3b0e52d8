"""Bootstrap over images: how far a figure would move with other images of the same kind.

A resample is a row of multiplicities, one an image, instead of a list of drawn images: every statistic here
is a weighted one, so a thousand resamples are one matrix product. Two models that are given the same row
are compared on the same images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visteer.evaluation.result import Figure

Floats = NDArray[np.float64]
Statistics = Callable[[Floats], Mapping[str, Floats]]

_CELLS_AT_ONCE = 2_000_000


def resample_counts(
    n: int, resamples: int, seed: int, groups: Sequence[object] | NDArray[np.generic] | None = None
) -> NDArray[np.uint16]:
    """How often each of `n` images occurs in each resample: (resamples, n) uint16.

    Images are drawn with replacement, `n` a resample. With `groups` (one label an image) whole groups are
    drawn, as many as there are, so that near-duplicates come and go together; a resample then holds about,
    not exactly, `n` images. The same arguments give the same counts.

    Raises:
        ValueError: `n` or `resamples` is below 1, or `groups` has another length than `n`.

    Example:
        >>> resample_counts(4, 3, seed=0).sum(axis=1)
        array([4, 4, 4], dtype=uint64)
    """
    if n < 1 or resamples < 1:
        raise ValueError(f"a bootstrap needs at least 1 image and 1 resample, got {n} and {resamples}")
    members = np.arange(n) if groups is None else group_rows(groups, n)
    units = int(members.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, units, size=(resamples, units))
    drawn += np.arange(resamples)[:, None] * units
    counts = np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units)
    return counts[:, members].astype(np.uint16)


def bootstrap(statistics: Statistics, counts: NDArray[np.uint16]) -> dict[str, Floats]:
    """Compute the statistics of every resample, a bounded number of resamples at once.

    Arguments:
        statistics: takes multiplicities (r, n) float64, gives named arrays whose first axis is r.
        counts: (R, n), of `resample_counts`.

    Returns:
        The same names with arrays whose first axis is R.

    Example:
        >>> scores = np.array([0.0, 1.0])
        >>> counts = np.array([[2, 0], [1, 1]], np.uint16)
        >>> bootstrap(lambda weights: {"mean": weights @ scores / weights.sum(axis=1)}, counts)
        {'mean': array([0. , 0.5])}
    """
    step = max(1, _CELLS_AT_ONCE // counts.shape[1])
    parts = [statistics(counts[i : i + step].astype(np.float64)) for i in range(0, len(counts), step)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def weighted_means(scores: Floats, weights: Floats) -> Floats:
    """Average every score in every resample, over the images that have the score.

    Arguments:
        scores: (n, k), NaN where an image has no such score.
        weights: (r, n) multiplicities.

    Returns:
        (r, k) means; NaN where no image of the resample has the score.

    Example:
        >>> weighted_means(np.array([[1.0], [3.0], [np.nan]]), np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 3.0]]))
        array([[ 2.],
               [nan]])
    """
    known = ~np.isnan(scores)
    total = weights @ np.where(known, scores, 0.0)
    return divide(total, weights @ known.astype(np.float64))


def percentile_figure(value: float, resampled: Floats, level: float = 0.95) -> Figure:
    """`value` with the percentile interval of its resamples (Efron 1979); undefined resamples are left out.

    A value that is NaN has no interval. Source: B. Efron, "Bootstrap methods", Ann. Statist. 7, 1979.

    Example:
        >>> figure = percentile_figure(20.0, np.arange(41.0))
        >>> figure.value, round(figure.low, 6), round(figure.high, 6)
        (20.0, 1.0, 39.0)
    """
    defined = resampled[np.isfinite(resampled)]
    if math.isnan(value) or not len(defined):
        return Figure(value, math.nan, math.nan)
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Figure(float(value), float(low), float(high))


def divide(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Elementwise quotient, NaN (and no warning) where the denominator is zero.

    Example:
        >>> divide([1.0, 1.0], [2.0, 0.0])
        array([0.5, nan])
    """
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    quotient: Floats = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
    return quotient


def group_rows(groups: Sequence[object] | NDArray[np.generic], n: int) -> NDArray[np.int64]:
    """Turn `n` labels into numbers: (n,) int64 from 0, equal where the labels are.

    Raises:
        ValueError: there are not `n` labels.

    Example:
        >>> group_rows(["b", "a", "b"], 3)
        array([1, 0, 1])
    """
    names = np.asarray(groups)
    if names.shape != (n,):
        raise ValueError(f"groups must hold one label for each of the {n} images, got shape {names.shape}")
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
