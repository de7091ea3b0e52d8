"""What is being made in the background."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from visteer.server.editor import Served
from visteer.server.messages import JobMessage
from visteer.server.routes.parameters import errors

router = APIRouter()


@router.get("/api/jobs", responses=errors())
def get_jobs(editor: Served) -> list[JobMessage]:
    """The maps that are made, have been made or could not be made since this server started."""
    return [JobMessage(**asdict(job)) for job in editor.jobs.jobs]
