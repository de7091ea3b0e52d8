"""Splits: shares, repeatability, groups kept whole, given splits kept."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visteer.data.sample import Sample, Split
from visteer.data.splits import split_samples
from visteer.errors import VisteerError

Data = tuple[list[Sample], dict[str, int]]
SPLITS = ("train", "val", "test")


def sample(name: str, label: int, split: Split | None = None) -> Sample:
    return Sample(name, Path(f"{name}.png"), label, split=split)


@st.composite
def data_sets(draw: st.DrawFn, splits: tuple[Split | None, ...] = (None,), mixed: bool = True) -> Data:
    """Samples in groups; with `mixed`, a group can hold several classes."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=40))
    samples, groups = [], {}
    for number, size in enumerate(sizes):
        label = draw(st.integers(0, 3))
        for member in range(size):
            name = f"{number}-{member}"
            if mixed and member:
                label = draw(st.sampled_from([label, label, draw(st.integers(0, 3))]))
            samples.append(sample(name, label, draw(st.sampled_from(splits))))
            groups[name] = number * 7 + 3
    return samples, groups


def sides(samples: list[Sample], groups: dict[str, int], splits: dict[str, Split]) -> dict[int, set[str]]:
    found = defaultdict(set)
    for one in samples:
        found[groups[one.id]].add(splits[one.id])
    return found


@given(data_sets(splits=(None, "train", "val", "test")), st.integers(0, 99), st.randoms())
@settings(deadline=None, max_examples=80)
def test_groups_stay_whole_and_order_and_numbers_do_not_matter(data: Data, seed: int, random) -> None:
    samples, groups = data
    try:
        splits = split_samples(samples, groups, seed)
    except VisteerError:
        return
    assert list(splits) == [one.id for one in samples]
    assert all(len(found) == 1 for found in sides(samples, groups, splits).values())
    shuffled = random.sample(samples, len(samples))
    renumbered = {name: -number for name, number in groups.items()}
    assert split_samples(shuffled, renumbered, seed) == splits


@given(data_sets(mixed=False), st.integers(0, 99))
@settings(deadline=None, max_examples=80)
def test_every_class_with_three_groups_is_in_every_split(data: Data, seed: int) -> None:
    samples, groups = data
    splits = split_samples(samples, groups, seed)
    groups_of, splits_of = defaultdict(set), defaultdict(set)
    for one in samples:
        groups_of[one.label].add(groups[one.id])
        splits_of[one.label].add(splits[one.id])
    for label, members in groups_of.items():
        assert len(splits_of[label]) == min(3, len(members))


@given(st.integers(20, 200), st.integers(3, 100), st.integers(0, 99))
@settings(deadline=None, max_examples=50)
def test_single_images_come_within_one_image_of_their_share(many: int, few: int, seed: int) -> None:
    samples = [sample(f"{i}", int(i >= many)) for i in range(many + few)]
    splits = split_samples(samples, {one.id: int(one.id) for one in samples}, seed)
    for label, count in ((0, many), (1, few)):
        placed = Counter(splits[one.id] for one in samples if one.label == label)
        for split, share in zip(SPLITS, (0.6, 0.15, 0.25), strict=True):
            assert abs(placed[split] - share * count) <= 1 + 1e-9


def test_a_rare_class_inside_groups_of_a_common_one_is_in_every_split() -> None:
    samples = [sample(f"{i:03}", 0) for i in range(100)] + [sample(f"{i:03}b", 1) for i in range(12)]
    groups = {one.id: int(one.id[:3]) for one in samples}
    for seed in range(10):
        splits = split_samples(samples, groups, seed)
        placed = Counter(splits[one.id] for one in samples if one.label == 1)
        assert [placed[split] for split in SPLITS] == [7, 2, 3]


def test_seeds_differ_and_a_fraction_of_zero_stays_empty() -> None:
    samples = [sample(f"{i:02}", i % 2) for i in range(60)]
    groups = {one.id: int(one.id) for one in samples}
    assert split_samples(samples, groups, 0) != split_samples(samples, groups, 1)
    counts = Counter(split_samples(samples, groups, 0, (0.8, 0.0, 0.2)).values())
    assert counts == {"train": 48, "test": 12}


