"""Blind ratings: the next map to rate, what was said of it, and what all of it comes to."""

from __future__ import annotations

import base64
import math
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.concurrency import run_in_threadpool

from visteer.data.sample import Split
from visteer.edits.rating import Rating
from visteer.evaluation.agreement import summarise_ratings
from visteer.server.editor import Editor, Served
from visteer.server.messages import (
    MapMessage,
    RatedMessage,
    RatingMessage,
    RatingResult,
    RatingsMessage,
    TrialMessage,
)
from visteer.server.rating import Plan, Trial
from visteer.server.routes.parameters import WRITE_ERRORS, errors

router = APIRouter()

MAX_RUNS = 8
Runs = Annotated[
    list[str],
    Query(alias="run", min_length=1, max_length=MAX_RUNS, description="Finished runs; repeat it for each."),
]
Number = Annotated[int, Path(ge=0, le=10**9, description="The trial's place in the rater's order.")]


@router.get("/api/ratings", responses=errors(404))
def get_ratings(editor: Served, runs: Runs, split: Split) -> RatingsMessage:
    """How far this rater is, and the first trial without a rating; None where all are rated."""
    plan = _plan(editor, runs, split)
    own = _own_ratings(editor, runs)
    waiting = [trial.number for trial in plan.trials if (trial.run, trial.key) not in own]
    return RatingsMessage(
        total=len(plan.trials), rated=len(plan.trials) - len(waiting), next=waiting[0] if waiting else None
    )


@router.get("/api/ratings/trials/{number}", responses=errors(404))
def get_trial(editor: Served, number: Number, runs: Runs, split: Split) -> TrialMessage:
    """One trial: the image, its class, and this rater's own latest rating. The run is not told."""
    trial = _trial(editor, number, runs, split)
    sample = editor.study.samples[trial.key]
    return TrialMessage(
        number=number,
        key=trial.key,
        class_=editor.study.class_names[sample.label],
        value=_own_ratings(editor, runs).get((trial.run, trial.key)),
    )


@router.get("/api/ratings/trials/{number}/map", responses=errors(404))
async def get_trial_map(editor: Served, number: Number, runs: Runs, split: Split) -> MapMessage:
    """The map to rate: of the true class, whatever the run predicts."""
    trial = await run_in_threadpool(_trial, editor, number, runs, split)
    served = await run_sync(editor.maps.of_image, trial.run, trial.key, limiter=editor.mapping)
    height, width = served.values.shape
    sample = editor.study.samples[trial.key]
    return MapMessage(
        height=height,
        width=width,
        values=base64.b64encode(served.values.astype("<f4").tobytes()).decode(),
        dead=served.dead,
        method="grad-cam",
        class_=editor.study.class_names[sample.label],
    )


@router.post("/api/ratings/trials/{number}", responses=WRITE_ERRORS)
def post_rating(
    editor: Served, number: Number, runs: Runs, split: Split, said: RatingMessage
) -> RatedMessage:
    """Rate a map; on disk when answered. Said again, the latest rating counts, and all are kept."""
    trial = _trial(editor, number, runs, split)
    name = editor.study.samples[trial.key].id
    editor.store.rate(Rating(name, trial.run, editor.author, said.value))
    return RatedMessage(number=number, value=said.value)


@router.get("/api/ratings/results", responses=errors(404))
def get_rating_results(editor: Served, runs: Runs, split: Split) -> list[RatingResult]:
    """What all raters together said of each run on this split, in the order asked for."""
    _check(editor, runs)
    there = set(editor.study.ids(split))
    said = [rating for rating in editor.store.ratings(runs) if rating.image_id in there]
    summaries = summarise_ratings(said)
    results = []
    for run in dict.fromkeys(runs):
        summary = summaries.get(run)
        results.append(
            RatingResult(run=run, images=0, raters=0, mean=None, low=None, high=None, alpha=None)
            if summary is None
            else RatingResult(
                run=run,
                images=summary.images,
                raters=summary.raters,
                mean=_number(summary.mean.value),
                low=_number(summary.mean.low),
                high=_number(summary.mean.high),
                alpha=_number(summary.alpha),
            )
        )
    return results


def _check(editor: Editor, runs: list[str]) -> None:
    for run in runs:
        editor.chosen_run(run)


def _plan(editor: Editor, runs: list[str], split: Split) -> Plan:
    """The order of this rater, or 404."""
    _check(editor, runs)
    plan = Plan.of(editor.study, split, tuple(set(runs)), editor.author, editor.secret)
    if not plan.trials:
        raise HTTPException(404, f"the split {split} has no image; GET /api/study lists the splits")
    return plan


def _trial(editor: Editor, number: int, runs: list[str], split: Split) -> Trial:
    """A trial, or 404."""
    plan = _plan(editor, runs, split)
    if number >= len(plan.trials):
        raise HTTPException(404, f"there is no trial {number}; there are {len(plan.trials)}, counted from 0")
    return plan.trials[number]


def _own_ratings(editor: Editor, runs: list[str]) -> dict[tuple[str, int], int]:
    """(run, image's key) -> this rater's latest value."""
    keys = {sample.id: key for key, sample in enumerate(editor.study.samples)}
    return {
        (rating.run, keys[rating.image_id]): rating.value
        for rating in editor.store.ratings(runs)
        if rating.author == editor.author and rating.image_id in keys
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
