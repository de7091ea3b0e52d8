"""Blind rating: which map of which image comes next, without saying whose it is."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import numpy as np

from visteer.data.sample import Split
from visteer.study import Study


@dataclass(frozen=True)
class Trial:
    """One thing to rate: the map of `run` on the image `key`. The page is told its number and the image alone."""

    number: int
    key: int
    run: str


@dataclass(frozen=True)
class Plan:
    """All trials of one rater in their order, each map of each image once."""

    trials: tuple[Trial, ...]

    @classmethod
    def of(cls, study: Study, split: Split, runs: tuple[str, ...], author: str, secret: bytes) -> Plan:
        """The plan of `author` for `runs` on `split`: images in random order, the runs of each in random order.

        The order comes from the secret, the author and the question, so that it is the same after a reload and
        nobody can tell from it which run a trial belongs to.

        Example:
            >>> from types import SimpleNamespace
            >>> study = SimpleNamespace(samples=[SimpleNamespace(split="test")] * 3)
            >>> plan = Plan.of(study, "test", ("plain-1", "steered-2"), "Ada", b"secret")
            >>> len(plan.trials), {(trial.key, trial.run) for trial in plan.trials} == {
            ...     (key, run) for key in range(3) for run in ("plain-1", "steered-2")}
            (6, True)
        """
        runs = tuple(sorted(runs))
        question = "\0".join((author, split, *runs)).encode()
        digest = hmac.new(secret, question, hashlib.sha256).digest()
        rng = np.random.default_rng(np.frombuffer(digest, np.uint32))
        keys = [key for key, sample in enumerate(study.samples) if sample.split == split]
        pairs = [
            (keys[place], runs[run])
            for place in rng.permutation(len(keys))
            for run in rng.permutation(len(runs))
        ]
        return cls(tuple(Trial(number, key, run) for number, (key, run) in enumerate(pairs)))
