"""A folder in which one process works at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from visteer.errors import VisteerError


@contextmanager
def held(folder: Path, busy: str) -> Iterator[None]:
    """Hold `folder` until the end of the block, or of this process, however that ends.

    Where the file system has no locks, nothing is held.

    Raises:
        VisteerError: another process, or another block of this one, holds it; the line is `busy`.

    Example:
        >>> import tempfile
        >>> with held(Path(tempfile.mkdtemp()), "somebody is at work there"):
        ...     pass
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise VisteerError(busy) from None
    except NotImplementedError:
        yield
        return
    try:
        yield
    finally:
        lock.release()
