"""Training, validation and test parts that are stratified, repeatable, and blind to near-copies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from visteer.data.sample import Sample, Split
from visteer.errors import VisteerError

VALIDATION_SHARE = 0.2


def split_samples(
    samples: Sequence[Sample],
    groups: Mapping[str, int],
    seed: int,
    fractions: tuple[float, float, float] = (0.6, 0.15, 0.25),
) -> dict[str, Split]:
    """Assign every sample to "train", "val" or "test": sample id -> split, a group never on two sides.

    Without splits from the layout, each class is divided by `fractions` (train, val, test), rarest class
    first. Large groups are placed before small ones, each where its class lacks most. A class with at
    least three groups is in every split (of non-zero fraction), unless it shares its groups with rarer
    classes that need them elsewhere.

    Splits that the layout gives are kept:

    - test given: it stays the test split. If val is given too, val stays as well and the rest is train.
      If not, 20 % of the rest, stratified as above, becomes val.
    - val given but no test: the given val is the only part held out by the publisher, so it becomes
      **test**, and 20 % of the rest becomes val. Model selection must not look at what is reported.
    - only train given, or the same split given for every sample: that divides nothing, and all samples
      are split by `fractions`.

    A group on two sides of given splits goes whole to test if it touches test, else whole to val.

    Arguments:
        samples: with unique ids; their order does not matter.
        groups: sample id -> group number, from `find_duplicate_groups`. Only equality of numbers counts.
        seed: the same seed, samples, groups and fractions give the same splits.
        fractions: shares of train, val and test, not negative, summing to 1.

    Raises:
        ValueError: ids are not unique, `groups` lacks one, or the fractions are no shares.
        VisteerError: the given splits and the groups leave nothing to train on.

    Example:
        >>> from pathlib import Path
        >>> samples = [Sample(f"{i:02}", Path(f"{i:02}.png"), label=i % 2) for i in range(40)]
        >>> splits = split_samples(samples, {sample.id: int(sample.id) // 4 for sample in samples}, seed=0)
        >>> Counter(splits.values())
        Counter({'train': 24, 'test': 8, 'val': 8})
        >>> splits["00"] == splits["01"] == splits["02"] == splits["03"]
        True
    """
    _check(samples, groups, fractions)
    members = _members(samples, groups)
    given = _given(samples)
    if not given:
        chosen = _divide(members, dict(zip(_ORDER, fractions, strict=True)), seed)
    else:
        chosen = {}
        for group in members:
            placed = _placed(group, given)
            if placed is not None:
                chosen[group.name] = placed
        rest = [group for group in members if group.name not in chosen]
        if "val" in given.values():
            chosen |= {group.name: "train" for group in rest}
        else:
            chosen |= _divide(rest, {"train": 1 - VALIDATION_SHARE, "val": VALIDATION_SHARE}, seed)
        if "train" not in chosen.values():
            raise VisteerError(
                "no image is left for training: each one is held out by the given splits or is a near-copy "
                "of one that is; add images, or drop the splits of the layout"
            )
    split_of = {sample.id: chosen[group.name] for group in members for sample in group.samples}
    return {sample.id: split_of[sample.id] for sample in samples}


_ORDER: tuple[Split, Split, Split] = ("train", "val", "test")


@dataclass(frozen=True)
class _Group:
    """Samples that stay together; `name` is the first of their ids, so it does not hang on any numbering."""

    name: str
    samples: tuple[Sample, ...]
    counts: Counter[int]  # label -> samples


def _check(samples: Sequence[Sample], groups: Mapping[str, int], fractions: Sequence[float]) -> None:
    if len(fractions) != 3 or min(fractions) < 0 or not np.isclose(sum(fractions), 1):
        raise ValueError(f"fractions must be three shares that sum to 1, got {fractions}")
    ids = {sample.id for sample in samples}
    if len(ids) != len(samples):
        raise ValueError("sample ids must be unique")
    missing = sorted(ids - groups.keys())
    if missing:
        raise ValueError(f"samples without a group: {missing[:3]}")


def _members(samples: Sequence[Sample], groups: Mapping[str, int]) -> list[_Group]:
    together: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda sample: sample.id):
        together[groups[sample.id]].append(sample)
    return [
        _Group(members[0].id, tuple(members), Counter(sample.label for sample in members))
        for members in together.values()
    ]


def _given(samples: Sequence[Sample]) -> dict[Split | None, Split]:
    """Map what is given ("test", "val") to what it becomes; empty if the layout divides nothing."""
    known = {sample.split for sample in samples}
    if len(known) == 1:
        return {}
    if "test" in known:
        return {"test": "test", "val": "val"} if "val" in known else {"test": "test"}
    return {"val": "test"} if "val" in known else {}


def _placed(group: _Group, given: Mapping[Split | None, Split]) -> Split | None:
    sides = {given.get(sample.split) for sample in group.samples}
    if "test" in sides:
        return "test"
    return "val" if "val" in sides else None


def _divide(groups: Sequence[_Group], shares: Mapping[Split, float], seed: int) -> dict[str, Split]:
    """Place whole groups so that each class comes close to its shares and is missing nowhere it can be."""
    splits = [split for split, share in shares.items() if share > 0]
    rng = np.random.default_rng(seed)
    shuffled = [groups[row] for row in rng.permutation(len(groups))]
    groups_with = Counter(label for group in groups for label in group.counts)
    images_of = sum((group.counts for group in groups), Counter[int]())
    rarity = sorted(groups_with, key=lambda label: (groups_with[label], label))
    # A group is placed on behalf of its rarest class.
    stratum: defaultdict[int, list[_Group]] = defaultdict(list)
    for group in shuffled:
        stratum[min(group.counts, key=rarity.index)].append(group)
    placed: dict[str, Split] = {}
    have: dict[Split, Counter[int]] = {split: Counter() for split in splits}
    for label in rarity:
        waiting = sorted(stratum[label], key=lambda group: -sum(group.counts.values()))
        for done, group in enumerate(waiting):
            empty = [split for split in splits if not have[split][label]]
            # The last groups of a class go where it would be missing.
            open_ = empty if len(waiting) - done <= len(empty) else splits
            lack = {split: shares[split] * images_of[label] - have[split][label] for split in open_}
            split = max(lack, key=lambda split: lack[split])
            placed[group.name] = split
            have[split].update(group.counts)
    return placed
