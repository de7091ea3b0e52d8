"""What the page asks first: the study and its defaults."""

from __future__ import annotations

from fastapi import APIRouter

from visteer.attribution.explain import ABN_ATTENTION, METHODS
from visteer.server.catalogue import SPLITS
from visteer.server.editor import Served
from visteer.server.messages import RunMessage, StudyMessage
from visteer.server.routes.parameters import errors

router = APIRouter()


@router.get("/api/study", responses=errors())
def get_study(editor: Served) -> StudyMessage:
    """The study, its classes and finished runs, and the defaults of this server."""
    study = editor.study
    there = {sample.split for sample in study.samples}
    runs = editor.finished_runs()
    branch = any(editor.maps.own_method(run) == ABN_ATTENTION for run in runs)
    return StudyMessage(
        name=study.folder.resolve().name,
        classes=list(study.class_names),
        image_size=study.settings.image_size,
        runs=[RunMessage(id=run, kind=run.rpartition("-")[0] or run) for run in runs],
        run=editor.chosen_run(None),
        author=editor.author,
        unpainted=study.settings.unpainted,
        methods=[name for name in METHODS if branch or name != ABN_ATTENTION],
        splits=[split for split in SPLITS if split in there],
        authors=editor.catalogue.authors(),
        count=len(study.samples),
    )
