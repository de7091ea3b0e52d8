"""IDX files: what is read, and one line for every kind of damage."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from visteer.data.readers.idx import read_idx, read_mnist
from visteer.errors import VisteerError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def write_mnist(
    folder: Path,
    train: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    test: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    zipped: bool = False,
) -> Path:
    folder.mkdir(exist_ok=True)
    for part, (images, labels) in (("train", train), ("t10k", test)):
        for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            data = idx_bytes(array)
            path = folder / f"{part}-{name}{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(data) if zipped else data)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_reads_what_was_written(tmp_path: Path, zipped: bool):
    labels = np.array([3, 9], np.uint8)
    folder = write_mnist(tmp_path / "mnist", (IMAGES, labels), (IMAGES[:1], labels[:1]), zipped)
    train, test = read_mnist(folder)
    np.testing.assert_array_equal(train.images, IMAGES)
    np.testing.assert_array_equal(train.labels, [3, 9])
    assert test.images.shape == (1, 3, 4)
    assert train.labels.dtype == np.int64


GOOD = idx_bytes(IMAGES)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no IDX file: it begins with nothing"),
        (b"\x89PNG\r\n\x1a\n", "no IDX file: it begins with 89504e47"),
        (b"\0\0\x0d\x01" + bytes(8), "type 0x0d"),
        (b"\0\0\x08\x00", "no IDX file"),
        (GOOD[:9], "cut off in its header"),
        (GOOD[:-1], "cut off: 23 of 24 bytes"),
        (GOOD + b"\0", "longer than the 24 bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "too many to be meant"),
        (gzip.compress(GOOD)[:-9], "damaged or cut off"),
        (gzip.compress(GOOD)[:10] + b"\xff" * 20, "damaged or cut off"),
        (gzip.compress(GOOD)[:-8] + b"\1" * 8, "damaged or cut off"),
    ],
)
def test_damage_is_one_line_with_the_file(tmp_path: Path, data: bytes, says: str):
    path = tmp_path / "damaged"
    path.write_bytes(data)
    with pytest.raises(VisteerError, match=says) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_pairs_that_do_not_fit(tmp_path: Path):
    with pytest.raises(VisteerError, match="has no train-images-idx3-ubyte"):
        read_mnist(tmp_path)
    with pytest.raises(VisteerError, match="is not there"):
        read_idx(tmp_path / "absent")
    with pytest.raises(VisteerError, match="cannot read"):
        read_idx(tmp_path)
    two = np.array([0, 1], np.uint8)
    one = (IMAGES[:1], two[:1])
    with pytest.raises(VisteerError, match="2 images and train-labels-idx1-ubyte 1 labels"):
        read_mnist(write_mnist(tmp_path / "a", (IMAGES, two[:1]), one))
    with pytest.raises(VisteerError, match="no labels"):
        read_mnist(write_mnist(tmp_path / "b", (IMAGES, IMAGES), one))
    with pytest.raises(VisteerError, match="no images"):
        read_mnist(write_mnist(tmp_path / "c", (two, two), one))
    with pytest.raises(VisteerError, match="3 x 4 and the test images 4 x 3"):
        read_mnist(write_mnist(tmp_path / "d", (IMAGES, two), (IMAGES[:1].reshape(1, 4, 3), two[:1])))
