"""The decoded pictures of a data set in one memory-mapped file, so that training never decodes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visteer.atomic import write_text
from visteer.data.images import read_image
from visteer.data.sample import Sample
from visteer.errors import VisteerError

_MANIFEST = "cache.json"
_VERSION = 1
_ABANDONED_SECONDS = 3600


@dataclass(frozen=True)
class ImageCache:
    """Pictures as one array.

    `images` (n, S, S, 3) uint8 RGB, memory-mapped and read-only; row i is the picture `ids[i]`, squashed to
    S x S.
    `digest` is the SHA-256 (hex) of size, ids and all pixels: equal digests, equal training data.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from visteer.data.sample import Sample
        >>> with tempfile.TemporaryDirectory() as root:
        ...     Image.new("RGB", (30, 20), (9, 8, 7)).save(Path(root, "a.png"))
        ...     cache = ImageCache.build([Sample("a", Path(root, "a.png"), 0)], Path(root, "cache"), 16)
        ...     cache.images.shape, cache.images[0, 5, 5].tolist(), cache.ids
        ((1, 16, 16, 3), [9, 8, 7], ('a',))
    """

    images: NDArray[np.uint8]
    ids: tuple[str, ...]
    digest: str

    @classmethod
    def build(
        cls,
        samples: Sequence[Sample],
        folder: Path | str,
        image_size: int,
        progress: Callable[[int, int], None] | None = None,
        *,
        read: Callable[[Path], NDArray[np.uint8]] = read_image,
        threads: int | None = None,
    ) -> ImageCache:
        """Open the cache in `folder`, after decoding all pictures anew unless it is there and still fits.

        It fits when the ids and their order, the paths, the files' sizes and times of change, and
        `image_size` are those it was made from. An interrupted build leaves the former cache as it was.
        Pictures become S x S by `resize_image`, whatever their aspect ratio.

        Arguments:
            samples: the pictures, in the order of the rows.
            folder: made where it does not exist; the cache is the only thing in it.
            image_size: the side S in pixels.
            progress: called with (pictures decoded, all pictures); not called when nothing is decoded.
            read: gives a picture (H, W, 3) uint8.
            threads: how many decode at a time; default one a core.

        Raises:
            VisteerError: a file is missing, or cannot be decoded (the message is `read`'s).
            ValueError: no samples, ids that are not unique, or `image_size` below 1.
        """
        if not samples:
            raise ValueError("a cache needs at least one sample")
        if image_size < 1:
            raise ValueError(f"image_size must be at least 1, got {image_size}")
        if len({sample.id for sample in samples}) != len(samples):
            raise ValueError("image ids must be unique")
        folder = Path(folder)
        sources = [_source(sample) for sample in samples]
        manifest = _read_manifest(folder)
        if manifest and (manifest["image_size"], manifest["sources"]) == (image_size, sources):
            cache = _map(folder, manifest)
            if cache is not None:
                return cache
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"images-{os.getpid()}-{time.time_ns()}.partial"
        try:
            digest = _decode(samples, partial, image_size, progress=progress, read=read, threads=threads)
            data = f"images-{digest[:16]}.npy"
            partial.replace(folder / data)
        finally:
            partial.unlink(missing_ok=True)
        manifest = {
            "version": _VERSION,
            "image_size": image_size,
            "data": data,
            "digest": digest,
            "sources": sources,
        }
        _write_manifest(folder, manifest)
        _sweep(folder, keep=data)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path | str) -> ImageCache:
        """Open a cache that was built before. The pictures' own files are not looked at.

        Raises:
            VisteerError: there is no complete cache in `folder`.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        cache = _map(folder, manifest) if manifest else None
        if cache is None:
            raise VisteerError(f"{folder}: no complete image cache here; build it again from the images")
        return cache

    def __len__(self) -> int:
        return len(self.ids)


class ImageRows:
    """Some rows of an array of pictures, in an order of their own; read when they are asked for, never before.

    Arguments:
        images: (n, S, S, 3), such as the memory-mapped pictures of a cache.
        rows: (m,) the rows that count as 0, 1, ..., m - 1 here.

    Example:
        >>> rows = ImageRows(np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1), np.array([3, 1]))
        >>> len(rows), rows[0].tolist(), rows[:].ravel().tolist()
        (2, [[[3]]], [3, 1])
    """

    def __init__(self, images: NDArray[np.uint8], rows: NDArray[np.int64]) -> None:
        self._images, self._rows = (
            images.view(np.ndarray),
            rows,
        )  # plain, since np.memmap makes each read slower
        self.shape = (len(rows), *images.shape[1:])
        self.ndim, self.dtype = images.ndim, images.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(
        self, index: int | slice | NDArray[np.int64] | tuple[NDArray[np.int64], ...]
    ) -> NDArray[np.uint8]:
        """The pictures at `index`, or with (rows, ys, xs) those pixels alone, as NumPy would give them."""
        rows, *within = index if isinstance(index, tuple) else (index,)
        return np.asarray(self._images[(self._rows[rows], *within)])


def resize_image(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Squash `image` (H, W, 3) uint8 to (size, size, 3) by Pillow's antialiased bilinear filter.

    The cache resizes by this, so whoever shows a model a picture from elsewhere does too. A picture that has
    the size already is given back as it is.

    Raises:
        ValueError: `image` is not (H, W, 3) uint8, or `size` is below 1.

    Example:
        >>> resize_image(np.full((30, 20, 3), 7, np.uint8), 16).shape
        (16, 16, 3)
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"an image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


_Manifest = dict[str, object]


def _source(sample: Sample) -> list[object]:
    """What a row was made from, as the manifest has it: id, path, size in bytes, time of change in ns."""
    try:
        status = sample.image.stat()
    except OSError as error:
        raise VisteerError(
            f"{sample.image}: cannot be read ({error.strerror}); put the image back"
        ) from error
    return [sample.id, str(sample.image.absolute()), status.st_size, status.st_mtime_ns]


def _read_manifest(folder: Path) -> _Manifest | None:
    """The manifest in `folder`, or None where there is none of this version that can be read."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    keys = {"version", "image_size", "data", "digest", "sources"}
    if not isinstance(manifest, dict) or set(manifest) != keys or manifest["version"] != _VERSION:
        return None
    return manifest


def _write_manifest(folder: Path, manifest: _Manifest) -> None:
    """Replace the manifest in one step: before it the former cache counts, after it the new one."""
    write_text(folder / _MANIFEST, json.dumps(manifest))


def _map(folder: Path, manifest: _Manifest) -> ImageCache | None:
    """The cache that `manifest` describes, or None where its data file is missing or cut short."""
    size, sources = manifest["image_size"], manifest["sources"]
    if not isinstance(size, int) or not isinstance(sources, list):
        return None
    try:
        images = np.load(folder / Path(str(manifest["data"])).name, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None
    if images.shape != (len(sources), size, size, 3) or images.dtype != np.uint8:
        return None
    return ImageCache(images, tuple(str(source[0]) for source in sources), str(manifest["digest"]))


def _decode(
    samples: Sequence[Sample],
    path: Path,
    image_size: int,
    *,
    progress: Callable[[int, int], None] | None,
    read: Callable[[Path], NDArray[np.uint8]],
    threads: int | None,
) -> str:
    """Write all pictures to `path` as one .npy array, in order, and give the digest."""
    shape = (len(samples), image_size, image_size, 3)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    digest = hashlib.sha256(json.dumps([image_size, [sample.id for sample in samples]]).encode())

    def decode(row: int) -> None:
        rows[row] = resize_image(read(samples[row].image), image_size)

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        try:
            for row, _ in enumerate(pool.map(decode, range(len(samples)))):
                digest.update(rows[row])
                if progress is not None:
                    progress(row + 1, len(samples))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    rows.flush()
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return digest.hexdigest()


def _sweep(folder: Path, keep: str) -> None:
    """Delete former data files, and what killed builds left; a build that is running now keeps its file."""
    for path in folder.glob("images-*.npy"):
        if path.name != keep:
            path.unlink(missing_ok=True)
    for path in folder.glob("*.partial"):
        with suppress(FileNotFoundError):  # a build beside this one may have finished
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink()
