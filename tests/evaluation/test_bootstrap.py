from __future__ import annotations

import time

import numpy as np
import pytest

from visteer.evaluation.bootstrap import (
    bootstrap,
    divide,
    percentile_figure,
    resample_counts,
    weighted_means,
)
from visteer.evaluation.classification import classification_resamples


def test_counts_draw_n_images_and_repeat_with_the_seed():
    counts = resample_counts(50, 200, seed=3)
    assert counts.shape == (200, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert (counts == resample_counts(50, 200, seed=3)).all()
    assert (counts != resample_counts(50, 200, seed=4)).any()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.35)


def test_a_group_is_drawn_whole():
    groups = ["a", "b", "a", "c", "b", "a"]
    counts = resample_counts(6, 300, seed=0, groups=groups)
    assert (counts[:, 0] == counts[:, 2]).all()
    assert (counts[:, 0] == counts[:, 5]).all()
    assert (counts[:, 1] == counts[:, 4]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()


@pytest.mark.parametrize(("n", "resamples", "groups"), [(0, 1, None), (1, 0, None), (3, 1, ["a", "b"])])
def test_wrong_arguments(n, resamples, groups):
    with pytest.raises(ValueError, match=r"bootstrap needs|groups must"):
        resample_counts(n, resamples, 0, groups)


def test_weighted_means_equal_means_of_the_drawn_images():
    rng = np.random.default_rng(0)
    scores = rng.random((30, 4))
    scores[rng.random((30, 4)) < 0.3] = np.nan
    counts = resample_counts(30, 20, seed=1)
    means = weighted_means(scores, counts.astype(float))
    for row, multiplicities in zip(means, counts, strict=True):
        drawn = np.repeat(scores, multiplicities, axis=0)
        assert row == pytest.approx(np.nanmean(drawn, axis=0))


def test_chunks_change_nothing(monkeypatch):
    scores = np.random.default_rng(0).random((40, 1))
    counts = resample_counts(40, 100, seed=1)

    def means(weights):
        return {"mean": weighted_means(scores, weights)[:, 0]}

    whole = bootstrap(means, counts)["mean"]
    monkeypatch.setattr("visteer.evaluation.bootstrap._CELLS_AT_ONCE", 7 * 40)
    assert bootstrap(means, counts)["mean"] == pytest.approx(whole, rel=1e-14)


def test_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        scores = rng.normal(size=(80, 1))
        resampled = weighted_means(scores, resample_counts(80, 400, seed=trial).astype(float))[:, 0]
        figure = percentile_figure(float(scores.mean()), resampled)
        hits += figure.low <= 0 <= figure.high
    assert 0.89 <= hits / 200 <= 0.985


def test_interval_of_nothing_is_nan_without_a_warning():
    assert np.isnan(percentile_figure(0.3, np.full(5, np.nan)).low)
    assert np.isnan(percentile_figure(np.nan, np.ones(5)).high)
    assert np.isnan(divide(1.0, 0.0))


def test_a_thousand_resamples_of_500_images_take_about_a_second():
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 10, 500), rng.dirichlet(np.ones(10), 500)
    start = time.process_time()
    bootstrap(
        lambda weights: classification_resamples(labels, probabilities, weights),
        resample_counts(500, 1000, seed=0),
    )
    assert time.process_time() - start < 2
