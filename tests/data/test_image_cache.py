from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from visteer.data.image_cache import ImageCache, resize_image
from visteer.data.sample import Sample
from visteer.errors import VisteerError


def read(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    rng = np.random.default_rng(0)
    made = []
    for i, (height, width) in enumerate([(40, 60), (16, 16), (90, 30), (7, 9), (16, 20)]):
        path = tmp_path / "images" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        made.append(Sample(f"class/{i}.png", path, i % 2))
    return made


class CountingReader:
    """Reads as `read`, and counts."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    def __call__(self, path: Path) -> NDArray[np.uint8]:
        self.paths.append(path)
        return read(path)


def was_rebuilt(samples: Sequence[Sample], folder: Path, image_size: int = 16) -> bool:
    reader = CountingReader()
    ImageCache.build(samples, folder, image_size, read=reader)
    return bool(reader.paths)


def test_rows_are_the_pictures_in_order(samples: list[Sample], tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    cache = ImageCache.build(
        samples, tmp_path / "cache", 16, lambda done, total: calls.append((done, total)), read=read
    )
    assert cache.ids == tuple(sample.id for sample in samples)
    assert cache.images.dtype == np.uint8
    assert isinstance(cache.images, np.memmap)
    assert not cache.images.flags.writeable
    for row, sample in zip(cache.images, samples, strict=True):
        expected = Image.open(sample.image).resize((16, 16), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(row, expected)
    assert calls == [(i + 1, 5) for i in range(5)]
    assert len(cache) == 5


def test_the_usual_reader_is_visteers(samples: list[Sample], tmp_path: Path) -> None:
    ours = ImageCache.build(samples, tmp_path / "ours", 16)
    assert ours.digest == ImageCache.build(samples, tmp_path / "pillows", 16, read=read).digest


def test_the_digest_is_of_size_ids_and_pixels(samples: list[Sample], tmp_path: Path) -> None:
    cache = ImageCache.build(samples, tmp_path / "cache", 16, read=read)
    head = json.dumps([16, [sample.id for sample in samples]]).encode()
    assert cache.digest == hashlib.sha256(head + np.asarray(cache.images).tobytes()).hexdigest()
    renamed = [Sample("other", samples[0].image, 0), *samples[1:]]
    assert ImageCache.build(renamed, tmp_path / "renamed", 16, read=read).digest != cache.digest


def test_what_still_fits_is_not_decoded_again(samples: list[Sample], tmp_path: Path) -> None:
    first = ImageCache.build(samples, tmp_path / "cache", 16, read=read)
    assert not was_rebuilt(samples, tmp_path / "cache")
    again = ImageCache.open(tmp_path / "cache")
    np.testing.assert_array_equal(again.images, first.images)
    assert (again.ids, again.digest) == (first.ids, first.digest)


def test_whatever_changed_is_noticed(samples: list[Sample], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    before = ImageCache.build(samples, folder, 16, read=read)
    former_pixels = np.array(before.images)
    assert was_rebuilt(samples, folder, image_size=12)
    assert was_rebuilt(samples, folder)
    assert was_rebuilt(samples[::-1], folder)
    assert was_rebuilt(samples[:4], folder)
    assert was_rebuilt([Sample("other", samples[0].image, 0), *samples[1:4]], folder)
    ImageCache.build(samples, folder, 16, read=read)
    status = samples[2].image.stat()
    os.utime(samples[2].image, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    assert was_rebuilt(samples, folder)
    Image.new("RGB", (5, 5)).save(samples[2].image)
    os.utime(samples[2].image, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    assert was_rebuilt(samples, folder)
    assert not ImageCache.open(folder).images[2].any()
    # One data file is left, and who had the first one open still sees the first one.
    assert len(list(folder.iterdir())) == 2
    np.testing.assert_array_equal(before.images, former_pixels)


@pytest.mark.parametrize(
    "harm", ["cut", "data gone", "manifest gone", "manifest cut", "manifest deep", "other version"]
)
def test_an_incomplete_cache_is_refused_and_rebuilt(samples: list[Sample], tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "cache"
    ImageCache.build(samples, folder, 16, read=read)
    manifest, (data,) = folder / "cache.json", folder.glob("*.npy")
    if harm == "cut":
        os.truncate(data, data.stat().st_size - 100)
    elif harm == "data gone":
        data.unlink()
    elif harm == "manifest gone":
        manifest.unlink()
    elif harm == "manifest cut":
        os.truncate(manifest, 20)
    elif harm == "manifest deep":
        manifest.write_text("[" * 100_000)
    else:
        manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 0'))
    with pytest.raises(VisteerError, match=r"cache: no complete image cache"):
        ImageCache.open(folder)
    assert was_rebuilt(samples, folder)
    assert len(ImageCache.open(folder)) == 5


def test_a_build_that_fails_leaves_the_former_cache(samples: list[Sample], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    former = ImageCache.build(samples, folder, 16, read=read)

    def fail_at_three(path: Path) -> NDArray[np.uint8]:
        if path == samples[3].image:
            raise VisteerError(f"{path}: broken")
        return read(path)

    with pytest.raises(VisteerError, match=r"3\.png: broken"):
        ImageCache.build(samples, folder, 12, read=fail_at_three)
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".npy"]
    assert ImageCache.open(folder).digest == former.digest


def test_what_a_killed_build_left_is_swept_in_time(samples: list[Sample], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    old, running = folder / "images-1-1.partial", folder / "images-2-2.partial"
    for path in (old, running):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    assert was_rebuilt(samples, folder)
    assert not old.exists()
    assert running.exists()


def test_pictures_are_decoded_side_by_side(samples: list[Sample], tmp_path: Path) -> None:
    barrier = threading.Barrier(2, timeout=20)  # passes only when two are being read at once

    def meet(path: Path) -> NDArray[np.uint8]:
        barrier.wait()
        return read(path)

    assert len(ImageCache.build(samples[:4], tmp_path / "cache", 16, read=meet, threads=2)) == 4


def test_wrong_input_is_told(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(VisteerError, match=r"nowhere\.png: cannot be read"):
        ImageCache.build([Sample("a", tmp_path / "nowhere.png", 0)], tmp_path / "cache", 16, read=read)
    with pytest.raises(VisteerError, match="no complete image cache"):
        ImageCache.open(tmp_path / "nothing")
    with pytest.raises(ValueError, match="at least one sample"):
        ImageCache.build([], tmp_path / "cache", 16, read=read)
    with pytest.raises(ValueError, match="unique"):
        ImageCache.build([samples[0], samples[0]], tmp_path / "cache", 16, read=read)
    with pytest.raises(ValueError, match="image_size"):
        ImageCache.build(samples, tmp_path / "cache", 0, read=read)


def test_resizing_alone_is_the_caches(samples: list[Sample], tmp_path: Path) -> None:
    cache = ImageCache.build(samples, tmp_path / "cache", 16, read=read)
    for row, sample in zip(cache.images, samples, strict=True):
        np.testing.assert_array_equal(resize_image(read(sample.image), 16), row)
    for image, size in (
        (np.zeros((4, 4), np.uint8), 4),
        (np.zeros((4, 4, 3)), 4),
        (np.zeros((4, 4, 3), np.uint8), 0),
    ):
        with pytest.raises(ValueError, match="got"):
            resize_image(image, size)


@pytest.mark.real_data
def test_real_ultrasound(real_data: Path, tmp_path: Path) -> None:
    paths = sorted((real_data / "busi").rglob("benign (?).png"))
    made = [Sample(path.name, path, 0) for path in paths]
    assert made
    cache = ImageCache.build(made, tmp_path / "cache", 32)
    assert cache.images.shape == (len(made), 32, 32, 3)
    assert cache.images.std() > 20
