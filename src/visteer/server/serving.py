"""Listening: a socket of one's own, and uvicorn on it until Ctrl-C."""

from __future__ import annotations

import errno
import hashlib
import ipaddress
import os
import socket

import uvicorn
from fastapi import FastAPI

from visteer.errors import VisteerError

MAX_CONNECTIONS = 100
OWN_PORTS = range(20_000, 32_000)
_BACKLOG = 128


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at `host`; port 0 takes a free one. Requests wait from now on.

    Raises:
        VisteerError: the port is taken or not allowed, or the host is none of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise VisteerError(
            f"there is no host {host!r}; leave --host out, or name one of this machine"
        ) from None
    family, kind, protocol, _, address = found[0]
    opened = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise VisteerError(_explain(error, host, port)) from None
    return opened


def listen_at_own_port(host: str, secret: bytes) -> socket.socket:
    """A socket at the study's own port, which its secret gives, or at any free one where that is taken.

    A browser keeps what it has not sent yet by address and port: at the same port the page finds it again.

    Raises:
        VisteerError: the host is none of this machine.
    """
    own = OWN_PORTS[int.from_bytes(hashlib.sha256(b"visteer port" + secret).digest()[:8]) % len(OWN_PORTS)]
    try:
        return listen(host, own)
    except VisteerError:
        return listen(host, 0)


def link(host: str, port: int, token: str) -> str:
    """The address that opens the editor.

    Example:
        >>> link("127.0.0.1", 8000, "T"), link("::1", 8000, "T")
        ('http://127.0.0.1:8000/?token=T', 'http://[::1]:8000/?token=T')
    """
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/?token={token}"


def is_local(host: str) -> bool:
    """Whether only this machine can reach `host`.

    Example:
        >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
        (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(app: FastAPI, opened: socket.socket) -> None:
    """Answer requests until the process is told to stop; Ctrl-C lets those under way end and returns."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,  # it would write the token of the link
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    try:
        uvicorn.Server(config).run(sockets=[opened])
    except KeyboardInterrupt:
        return
    finally:
        opened.close()


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken; choose another by --port, or leave it out for a free one"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} is not allowed; choose one above 1023 by --port, or leave it out for a free one"
    return f"cannot listen at {host}, port {port} ({error.strerror}); leave --host out, or name one of this machine"