def test_a_given_test_stays_and_the_rest_is_divided() -> None:
    samples = [sample(f"{i:03}", i % 2, "test" if i < 20 else "train") for i in range(120)]
    splits = split_samples(samples, {one.id: int(one.id) for one in samples}, 0)
    assert {name for name, split in splits.items() if split == "test"} == {f"{i:03}" for i in range(20)}
    assert Counter(splits.values()) == {"train": 80, "val": 20, "test": 20}


def test_given_test_and_val_stay_and_copies_of_them_leave_training() -> None:
    samples = [
        sample("a", 0, "train"),
        sample("b", 0, "test"),
        sample("c", 1, "val"),
        sample("d", 1, "train"),
        sample("e", 0, "train"),
        sample("f", 1),
        sample("g", 0, "val"),
        sample("h", 0, "test"),
    ]
    groups = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2, "f": 3, "g": 4, "h": 4}
    expected = {
        "a": "test",
        "b": "test",
        "c": "val",
        "d": "val",
        "e": "train",
        "f": "train",
        "g": "test",
        "h": "test",
    }
    assert split_samples(samples, groups, 5) == expected


def test_a_given_val_without_a_test_becomes_the_test() -> None:
    samples = [sample(f"{i:03}", i % 2, "val" if i < 30 else "train") for i in range(130)]
    splits = split_samples(samples, {one.id: int(one.id) for one in samples}, 0)
    assert {name for name, split in splits.items() if split == "test"} == {f"{i:03}" for i in range(30)}
    assert Counter(splits.values()) == {"train": 80, "val": 20, "test": 30}


@pytest.mark.parametrize("split", SPLITS)
def test_one_split_for_all_divides_nothing(split: Split) -> None:
    samples = [sample(f"{i:02}", 0, split) for i in range(40)]
    plain = [sample(f"{i:02}", 0) for i in range(40)]
    groups = {one.id: int(one.id) for one in samples}
    assert split_samples(samples, groups, 0) == split_samples(plain, groups, 0)


def test_nothing_left_to_train_on_is_told() -> None:
    samples = [sample("a", 0, "train"), sample("b", 0, "test")]
    with pytest.raises(VisteerError, match="no image is left for training"):
        split_samples(samples, {"a": 0, "b": 0}, 0)


def test_wrong_arguments() -> None:
    one, two = sample("a", 0), sample("b", 0)
    with pytest.raises(ValueError, match="unique"):
        split_samples([one, one], {"a": 0}, 0)
    with pytest.raises(ValueError, match="without a group"):
        split_samples([one, two], {"a": 0}, 0)
    for fractions in ((0.5, 0.5, 0.5), (1.2, -0.2, 0.0)):
        with pytest.raises(ValueError, match="fractions"):
            split_samples([one], {"a": 0}, 0, fractions)
    assert split_samples([], {}, 0) == {}


@pytest.mark.real_data
def test_busi_is_divided_without_leaks_and_in_proportion(real_data: Path) -> None:
    folder = real_data / "busi" / "Dataset_BUSI_with_GT"
    paths = [path for path in sorted(folder.rglob("*.png")) if "_mask" not in path.name]
    labels = {"benign": 0, "malignant": 1, "normal": 2}
    samples = [Sample(path.relative_to(folder).as_posix(), path, labels[path.parent.name]) for path in paths]
    groups = {one.id: row for row, one in enumerate(samples, 1000)}
    with (real_data / "notes" / "busi_duplicate_groups.csv").open(newline="") as file:
        groups |= {f"{row['class']}/{row['name']}.png": int(row["group"]) for row in csv.DictReader(file)}
    assert len(groups) == len(samples)
    splits = split_samples(samples, groups, 0)
    assert all(len(found) == 1 for found in sides(samples, groups, splits).values())
    for label in range(3):
        placed = Counter(splits[one.id] for one in samples if one.label == label)
        shares = np.array([placed[split] for split in SPLITS]) / placed.total()
        assert np.abs(shares - (0.6, 0.15, 0.25)).max() < 0.02
