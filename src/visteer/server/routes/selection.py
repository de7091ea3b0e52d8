"""What the page's tools select with: superpixels, and objects by clicks or a box."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import numpy as np
from anyio import fail_after
from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Query, Request, Response
from numpy.typing import NDArray
from PIL import Image

from visteer.server.editor import Editor, Served
from visteer.server.messages import SelectMessage
from visteer.server.routes.parameters import WRITE_ERRORS, Key, errors
from visteer.server.selection import (
    MOST_SUPERPIXELS,
    SIDE,
    encode_labels,
    object_at,
    object_in,
    superpixels,
)

router = APIRouter()

WAITING_SECONDS = 10.0
_CACHED = "private, max-age=0, must-revalidate"
_RASTER: dict[str, Any] = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "description": f"gzip of `VSL1`, width, height, labels (uint16); at most {SIDE} on the long side.",
}
T = TypeVar("T")


@router.get(
    "/api/images/{key}/superpixels",
    response_class=Response,
    responses={200: _RASTER, 304: {"description": "As before."}, **errors(404)},
)
async def get_superpixels(
    editor: Served,
    request: Request,
    key: Key,
    count: Annotated[int, Query(ge=4, le=MOST_SUPERPIXELS, description="About how many.")] = 400,
) -> Response:
    """The superpixel of each cell, numbered from 0."""
    editor.sample(key)
    picture = await _in_turn(editor, lambda: editor.pictures.of_image(key, SIDE))
    headers = {"ETag": f'"{picture.etag}-{count}"', "Cache-Control": _CACHED}
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known:
        return Response(status_code=304, headers=headers)

    def made() -> bytes:
        return editor.superpixels.of(
            headers["ETag"], lambda: _packed(superpixels(_pixels(editor, key), count))
        )

    return _raster(await _in_turn(editor, made), headers)


@router.post("/api/images/{key}/select", response_class=Response, responses={200: _RASTER, **WRITE_ERRORS})
async def select(editor: Served, key: Key, wanted: SelectMessage) -> Response:
    """The object that is meant: 1 where it is, else 0. Nothing is stored."""
    editor.sample(key)

    def found() -> bytes:
        pixels = _pixels(editor, key)
        if wanted.box is not None:
            sketch = None if wanted.sketch is None else _sketch(wanted.sketch, pixels.shape[:2])
            box = wanted.box
            return _packed(object_in(pixels, (box.left, box.top, box.right, box.bottom), sketch))
        inside, outside = (
            np.array([(point.x, point.y) for point in wanted.points if point.inside == side]).reshape(-1, 2)
            for side in (True, False)
        )
        return _packed(object_at(pixels, inside, outside))

    return _raster(await _in_turn(editor, found), {"Cache-Control": "no-store"})


async def _in_turn(editor: Editor, work: Callable[[], T]) -> T:
    """Do `work`, which sizes keep below a second or two, in a thread; 503 if it does not get one in time."""
    try:
        with fail_after(WAITING_SECONDS):
            await editor.selecting.acquire()
    except TimeoutError:
        raise HTTPException(503, "too many selections at once; try again", {"Retry-After": "5"}) from None
    try:
        return await run_sync(work)
    finally:
        editor.selecting.release()


def _pixels(editor: Editor, key: int) -> NDArray[np.uint8]:
    """(h, w, 3) the picture in the size that is selected in."""
    with Image.open(io.BytesIO(editor.pictures.of_image(key, SIDE).png)) as picture:
        return np.array(picture.convert("RGB"))


def _sketch(text: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The cells of a sketch, or 422."""
    cells = shape[0] * shape[1]
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if len(content) != (cells + 7) // 8:
        raise HTTPException(
            422, f"sketch must be base64 of {shape[1]} x {shape[0]} bits, row by row, the highest bit first"
        )
    bits = np.unpackbits(np.frombuffer(content, np.uint8), count=cells)
    return bits.reshape(shape).astype(bool)


def _packed(labels: NDArray[np.uint16] | NDArray[np.bool_]) -> bytes:
    return gzip.compress(encode_labels(labels), compresslevel=4, mtime=0)


def _raster(content: bytes, headers: dict[str, str]) -> Response:
    named = {**headers, "Content-Encoding": "gzip"}
    return Response(content, media_type="application/octet-stream", headers=named)
