"""Near-duplicates: what is found in real sets, and what must stay apart."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visteer.data.duplicates import (
    COARSE_CORRELATION,
    Fingerprint,
    _near_pairs,
    find_duplicate_groups,
    group_fingerprints,
    take_fingerprint,
)
from visteer.data.sample import Sample

Pictures = dict[str, np.ndarray]


def texture(rng: np.random.Generator, height: int = 150, width: int = 200) -> np.ndarray:
    """A picture with structure at all scales, as (H, W, 3) uint8."""
    small = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize((width, height))
    noisy = np.asarray(small, dtype=float) + rng.normal(0, 25, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def reencoded(pixels: np.ndarray, quality: int = 40, scale: float = 1.0) -> np.ndarray:
    image = Image.fromarray(pixels)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def grouped(pictures: Pictures) -> dict[str, int]:
    return group_fingerprints({name: take_fingerprint(pixels) for name, pixels in pictures.items()})


def pairs(groups: dict[str, int]) -> set[tuple[str, str]]:
    members = defaultdict(list)
    for name, group in sorted(groups.items()):
        members[group].append(name)
    return {pair for names in members.values() for pair in combinations(names, 2)}


def samples_under(folder: Path, pattern: str) -> list[Sample]:
    paths = [path for path in sorted(folder.rglob(pattern)) if "_mask" not in path.name]
    return [Sample(path.relative_to(folder).as_posix(), path, label=0) for path in paths]


def test_copies_are_found_through_encoding_and_scale_and_others_stay_alone() -> None:
    rng = np.random.default_rng(0)
    pictures = {f"{i:02}": texture(rng) for i in range(70)}
    pictures["jpeg"] = reencoded(pictures["03"])
    pictures["small"] = reencoded(pictures["03"], quality=90, scale=0.5)
    pictures["brighter"] = np.clip(pictures["10"] * 0.8 + 20, 0, 255).astype(np.uint8)
    pictures["grey"] = np.repeat(np.asarray(Image.fromarray(pictures["11"]).convert("L"))[..., None], 3, 2)
    groups = grouped(pictures)
    assert pairs(groups) == {
        ("03", "jpeg"),
        ("03", "small"),
        ("jpeg", "small"),
        ("10", "brighter"),
        ("11", "grey"),
    }


@pytest.mark.parametrize("count", [2, 3, 60])
def test_equal_pixels_are_always_together_even_in_flat_pictures(count: int) -> None:
    flat = np.full((10, 12, 3), 80, dtype=np.uint8)
    groups = grouped({str(i): flat.copy() for i in range(count)} | {"darker": flat - 9})
    assert len({groups[str(i)] for i in range(count)}) == 1
    assert groups["darker"] != groups["0"]


def test_the_same_bytes_in_another_shape_are_another_picture() -> None:
    pixels = np.zeros((4, 6, 3), dtype=np.uint8)
    assert take_fingerprint(pixels).digest != take_fingerprint(pixels.reshape(6, 4, 3)).digest


def disc(rng: np.random.Generator) -> np.ndarray:
    """A smooth round lesion near the middle of smooth skin, with the noise of a camera."""
    y, x = np.mgrid[0:96, 0:96] / 96
    centre, radius = 0.5 + rng.normal(0, 0.01, 2), 0.25 + rng.normal(0, 0.008)
    inside = 1 / (1 + np.exp((np.hypot(x - centre[0], y - centre[1]) - radius) * 25))
    grey = 200 - 110 * inside + rng.normal(0, 3, inside.shape)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def fixture(rng: np.random.Generator) -> np.ndarray:
    """One fixed, detailed scene with a small mark somewhere: an inspection camera."""
    grey = texture(np.random.default_rng(1), 96, 96) * 0.7 + rng.normal(0, 4, (96, 96, 1))
    row, column = rng.integers(0, 88, 2)
    grey[row : row + 8, column : column + 8] += 50
    return np.clip(grey, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("scene", [disc, fixture])
def test_a_set_of_alike_pictures_is_not_merged(scene: Callable[[np.random.Generator], np.ndarray]) -> None:
    rng = np.random.default_rng(2)
    pictures = {f"{i:03}": scene(rng) for i in range(200)}
    rows = np.stack([take_fingerprint(pixels).coarse.ravel() for pixels in pictures.values()])
    alike = np.corrcoef(rows.astype(float)) > COARSE_CORRELATION
    assert alike.mean() > 0.3, "the pictures must be alike at 32 x 32, else nothing is tested"
    pictures["copy"] = reencoded(pictures["007"], quality=95)
    assert pairs(grouped(pictures)) == {("007", "copy")}


def test_numbers_do_not_depend_on_the_order_of_the_samples() -> None:
    rng = np.random.default_rng(3)
    pictures = {f"{i:02}": texture(rng) for i in range(12)}
    pictures["copy"] = reencoded(pictures["05"])
    groups = grouped(pictures)
    assert grouped(dict(reversed(pictures.items()))) == groups
    assert list(groups) == list(pictures)
    assert sorted(set(groups.values())) == list(range(12))


def test_blocks_cover_every_pair() -> None:
    rng = np.random.default_rng(4)
    pictures = {f"{i:02}": texture(rng) for i in range(20)}
    pictures |= {f"{name} again": reencoded(pixels) for name, pixels in pictures.items()}
    expected = {(name, f"{name} again") for name in pictures if "again" not in name}
    names = list(pictures)
    prints = [take_fingerprint(pixels) for pixels in pictures.values()]
    for block in (1, 7, 20, 100):
        assert {(names[a], names[b]) for a, b in _near_pairs(prints, block)} == expected


def test_files_are_read_and_progress_is_told(tmp_path: Path) -> None:
    pixels = texture(np.random.default_rng(5))
    for name in "abc":
        Image.fromarray(pixels if name != "b" else 255 - pixels).save(tmp_path / f"{name}.png")
    told: list[tuple[int, int]] = []
    groups = find_duplicate_groups(
        samples_under(tmp_path, "*.png"), progress=lambda done, total: told.append((done, total))
    )
    assert groups == {"a.png": 0, "b.png": 1, "c.png": 0}
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_no_samples_and_twice_the_same_id(tmp_path: Path) -> None:
    assert find_duplicate_groups([]) == {}
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    sample = Sample("a", tmp_path / "a.png", 0)
    with pytest.raises(ValueError, match="unique"):
        find_duplicate_groups([sample, sample])


def test_thousands_of_pictures_are_compared_in_seconds() -> None:
    rng = np.random.default_rng(6)
    fine = rng.integers(0, 256, (4_000, 64, 64), dtype=np.uint8)
    fine[3_999] = fine[0] // 2
    coarse = fine.reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4)).astype(np.uint8)
    prints = {str(i): Fingerprint(str(i).encode(), coarse[i], fine[i], (64, 64)) for i in range(len(fine))}
    start = time.perf_counter()
    groups = group_fingerprints(prints)
    assert time.perf_counter() - start < 30
    assert pairs(groups) == {("0", "3999")}


@pytest.mark.real_data
def test_busi_groups_are_the_known_ones(real_data: Path) -> None:
    groups = find_duplicate_groups(samples_under(real_data / "busi" / "Dataset_BUSI_with_GT", "*.png"))
    with (real_data / "notes" / "busi_duplicate_groups.csv").open(newline="") as file:
        known = {f"{row['class']}/{row['name']}.png": int(row["group"]) for row in csv.DictReader(file)}
    found, wanted = pairs(groups), pairs(known)
    recall, precision = len(found & wanted) / len(wanted), len(found & wanted) / len(found)
    assert recall >= 0.98, sorted(wanted - found)
    assert precision >= 0.98, sorted(found - wanted)


@pytest.mark.real_data
def test_isic_finds_the_copies_and_merges_nothing_else(real_data: Path) -> None:
    (folder,) = (path for path in (real_data / "isic9").iterdir() if path.name.startswith("Skin cancer"))
    groups = find_duplicate_groups(samples_under(folder, "*.jpg"))
    with (real_data / "notes" / "isic9_same_image_in_several_folders.csv").open(newline="") as file:
        known = {row["path"]: int(row["group"]) for row in csv.DictReader(file)}
    assert pairs(known) <= pairs(groups)
    assert max(Counter(groups.values()).values()) == 2
    for one, other in pairs(groups) - pairs(known):
        assert Path(one).stem.split(" ")[0].split("_")[:2] == Path(other).stem.split(" ")[0].split("_")[:2]
