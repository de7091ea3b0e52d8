"""Training, validation and test images, with duplicates never on two sides."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from visteer.data.sample import Sample, Split

SPLITS: tuple[Split, ...] = ("train", "val", "test")


def split_samples(
    samples: Sequence[Sample],
    groups: Mapping[str, int],
    seed: int,
    fractions: tuple[float, float, float] = (0.6, 0.15, 0.25),
) -> dict[str, Split]:
    """Deal the images out to train, val and test in the wanted proportion within every class.

    Stratified by class, and within a class by whether the image has masks or boxes. A group of duplicates
    goes to one split as a whole, counted with the class of its first id. The share of any class is off by at
    most twice the largest group, in images.

    Splits that the samples already carry: test and val are kept where given, and only what is left open is
    dealt out (with a given test split, the rest goes to train and val in the proportion of their fractions).
    A group of which any image is given as test goes to test entirely, so that no training image is a copy
    of a test image; likewise for val. Compare `sample.split` with the result to see which images moved.

    Arguments:
        samples: in any order; the result does not depend on it.
        groups: id -> group number, as `find_duplicate_groups` gives it; ids that are not in it stand alone.
        seed: the order within a class is that of a SHA-256 over seed and id: the same on every machine.
        fractions: of train, val and test; not negative, train above 0, sum 1.

    Returns:
        id -> split, sorted by id.

    Raises:
        ValueError: the fractions are no such shares, or ids repeat.

    Example:
        >>> from pathlib import Path
        >>> samples = [Sample(f"{i}", Path(f"{i}.png"), label=i % 2) for i in range(40)]
        >>> splits = list(split_samples(samples, {}, seed=0).values())
        >>> [splits.count(name) for name in ("train", "val", "test")]
        [24, 6, 10]
    """
    if min(fractions) < 0 or fractions[0] <= 0 or not math.isclose(sum(fractions), 1):
        raise ValueError(f"fractions must be shares of train (above 0), val and test, sum 1; got {fractions}")
    if len({sample.id for sample in samples}) != len(samples):
        raise ValueError("sample ids must be unique")
    given = {sample.split for sample in samples}
    open_shares = {
        name: share
        for name, share in zip(SPLITS, fractions, strict=True)
        if name == "train" or name not in given
    }
    splits: dict[str, Split] = {}
    loose = []
    for unit in _units(samples, groups):
        kept = _kept_split(unit)
        if kept is None:
            loose.append(unit)
        else:
            splits.update((sample.id, kept) for sample in unit)
    loose.sort(key=lambda unit: (*_stratum(unit[0]), _shuffle_key(seed, unit[0].id)))
    for unit, split in zip(loose, _deal([len(unit) for unit in loose], open_shares), strict=True):
        splits.update((sample.id, split) for sample in unit)
    return dict(sorted(splits.items()))


def _units(samples: Sequence[Sample], groups: Mapping[str, int]) -> list[list[Sample]]:
    """Collect the samples that must stay together, each unit sorted by id."""
    units: dict[int | str, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda sample: sample.id):
        units[groups.get(sample.id, sample.id)].append(sample)
    return list(units.values())


def _kept_split(unit: Sequence[Sample]) -> Split | None:
    given = {sample.split for sample in unit}
    if "test" in given:
        return "test"
    return "val" if "val" in given else None


def _stratum(sample: Sample) -> tuple[int, bool]:
    return sample.label, bool(sample.masks or sample.boxes)


def _shuffle_key(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _deal(sizes: Sequence[int], shares: Mapping[Split, float]) -> list[Split]:
    """Give each unit in turn to the split that lags most behind its share of all images so far.

    After any unit no split is ahead of its share by more than 2/3, or behind by more than 4/3, of the largest
    unit (three splits): so every run of units, such as a class, comes out near its shares.
    """
    total = sum(shares.values())
    lag: dict[Split, float] = dict.fromkeys(shares, 0.0)
    dealt: list[Split] = []
    for size in sizes:
        for name, share in shares.items():
            lag[name] += size * share / total
        # Rounded, so that ties do not hang on the last bit of a sum.
        choice = max((name for name in lag if shares[name] > 0), key=lambda name: round(lag[name], 9))
        lag[choice] -= size
        dealt.append(choice)
    return dealt
