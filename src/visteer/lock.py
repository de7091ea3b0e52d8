"""A folder in which one process works at a time."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from visteer.errors import VisteerError

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


@contextmanager
def held(folder: Path, busy: str) -> Iterator[None]:
    """Hold `folder`, made if need be, until the end of the block, or of this process, however that ends.

    Where the file system has no locks, nothing is held.

    Raises:
        VisteerError: another process, or another block of this one, holds it (the line is `busy`), or it cannot be
            written.

    Example:
        >>> import tempfile
        >>> with held(Path(tempfile.mkdtemp()), "somebody is at work there"):
        ...     pass
    """
    path = folder / ".lock"
    lock = FileLock(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(NotImplementedError):  # an older filelock, where there is no flock
            lock.acquire(timeout=0)
    except Timeout:
        raise VisteerError(busy) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise VisteerError(f"{folder} cannot be held: {error.filename}: {error.strerror}") from None
    try:
        yield
    finally:
        with suppress(OSError):  # on Windows release() deletes it
            path.unlink()
        lock.release()
