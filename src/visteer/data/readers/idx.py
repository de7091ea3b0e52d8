"""IDX files, the format of MNIST and Fashion-MNIST: a small header and bytes, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from visteer.errors import VisteerError

LARGEST = 2**31
"""No more bytes than this are read from one file; Fashion-MNIST's largest has 47 million."""


@dataclass(frozen=True)
class LabelledImages:
    """Grey images (n, H, W) uint8 with labels (n,) int64, as they stand in a pair of IDX files."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_mnist(folder: Path) -> tuple[LabelledImages, LabelledImages]:
    """The training and the test images of a folder in MNIST's layout, gzipped or not.

    The files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    `t10k-labels-idx1-ubyte`, each with or without `.gz`.

    Raises:
        VisteerError: a file is missing or damaged, or images and labels do not fit together.
    """
    train, test = (_read_pair(Path(folder), part) for part in ("train", "t10k"))
    if train.images.shape[1:] != test.images.shape[1:]:
        raise VisteerError(
            f"{folder}: the training images are {_size(train)} and the test images {_size(test)}; "
            "put the four files of one data set there"
        )
    return train, test


def read_idx(path: Path) -> NDArray[np.uint8]:
    r"""The array of an IDX file of unsigned bytes, with 1 to 4 dimensions; gzipped files are told by their first bytes.

    Raises:
        VisteerError: the file is missing, cut off, longer than its header says, or no IDX file of bytes.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "labels")
        ...     _ = path.write_bytes(b"\0\0\x08\x01" + b"\0\0\0\x03" + b"\x07\x02\x01")
        ...     read_idx(path)
        array([7, 2, 1], dtype=uint8)
    """
    mend = "fetch the file again"
    try:
        with Path(path).open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not zipped:
                return _read_array(raw, path)
            with gzip.open(raw, "rb") as file:
                return _read_array(cast("BinaryIO", file), path)
    except FileNotFoundError as error:
        raise VisteerError(f"{path} is not there; give the folder of the IDX files") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VisteerError(f"{path} is damaged or cut off ({error}); {mend}") from error
    except OSError as error:
        raise VisteerError(f"cannot read {path}: {error.strerror or error}") from error


def _read_array(file: BinaryIO, path: Path) -> NDArray[np.uint8]:
    """The array behind the header. Not more is read than the header says, and one byte to see whether it ends."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= 4:
        raise VisteerError(f"{path} is no IDX file: it begins with {magic.hex() or 'nothing'}")
    if magic[2] != 8:
        raise VisteerError(
            f"{path} holds values of type 0x{magic[2]:02x}; only unsigned bytes (0x08) are read"
        )
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise VisteerError(f"{path} is cut off in its header; fetch the file again")
    shape = struct.unpack(f">{magic[3]}I", header)
    count = math.prod(shape)
    if count > LARGEST:
        raise VisteerError(
            f"{path} claims {' x '.join(map(str, shape))} bytes, which is too many to be meant"
        )
    values = file.read(count)
    if len(values) < count:
        raise VisteerError(f"{path} is cut off: {len(values)} of {count} bytes; fetch the file again")
    if file.read(1):
        raise VisteerError(f"{path} is longer than the {count} bytes of its header; fetch the file again")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape).copy()


def _read_pair(folder: Path, part: str) -> LabelledImages:
    images_path, labels_path = (
        _find(folder, f"{part}-images-idx3-ubyte"),
        _find(folder, f"{part}-labels-idx1-ubyte"),
    )
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3 or 0 in images.shape:
        raise VisteerError(f"{images_path} holds an array of shape {images.shape}, no images")
    if labels.ndim != 1:
        raise VisteerError(f"{labels_path} holds an array of shape {labels.shape}, no labels")
    if len(images) != len(labels):
        raise VisteerError(
            f"{images_path} has {len(images)} images and {labels_path.name} {len(labels)} labels; "
            "put the four files of one data set there"
        )
    return LabelledImages(images, labels.astype(np.int64))


def _find(folder: Path, name: str) -> Path:
    """The file `name` in `folder`, gzipped or not."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise VisteerError(f"{folder} has no {name} or {name}.gz; give the folder of the four IDX files")


def _size(part: LabelledImages) -> str:
    return " x ".join(str(side) for side in part.images.shape[1:])
