"""Several people's edits of one image: how far they agree, and one edit made of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
from fastapi import APIRouter, HTTPException, Response

from visteer.edits.consensus import consensus_edit, latest_by_author, on_one_grid, soft_dice
from visteer.edits.map_edit import MapEdit
from visteer.evaluation.agreement import krippendorff_alpha
from visteer.server.editor import Editor, Served
from visteer.server.messages import (
    AgreementMessage,
    AnnotatorMessage,
    ConsensusMessage,
    PairMessage,
    RevisionMessage,
)
from visteer.server.routes.edits import CONFLICT, append_edit
from visteer.server.routes.parameters import WRITE_ERRORS, Key, errors

router = APIRouter()

MAX_ANNOTATORS = 50


@router.get("/api/images/{key}/agreement", responses=errors(404))
def get_agreement(editor: Served, key: Key) -> AgreementMessage:
    """How far the latest edits of all people agree; a consensus is nobody's own and does not count."""
    edits, left_out = _latest(editor, key)
    alpha = math.nan
    if len(edits) > 1:
        targets, weights = on_one_grid(edits)
        alpha = krippendorff_alpha(np.where(weights > 0, targets, np.nan).reshape(len(edits), -1), "interval")
    return AgreementMessage(
        annotators=[AnnotatorMessage(author=edit.author, revision=edit.revision) for edit in edits],
        pairs=[
            PairMessage(first=a.author, second=b.author, dice=_number(soft_dice(a, b)))
            for a, b in itertools.combinations(edits, 2)
        ],
        alpha=_number(alpha),
        left_out=left_out,
    )


@router.post("/api/images/{key}/consensus", responses={**WRITE_ERRORS, **CONFLICT})
def post_consensus(editor: Served, response: Response, key: Key, wanted: ConsensusMessage) -> RevisionMessage:
    """Append one edit made of the latest ones of all people, under the author of this server."""
    edits, _ = _latest(editor, key)
    if len(edits) < 2:
        raise HTTPException(409, "a consensus needs the edits of two or more people; only one has drawn here")
    made = consensus_edit(edits, wanted.method, editor.author)
    revision = append_edit(editor, editor.sample(key).id, made, wanted.based_on)
    response.headers["ETag"] = f'"{revision}"'
    return RevisionMessage(revision=revision)


def _latest(editor: Editor, key: int) -> tuple[list[MapEdit], int]:
    """The latest edit of each person, read as the study takes it, and how many were too many to read."""
    name = editor.sample(key).id
    notes = latest_by_author(editor.store.revision_notes(image_id=name))
    edits = [editor.store.get(name, note.revision) for note in notes[:MAX_ANNOTATORS]]
    return [editor.study.as_meant(edit) for edit in edits], len(notes) - len(edits)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
