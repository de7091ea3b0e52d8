from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import permutation_test

from visteer.errors import VisteerError
from visteer.evaluation.bootstrap import resample_counts
from visteer.evaluation.classification import classification_values
from visteer.evaluation.compare import (
    MCNEMAR,
    PAIRED_BOOTSTRAP,
    SEEDS,
    SIGN_FLIP,
    compare,
    compare_seeds,
    mcnemar_p_value,
    sign_flip_p_values,
)
from visteer.evaluation.result import PerImage
from visteer.evaluation.summary import summarise


def made_result(seed, n=60, skill=1.0, gain=0.0, groups=None):
    """A result of random predictions; hard images and the region-less ones are the same for all seeds."""
    shared, own = np.random.default_rng(0), np.random.default_rng(seed + 1)
    labels = shared.integers(0, 3, n)
    hardness, base = shared.normal(size=n), shared.random(n)
    logits = own.normal(size=(n, 3))
    logits[np.arange(n), labels] += skill - 0.5 * hardness
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    iou = np.where(np.arange(n) % 4, (0.8 * base + gain + 0.1 * own.normal(size=n)).clip(0, 1), np.nan)
    per_image = PerImage(
        ids=tuple(f"image {i}" for i in range(n)),
        labels=labels,
        probabilities=probabilities,
        dead=own.random(n) < 0.1,
        scores={"iou": iou},
        groups=groups,
    )
    return summarise(per_image, ["a", "b", "c"], {"images": n}, resamples=50)


def test_differences_are_those_of_the_values():
    a, b = made_result(1), made_result(2, skill=3, gain=0.1)
    rows = compare(a, b).rows
    assert {"accuracy", "auc", "f2", "ece", "sensitivity/b", "specificity/c", "iou", "dead"} <= set(rows)
    for name in ("accuracy", "balanced_accuracy", "auc", "f2", "ece"):
        row = rows[name]
        assert row.before.value == pytest.approx(a.figures[name].value, abs=1e-6)
        assert row.difference.value == pytest.approx(b.figures[name].value - a.figures[name].value, abs=1e-6)
        assert row.difference.low <= row.difference.value <= row.difference.high
    assert rows["iou"].difference.value == pytest.approx(b.maps["iou"].value - a.maps["iou"].value)
    assert rows["accuracy"].p_value < 0.01
    assert rows["iou"].p_value < 0.01
    assert rows["accuracy"].test == MCNEMAR
    assert rows["f2"].test == PAIRED_BOOTSTRAP
    assert rows["dead"].test == SIGN_FLIP


def test_both_models_are_measured_on_the_same_resamples():
    a, b = made_result(1), made_result(2, skill=2)
    difference = compare(a, b, resamples=60, seed=9).rows["f2"].difference
    found = []
    for multiplicities in resample_counts(60, 60, seed=9):
        drawn = np.repeat(np.arange(60), multiplicities)
        f2 = [
            classification_values(r.per_image.labels[drawn], r.per_image.probabilities[drawn])["f2"]
            for r in (a, b)
        ]
        found.append(f2[1] - f2[0])
    low, high = np.quantile(found, [0.025, 0.975])
    assert (difference.low, difference.high) == (
        pytest.approx(low, abs=1e-6),
        pytest.approx(high, abs=1e-6),
    )


def test_pairing_narrows_the_interval():
    a, b = made_result(1), made_result(2, gain=0.05)
    row = compare(a, b).rows["iou"]
    width = row.difference.high - row.difference.low
    assert width < 0.6 * (row.before.high - row.before.low)


def test_a_result_and_itself_do_not_differ():
    a = made_result(1)
    for name, row in compare(a, a).rows.items():
        assert (row.difference.value, row.difference.low, row.difference.high) == (0, 0, 0), name
        assert row.p_value == 1, name


def test_images_that_only_one_result_scores_are_left_out():
    a, b = made_result(1), made_result(2)
    fewer = b.per_image.scores["iou"].copy()
    fewer[:30] = np.nan
    b = replace(b, per_image=replace(b.per_image, scores={"iou": fewer}))
    row = compare(a, b).rows["iou"]
    assert row.before.value == pytest.approx(np.nanmean(a.per_image.scores["iou"][30:]))
    empty = replace(b, per_image=replace(b.per_image, scores={"iou": np.full(60, np.nan)}))
    row = compare(a, empty).rows["iou"]
    assert math.isnan(row.difference.value)
    assert math.isnan(row.p_value)
    assert row.to_json()["p_value"] is None


def test_groups_are_kept_together():
    groups = np.repeat(np.arange(15), 4)
    a, b = made_result(1, groups=groups), made_result(2, skill=2, groups=groups)
    rows = compare(a, b).rows
    assert rows["accuracy"].test == SIGN_FLIP
    assert rows["accuracy"].p_value < 0.05


