"""Near-duplicates are found, and nothing else."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visteer.data.duplicates import find_duplicate_groups, make_thumbnail
from visteer.data.images import read_image
from visteer.data.readers import read_catalogue


def noise(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((240, 180), Image.Resampling.BICUBIC))


def test_resized_recompressed_and_brightened_copies_are_found(tmp_path: Path) -> None:
    original = noise(0)
    Image.fromarray(original).resize((120, 90)).save(tmp_path / "small.jpg", quality=50)
    pictures = {
        "a": original,
        "small": read_image(tmp_path / "small.jpg"),
        "bright": (original * 0.7 + 40).astype(np.uint8),
        "other": noise(1),
        "flipped": original[:, ::-1],
    }
    groups = find_duplicate_groups({name: make_thumbnail(picture) for name, picture in pictures.items()})
    assert groups == {"a": 0, "bright": 0, "small": 0}


def test_blocks_and_chains_agree_with_a_slow_search() -> None:
    rng = np.random.default_rng(3)
    base = rng.integers(40, 216, (900, 32, 32))
    pictures = np.concatenate([base, base[:700] + rng.integers(-40, 41, (700, 32, 32))]).astype(np.uint8)
    pictures[5] = 17
    pictures[6] = 17
    order = rng.permutation(len(pictures))
    thumbnails = {f"{i:04}": pictures[i] for i in order}
    threshold = 0.9
    correlation = np.corrcoef(np.delete(pictures.reshape(len(pictures), -1), [5, 6], axis=0).astype(float))
    names = [f"{i:04}" for i in range(len(pictures)) if i not in {5, 6}]
    component = {name: name for name in names}
    for i, j in zip(*np.nonzero(np.triu(correlation > threshold, 1)), strict=True):
        old, new = component[names[j]], component[names[i]]
        component = {name: new if c == old else c for name, c in component.items()}
    expected = defaultdict(set)
    for name, c in component.items():
        expected[c].add(name)
    expected_groups = {frozenset(group) for group in expected.values() if len(group) > 1}
    found = defaultdict(set)
    numbers = find_duplicate_groups(thumbnails, threshold)
    for name, number in numbers.items():
        found[number].add(name)
    assert {frozenset(group) for group in found.values()} == expected_groups
    assert len(expected_groups) > 500
    firsts = [min(found[number]) for number in sorted(found)]
    assert firsts == sorted(firsts)


def test_few_and_flat_pictures_have_no_duplicates() -> None:
    flat = np.full((32, 32), 9, np.uint8)
    assert find_duplicate_groups({}) == {}
    assert find_duplicate_groups({"a": flat}) == {}
    assert find_duplicate_groups({"a": flat, "b": flat}) == {}
    with pytest.raises(ValueError, match="shape"):
        find_duplicate_groups({"a": flat, "b": flat[:4]})


@pytest.mark.real_data
def test_real_busi_groups_are_those_of_the_published_list(real_data: Path) -> None:
    catalogue = read_catalogue("busi", real_data / "busi")
    thumbnails = {
        f"{sample.image.stem}": make_thumbnail(read_image(sample.image)) for sample in catalogue.samples
    }
    found = defaultdict(set)
    for name, number in find_duplicate_groups(thumbnails).items():
        found[number].add(name)
    listed = defaultdict(set)
    with (real_data / "notes" / "busi_duplicate_groups.csv").open() as file:
        for row in csv.DictReader(file):
            listed[row["group"]].add(row["name"])
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, listed.values()))
