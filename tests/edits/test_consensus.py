"""Several people's edits: agreement by hand, STAPLE against its paper form, trust that falls where they differ."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.oracles import staple as paper
from visteer.edits.consensus import consensus_edit, latest_by_author, soft_dice, staple
from visteer.edits.map_edit import MapEdit


def edit(target, weight=None, author="Ada", **more) -> MapEdit:
    target = np.atleast_2d(target)
    return MapEdit(target, np.ones(target.shape) if weight is None else np.atleast_2d(weight), author, **more)


@pytest.mark.parametrize("seed", range(6))
def test_staple_is_the_paper_s(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random(60) < 0.4
    votes = np.where(rng.random((4, 60)) < [[0.95], [0.85], [0.7], [0.9]], truth, ~truth).astype(float)
    votes[rng.random(votes.shape) < 0.15] = np.nan
    votes[0, np.isnan(votes).all(axis=0)] = 1
    found, expected = staple(votes), paper.staple(votes)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_staple_trusts_the_two_who_agree_over_the_one_who_does_not():
    rng = np.random.default_rng(0)
    truth = (rng.random(400) < 0.3).astype(float)
    noise = (rng.random(400) < 0.5).astype(float)
    found, p, q = staple(np.stack([truth, truth, noise]))
    np.testing.assert_array_equal(found > 0.5, truth == 1)
    assert p[2] < 0.7 < p[0]
    assert q[2] < 0.7 < q[0]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_when_all_say_the_same_it_is_so(value):
    found, _, _ = staple(np.full((3, 5), value))
    assert (found == value).all()


def test_dice_counts_only_what_both_know():
    a, b = edit([1, 1, 0, 0]), edit([1, 0, 1, 0], [1, 1, 0, 1], "Eve")
    assert soft_dice(a, b) == pytest.approx(2 * 1 / (2 + 1))
    assert soft_dice(a, a) == 1
    assert math.isnan(soft_dice(edit([0, 0]), edit([0, 0])))


def test_dice_takes_rasters_of_any_size():
    small, large = edit([[1, 0]]), edit(np.repeat([[1.0, 0.0]], 4, axis=0).repeat(3, axis=1), author="Eve")
    assert soft_dice(small, large) == pytest.approx(1)


def test_the_mean_is_trusted_less_where_people_differ():
    both = consensus_edit([edit([1, 0, 1, 0.5]), edit([1, 0, 0, 1], [1, 1, 1, 0], "Eve")], "mean", "Ada")
    np.testing.assert_allclose(both.target, [[1, 0, 0, 0.5]], atol=1e-4)
    np.testing.assert_allclose(both.weight, [[1, 1, 0, 0.5]], atol=3e-3)
    assert (both.source, both.author, both.comment) == ("consensus", "Ada", "mean of Ada, Eve")


def test_the_vote_goes_with_the_many_and_leaves_unknown_what_nobody_knows():
    edits = [edit([1, 1, 0, 0, 1], [1, 1, 1, 1, 0], name) for name in ("Ada", "Bo")]
    edits.append(edit([1, 0, 0, 1, 1], [1, 1, 1, 1, 0], "Eve"))
    both = consensus_edit(edits, "vote", "Ada")
    assert (both.target[0, :4] > 0.5).tolist() == [True, True, False, False]
    assert both.weight[0, 4] == 0
    assert (both.weight[0, :4] > 0).all()


def test_only_the_latest_of_each_counts_and_no_consensus():
    history = [
        edit([1], author="Eve", revision=1),
        edit([0], author="Ada", revision=2),
        edit([0], author="Eve", revision=3),
        edit([1], author="Ada", revision=4, source="consensus"),
    ]
    assert [(e.author, e.revision) for e in latest_by_author(history)] == [("Ada", 2), ("Eve", 3)]


def test_one_edit_is_no_consensus():
    with pytest.raises(ValueError, match="two or more"):
        consensus_edit([edit([1])], "mean", "Ada")