def changed(result, **parts):
    return replace(result, per_image=replace(result.per_image, **parts))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: made_result(2, n=50), r"different images \(60 and 50, 50 in common\): evaluate both"),
        (lambda r: changed(r, ids=r.per_image.ids[::-1]), "different images"),
        (lambda r: changed(r, labels=(r.per_image.labels + 1) % 3), "give 60 images different labels"),
        (lambda r: changed(r, groups=np.arange(60)), "near-duplicates"),
        (lambda r: replace(r, class_names=("a", "b", "d")), "different classes"),
        (lambda r: replace(r, map_targets="predicted"), "maps are of the true class"),
    ],
)
def test_results_that_cannot_be_paired_are_refused(change, message):
    a = made_result(1)
    with pytest.raises(VisteerError, match=message):
        compare(a, change(made_result(2)))
    with pytest.raises(VisteerError, match=message):
        compare_seeds([a, a], [a, change(made_result(2))])


def test_mcnemar_is_the_binomial_of_the_disagreements():
    """8 gained, 2 lost: 2 * (C(10,0) + C(10,1) + C(10,2)) / 2^10."""
    before = np.array([False] * 8 + [True] * 2 + [True] * 40)
    after = np.array([True] * 8 + [False] * 2 + [True] * 40)
    assert mcnemar_p_value(before, after) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert mcnemar_p_value(before, before) == 1


def test_sign_flips_in_all_ways_and_at_random():
    rng = np.random.default_rng(0)
    few = rng.normal(0.4, 1, (9, 2))
    for column, p_value in zip(few.T, sign_flip_p_values(few), strict=True):
        sums = [abs(np.dot(signs, column)) for signs in itertools.product((-1, 1), repeat=9)]
        assert p_value == pytest.approx(np.mean([s >= abs(column.sum()) - 1e-12 for s in sums]))
    many = rng.normal(0.3, 1, (60, 1))
    expected = permutation_test(
        (many[:, 0],), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(1)
    )
    assert sign_flip_p_values(many)[0] == pytest.approx(expected.pvalue, abs=0.02)


def test_sign_flips_of_groups_and_of_missing_values():
    differences = np.array([[1.0, np.nan], [1.0, np.nan], [2.0, np.nan]])
    assert sign_flip_p_values(differences)[0] == 0.25
    assert sign_flip_p_values(differences, np.array([0, 0, 1]))[0] == 0.5
    assert np.isnan(sign_flip_p_values(differences)[1])


def test_chance_is_called_by_its_rate():
    """Without a difference, about one p-value in twenty is below 0.05."""
    rng = np.random.default_rng(0)
    chances = sign_flip_p_values(rng.normal(size=(30, 400)))
    assert 0.02 < (chances < 0.05).mean() < 0.09


def test_seeds_give_the_t_interval_over_runs_when_images_do_not_matter():
    """Every image has the same score, so only the runs are random."""

    def flat(value):
        one = made_result(1)
        return changed(one, scores={"iou": np.full(60, value)})

    before, after = [0.3, 0.35, 0.28], [0.5, 0.48, 0.6]
    row = compare_seeds([flat(v) for v in before], [flat(v) for v in after], resamples=20).rows["iou"]
    differences = np.subtract(after, before)
    reach = 4.302653 * differences.std(ddof=1) / math.sqrt(3)  # 97.5 % of t with 2 degrees of freedom
    assert row.difference.value == pytest.approx(differences.mean())
    assert row.difference.high - row.difference.value == pytest.approx(reach, rel=1e-5)
    assert row.test == SEEDS


def test_seeds_give_the_interval_over_images_when_runs_do_not_matter():
    a, b = made_result(1, n=400), made_result(2, n=400, gain=0.1)
    row = compare_seeds([a, a, a], [b, b, b], resamples=2000).rows["iou"]
    differences = b.per_image.scores["iou"] - a.per_image.scores["iou"]
    differences = differences[np.isfinite(differences)]
    reach = NormalDist().inv_cdf(0.975) * differences.std() / math.sqrt(len(differences))
    assert row.difference.high - row.difference.value == pytest.approx(reach, rel=0.08)
    assert row.p_value < 0.001


def test_seeds_of_the_same_results_do_not_differ():
    a = made_result(1)
    comparison = compare_seeds([a, a], [a, a])
    assert comparison.runs == 2
    for row in comparison.rows.values():
        assert row.difference.value == row.difference.high == 0
        assert row.p_value == 1


def test_seeds_come_in_pairs():
    a = made_result(1)
    for first, second in (([a], [a]), ([a, a], [a, a, a]), ([], [])):
        with pytest.raises(ValueError, match="two or more runs"):
            compare_seeds(first, second)


def test_a_comparison_is_json():
    content = compare(made_result(1), made_result(2), resamples=20).to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["rows"][0]["figure"] == "accuracy"
    assert set(content["rows"][0]["difference"]) == {"value", "low", "high"}
