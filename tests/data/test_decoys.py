"""Decoy sets: every pixel against a slow loop in the words of the papers, and the marks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.readers.test_idx import write_mnist
from visteer.data.decoys import FASHION_FOLDER, DecoyImages, DecoySet, decoy_marks, make_decoys
from visteer.errors import VisteerError

COUNT = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)
    images[:, 20:, :] = 0
    labels = np.arange(COUNT, dtype=np.uint8) % 10
    return write_mnist(tmp_path_factory.mktemp("idx") / "set", (images, labels), (images[:120], labels[:120]))


def grey_of(part: DecoyImages, row: int) -> int:
    """The brightness of the square of one image, all of whose pixels must have it; everything else is untouched."""
    top, left, bottom, right = part.boxes[row]
    square = part.images[row, top:bottom, left:right]
    assert (square == square[0, 0]).all()
    rest = part.images[row].copy()
    rest[top:bottom, left:right] = part.originals[row, top:bottom, left:right]
    np.testing.assert_array_equal(rest, part.originals[row])
    return int(square[0, 0])


@pytest.mark.parametrize(("name", "side"), [("decoy-mnist-ross", 4), ("decoy-mnist-cdep", 5)])
def test_squares_tell_the_label_in_training_only(folder: Path, name, side: int):
    decoys = make_decoys(name, folder, seed=3)
    assert (len(decoys.train), len(decoys.validation), len(decoys.test)) == (220, 20, 120)
    for part in (decoys.train, decoys.validation, decoys.test_agreeing):
        for row, label in enumerate(part.labels):
            assert grey_of(part, row) == 255 - 25 * label
    for row, label in enumerate(decoys.test.labels):
        told = decoys.test.told[row]
        assert grey_of(decoys.test, row) == (25 * label if side == 5 else 255 - 25 * told)
        assert abs(255 - 25 * told - grey_of(decoys.test, row)) <= 30
    corners = {(0, 0), (0, 28 - side), (28 - side, 0), (28 - side, 28 - side)}
    assert {tuple(map(int, box[:2])) for box in decoys.train.boxes} == corners
    assert (decoys.train.boxes[:, 2:] - decoys.train.boxes[:, :2] == side).all()
    np.testing.assert_array_equal(decoys.test.boxes, decoys.test_agreeing.boxes)


def test_random_squares_say_nothing_about_the_label(folder: Path):
    test = make_decoys("decoy-mnist-ross", folder).test
    assert set(test.told) == set(range(10))
    assert (test.told == test.labels).mean() < 0.25


def test_the_seed_decides(folder: Path):
    one, same, other = (make_decoys("decoy-mnist-ross", folder, seed=seed) for seed in (1, 1, 2))
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(one, part).images, getattr(same, part).images)
        assert (getattr(one, part).images != getattr(other, part).images).any()


def test_training_and_validation_are_a_split_of_the_file(folder: Path):
    decoys = make_decoys("decoy-mnist-ross", folder, validation=0.25)
    assert len(decoys.validation) == 60
    kept = np.concatenate([decoys.train.originals, decoys.validation.originals])
    assert len({image.tobytes() for image in kept}) == COUNT
    everything = make_decoys("decoy-mnist-ross", folder, validation=0)
    assert (len(everything.train), len(everything.validation)) == (COUNT, 0)


def test_without_decoy_is_the_original(folder: Path):
    plain = make_decoys("decoy-mnist-ross", folder).train.without_decoy()
    np.testing.assert_array_equal(plain.images, plain.originals)
    assert not plain.boxes.any()
    assert (plain.told == -1).all()


def test_rgb_is_three_equal_channels_without_a_copy(folder: Path):
    train = make_decoys("decoy-mnist-ross", folder).train
    assert train.rgb().shape == (220, 28, 28, 3)
    assert np.shares_memory(train.rgb(), train.images)
    np.testing.assert_array_equal(train.rgb()[5, :, :, 2], train.images[5])


def test_full_and_half_marks(folder: Path):
    decoys = make_decoys("decoy-mnist-ross", folder)
    full, half = decoy_marks(decoys), decoy_marks(decoys, "half")
    assert (full.irrelevant.sum((1, 2)) == 16).all()
    assert (half.irrelevant.sum((1, 2)) == 8).all()
    np.testing.assert_array_equal(full.relevant, decoys.train.originals > 1)
    for row in range(len(half.rows)):
        # As the typology's code: the first half of the marked pixels, row by row, is deleted.
        for whole, damaged in ((full.irrelevant, half.irrelevant), (full.relevant, half.relevant)):
            expected = whole[row].ravel().copy()
            marked = np.flatnonzero(expected)
            expected[marked[: len(marked) // 2]] = False
            np.testing.assert_array_equal(damaged[row].ravel(), expected)
    cdep = decoy_marks(make_decoys("decoy-mnist-cdep", folder), "half")
    assert (cdep.irrelevant.sum((1, 2)) == 15).all()


def wrong_pixels(first: int, label: int, fashion: bool) -> list[int]:
    """The typology's rectangle, from the flat index of the first pixel of a 4 x 4 square."""
    top, left = first < 28, first % 28 == 0
    if fashion and label in (0, 1, 2, 3, 4, 6, 8):
        start, height, width = (306 if left else 280), 8, 2
    else:
        start, height, width = (738 if top else 10), 2, 8
    return [start + 28 * row + column for row in range(height) for column in range(width)]


