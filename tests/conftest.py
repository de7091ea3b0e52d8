"""Fixtures that every part of the tests uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One thread a process, set before torch is read: several processes at once with two threads each wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A test's name holds no bytes: packed ones carry the time, and processes that share the tests compare names."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with BUSI, ISIC and Imagenette, or a skip that says where it was looked for."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VISTEER_TEST_DATA", default))
    if not (folder / "busi").is_dir():
        pytest.skip(f"no real image data at {folder} (set VISTEER_TEST_DATA)")
    return folder
