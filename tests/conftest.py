"""Fixtures that every part of the tests uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One thread a process, set before torch is read: several processes at once with two threads each wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with BUSI, ISIC and Imagenette, or a skip that says where it was looked for."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VISTEER_TEST_DATA", default))
    if not (folder / "busi").is_dir():
        pytest.skip(f"no real image data at {folder} (set VISTEER_TEST_DATA)")
    return folder
