"""Blind ratings: what they may hold, and that the store keeps every one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from visteer.edits.rating import Rating
from visteer.edits.store import EditStore, StoreFailure


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"value": 0}, "1 to 5"),
        ({"value": 6}, "1 to 5"),
        ({"value": True}, "1 to 5"),
        ({"value": 2.0}, "1 to 5"),
        ({"author": " "}, "author"),
        ({"run": "a\x00b"}, "run"),
        ({"time": datetime(2026, 1, 1)}, "time zone"),
    ],
)
def test_what_cannot_be_meant_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        Rating(**{"image_id": "a.png", "run": "plain-1", "author": "Ada", "value": 3, **change})


def test_all_ratings_are_kept_in_order_and_given_by_run(tmp_path: Path):
    given = [
        Rating("a.png", "plain-1", "Ada", 4),
        Rating("a.png", "steered-2", "Ada", 1),
        Rating("a.png", "plain-1", "Ada", 3),
    ]
    with EditStore(tmp_path / "visteer.db") as store:
        for rating in given:
            store.rate(rating)
    with EditStore(tmp_path / "visteer.db") as store:
        assert store.ratings() == tuple(given)
        assert store.ratings(["plain-1"]) == (given[0], given[2])
        assert store.ratings([]) == ()
        assert store.image_ids() == ()


def test_the_database_itself_changes_no_rating(tmp_path: Path):
    with EditStore(tmp_path / "visteer.db") as store:
        store.rate(Rating("a.png", "plain-1", "Ada", 4))
        for change in ("UPDATE ratings SET value = 1", "DELETE FROM ratings"):
            with pytest.raises(StoreFailure, match="append-only"), store._writing() as connection:
                connection.execute(text(change))
        assert [rating.value for rating in store.ratings()] == [4]
