"""Masks and boxes as edits, and the seeded choice of images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from visteer.edits.formats.regions import choose_fraction, edit_from_boxes, edit_from_masks
from visteer.edits.map_edit import resample_edit

RELEVANT = np.array([[1, 1, 0, 0]], dtype=bool)
IRRELEVANT = np.array([[0, 1, 1, 0]], dtype=bool)


@pytest.mark.parametrize(
    ("relevant", "irrelevant", "outside", "kinds"),
    [
        (RELEVANT, IRRELEVANT, "irrelevant", "riii"),
        (RELEVANT, IRRELEVANT, "unknown", "rii?"),
        (RELEVANT, None, "irrelevant", "rrii"),
        (RELEVANT, None, "unknown", "rr??"),
        (None, IRRELEVANT, "irrelevant", "iiii"),
        (None, IRRELEVANT, "unknown", "?ii?"),
        (RELEVANT & False, None, "irrelevant", "iiii"),
        (RELEVANT & False, None, "unknown", "????"),
    ],
)
def test_masks(relevant: np.ndarray | None, irrelevant: np.ndarray | None, outside: str, kinds: str) -> None:
    edit = edit_from_masks(relevant, irrelevant, outside=outside, author="BUSI")
    found = np.select([edit.relevant, edit.irrelevant, edit.unknown], ["r", "i", "?"], "-")
    assert "".join(found[0]) == kinds
    assert edit.has_relevant == ("r" in kinds)
    assert set(np.unique(edit.target)) | set(np.unique(edit.weight)) <= {0.0, 1.0}
    assert (edit.author, edit.source) == ("BUSI", "masks")


def test_masks_that_do_not_fit() -> None:
    def call(relevant: object, irrelevant: object = None, outside: str = "unknown") -> None:
        edit_from_masks(relevant, irrelevant, outside=outside, author="BUSI")

    with pytest.raises(ValueError, match="at least one mask"):
        call(None)
    with pytest.raises(ValueError, match="one shape"):
        call(RELEVANT, IRRELEVANT.T)
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        call(RELEVANT[0])
    with pytest.raises(TypeError, match="bool, got uint8"):
        call(RELEVANT.astype(np.uint8))
    with pytest.raises(ValueError, match="outside must be"):
        call(RELEVANT, outside="relevant")


# Boxes on a grid of 24 by 24, so that a raster of 24 by 24 holds them exactly.
@st.composite
def box(draw: st.DrawFn) -> tuple[float, float, float, float]:
    left, right = sorted(draw(st.lists(st.integers(0, 24), min_size=2, max_size=2, unique=True)))
    top, bottom = sorted(draw(st.lists(st.integers(0, 24), min_size=2, max_size=2, unique=True)))
    return left / 24, top / 24, right / 24, bottom / 24


@given(
    st.lists(box(), max_size=4),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.sampled_from(["irrelevant", "unknown"]),
)
def test_boxes_equal_a_fine_drawing_brought_to_the_grid(
    boxes: list[tuple[float, float, float, float]], shape: tuple[int, int], outside: str
) -> None:
    fine = np.zeros((24, 24), dtype=bool)
    for left, top, right, bottom in boxes:
        fine[round(24 * top) : round(24 * bottom), round(24 * left) : round(24 * right)] = True
    target, weight = resample_edit(edit_from_masks(fine, outside=outside, author="A"), shape)
    edit = edit_from_boxes(boxes, shape, outside=outside, author="ImageNet")
    np.testing.assert_allclose(edit.weight, weight, atol=0.51 / 255)
    known = edit.weight > 0
    np.testing.assert_allclose(edit.target[known], target[known], atol=0.51 / 65535)
    assert (edit.author, edit.source) == ("ImageNet", "boxes")
    if not boxes or weight.max() > 1 / 255:  # what covers less of a cell than a step of trust is not seen
        assert edit.has_relevant == bool(boxes)


def test_coverage_of_a_box_by_hand() -> None:
    # 4 cells of a quarter each; the box covers 0.1 to 0.6: 0.6 of cell 0, all of cell 1, 0.4 of cell 2.
    edit = edit_from_boxes([(0.1, 0.0, 0.6, 1.0)], (1, 4), outside="irrelevant", author="A")
    np.testing.assert_allclose(edit.target, [[0.6, 1.0, 0.4, 0.0]], atol=1e-5)
    assert edit.weight.min() == 1


def test_a_box_that_ends_on_a_cell_border_stays_in_its_cells() -> None:
    for cells in range(1, 60):
        edit = edit_from_boxes([(0, 0, 1 / cells, 1)], (1, cells), outside="unknown", author="A")
        assert edit.relevant[0].tolist() == [True] + [False] * (cells - 1)


@pytest.mark.parametrize(
    "bad", [(0.5, 0, 0.5, 1), (0, 0.6, 1, 0.5), (-0.1, 0, 1, 1), (0, 0, 1, 1.01), (0, 0, float("nan"), 1)]
)
def test_boxes_that_are_none(bad: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="a box needs"):
        edit_from_boxes([(0, 0, 1, 1), bad], (4, 4), outside="unknown", author="A")
    with pytest.raises(ValueError, match="sides"):
        edit_from_boxes([(0, 0, 1, 1)], (0, 4), outside="unknown", author="A")
    with pytest.raises(ValueError, match="outside must be"):
        edit_from_boxes([(0, 0, 1, 1)], (4, 4), outside="relevant", author="A")  # type: ignore[arg-type]


@given(
    st.lists(st.text(max_size=5), unique=True, max_size=60),
    npst.arrays(np.float64, 2, elements=st.floats(0, 1)),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_choices_are_nested_and_do_not_depend_on_the_order(
    ids: list[str], fractions: np.ndarray, seed: int, random: object
) -> None:
    small, large = sorted(float(value) for value in fractions)
    few, many = choose_fraction(ids, small, seed), choose_fraction(ids, large, seed)
    assert set(few) <= set(many) <= set(ids)
    assert len(many) == max(round(large * len(ids)), min(1, len(ids)) if large > 0 else 0)
    shuffled = list(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose_fraction(shuffled, large, seed) == many
    assert choose_fraction(ids, 1, seed) == tuple(sorted(ids))


def test_choices_differ_by_seed_and_are_even() -> None:
    ids = [str(n) for n in range(200)]
    choices = [choose_fraction(ids, 0.1, seed) for seed in range(200)]
    assert len(set(choices)) == 200
    counts = np.bincount([int(name) for choice in choices for name in choice], minlength=200)
    assert counts.sum() == 4000
    assert 5 <= counts.min() <= counts.max() <= 42  # 20 expected, standard deviation 4.2


def test_choices_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="fraction"):
        choose_fraction(["a"], 1.5, 0)
    with pytest.raises(ValueError, match="unique"):
        choose_fraction(["a", "a"], 0.5, 0)
