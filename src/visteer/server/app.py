"""The application: routes behind the gate, errors in one line."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from visteer.edits.store import StoreFailure
from visteer.errors import VisteerError
from visteer.server.editor import Editor
from visteer.server.gate import Gate, add_headers
from visteer.server.routes import API, edits
from visteer.server.routes.page import STATIC, page_routes
from visteer.server.sessions import Sessions, session_secret
from visteer.study import Study

_LOG = logging.getLogger(__name__)
_WARMING_SECONDS = 2


def create_app(
    opened: Study,
    *,
    token: str,
    hosts: Iterable[str],
    author: str,
    run: str | None = None,
    make_maps: bool = False,
    static: Path = STATIC,
) -> FastAPI:
    """The editor's server for one study, as an ASGI application.

    Arguments:
        opened: the study.
        token: what the opening link carries, at least 32 random characters.
        hosts: the values of the header Host that are answered, see `allowed_hosts`.
        author: under whose name edits and verdicts are stored.
        run: the run that is shown first, by default the latest finished one.
        make_maps: make the maps and predictions that the shown runs lack, in the background.
        static: the folder of the built page.

    Raises:
        VisteerError: the database cannot be opened, or there is no run `run`.
        OSError: the file of the secret cannot be made.
    """
    if run is not None:
        opened.run_folder(run)
    secret = session_secret(opened.folder)
    sessions = Sessions(token, secret)
    editor = Editor.open(opened, author, secret, run, make_maps=make_maps)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = Thread(target=editor.warm, daemon=True)
        warming.start()
        yield
        editor.jobs.close()
        warming.join(_WARMING_SECONDS)
        editor.store.close()

    app = FastAPI(
        title="Visteer editor",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.editor = editor
    for router in (*API, page_routes(static)):
        app.include_router(router)
    app.add_exception_handler(edits.Conflict, edits.answer_conflict)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(StoreFailure, _answer_failed_store)
    app.add_exception_handler(VisteerError, _answer_error)
    app.add_exception_handler(Exception, _answer_bug)
    app.add_middleware(Gate, sessions=sessions, hosts=frozenset(hosts))
    app.openapi()  # FastAPI prepares its routes when they are first looked at: now, not in the first requests' threads
    return app


def _answer_invalid(_: Request, error: Exception) -> Response:
    """422 in one line, without a copy of what was sent."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found[:5])
    return JSONResponse({"detail": " ".join(said.encode("ascii", "replace").decode().split())}, 422)


def _answer_failed_store(_: Request, error: Exception) -> Response:
    """503: nothing was stored, and the same request may work later."""
    _LOG.error("%s", error)
    return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "5"})


def _answer_error(_: Request, error: Exception) -> Response:
    """409: the study is not in the state that the request needs."""
    return JSONResponse({"detail": str(error)}, 409)


def _answer_bug(_: Request, error: Exception) -> Response:
    """500 without a word of the inside; the log has the traceback."""
    _LOG.error("a bug in Visteer", exc_info=error)
    response = JSONResponse({"detail": "a bug in Visteer; the terminal of visteer edit shows more"}, 500)
    add_headers(response.headers)
    return response
