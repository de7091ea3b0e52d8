"""Two runs side by side on one image."""

from __future__ import annotations

import math

import torch
from fastapi import APIRouter

from visteer.evaluation.localisation import localisation_scores
from visteer.server.editor import Editor, Served
from visteer.server.maps import ServedMap
from visteer.server.messages import ComparedRun, ComparisonMessage, Probability
from visteer.server.misalignment import edit_misalignment
from visteer.server.routes.parameters import Key, RunName, errors

router = APIRouter()


@router.get("/api/images/{key}/comparison", responses=errors(404))
def get_comparison(editor: Served, key: Key, before: RunName, after: RunName) -> ComparisonMessage:
    """What each of two runs says of the image, and how its map agrees with the latest edit.

    The scores are null without an edit that has a relevant region; they are those of `visteer evaluate` for one image.
    """
    sample = editor.sample(key)
    for run in (before, after):
        editor.chosen_run(run)
    return ComparisonMessage(
        key=key,
        id=sample.id,
        class_=editor.study.class_names[sample.label],
        before=_compared(editor, key, before),
        after=_compared(editor, key, after),
    )


def _compared(editor: Editor, key: int, run: str) -> ComparedRun:
    """One side."""
    served = editor.maps.of_image(run, key)
    sample = editor.study.samples[key]
    names = editor.study.class_names
    best = int(served.probabilities.argmax())
    return ComparedRun(
        run=run,
        predicted=names[best],
        right=best == sample.label,
        probabilities=[
            Probability(class_=name, p=p)
            for name, p in zip(names, served.probabilities.tolist(), strict=True)
        ],
        dead=served.dead,
        **_scores(editor, sample.id, served),
    )


def _scores(editor: Editor, image_id: str, served: ServedMap) -> dict[str, float | None]:
    """Agreement with the latest edit."""
    names = ("misalignment", "epg", "iou")
    edit = editor.store.latest([image_id]).get(image_id)
    if edit is None or not edit.has_relevant:
        return dict.fromkeys(names)
    edit = editor.study.as_meant(edit)
    scores = localisation_scores(
        torch.tensor(served.values)[None],
        torch.tensor(edit.target)[None],
        torch.tensor(edit.weight)[None],
        sweep=(),
    )
    values = [edit_misalignment(served.values, edit), scores["epg"].item(), scores["iou"].item()]
    return {name: None if math.isnan(value) else value for name, value in zip(names, values, strict=True)}
