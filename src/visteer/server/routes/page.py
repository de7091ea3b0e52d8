"""The page itself, from the files that were built for it: only those found at the start are ever served."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Response

from visteer.errors import VisteerError

STATIC = Path(__file__).resolve().parents[1] / "static"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


def page_routes(static: Path) -> APIRouter:
    """Routes for `static`/index.html as `/` and for the files in `static`/assets."""
    index = static / "index.html"
    folder = static / "assets"
    assets = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix in _KINDS
    }
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def get_page() -> Response:
        if not index.is_file():
            raise HTTPException(404, "the page is not built; reinstall visteer, or build it in frontend/")
        return Response(index.read_bytes(), media_type=_KINDS[".html"])

    @router.get("/assets/{name:path}")
    def get_asset(name: str) -> Response:
        path = assets.get(name)
        if path is None:
            raise HTTPException(404, "there is no such file; load the page again")
        headers = {"Cache-Control": "private, max-age=31536000, immutable"}
        return Response(path.read_bytes(), media_type=_KINDS[path.suffix], headers=headers)

    return router


def check_page(static: Path = STATIC) -> None:
    """Find out before the start that the page is there.

    Raises:
        VisteerError: it is not; the message says how to get it.
    """
    if not (static / "index.html").is_file():
        raise VisteerError(
            "the editor's page is not built: reinstall visteer, or run make page in a clone of it"
        )
