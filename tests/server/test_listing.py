"""Filters, counts and orders of the list, on arrays made by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest

from visteer.server.listing import GROUPS, STATES, Columns, Filters, mix_random, select_images

NAN = np.nan
#            key: 0    1     2    3     4     5
PREDICTED = [0, 1, 0, 1, -1, 1]
LABELS = [0, 0, 0, 1, 1, 1]
REASONABLE = [1, 0, -1, 1, -1, -1]
MISALIGNMENT = [0.2, 0.9, NAN, 0.4, NAN, 0.4]
CONFIDENCE = [0.9, 0.6, 0.7, 0.8, NAN, 0.5]
STATE = [2, 1, 0, 1, 0, 4]
AUTHORS = [0, 1, -1, 0, -1, 1]
NAMES = ["b/Zebra.png", "b/ant.png", "a/x.png", "c/1.png", "c/10.png", "c/2.png"]


@pytest.fixture
def columns() -> Columns:
    ranks = np.argsort(np.argsort([name.casefold() for name in NAMES]))
    return Columns(
        labels=np.array(LABELS),
        splits=np.array([0, 0, 1, 1, 2, 2], np.int8),
        states=np.array(STATE, np.int8),
        authors=np.array(AUTHORS, np.int32),
        predicted=np.array(PREDICTED),
        confidence=np.array(CONFIDENCE, np.float32),
        misalignment=np.array(MISALIGNMENT, np.float32),
        reasonable=np.array(REASONABLE, np.int8),
        name_ranks=ranks,
        texts=[name.casefold() for name in NAMES],
    )


@pytest.mark.parametrize(
    ("sort", "order", "expected"),
    [
        ("misalignment", None, [1, 3, 5, 0, 2, 4]),
        ("misalignment", "asc", [0, 3, 5, 1, 2, 4]),
        ("confidence", None, [5, 1, 2, 3, 0, 4]),
        ("confidence", "desc", [0, 3, 2, 1, 5, 4]),
        ("class", None, [2, 1, 0, 3, 4, 5]),
        ("class", "desc", [3, 4, 5, 2, 1, 0]),
        ("state", None, [2, 4, 1, 3, 0, 5]),
        ("name", None, [2, 1, 0, 3, 4, 5]),
        ("name", "desc", [5, 4, 3, 0, 1, 2]),
    ],
)
def test_orders_put_what_is_unknown_last_and_ties_by_name(columns, sort, order, expected):
    assert select_images(columns, Filters(), sort, order).keys.tolist() == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), [0, 1, 2, 3, 4, 5]),
        (Filters(split=1), [2, 3]),
        (Filters(label=1), [3, 4, 5]),
        (Filters(author=0), [0, 3]),
        (Filters(author=-1), []),
        (Filters(state=STATES.index("edited")), [1, 3]),
        (Filters(group=GROUPS.index("right_reasonable")), [0, 3]),
        (Filters(group=GROUPS.index("wrong_unreasonable")), [1]),
        (Filters(group=GROUPS.index("right_unjudged")), [2, 5]),
        (Filters(search="ZEBRA"), [0]),
        (Filters(search="c/1"), [3, 4]),
        (Filters(search=".*"), []),
        (Filters(label=1, author=0, search="png"), [3]),
    ],
)
def test_filters(columns, filters, expected):
    assert sorted(select_images(columns, filters).keys.tolist()) == expected


def test_counts_are_under_all_filters_but_their_own(columns):
    everything = select_images(columns, Filters())
    assert everything.counts == (2, 0, 2, 0, 1, 0)  # the image without a prediction is in none
    assert everything.states == (2, 2, 1, 0, 1)
    group, state = GROUPS.index("right_reasonable"), STATES.index("edited")
    chosen = select_images(columns, Filters(group=group, state=state))
    assert chosen.keys.tolist() == [3]
    assert chosen.counts == (1, 0, 0, 0, 1, 0)  # all edited ones
    assert chosen.states == (0, 1, 1, 0, 0)  # all of the group
    assert select_images(columns, Filters(split=1)).counts == (1, 0, 1, 0, 0, 0)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9, 10, 1003])
def test_a_queue_is_a_fifth_random_and_keeps_every_image_once(count):
    keys = np.arange(count)[::-1].copy()
    mixed = mix_random(keys, 7)
    assert sorted(mixed.tolist()) == list(range(count))
    drawn = mixed[4::5]
    assert len(drawn) == count // 5
    others = np.delete(mixed, np.arange(4, count, 5))
    assert others.tolist() == sorted(others.tolist(), reverse=True)  # as they were sorted
    assert mixed.tolist() == mix_random(keys, 7).tolist()


def test_the_random_part_of_a_queue_comes_from_anywhere_and_from_the_seed():
    keys = np.arange(1000)
    drawn = mix_random(keys, 1)[4::5]
    assert 400 < drawn.mean() < 600
    assert drawn.tolist() != mix_random(keys, 2)[4::5].tolist()


def test_a_queue_starts_with_the_worst(columns):
    assert select_images(columns, Filters(), "queue").keys.tolist()[0] in (1, 3)
    assert len(select_images(columns, Filters(), "queue").keys) == 6


def test_a_hundred_thousand_images(capsys):
    count = 100_000
    rng = np.random.default_rng(0)
    columns = Columns(
        labels=rng.integers(0, 5, count),
        splits=rng.integers(0, 3, count).astype(np.int8),
        states=rng.integers(0, 5, count).astype(np.int8),
        authors=rng.integers(-1, 3, count).astype(np.int32),
        predicted=rng.integers(-1, 5, count),
        confidence=rng.random(count, np.float32),
        misalignment=rng.random(count, np.float32),
        reasonable=rng.integers(-1, 2, count).astype(np.int8),
        name_ranks=rng.permutation(count),
        texts=[f"class/{number:06}.png" for number in range(count)],
    )
    start = time.perf_counter()
    selection = select_images(columns, Filters(search="99"), "queue", seed=3)
    with capsys.disabled():
        print(f" [{count} images: {1000 * (time.perf_counter() - start):.0f} ms]", end="")
    expected = [number for number in range(count) if "99" in f"{number:06}"]
    assert sorted(selection.keys.tolist()) == expected
    assert sum(selection.counts) == int((columns.predicted[expected] >= 0).sum())
