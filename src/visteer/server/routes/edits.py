"""Edits of one image: read, saved, listed, taken again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, unquote_to_bytes

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from visteer.edits.consensus import SOURCE as CONSENSUS
from visteer.edits.map_edit import MapEdit, check_text
from visteer.edits.store import EditConflict
from visteer.server.edit_bytes import BadEditBytes, TooManyBytes, decode_edit, encode_edit, inflate
from visteer.server.editor import Editor, Served
from visteer.server.messages import (
    MAX_COMMENT,
    MAX_REVISION,
    ConflictMessage,
    ErrorMessage,
    HistoryEntry,
    RestoreMessage,
    RevisionMessage,
)
from visteer.server.routes.parameters import WRITE_ERRORS, Key, Revision, errors

router = APIRouter()

_BYTES: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
CONFLICT: dict[int | str, dict[str, Any]] = {412: {"model": ConflictMessage}}
_STROKE = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@router.get(
    "/api/images/{key}/edit",
    response_class=Response,
    responses={
        200: {"content": _BYTES, "description": "`VSE1`, width, height, targets, weights."},
        204: {"description": 'No edit; ETag "0".'},
        **errors(404),
    },
)
def get_edit(editor: Served, key: Key, revision: Revision = None) -> Response:
    """The raster of an edit. `X-Visteer-Author` and `X-Visteer-Source` are percent-encoded UTF-8."""
    name = editor.sample(key).id
    edit = _revision(editor, name, revision) if revision else editor.store.latest([name]).get(name)
    if edit is None:
        return Response(status_code=204, headers={"ETag": '"0"'})
    headers = {
        "ETag": f'"{edit.revision}"',
        "X-Visteer-Author": quote(edit.author, safe=" "),
        "X-Visteer-Time": edit.time.isoformat(),
        "X-Visteer-Source": quote(edit.source, safe=" "),
    }
    return Response(encode_edit(edit), media_type="application/octet-stream", headers=headers)


@router.put(
    "/api/images/{key}/edit",
    responses={**WRITE_ERRORS, **errors(415), **CONFLICT, 428: {"model": ErrorMessage}},
    openapi_extra={"requestBody": {"required": True, "content": _BYTES}},
)
async def put_edit(
    editor: Served,
    request: Request,
    response: Response,
    key: Key,
    if_match: Annotated[
        str | None, Header(description='The revision it is based on, such as "3"; "0" for none.')
    ] = None,
    x_visteer_stroke: Annotated[
        str | None, Header(description="A UUID: sent twice for an image, it is stored once.")
    ] = None,
    x_visteer_comment: Annotated[str | None, Header(description="Percent-encoded UTF-8.")] = None,
    content_encoding: Annotated[str | None, Header(description="gzip or nothing.")] = None,
) -> RevisionMessage:
    """Save an edit as the next revision; on disk when answered. On a conflict (412) nothing is stored."""
    name = editor.sample(key).id
    based_on = _based_on(if_match)
    stroke = _stroke(x_visteer_stroke)
    comment = _comment(x_visteer_comment)
    if content_encoding not in (None, "", "identity", "gzip"):
        raise HTTPException(415, "Content-Encoding must be gzip or left out")
    content = await request.body()

    def save() -> int:
        edit = _decoded(content, editor.author, comment, packed=content_encoding == "gzip")
        return editor.store.append(name, edit, based_on=based_on, stroke=stroke)

    revision = await run_sync(_appended, editor, name, save, limiter=editor.saving)
    response.headers["ETag"] = f'"{revision}"'
    return RevisionMessage(revision=revision)


@router.get("/api/images/{key}/history", responses=errors(404))
def get_history(editor: Served, key: Key) -> list[HistoryEntry]:
    """All revisions of an image, newest first."""
    name = editor.sample(key).id
    return [
        HistoryEntry(
            revision=note.revision,
            author=note.author,
            time=note.time,
            source=note.source,
            comment=note.comment,
            has_relevant=editor.relevance.of(editor.store, name, note.revision),
        )
        for note in sorted(
            editor.store.revision_notes(image_id=name), key=lambda note: note.revision, reverse=True
        )
    ]


@router.post("/api/images/{key}/restore", responses={**WRITE_ERRORS, **CONFLICT})
def restore(editor: Served, response: Response, key: Key, wanted: RestoreMessage) -> RevisionMessage:
    """Append a copy of an older revision, under the author of this server; a consensus remains one."""
    name = editor.sample(key).id
    old = _revision(editor, name, wanted.revision)
    copy = replace(
        old,
        author=editor.author,
        time=datetime.now(UTC),
        source=old.source if old.source == CONSENSUS else "restored",
        comment=f"revision {wanted.revision} by {old.author}",
    )
    revision = append_edit(editor, name, copy, wanted.based_on)
    response.headers["ETag"] = f'"{revision}"'
    return RevisionMessage(revision=revision)


def append_edit(editor: Editor, name: str, edit: MapEdit, based_on: int) -> int:
    """The revision under which `edit` is stored, or a `Conflict`."""
    return _appended(editor, name, lambda: editor.store.append(name, edit, based_on=based_on))


class Conflict(HTTPException):
    """412 with what a page needs to show both edits."""

    def __init__(self, detail: str, latest: int, author: str | None) -> None:
        super().__init__(412, detail)
        self.message = ConflictMessage(detail=detail, latest=latest, author=author)


def answer_conflict(_: Request, error: Exception) -> Response:
    """The answer to a `Conflict`."""
    if not isinstance(error, Conflict):
        raise error
    return JSONResponse(error.message.model_dump(), 412, {"ETag": f'"{error.message.latest}"'})


def _appended(editor: Editor, name: str, append: Callable[[], int]) -> int:
    """The revision that `append` stored, or a `Conflict`."""
    try:
        return append()
    except EditConflict as error:
        latest = editor.store.latest([name]).get(name)
        author = None if latest is None else latest.author
        raise Conflict(str(error), error.latest, author) from None


def _revision(editor: Editor, name: str, revision: int) -> MapEdit:
    """A revision of an image, or 404."""
    there = {note.revision for note in editor.store.revision_notes(image_id=name)}
    if revision not in there:
        raise HTTPException(404, f"the image has no revision {revision}; GET its history for those there are")
    return editor.store.get(name, revision)


def _based_on(if_match: str | None) -> int:
    if if_match is None:
        raise HTTPException(428, 'the header If-Match is missing: the revision it is based on, such as "3"')
    found = re.fullmatch(r'"([0-9]{1,10})"', if_match.strip(), re.ASCII)
    if found is None or int(found[1]) > MAX_REVISION:
        raise HTTPException(400, 'If-Match must be one revision in quotes, such as "3"')
    return int(found[1])


def _stroke(value: str | None) -> str | None:
    if value is not None and not _STROKE.fullmatch(value):
        raise HTTPException(400, "X-Visteer-Stroke must be a UUID")
    return None if value is None else value.lower()


def _comment(value: str | None) -> str:
    if value is None:
        return ""
    try:
        comment = unquote_to_bytes(value.encode("latin-1")).decode()
        check_text("X-Visteer-Comment", comment)
    except ValueError:
        raise HTTPException(400, "X-Visteer-Comment must be percent-encoded UTF-8 without NUL") from None
    if len(comment) > MAX_COMMENT:
        raise HTTPException(400, f"X-Visteer-Comment is longer than {MAX_COMMENT} characters")
    return comment


def _decoded(content: bytes, author: str, comment: str, *, packed: bool) -> MapEdit:
    try:
        target, weight = decode_edit(inflate(content) if packed else content)
    except TooManyBytes as error:
        raise HTTPException(413, str(error)) from None
    except BadEditBytes as error:
        raise HTTPException(400, str(error)) from None
    return MapEdit.of_steps(target, weight, author, comment=comment)
