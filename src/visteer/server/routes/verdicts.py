"""Verdicts: what an expert says without drawing."""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter, HTTPException

from visteer.edits.map_edit import MapEdit, check_text
from visteer.edits.verdict import Verdict
from visteer.server.editor import Served
from visteer.server.messages import Item, VerdictMessage
from visteer.server.routes.parameters import WRITE_ERRORS, Key

router = APIRouter()


@router.post("/api/images/{key}/verdict", responses=WRITE_ERRORS)
def post_verdict(editor: Served, key: Key, said: VerdictMessage) -> Item:
    """Add a verdict; "nothing" also saves an edit with every cell irrelevant. Gives the image as it is now."""
    name = editor.sample(key).id
    run = editor.chosen_run(said.run)
    try:
        check_text("comment", said.comment)
    except ValueError:
        raise HTTPException(422, "the comment has a character that cannot be stored; leave it out") from None
    verdict = Verdict(said.verdict, editor.author, run, said.comment)
    edit = None
    if said.verdict == "nothing":
        shape = (editor.study.settings.image_size,) * 2
        edit = MapEdit(np.zeros(shape), np.ones(shape), editor.author, source="nothing", comment=said.comment)
    editor.store.judge(name, verdict, edit)
    return editor.catalogue.item(run, key)
