"""The gate in front of every route: host, session, origin, sizes, headers.

It stands before the routing, so that a route cannot be left unguarded by mistake.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Literal

import anyio
from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visteer.server.edit_bytes import MAX_EDIT_BYTES
from visteer.server.sessions import SECONDS, Sessions

COOKIE = "visteer_session"
MAX_JSON_BYTES = 64 * 1024
BODY_SECONDS = 60.0
_LINK = "take the link that visteer edit printed"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def allowed_hosts(port: int, host: str = "127.0.0.1") -> frozenset[str]:
    """What a browser may call this server: the names of this machine, and `host`, each with the port.

    Example:
        >>> sorted(allowed_hosts(8000))
        ['127.0.0.1:8000', '[::1]:8000', 'localhost:8000']
    """
    names = {"127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host.lower()}
    return frozenset({f"{name}:{port}" for name in names} | (names if port == 80 else set()))


class Gate:
    """ASGI middleware that answers by itself whatever must not reach the routes.

    In this order: a foreign Host (against DNS rebinding) 400; the opening link 303; no session 401; a write without the
    header X-Visteer or from another origin 403; a body that is too long 413, or too slow 408.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, hosts: Iterable[str]) -> None:
        self._app = app
        self._sessions = sessions
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(MutableHeaders(scope=message))
            await send(message)

        request = Request(scope)
        answer = self._answer(request)
        if answer is not None:
            await answer(scope, receive, send_guarded)
            return
        await self._app(scope, _bounded(receive, _limit(request)), send_guarded)

    def _answer(self, request: Request) -> Response | None:
        """The gate's own answer; None lets the request pass."""
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _refuse(
                request,
                400,
                f"this is not the editor's address; {_LINK}",
            )
        token = request.query_params.get("token")
        if request.url.path == "/" and request.method == "GET" and token is not None:
            return self._open(request, token)
        if not self._sessions.is_valid(request.cookies.get(COOKIE, "")):
            return _refuse(request, 401, f"no session, or it has ended; {_LINK}")
        if request.method in SAFE_METHODS:
            return None
        return _refuse_foreign_write(request, hosts[0]) or _refuse_long_body(request)

    def _open(self, request: Request, token: str) -> Response:
        """Trade the token of the link for a session."""
        if not self._sessions.opens_with(token):
            return _refuse(request, 401, f"this link is not the latest; {_LINK}")
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            COOKIE, self._sessions.new(), max_age=SECONDS, path="/", httponly=True, samesite="strict"
        )
        return answer


def add_headers(headers: MutableHeaders) -> None:
    """Put the headers on an answer that every answer has."""
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")


def _refuse_foreign_write(request: Request, host: str) -> Response | None:
    if request.headers.get("x-visteer") != "1":
        return _refuse(request, 403, "a write needs the header X-Visteer: 1")
    here = {f"{scheme}://{host.lower()}" for scheme in ("http", "https")}
    if any(origin.lower() not in here for origin in request.headers.getlist("origin")):
        return _refuse(request, 403, "a write from another page is refused")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return _refuse(request, 403, "a write from another page is refused")
    return None


def _refuse_long_body(request: Request) -> Response | None:
    length = request.headers.get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        return _refuse(request, 400, "Content-Length is no number")
    if int(length) > _limit(request):
        return _refuse(request, 413, f"the body is longer than {_limit(request)} bytes")
    return None


def _limit(request: Request) -> int:
    """How many bytes the body may have."""
    return MAX_EDIT_BYTES if request.method == "PUT" else MAX_JSON_BYTES


def _bounded(receive: Receive, limit: int) -> Receive:
    """`receive` that ends a body over `limit` bytes, or one that takes over a minute."""
    taken = 0
    complete = False
    deadline: float | None = None

    async def receive_bounded() -> Message:
        nonlocal taken, complete, deadline
        if complete:
            return await receive()
        deadline = deadline or anyio.current_time() + BODY_SECONDS
        try:
            with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "the body came too slowly; send it again") from None
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, f"the body is longer than {limit} bytes")
        complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_bounded


def _refuse(request: Request, status: Literal[400, 401, 403, 413], detail: str) -> Response:
    """One line: JSON for the page's script, a short page for a person."""
    if request.url.path == "/":
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Visteer</title>'
            f"<h1>Visteer</h1><p>Not opened: {html.escape(detail)}.</p></html>"
        )
        return HTMLResponse(page, status)
    return JSONResponse({"detail": detail}, status)
