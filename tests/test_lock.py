"""Folders in which one process works at a time."""

from __future__ import annotations

import errno
import os

import pytest

from visteer.errors import VisteerError
from visteer.lock import held


def test_a_folder_is_held_by_one_and_free_again(tmp_path):
    folder = tmp_path / "new"
    for _ in range(2):
        with held(folder, ""), pytest.raises(VisteerError, match="busy"), held(folder, "busy"):
            pass
        assert not list(folder.iterdir())


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_nothing_is_held(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl", reason="Windows has other locks")

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with held(tmp_path, ""), held(tmp_path, ""):
        pass


def test_a_lock_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(VisteerError, match=r"cannot be held: .*\.lock: Is a directory"), held(tmp_path, ""):
        pass
