"""What the page asks first: the study and its defaults."""

from __future__ import annotations

from fastapi import APIRouter

from visteer.attribution.explain import METHODS
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
    return StudyMessage(
        name=study.folder.resolve().name,
        classes=list(study.class_names),
        image_size=study.settings.image_size,
        runs=[RunMessage(id=run, kind=run.rpartition("-")[0] or run) for run in editor.finished_runs()],
        run=editor.chosen_run(None),
        author=editor.author,
        unpainted=study.settings.unpainted,
        methods=list(METHODS),
        splits=[split for split in SPLITS if split in there],
        authors=editor.catalogue.authors(),
        count=len(study.samples),
    )
