"""STAPLE as in the paper, a cell and a voter at a time."""

from __future__ import annotations

import math

import numpy as np


def staple(votes: np.ndarray, rounds: int = 100) -> tuple[list[float], list[float], list[float]]:
    """Warfield et al. 2004, equations 14 to 18, with votes that may be missing (NaN)."""
    voters, cells = votes.shape
    given = [v for v in votes.ravel() if not math.isnan(v)]
    prior = sum(given) / len(given)
    p, q = [0.9] * voters, [0.9] * voters
    truth = [prior] * cells
    for _ in range(rounds):
        last = truth
        truth = []
        for i in range(cells):
            one, zero = prior, 1 - prior
            for j in range(voters):
                if math.isnan(votes[j, i]):
                    continue
                one *= p[j] if votes[j, i] == 1 else 1 - p[j]
                zero *= q[j] if votes[j, i] == 0 else 1 - q[j]
            truth.append(one / (one + zero))
        for j in range(voters):
            voted = [i for i in range(cells) if not math.isnan(votes[j, i])]
            p[j] = sum(truth[i] for i in voted if votes[j, i] == 1) / sum(truth[i] for i in voted)
            q[j] = sum(1 - truth[i] for i in voted if votes[j, i] == 0) / sum(1 - truth[i] for i in voted)
        if max(abs(a - b) for a, b in zip(last, truth, strict=True)) < 1e-7:
            break
    return truth, p, q
