"""Parameters that several routes share, and the errors that all may give."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator

from visteer.server.messages import MAX_REVISION, ErrorMessage


def _plain_number(value: object) -> object:
    """Refuse what Python reads as a number and nobody writes as one, such as "0.0" or a number with a line end."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,18}", value, re.ASCII):
        raise ValueError("an image is named by its number")
    return value


Key = Annotated[
    int, Path(ge=0, description="The image's place in samples.csv, from 0."), BeforeValidator(_plain_number)
]
Run = Annotated[
    str | None, Query(max_length=200, description="A finished run; default that of GET /api/study.")
]
RunName = Annotated[str, Query(max_length=200, description="A finished run.")]
ClassName = Annotated[str | None, Query(alias="class_", description="The name of a class.")]
Revision = Annotated[int | None, Query(ge=1, le=MAX_REVISION, description="Default: the latest.")]


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's entries for the errors that a route may give, beside those of every route."""
    return {code: {"model": ErrorMessage} for code in sorted({400, 401, 409, 422, 503, *codes})}


WRITE_ERRORS = errors(403, 404, 408, 413)
