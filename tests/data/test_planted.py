"""Planted marks: where they lie, what they tell, and what is left alone."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from visteer.data.planted import PlantedMark, plant_marks

GREY = np.full((12, 80, 80, 3), 128, np.uint8)


@pytest.mark.parametrize("mark", get_args(PlantedMark))
def test_only_the_square_of_the_mark_changes_and_the_place_tells_nothing(mark):
    told = np.arange(12) % 3
    planted, where = plant_marks(GREY, told, mark, classes=3, seed=1)
    again, where_again = plant_marks(GREY, 2 - told, mark, classes=3, seed=1)
    assert np.array_equal(where, where_again)
    assert (where.sum(axis=(1, 2)) == round(0.16 * 80) ** 2).all()
    assert (planted == GREY)[~where].all()
    assert (planted != GREY).any(axis=(1, 2, 3)).all()
    assert (planted != again).any(axis=(1, 2, 3))[told != 1].all()
    assert (GREY == 128).all()


@pytest.mark.parametrize("mark", get_args(PlantedMark))
def test_kinds_differ_from_each_other_and_from_their_mirror_images(mark):
    told = np.repeat(np.arange(3), 4)
    planted, where = plant_marks(GREY, told, mark, classes=3, seed=2)
    side = round(0.16 * 80)
    stamps = [image[mask].reshape(side, side, 3) for image, mask in zip(planted, where, strict=True)]
    for first in range(3):
        assert np.array_equal(stamps[4 * first], stamps[4 * first + 3])
        for second in range(first):
            for other in (stamps[4 * second], stamps[4 * second][:, ::-1]):
                difference = np.abs(stamps[4 * first].astype(int) - other).max()
                assert difference > 60


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mark": "hair"}, "mark must be caliper, tag, patch"),
        ({"images": GREY[:, :40]}, r"images must be \(n, S, S, 3\)"),
        ({"images": GREY[:, :40, :40]}, "at least 64 pixels"),
        ({"told": np.full(12, 3)}, "a class from 0 to 2"),
        ({"told": np.zeros(3, np.int64)}, "a class from 0 to 2"),
    ],
)
def test_what_cannot_be_planted(change, said):
    given = {"images": GREY, "told": np.zeros(12, np.int64), "mark": "tag", **change}
    with pytest.raises(ValueError, match=said):
        plant_marks(given["images"], given["told"], given["mark"], classes=3, seed=0)
