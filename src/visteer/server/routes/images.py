"""The list of images, one image, its picture, its map."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from visteer.attribution.explain import METHODS
from visteer.data.sample import Split
from visteer.server.catalogue import SPLITS
from visteer.server.editor import Editor, Served
from visteer.server.listing import GROUPS, STATES, Filters
from visteer.server.messages import (
    Counts,
    GroupName,
    ImageMessage,
    ListMessage,
    MapMessage,
    OrderName,
    PlaceMessage,
    Probability,
    SortName,
    StateName,
    States,
)
from visteer.server.pictures import FULL_SIDE, THUMB_SIDE
from visteer.server.routes.parameters import ClassName, Key, Run, errors

router = APIRouter()

# Kept, but asked for again each time: another study may be served under the same address tomorrow.
CACHED = "private, max-age=0, must-revalidate"

_PNG = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}


@dataclass(frozen=True)
class Asked:
    """Which images a request is about, and in which order."""

    run: str | None
    filters: Filters
    sort: SortName
    order: OrderName | None
    seed: int


def _asked(
    editor: Served,
    run: Run = None,
    split: Split | None = None,
    class_: ClassName = None,
    author: Annotated[str | None, Query(max_length=1000, description="Who did the latest act.")] = None,
    state: StateName | None = None,
    group: GroupName | None = None,
    search: Annotated[str, Query(max_length=200, description="Part of an id or a class.")] = "",
    sort: SortName = "queue",
    order: Annotated[
        OrderName | None, Query(description="Default: desc for queue and misalignment, else asc.")
    ] = None,
    seed: Annotated[int, Query(ge=0, le=2**31 - 1, description="Of the random part of the queue.")] = 0,
) -> Asked:
    filters = Filters(
        split=None if split is None else SPLITS.index(split),
        label=editor.label(class_),
        author=None if author is None else editor.catalogue.author_code(author),
        state=None if state is None else STATES.index(state),
        group=None if group is None else GROUPS.index(group),
        search=search,
    )
    return Asked(editor.chosen_run(run), filters, sort, order, seed)


@router.get("/api/images", responses=errors(404))
def list_images(
    editor: Served,
    asked: Annotated[Asked, Depends(_asked)],
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ListMessage:
    """The images under all filters, a part of them, with counts of all."""
    editor.jobs.want(asked.run)
    page = editor.catalogue.page(
        asked.run,
        asked.filters,
        sort=asked.sort,
        order=asked.order,
        seed=asked.seed,
        offset=offset,
        limit=limit,
    )
    selection = page.selection
    return ListMessage(
        total=len(selection.keys),
        counts=Counts.model_validate(dict(zip(GROUPS, selection.counts, strict=True))),
        states=States.model_validate(dict(zip(STATES, selection.states, strict=True))),
        items=page.items,
    )


@router.get("/api/images/{key}/place", responses=errors(404))
def get_place(editor: Served, key: Key, asked: Annotated[Asked, Depends(_asked)]) -> PlaceMessage:
    """Where an image stands in the list of all images under the filters."""
    editor.sample(key)
    page = editor.catalogue.page(
        asked.run, asked.filters, sort=asked.sort, order=asked.order, seed=asked.seed, limit=0
    )
    found = np.flatnonzero(page.selection.keys == key)
    return PlaceMessage(place=int(found[0]) if len(found) else None, total=len(page.selection.keys))


@router.get("/api/images/{key}", responses=errors(404))
def get_image(editor: Served, key: Key, run: Run = None) -> ImageMessage:
    """One image under a run, with the probabilities of all classes."""
    sample = editor.sample(key)
    chosen = editor.chosen_run(run)
    item = editor.catalogue.item(chosen, key)
    picture = editor.pictures.of_image(key)
    said = editor.store.verdicts(sample.id)
    facts = item.model_dump()
    names = editor.study.class_names
    probabilities = [] if chosen is None else editor.maps.of_image(chosen, key).probabilities.tolist()
    if probabilities and item.predicted is None:
        best = int(np.argmax(probabilities))
        facts |= {"predicted": names[best], "confidence": probabilities[best], "right": best == sample.label}
    return ImageMessage(
        **facts,
        width=picture.width,
        height=picture.height,
        probabilities=[Probability(class_=name, p=p) for name, p in zip(names, probabilities, strict=False)],
        verdict=said[-1].kind if said else None,
        comment=said[-1].comment if said else "",
    )


@router.get(
    "/api/images/{key}/picture",
    response_class=Response,
    responses={200: _PNG, 304: {"description": "As before."}, **errors(404)},
)
def get_picture(editor: Served, request: Request, key: Key, size: Literal["thumb"] | None = None) -> Response:
    """The picture as PNG: at most 4096 px on the long side, or 160 px as thumb."""
    editor.sample(key)
    picture = editor.pictures.of_image(key, THUMB_SIDE if size == "thumb" else FULL_SIDE)
    headers = {"ETag": f'"{picture.etag}"', "Cache-Control": CACHED}
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    return Response(picture.png, media_type="image/png", headers=headers)


@router.get("/api/images/{key}/map", responses=errors(404))
async def get_map(
    editor: Served,
    key: Key,
    run: Run = None,
    class_: ClassName = None,
    method: Annotated[
        str | None, Query(description="One of `methods` in GET /api/study; by default the run's own.")
    ] = None,
) -> MapMessage:
    """The map of a class, by default the true one."""
    sample = editor.sample(key)
    if method is not None and method not in METHODS:
        raise HTTPException(422, f"method must be one of {', '.join(METHODS)}")
    label = editor.label(class_)
    chosen = await run_in_threadpool(_needed_run, editor, run)
    if method is None:
        method = await run_in_threadpool(editor.maps.own_method, chosen)
    served = await run_sync(editor.maps.of_image, chosen, key, label, method, limiter=editor.mapping)
    height, width = served.values.shape
    return MapMessage(
        height=height,
        width=width,
        values=base64.b64encode(served.values.astype("<f4").tobytes()).decode(),
        dead=served.dead,
        method=method,
        class_=editor.study.class_names[sample.label if label is None else label],
    )


def _needed_run(editor: Editor, run: str | None) -> str:
    """The chosen run, or 404 where none is finished."""
    chosen = editor.chosen_run(run)
    if chosen is None:
        raise HTTPException(404, "no run is finished yet, so there is no map; train one with visteer train")
    return chosen
