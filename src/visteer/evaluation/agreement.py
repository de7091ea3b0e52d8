"""How far several people agree: Krippendorff's alpha, and what their ratings of a run come to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visteer.edits.rating import Rating
from visteer.evaluation.bootstrap import bootstrap, percentile_figure, resample_counts, weighted_means
from visteer.evaluation.result import Figure

Level = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True)
class RatingSummary:
    """The ratings of one run: `mean` over its images with a 95 % interval, and the raters' agreement.

    `alpha` is Krippendorff's, ordinal; NaN where no image was rated by two people.
    """

    mean: Figure
    images: int
    raters: int
    alpha: float


def krippendorff_alpha(values: NDArray[np.float64], level: Level = "interval") -> float:
    """Krippendorff's alpha: 1 is perfect agreement, 0 what chance would give, below 0 is worse than chance.

    alpha = 1 - D_o / D_e, the observed over the expected disagreement of two values of one item. With the
    coincidences o(c, k) of the values c and k (each item with m values adds its pairs divided by m - 1), their
    margins n(c), and n the sum of these::

        alpha = 1 - (n - 1) sum_ck o(c, k) d(c, k)^2 / sum_ck n(c) n(k) d(c, k)^2

    d^2 is 0 or 1 (nominal), (c - k)^2 (interval), or the square of the number of values that lie between, the ends
    by half (ordinal).

    Arguments:
        values: (raters, items) float, NaN where a rater gave none. Items with fewer than two values do not count.
        level: what differences between values mean.

    Returns:
        alpha, or NaN where no item has two values or all values are the same.

    Raises:
        ValueError: `values` has not two axes.

    Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011.

    Example:
        >>> round(krippendorff_alpha(np.array([[1.0, 2, 3, 3], [1, 2, 3, 2]]), "nominal"), 4)
        0.6667
    """
    if values.ndim != 2:
        raise ValueError(f"values must be (raters, items), got {values.shape}")
    known = ~np.isnan(values)
    pairable = known.sum(axis=0) >= 2
    values, known = values[:, pairable], known[:, pairable]
    if not values.size:
        return math.nan
    levels, codes = np.unique(values[known], return_inverse=True)
    counts = np.zeros((values.shape[1], len(levels)))  # how often each item was given each value
    np.add.at(counts, (np.nonzero(known)[1], codes), 1)
    weights = 1 / (counts.sum(axis=1) - 1)
    coincidences = (counts * weights[:, None]).T @ counts - np.diag((counts * weights[:, None]).sum(axis=0))
    margins = coincidences.sum(axis=1)
    distances = _squared_distances(levels, margins, level)
    expected = float(margins @ distances @ margins)
    if expected == 0:
        return math.nan
    return 1 - (float(margins.sum()) - 1) * float((coincidences * distances).sum()) / expected


def summarise_ratings(
    ratings: Iterable[Rating], *, resamples: int = 1000, seed: int = 0
) -> dict[str, RatingSummary]:
    """What the ratings of each run come to; of several by one person for one image the latest counts.

    An image's rating is the mean over its raters, and a run's the mean over its images; the interval is a
    bootstrap over images.

    Example:
        >>> said = [Rating("a.png", "plain-1", "Ada", 4), Rating("b.png", "plain-1", "Ada", 2)]
        >>> summary = summarise_ratings(said)["plain-1"]
        >>> summary.mean.value, summary.images, summary.raters
        (3.0, 2, 1)
    """
    latest: dict[str, dict[tuple[str, str], Rating]] = {}
    for rating in sorted(ratings, key=lambda rating: rating.time):
        latest.setdefault(rating.run, {})[rating.author, rating.image_id] = rating
    summaries = {}
    for run, given in latest.items():
        authors = sorted({author for author, _ in given})
        images = sorted({image for _, image in given})
        table = np.full((len(authors), len(images)), np.nan)
        for (author, image), rating in given.items():
            table[authors.index(author), images.index(image)] = rating.value
        means = np.nanmean(table, axis=0)[:, None]
        counts = resample_counts(len(images), resamples, seed)
        drawn = bootstrap(partial(_mean, means), counts)["mean"]
        mean = percentile_figure(float(means.mean()), drawn)
        summaries[run] = RatingSummary(mean, len(images), len(authors), krippendorff_alpha(table, "ordinal"))
    return summaries


def _mean(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The mean of (n, 1) scores in every resample."""
    return {"mean": weighted_means(scores, weights)[:, 0]}


def _squared_distances(
    levels: NDArray[np.float64], margins: NDArray[np.float64], level: Level
) -> NDArray[np.float64]:
    """(k, k) d^2 of every two of the k values that occur."""
    if level == "nominal":
        return 1 - np.eye(len(levels))
    if level == "interval":
        return np.square(levels[:, None] - levels[None, :])
    middles = np.cumsum(margins) - margins / 2  # the mean rank of each value
    return np.square(middles[:, None] - middles[None, :])
