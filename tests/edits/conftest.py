"""Edits to test with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import settings

from visteer.edits.map_edit import MapEdit, from_steps

# The machine may be busy: how long one example takes says nothing.
settings.register_profile("visteer", deadline=None)
settings.load_profile("visteer")


@pytest.fixture
def make_edit() -> Callable[..., MapEdit]:
    """`make_edit(seed, author=..., shape=...)`: a random edit with all three kinds of cell."""

    def make(seed: int = 0, author: str = "Ada", shape: tuple[int, int] = (5, 7)) -> MapEdit:
        rng = np.random.default_rng(seed)
        target = rng.integers(0, 65536, shape, dtype=np.uint16) * rng.integers(0, 2, shape, dtype=np.uint16)
        weight = rng.integers(0, 256, shape, dtype=np.uint8) * rng.integers(0, 2, shape, dtype=np.uint8)
        return MapEdit(
            *from_steps(target, weight),
            author=author,
            time=datetime(2026, 3, 4, 5, 6, 7, seed, tzinfo=UTC),
            source="drawn",
            map_digest="0123abcd",
            comment=f"Größe {seed}\nzweite Zeile",
        )

    return make
