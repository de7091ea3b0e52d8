"""Who may talk to the editor: the token of the opening link, and the session that it is traded for."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path

SECRET_FILE = "editor.secret"  # noqa: S105 - the name of the file
SECONDS = 12 * 3600
_SECRET_BYTES = 32


def session_secret(folder: Path) -> bytes:
    """The study's own secret, made at the first call, in a file that only its owner may read.

    A file that others could read, or that is cut off, is replaced: the sessions that it signed end then.
    """
    path = folder / SECRET_FILE
    found = _read_secret(path)
    if found is not None:
        return found
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.partial")
    secret = secrets.token_bytes(_SECRET_BYTES)
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        path.unlink(missing_ok=True)
        try:
            os.link(partial, path)
        except FileExistsError:  # another server made it meanwhile: then that one counts
            pass
        except OSError:  # a disk without links
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return _read_secret(path) or secret


class Sessions:
    """Checks tokens and cookies; holds nothing that a restart would lose.

    A session is "EXPIRY.SIGNATURE", the seconds since 1970 when it ends and their HMAC-SHA-256 under the secret.

    Example:
        >>> sessions = Sessions("the token", b"a secret", now=lambda: 1000.0)
        >>> sessions.opens_with("the token"), sessions.opens_with("another")
        (True, False)
        >>> sessions.is_valid(sessions.new()), sessions.is_valid("99999.00")
        (True, False)
    """

    def __init__(self, token: str, secret: bytes, now: Callable[[], float] = time.time) -> None:
        self._token = token.encode()
        self._secret = secret
        self._now = now

    def opens_with(self, token: str) -> bool:
        """Whether `token` is that of the opening link."""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token)

    def new(self) -> str:
        """A session that ends after 12 hours."""
        expiry = str(int(self._now()) + SECONDS)
        return f"{expiry}.{self._sign(expiry)}"

    def is_valid(self, session: str) -> bool:
        """Whether this secret signed `session`, and it has not ended."""
        expiry, _, signature = session.partition(".")
        right = hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), self._sign(expiry).encode())
        return right and self._now() < int(expiry)

    def _sign(self, expiry: str) -> str:
        text = f"visteer session 1 {expiry}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()


def _read_secret(path: Path) -> bytes | None:
    """The secret in `path`, if it is whole and private."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        private = os.name != "posix" or not stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
        secret = file.read(_SECRET_BYTES + 1)
    return secret if private and len(secret) == _SECRET_BYTES else None
