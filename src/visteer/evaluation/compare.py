"""Two models on the same images: which differences are there, and which of them are more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from scipy.stats import t as student_t

from visteer.errors import VisteerError
from visteer.evaluation.bootstrap import Floats, bootstrap, percentile_figure, resample_counts
from visteer.evaluation.result import EvaluationResult, Figure, PerImage
from visteer.evaluation.summary import image_scores, mean_scores, resampled_classification

MCNEMAR = "McNemar, exact"
SIGN_FLIP = "paired permutation (sign flips)"
PAIRED_BOOTSTRAP = "paired bootstrap"
SEEDS = "t test over runs and images"

_FLIPS = 9_999
_EXACT_UNITS = 13


@dataclass(frozen=True)
class ComparedFigure:
    """One figure of two models on the same images.

    `before` and `after` hold its values with their own intervals, over the images that have it in both
    results; `difference` is after minus before with the interval of the paired difference. `p_value` is
    two-sided: how often a difference of this size comes by chance, if there is none. `test` names how it was
    found. NaN where the data cannot say. Whether more is better depends on the figure.
    """

    figure: str
    before: Figure
    after: Figure
    difference: Figure
    p_value: float
    test: str

    def to_json(self) -> dict[str, Any]:
        """Everything by name; figures as {"value", "low", "high"}, None for NaN."""
        return {
            "figure": self.figure,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "difference": self.difference.to_json(),
            "p_value": None if math.isnan(self.p_value) else self.p_value,
            "test": self.test,
        }


@dataclass(frozen=True)
class Comparison:
    """All figures of two models, or of two lists of runs, by name.

    Names are those of `EvaluationResult` ("accuracy", "iou", "reliance_irrelevant"), and further
    "sensitivity/CLASS", "specificity/CLASS", "iou@0.3", and "REGION/REPLACEMENT/MEASURE" for the rows of the
    interventions. `images` counts the images, `runs` the runs of each list.
    """

    rows: Mapping[str, ComparedFigure]
    images: int
    runs: int = 1

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`: the rows as a list."""
        return {
            "images": self.images,
            "runs": self.runs,
            "rows": [row.to_json() for row in self.rows.values()],
        }


def compare(a: EvaluationResult, b: EvaluationResult, *, resamples: int = 1000, seed: int = 0) -> Comparison:
    """Compare two models on the same images: b (after) minus a (before), for every figure.

    The interval is the 95 % percentile interval of the difference when both models are measured on the same
    resampled images: what makes an image hard is common to both and cancels out. The tests:

    - accuracy: McNemar's exact test on the images that one model gets right and the other wrong;
    - means over images (map scores, dead maps, reliance): the signs of the images' differences are flipped at
      random, 9,999 times, or in all ways for 13 images or fewer (Fisher 1935);
    - balanced accuracy, AUC, F2, calibration, sensitivity, specificity: twice the share of resamples on the
      far side of zero.

    If the results were made with groups of near-duplicates, groups are resampled and flipped as a whole, and
    accuracy is tested by flipping too, since McNemar's test takes images for independent. No p-value is
    corrected for the number of figures.

    Raises:
        VisteerError: the results are of different images, labels, classes, groups or map targets.
        ValueError: `resamples` is below 1.
    """
    _check_same_images([a, b])
    before, after = a.per_image, b.per_image
    counts = resample_counts(len(before.ids), resamples, seed, before.groups)
    drawn = bootstrap(partial(_paired, before, after), counts)
    point = _paired(before, after, np.ones((1, len(before.ids))))
    chances = _sign_flip_p_values(_score_differences(before, after), before.groups, seed)
    rows = {}
    for name in _names(point):
        parts = {
            part: percentile_figure(float(point[f"{part} {name}"][0]), drawn[f"{part} {name}"])
            for part in ("before", "after", "difference")
        }
        if name == "accuracy" and before.groups is None:
            p_value, test = mcnemar_p_value(_right(before), _right(after)), MCNEMAR
        elif name in chances:
            p_value, test = chances[name], SIGN_FLIP
        else:
            p_value, test = _bootstrap_p_value(drawn[f"difference {name}"]), PAIRED_BOOTSTRAP
        shown = _shown_name(name, a.class_names)
        rows[shown] = ComparedFigure(
            shown, parts["before"], parts["after"], parts["difference"], p_value, test
        )
    return Comparison(rows, images=len(before.ids))


