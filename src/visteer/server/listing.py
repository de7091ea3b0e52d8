"""The list of images as arrays: filtered, counted, sorted. Pure functions; nothing here reads a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from visteer.server.messages import GroupName, OrderName, SortName, StateName

GROUPS: tuple[GroupName, ...] = get_args(GroupName)
STATES: tuple[StateName, ...] = get_args(StateName)
RANDOM_EVERY = 5
_NATURAL: dict[SortName, OrderName] = {"queue": "desc", "misalignment": "desc"}


@dataclass(frozen=True, eq=False)
class Columns:
    """What is known of the n images, by key.

    `labels`, `splits`, `states`, `authors` (n,) integers; `authors` -1 where nobody has done anything. `predicted` (n,)
    integer, -1 without a prediction; `confidence`, `misalignment` (n,) float32, NaN where unknown; `reasonable` (n,)
    1, 0, or -1 where nobody can say; `name_ranks` (n,) the place of each image by name; `texts` what is searched.
    """

    labels: NDArray[np.int64]
    splits: NDArray[np.int8]
    states: NDArray[np.int8]
    authors: NDArray[np.int32]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float32]
    misalignment: NDArray[np.float32]
    reasonable: NDArray[np.int8]
    name_ranks: NDArray[np.int64]
    texts: list[str]


@dataclass(frozen=True)
class Filters:
    """Which images; None takes all. `author` -1 is one who has done nothing."""

    split: int | None = None
    label: int | None = None
    author: int | None = None
    state: int | None = None
    group: int | None = None
    search: str = ""


@dataclass(frozen=True, eq=False)
class Selection:
    """The keys under all filters, in order; the images of each group under all filters but it, of each state alike."""

    keys: NDArray[np.int64]
    counts: tuple[int, ...]
    states: tuple[int, ...]


def groups_of(columns: Columns) -> NDArray[np.int8]:
    """(n,) the place in `GROUPS` of each image, -1 without a prediction."""
    right = columns.predicted == columns.labels
    judged = np.select([columns.reasonable == 1, columns.reasonable == 0], [0, 1], 2)
    return np.where(columns.predicted < 0, -1, np.where(right, 0, 3) + judged).astype(np.int8)


def select_images(
    columns: Columns,
    filters: Filters,
    sort: SortName = "queue",
    order: OrderName | None = None,
    seed: int = 0,
) -> Selection:
    """Filter, count and sort.

    Values that are unknown come last in either order. "queue" is the order of misalignment in which every fifth place
    goes to an image drawn at random (`mix_random`), since an expert who sees only the worst ones learns nothing of the
    others, nor of those that the guess is wrong about.
    """
    groups = groups_of(columns)
    kept = _kept(columns, filters)
    by_group = kept if filters.group is None else kept & (groups == filters.group)
    by_state = kept if filters.state is None else kept & (columns.states == filters.state)
    counts = np.bincount(groups[by_state & (groups >= 0)], minlength=len(GROUPS))
    states = np.bincount(columns.states[by_group], minlength=len(STATES))
    keys = np.flatnonzero(by_group & by_state)
    descending = (order or _NATURAL.get(sort, "asc")) == "desc"
    ordered = keys[_order(_sort_values(columns, sort)[keys], columns.name_ranks[keys], descending=descending)]
    if sort == "queue":
        ordered = mix_random(ordered, seed)
    return Selection(ordered, tuple(map(int, counts)), tuple(map(int, states)))


def mix_random(keys: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Put a random fifth of `keys`, drawn by `seed`, on every fifth place; the others keep their order.

    Example:
        >>> mix_random(np.arange(10), seed=0).tolist()
        [0, 1, 2, 3, 4, 5, 7, 8, 9, 6]
    """
    places = np.arange(RANDOM_EVERY - 1, len(keys), RANDOM_EVERY)
    drawn = np.random.default_rng(seed).permutation(len(keys))[: len(places)]
    mixed = np.empty_like(keys)
    free = np.ones(len(keys), bool)
    free[places] = False
    others = np.ones(len(keys), bool)
    others[drawn] = False
    mixed[places] = keys[drawn]
    mixed[free] = keys[others]
    return mixed


def _kept(columns: Columns, filters: Filters) -> NDArray[np.bool_]:
    """The images under all filters but group and state."""
    kept = np.ones(len(columns.labels), bool)
    if filters.split is not None:
        kept &= columns.splits == filters.split
    if filters.label is not None:
        kept &= columns.labels == filters.label
    if filters.author is not None:
        kept &= (columns.authors == filters.author) & (filters.author >= 0)
    if filters.search:
        wanted = filters.search.casefold()
        kept &= np.fromiter((wanted in text for text in columns.texts), bool, len(columns.texts))
    return kept


def _sort_values(columns: Columns, sort: SortName) -> NDArray[np.float64]:
    """(n,) what is sorted by; NaN where unknown."""
    values: dict[SortName, NDArray[np.generic]] = {
        "queue": columns.misalignment,
        "misalignment": columns.misalignment,
        "confidence": columns.confidence,
        "class": columns.labels,
        "state": columns.states,
        "name": columns.name_ranks,
    }
    return values[sort].astype(np.float64)


def _order(values: NDArray[np.float64], ranks: NDArray[np.int64], *, descending: bool) -> NDArray[np.intp]:
    """The order by value, unknown ones last, and by name where they tie."""
    return np.lexsort((ranks, -values if descending else values, np.isnan(values)))