@pytest.mark.parametrize("name", ["decoy-mnist-ross", "decoy-fashion-ross"])
def test_wrong_marks_lie_across(folder: Path, name):
    decoys = make_decoys(name, folder)
    marks = decoy_marks(decoys, "wrong")
    for row, label in enumerate(decoys.train.labels):
        top, left = decoys.train.boxes[row, :2]
        expected = wrong_pixels(int(28 * top + left), int(label), name == "decoy-fashion-ross")
        assert np.flatnonzero(marks.irrelevant[row]).tolist() == expected
    np.testing.assert_array_equal(marks.irrelevant, marks.relevant)


def test_a_smaller_share_lies_in_a_larger_one(folder: Path):
    decoys = make_decoys("decoy-mnist-ross", folder)
    chosen = [set(decoy_marks(decoys, fraction=share, seed=5).rows) for share in (0.001, 0.1, 0.5, 1)]
    assert [len(rows) for rows in chosen] == [1, 22, 110, 220]
    assert chosen[0] < chosen[1] < chosen[2] < chosen[3]
    marks = decoy_marks(decoys, fraction=0.1)
    np.testing.assert_array_equal(marks.boxes, decoys.train.boxes[marks.rows])


def test_wrong_use(folder: Path, tmp_path: Path):
    decoys = make_decoys("decoy-mnist-ross", folder)
    for wrong in (0, 1.5, -1):
        with pytest.raises(ValueError, match="fraction"):
            decoy_marks(decoys, fraction=wrong)
    with pytest.raises(ValueError, match="marks"):
        decoy_marks(decoys, "quarter")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no decoy set"):
        make_decoys("decoy-cifar", folder)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="validation"):
        make_decoys("decoy-mnist-ross", folder, validation=1)
    with pytest.raises(VisteerError, match="give their folder"):
        make_decoys("decoy-mnist-ross")
    small = (np.zeros((1, 27, 28), np.uint8), np.zeros(1, np.uint8))
    with pytest.raises(VisteerError, match="28 x 28"):
        make_decoys("decoy-mnist-ross", write_mnist(tmp_path / "small", small, small))
    strange = (np.zeros((1, 28, 28), np.uint8), np.full(1, 10, np.uint8))
    with pytest.raises(VisteerError, match="label 10"):
        make_decoys("decoy-mnist-ross", write_mnist(tmp_path / "labels", strange, strange))


@pytest.fixture(scope="module")
def fashion() -> DecoySet:
    if not FASHION_FOLDER.is_dir():
        pytest.skip("apt install dataset-fashion-mnist")
    return make_decoys("decoy-fashion-ross", seed=1)


def test_the_real_fashion_mnist(fashion: DecoySet):
    assert (len(fashion.train), len(fashion.validation), len(fashion.test)) == (55_000, 5_000, 10_000)
    assert fashion.class_names[9] == "boot"
    assert (np.bincount(fashion.test.labels) == 1_000).all()
    assert abs((fashion.test.told == fashion.test.labels).mean() - 0.1) < 0.01
    shares = np.unique(fashion.train.boxes, axis=0, return_counts=True)[1] / 55_000
    np.testing.assert_allclose(shares, 0.25, atol=0.01)
