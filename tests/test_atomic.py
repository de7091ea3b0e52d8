"""A file that cannot be replaced is named, and stays as it was."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from visteer.atomic import replacing, write_text


def test_an_error_names_the_file_and_not_the_partial_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match=r"Is a directory|Permission denied|Access is denied") as caught:
        write_text(tmp_path / "a", "new")
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "a"), None)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(OSError, match="No space left") as caught:
        fill_the_disk(tmp_path / "a")
    assert caught.value.filename == str(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def fill_the_disk(path: Path) -> None:
    with replacing(path) as partial:
        partial.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