def compare_seeds(
    a: Sequence[EvaluationResult], b: Sequence[EvaluationResult], *, resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Compare two ways of training by several runs of each: the mean of b minus the mean of a.

    Run i of `a` and run i of `b` make a pair (the same seed, or b steered from a); all runs are measured on
    the same images. Two things are random, the training run and the choice of the images, and the interval
    holds both: mean +- t * sqrt(V_runs + V_images), where V_runs = s^2 / k for the standard deviation s of
    the k differences, V_images is the bootstrap variance of the mean difference over images, and t the 97.5 %
    quantile of Student's distribution with the degrees of freedom of Welch and Satterthwaite. With few runs
    it is wide, and should be. The p-value is that of the same t. `before` and `after` are means over the
    runs, with intervals made the same way.

    Raises:
        VisteerError: as `compare`, for any two of the results.
        ValueError: the lists differ in length, or hold fewer than two runs.
    """
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"need two or more runs on both sides, paired, got {len(a)} and {len(b)}")
    _check_same_images([*a, *b])
    first = a[0].per_image
    counts = resample_counts(len(first.ids), resamples, seed, first.groups)
    units = len(first.ids) if first.groups is None else int(first.groups.max()) + 1
    pairs = [(one.per_image, other.per_image) for one, other in zip(a, b, strict=True)]
    drawn = [bootstrap(partial(_paired, *pair), counts) for pair in pairs]
    points = [_paired(*pair, np.ones((1, len(first.ids)))) for pair in pairs]
    rows = {}
    for name in _names(points[0]):
        keys = [f"{part} {name}" for part in ("before", "after", "difference")]
        if not all(keys[0] in point for point in points):
            continue
        (before, _), (after, _), (difference, p_value) = (
            _over_runs(
                np.array([point[key][0] for point in points]),
                np.mean([resampled[key] for resampled in drawn], axis=0),
                units,
            )
            for key in keys
        )
        shown = _shown_name(name, a[0].class_names)
        rows[shown] = ComparedFigure(shown, before, after, difference, p_value, SEEDS)
    return Comparison(rows, images=len(first.ids), runs=len(a))


def mcnemar_p_value(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """Exact two-sided McNemar test of two (n,) arrays that say which images are right; 1 if they agree.

    Source: McNemar, Psychometrika 12, 1947, with the binomial distribution in place of chi-square.

    Example:
        >>> before, after = np.array([True] + [False] * 6), np.array([False] + [True] * 6)
        >>> mcnemar_p_value(before, after)
        0.125
    """
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def sign_flip_p_values(
    differences: Floats, groups: NDArray[np.int64] | None = None, *, seed: int = 0
) -> Floats:
    """Ask of each column whether the signs of its differences could as well be random: two-sided p-values.

    Arguments:
        differences: (n, k), NaN where an image has none.
        groups: (n,) numbers from 0; images of a group are flipped together.
        seed: of the random flips; 13 units or fewer are flipped in all ways.

    Returns:
        (k,), at least 1 / 10,000 or 2 / 2^n; 1 if all differences are zero, NaN for a column of NaN.

    Example:
        >>> sign_flip_p_values(np.ones((5, 1)))
        array([0.0625])
    """
    known = ~np.isnan(differences)
    totals = np.where(known, differences, 0.0)
    if groups is not None:
        joined = np.zeros((int(groups.max()) + 1, differences.shape[1]))
        np.add.at(joined, groups, totals)
        totals = joined
    # Rounding must not decide whether a flipped sum is as large as the one that was seen.
    seen = np.abs(totals.sum(axis=0)) * (1 - 1e-9)
    if len(totals) <= _EXACT_UNITS:
        every = np.arange(2 ** len(totals))[:, None] >> np.arange(len(totals)) & 1
        chances = (np.abs((2.0 * every - 1) @ totals) >= seen).mean(axis=0)
    else:
        rng = np.random.default_rng(seed)
        step = max(1, 2_000_000 // len(totals))
        hits = np.ones(differences.shape[1])
        for start in range(0, _FLIPS, step):
            rows = min(step, _FLIPS - start)
            signs = 2.0 * rng.integers(0, 2, size=(rows, len(totals)), dtype=np.int8) - 1
            hits += (np.abs(signs @ totals) >= seen).sum(axis=0)
        chances = hits / (_FLIPS + 1)
    return np.where(known.any(axis=0), chances, np.nan)


def _check_same_images(results: Sequence[EvaluationResult]) -> None:
    first = results[0]
    for other in results[1:]:
        if first.class_names != other.class_names:
            raise VisteerError(
                f"the results have different classes ({', '.join(first.class_names)}; "
                f"{', '.join(other.class_names)}): compare runs of one study"
            )
        if first.per_image.ids != other.per_image.ids:
            common = len(set(first.per_image.ids) & set(other.per_image.ids))
            raise VisteerError(
                f"the results are of different images ({len(first.per_image.ids)} and "
                f"{len(other.per_image.ids)}, {common} in common): evaluate both runs on the same split"
            )
        changed = int((first.per_image.labels != other.per_image.labels).sum())
        if changed:
            raise VisteerError(f"the results give {changed} images different labels: evaluate both again")
        if first.map_targets != other.map_targets:
            raise VisteerError(
                f"the maps are of the {first.map_targets} class in one result and of the {other.map_targets} "
                "class in the other: evaluate both alike"
            )
        if not _same_groups(first.per_image.groups, other.per_image.groups):
            raise VisteerError("the results group near-duplicates differently: evaluate both again")


def _same_groups(a: NDArray[np.int64] | None, b: NDArray[np.int64] | None) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(a, b)


def _paired(before: PerImage, after: PerImage, weights: Floats) -> dict[str, Floats]:
    """Both models' figures and their difference: "before NAME", "after NAME", "difference NAME" -> (r,)."""
    one, other = resampled_classification(before, weights), resampled_classification(after, weights)
    first, second = _common_scores(before, after)
    one |= mean_scores(first, weights)
    other |= mean_scores(second, weights)
    found = {f"before {name}": values for name, values in one.items()}
    found |= {f"after {name}": values for name, values in other.items()}
    return found | {f"difference {name}": other[name] - values for name, values in one.items()}


def _common_scores(before: PerImage, after: PerImage) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Take the scores that both have, NaN for images that lack it in either."""
    first, second = image_scores(before), image_scores(after)
    both = {name: np.isfinite(first[name] + second[name]) for name in first if name in second}
    return (
        {name: np.where(known, first[name], np.nan) for name, known in both.items()},
        {name: np.where(known, second[name], np.nan) for name, known in both.items()},
    )


def _score_differences(before: PerImage, after: PerImage) -> dict[str, Floats]:
    first, second = _common_scores(before, after)
    found = {name: second[name] - values for name, values in first.items()}
    return found | {"accuracy": _right(after).astype(np.float64) - _right(before)}


def _sign_flip_p_values(
    differences: Mapping[str, Floats], groups: NDArray[np.int64] | None, seed: int
) -> dict[str, float]:
    chances = sign_flip_p_values(np.stack(list(differences.values()), axis=1), groups, seed=seed)
    return dict(zip(differences, chances.tolist(), strict=True))


def _bootstrap_p_value(differences: Floats) -> float:
    defined = differences[np.isfinite(differences)]
    if not len(defined):
        return math.nan
    tails = ((defined <= 0).sum() + 1, (defined >= 0).sum() + 1)
    return min(1.0, 2 * int(min(tails)) / (len(defined) + 1))


def _over_runs(values: Floats, resampled_mean: Floats, units: int) -> tuple[Figure, float]:
    """Give the mean over runs with its interval, and the p-value of its being zero."""
    k, mean = len(values), float(values.mean())
    drawn = resampled_mean[np.isfinite(resampled_mean)]
    if math.isnan(mean) or not len(drawn):
        return Figure(mean, math.nan, math.nan), math.nan
    of_runs, of_images = float(values.var(ddof=1)) / k, float(drawn.var())
    variance = of_runs + of_images
    if variance == 0:
        return Figure(mean, mean, mean), 1.0 if mean == 0 else 0.0
    freedom = variance**2 / (of_runs**2 / (k - 1) + of_images**2 / max(units - 1, 1))
    error = math.sqrt(variance)
    reach = float(student_t.ppf(0.975, freedom)) * error
    p_value = 2 * float(student_t.sf(abs(mean) / error, freedom))
    return Figure(mean, mean - reach, mean + reach), p_value


def _names(point: Mapping[str, Floats]) -> list[str]:
    return [key.removeprefix("before ") for key in point if key.startswith("before ")]


def _right(rows: PerImage) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = rows.probabilities.argmax(axis=1) == rows.labels
    return right


def _shown_name(name: str, class_names: Sequence[str]) -> str:
    """With the class's name in place of its number."""
    kind, _, number = name.partition("/")
    return f"{kind}/{class_names[int(number)]}" if kind in ("sensitivity", "specificity") else name
