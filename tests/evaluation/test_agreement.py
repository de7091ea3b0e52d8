"""Agreement of people: Krippendorff's own example, his definition pair by pair, and ratings of runs."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.oracles import krippendorff
from visteer.edits.rating import Rating
from visteer.evaluation.agreement import krippendorff_alpha, summarise_ratings

NAN = math.nan
# "Computing Krippendorff's Alpha-Reliability" (2011), part C: four observers, twelve units.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example(level, value):
    assert krippendorff_alpha(PUBLISHED, level) == pytest.approx(value, abs=5e-4)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_definition_pair_by_pair(level, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 6, (3, 15)).astype(float)
    values[rng.random(values.shape) < 0.3] = NAN
    assert krippendorff_alpha(values, level) == pytest.approx(krippendorff.alpha(values, level))


def test_perfect_agreement_is_one_and_its_opposite_is_below_zero():
    values = np.array([[1.0, 5, 1, 5], [1, 5, 1, 5]])
    assert krippendorff_alpha(values, "ordinal") == 1
    assert krippendorff_alpha(np.array([[1.0, 5, 1, 5], [5, 1, 5, 1]]), "ordinal") < 0


@pytest.mark.parametrize(
    "values", [np.full((2, 3), NAN), np.array([[1.0, NAN], [NAN, 2.0]]), np.ones((2, 3))]
)
def test_what_cannot_be_computed_is_nan(values):
    assert math.isnan(krippendorff_alpha(values))


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match="raters, items"):
        krippendorff_alpha(np.zeros(3))


def test_the_latest_rating_of_a_person_counts_and_images_count_alike():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    said = [
        Rating("a.png", "plain-1", "Ada", 5, start + timedelta(hours=1)),
        Rating("a.png", "plain-1", "Ada", 1, start),  # earlier, though it comes later
        Rating("a.png", "plain-1", "Bo", 3, start),
        Rating("b.png", "plain-1", "Ada", 2, start),
        Rating("a.png", "steered-2", "Ada", 1, start),
    ]
    found = summarise_ratings(said)
    assert found["plain-1"].mean.value == pytest.approx((4 + 2) / 2)
    assert (found["plain-1"].images, found["plain-1"].raters) == (2, 2)
    assert found["plain-1"].mean.low == 2
    assert found["plain-1"].mean.high == 4
    assert found["steered-2"].mean.value == 1
    assert math.isnan(found["steered-2"].alpha)
    assert summarise_ratings([]) == {}
