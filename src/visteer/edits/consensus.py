"""Several people's edits of one image: how alike they are, and one edit made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from visteer.edits.map_edit import MapEdit, resample_edit
from visteer.edits.store import RevisionNote

ConsensusMethod = Literal["mean", "vote"]
SOURCE = "consensus"
RELEVANT_FROM = 0.5
_ROUNDS = 100
_CLOSE = 1e-7
_START = 0.9

Floats = NDArray[np.float64]


AuthoredT = TypeVar("AuthoredT", MapEdit, RevisionNote)


def latest_by_author(history: Iterable[AuthoredT]) -> list[AuthoredT]:
    """The latest revision of each author, by author; a consensus is nobody's own opinion and does not count.

    Example:
        >>> edits = [MapEdit([[1]], [[1]], author="Eve", revision=1), MapEdit([[0]], [[1]], author="Eve", revision=2)]
        >>> [edit.revision for edit in latest_by_author(edits)]
        [2]
    """
    latest: dict[str, AuthoredT] = {}
    for edit in history:
        if edit.source != SOURCE and edit.revision >= (
            latest[edit.author].revision if edit.author in latest else 0
        ):
            latest[edit.author] = edit
    return [latest[author] for author in sorted(latest)]


def on_one_grid(edits: Sequence[MapEdit]) -> tuple[Floats, Floats]:
    """Targets and weights (n, H, W) float64 on the largest raster among `edits`.

    Raises:
        ValueError: there is no edit.
    """
    if not edits:
        raise ValueError("there is no edit")
    shape = max((edit.shape for edit in edits), key=lambda shape: shape[0] * shape[1])
    brought = [resample_edit(edit, shape) for edit in edits]
    targets, weights = (np.stack(parts).astype(np.float64) for parts in zip(*brought, strict=True))
    return targets, weights


def soft_dice(a: MapEdit, b: MapEdit) -> float:
    """Soft Dice of two edits on the cells that both know: 2 sum min(a, b) / sum (a + b).

    Returns:
        0 (no overlap) to 1 (the same); NaN where neither marks anything relevant there.

    Example:
        >>> soft_dice(MapEdit([[1, 0]], [[1, 1]], author="Ada"), MapEdit([[1, 1]], [[1, 1]], author="Eve"))
        0.6666666666666666
    """
    (first, second), (known, also) = on_one_grid([a, b])
    both = (known > 0) & (also > 0)
    total = float(first[both].sum() + second[both].sum())
    return 2 * float(np.minimum(first, second)[both].sum()) / total if total else math.nan


def consensus_edit(edits: Sequence[MapEdit], method: ConsensusMethod, author: str) -> MapEdit:
    """One edit of several, on the largest raster among them.

    "mean": the target is the mean of the targets weighed by the weights; the weight is the mean of the weights,
    times 1 - 2 d, where d is the weighted mean distance of the targets from that mean (0 where all agree, 0.5 where
    they are split). So where people disagree, the edit is trusted less.

    "vote": `staple` on the cells that somebody knows; the target is 1 where relevance is more probable than not, and
    the weight |2 p - 1|. Cells that nobody knows stay unknown.

    Raises:
        ValueError: there are fewer than two edits, or the method is unknown.

    Example:
        >>> ada, eve = (MapEdit([[1.0, value]], [[1, 1]], author=name) for name, value in (("Ada", 0), ("Eve", 1)))
        >>> both = consensus_edit([ada, eve], "mean", author="Ada")
        >>> both.target.round(2).tolist(), both.weight.tolist()
        ([[1.0, 0.0]], [[1.0, 0.0]])
    """
    if len(edits) < 2:
        raise ValueError("a consensus needs the edits of two or more people")
    targets, weights = on_one_grid(edits)
    if method == "mean":
        total = weights.sum(axis=0)
        there = np.where(total > 0, total, 1)
        target = (weights * targets).sum(axis=0) / there
        split = (weights * np.abs(targets - target)).sum(axis=0) / there
        weight = weights.mean(axis=0) * (1 - 2 * split)
    elif method == "vote":
        votes = np.where(weights > 0, (targets >= RELEVANT_FROM).astype(np.float64), np.nan)
        flat = votes.reshape(len(edits), -1)
        probability: Floats = np.full(targets[0].size, 0.5)
        known = ~np.isnan(flat).all(axis=0)
        if known.any():
            probability[known] = staple(flat[:, known])[0]
        target = (probability > RELEVANT_FROM).astype(np.float64).reshape(targets.shape[1:])
        weight = np.abs(2 * probability - 1).reshape(targets.shape[1:])
    else:
        raise ValueError(f"method must be mean or vote, got {method!r}")
    target = np.where(weight > 0, target, 0)
    names = ", ".join(edit.author for edit in edits)
    return MapEdit(
        target.clip(0, 1), weight.clip(0, 1), author=author, source=SOURCE, comment=f"{method} of {names}"
    )


def staple(votes: Floats) -> tuple[Floats, Floats, Floats]:
    """STAPLE for a binary question: what is true in each cell, and how good each voter is, estimated together.

    Expectation: with sensitivity p_j and specificity q_j of voter j and the prior f (the share of all votes that are
    1), the probability that cell i is 1 is ::

        W_i = f prod_j p_j^d_ij (1 - p_j)^(1 - d_ij)  /  (the same + (1 - f) prod_j q_j^(1 - d_ij) (1 - q_j)^d_ij)

    Maximisation: p_j = sum_i W_i d_ij / sum_i W_i and q_j = sum_i (1 - W_i)(1 - d_ij) / sum_i (1 - W_i), each over the
    cells in which j has a vote. From 0.9 until nothing moves by more than 1e-7, or 100 rounds.

    Arguments:
        votes: (voters, cells) 0 or 1, NaN where a voter has none; each cell has one vote or more.

    Returns:
        W (cells,), p (voters,), q (voters,).

    Source: Warfield, Zou, Wells, "Simultaneous truth and performance level estimation (STAPLE)", IEEE TMI 23, 2004,
    equations 10, 14 to 18.

    Example:
        >>> truth, p, q = staple(np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 1]]))
        >>> (truth > 0.5).tolist()
        [True, True, False, False]
    """
    there = ~np.isnan(votes)
    yes = np.where(there, votes, 0)
    no = np.where(there, 1 - votes, 0)
    prior = float(yes.sum() / there.sum())
    p = np.full(len(votes), _START)
    q = np.full(len(votes), _START)
    truth = np.full(votes.shape[1], prior)
    if prior in (0.0, 1.0):
        return truth, p, q
    for _ in range(_ROUNDS):
        with np.errstate(divide="ignore", invalid="ignore"):
            one = math.log(prior) + _weighed(yes, np.log(p)) + _weighed(no, np.log1p(-p))
            zero = math.log1p(-prior) + _weighed(no, np.log(q)) + _weighed(yes, np.log1p(-q))
            odds = zero - one
        found = 1 / (1 + np.exp(np.clip(np.nan_to_num(odds), -700, 700)))
        moved = float(np.abs(found - truth).max())
        truth = found
        p = _share(yes, there, truth, p)
        q = _share(no, there, 1 - truth, q)
        if moved < _CLOSE:
            break
    return truth, p, q


def _weighed(votes: Floats, logs: Floats) -> Floats:
    """sum_j votes_ij logs_j, where 0 times minus infinity is 0."""
    summed: Floats = np.where(votes > 0, logs[:, None], 0).sum(axis=0)
    return summed


def _share(votes: Floats, there: NDArray[np.bool_], truth: Floats, before: Floats) -> Floats:
    """sum_i truth_i votes_ij / sum_i truth_i over the cells where j voted; as before where that is 0 / 0."""
    total = there @ truth
    return np.where(total > 0, votes @ truth / np.where(total > 0, total, 1), before)
