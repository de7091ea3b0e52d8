"""Splits: complete, seeded, near the wanted shares in every class, and duplicates on one side."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visteer.data.sample import Box, Sample
from visteer.data.splits import SPLITS, split_samples

FRACTIONS = st.sampled_from([(0.6, 0.15, 0.25), (0.8, 0.1, 0.1), (1.0, 0.0, 0.0), (0.5, 0.0, 0.5)])


def sample(name: str, label: int = 0, split: str | None = None, *, region: bool = False) -> Sample:
    return Sample(name, Path(name), label, split=split, boxes=(Box(0, 0, 1, 1),) if region else None)


@st.composite
def data_sets(draw: st.DrawFn, splits: tuple[str | None, ...]) -> tuple[list[Sample], dict[str, int]]:
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from(splits), st.booleans(), st.integers(0, 60)),
            min_size=1,
            max_size=120,
        )
    )
    samples = [sample(f"{i:03}", row[0], row[1], region=row[2]) for i, row in enumerate(rows)]
    groups = {f"{i:03}": row[3] for i, row in enumerate(rows) if row[3] < 25}
    return samples, groups


@settings(deadline=None)
@given(data=data_sets((None,)), seed=st.integers(0, 9), fractions=FRACTIONS)
def test_groups_stay_together_and_classes_keep_their_shares(
    data: tuple[list[Sample], dict[str, int]], seed: int, fractions: tuple[float, float, float]
) -> None:
    samples, groups = data
    splits = split_samples(samples, groups, seed, fractions)
    assert list(splits) == sorted(s.id for s in samples)
    sides = defaultdict(set)
    for name, number in groups.items():
        sides[number].add(splits[name])
    assert all(len(side) == 1 for side in sides.values())
    assert splits == split_samples(samples[::-1], groups, seed, fractions)
    # A group counts with the class of its first id.
    leaders = {number: min(n for n in groups if groups[n] == number) for number in set(groups.values())}
    label = {s.id: s.label for s in samples}
    classes = Counter(label[leaders[groups[n]] if n in groups else n] for n in label)
    dealt = Counter((label[leaders[groups[n]] if n in groups else n], splits[n]) for n in label)
    largest = max(Counter(groups.values()).values(), default=1)
    for name, share in zip(SPLITS, fractions, strict=True):
        for one in classes:
            assert abs(dealt[one, name] - share * classes[one]) <= 2 * largest + 1e-6
        assert share > 0 or name not in splits.values()


@settings(deadline=None)
@given(data=data_sets(("train", "test", None)), seed=st.integers(0, 9))
def test_a_given_test_split_is_kept_and_never_leaks(
    data: tuple[list[Sample], dict[str, int]], seed: int
) -> None:
    samples, groups = data
    splits = split_samples(samples, groups, seed)
    test_groups = {groups[s.id] for s in samples if s.split == "test" and s.id in groups}
    for s in samples:
        if s.split == "test" or groups.get(s.id) in test_groups:
            assert splits[s.id] == "test"
        elif any(other.split == "test" for other in samples):
            assert splits[s.id] != "test"


@settings(deadline=None)
@given(data=data_sets(("train", "val", "test")), seed=st.integers(0, 9))
def test_complete_given_splits_stay_but_for_duplicates(
    data: tuple[list[Sample], dict[str, int]], seed: int
) -> None:
    samples, _ = data
    kept = {s.split for s in samples} >= {"val", "test"}
    splits = split_samples(samples, {}, seed)
    for s in samples:
        if kept or s.split in {"val", "test"}:
            assert splits[s.id] == s.split


def test_a_group_across_given_splits_goes_to_the_side_held_out() -> None:
    samples = [sample("a", split="train"), sample("b", split="val"), sample("c", split="test")]
    assert split_samples(samples, {"a": 0, "b": 0}, 0) == {"a": "val", "b": "val", "c": "test"}
    assert split_samples(samples, {"a": 0, "b": 0, "c": 0}, 0) == dict.fromkeys("abc", "test")


def test_large_sets_come_out_at_their_shares_and_by_region() -> None:
    samples = [sample(f"{i}", i % 3, region=i % 7 == 0) for i in range(3000)]
    splits = split_samples(samples, {}, seed=1)
    for label in range(3):
        for region in (True, False):
            members = [s for s in samples if s.label == label and bool(s.boxes) == region]
            counts = Counter(splits[s.id] for s in members)
            for name, share in zip(SPLITS, (0.6, 0.15, 0.25), strict=True):
                assert abs(counts[name] - share * len(members)) <= 2


def test_seeds_differ_and_a_seed_gives_the_same_split_for_ever() -> None:
    samples = [sample(f"{i}", i % 2) for i in range(20)]
    first = split_samples(samples, {}, seed=0)
    assert first != split_samples(samples, {}, seed=1)
    test_ids = [name for name, split in first.items() if split == "test"]
    assert test_ids == ["12", "13", "15", "17", "4"]


@pytest.mark.parametrize("fractions", [(0.6, 0.2, 0.1), (-0.1, 0.6, 0.5), (0.0, 0.5, 0.5)])
def test_wrong_fractions_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="fractions must be shares"):
        split_samples([sample("a")], {}, 0, fractions)
    with pytest.raises(ValueError, match="unique"):
        split_samples([sample("a"), sample("a")], {}, 0)
