"""What the routes work on: the study, its store, and what is kept in memory of both."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated

from anyio import CapacityLimiter, Semaphore
from fastapi import Depends, HTTPException, Request

from visteer.edits.store import EditStore, StoreFailure
from visteer.errors import VisteerError
from visteer.server.catalogue import Catalogue
from visteer.server.jobs import MapJobs
from visteer.server.listing import Filters
from visteer.server.maps import Maps
from visteer.server.pictures import Pictures
from visteer.study import Study, finished_runs
from visteer.study.study import StudySample

SAVING_AT_ONCE = 2
MAPPING_AT_ONCE = 4
SELECTING_AT_ONCE = 2
_SUPERPIXELS_KEPT = 32


class RelevanceMemory:
    """Whether a revision has a relevant cell, remembered: a revision never changes, and reading one takes time."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], bool] = {}
        self._lock = Lock()

    def of(self, store: EditStore, image_id: str, revision: int) -> bool:
        """The answer for one revision."""
        with self._lock:
            known = self._known.get((image_id, revision))
        if known is None:
            known = store.get(image_id, revision).has_relevant
            with self._lock:
                self._known[image_id, revision] = known
        return known


class SuperpixelMemory:
    """The superpixels that were asked for last, packed."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def of(self, etag: str, make: Callable[[], bytes]) -> bytes:
        """Those of a picture and a count, named by `etag`; made where they are not kept."""
        with self._lock:
            if etag in self._known:
                self._known.move_to_end(etag)
                return self._known[etag]
        made = make()
        with self._lock:
            self._known[etag] = made
            while len(self._known) > _SUPERPIXELS_KEPT:
                self._known.popitem(last=False)
        return made


@dataclass(frozen=True, eq=False)
class Editor:
    """One study as served. `author` makes the edits; `secret` is the study's own and never sent.

    `run` is shown first, None takes the latest finished one.

    `saving` and `mapping` give these two threads of their own, and `selecting` bounds what selects, so that no save
    waits behind maps or objects that are computed.
    """

    study: Study
    store: EditStore
    catalogue: Catalogue
    maps: Maps
    jobs: MapJobs
    pictures: Pictures
    author: str
    secret: bytes
    run: str | None = None
    saving: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(SAVING_AT_ONCE))
    mapping: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(MAPPING_AT_ONCE))
    selecting: Semaphore = field(default_factory=lambda: Semaphore(SELECTING_AT_ONCE))
    superpixels: SuperpixelMemory = field(default_factory=SuperpixelMemory)
    relevance: RelevanceMemory = field(default_factory=RelevanceMemory)

    @classmethod
    def open(
        cls, study: Study, author: str, secret: bytes, run: str | None = None, *, make_maps: bool = False
    ) -> Editor:
        """Open the store of `study` and all that is made from it; `make_maps` allows `jobs` to make what is missing.

        Raises:
            VisteerError: the database cannot be opened.
        """
        store = study.open_edits()
        maps = Maps(study)
        jobs = MapJobs(study, maps, enabled=make_maps)
        return cls(
            study, store, Catalogue(study, store, maps), maps, jobs, Pictures(study), author, secret, run
        )

    def warm(self) -> None:
        """Do now what the first list of images would wait for, and begin with the maps that it lacks."""
        with suppress(VisteerError, StoreFailure):  # the first answer says what is wrong
            run = self.chosen_run(None)
            self.jobs.want(run)
            self.catalogue.page(run, Filters(), limit=1)

    def sample(self, key: int) -> StudySample:
        """The image `key`, or 404."""
        count = len(self.study.samples)
        if not 0 <= key < count:
            raise HTTPException(404, f"there is no image {key}; the study has {count}, counted from 0")
        return self.study.samples[key]

    def label(self, class_name: str | None) -> int | None:
        """The label of a class, or 422."""
        if class_name is None:
            return None
        if class_name not in self.study.class_names:
            raise HTTPException(422, "there is no such class; GET /api/study lists them")
        return self.study.class_names.index(class_name)

    def finished_runs(self) -> tuple[str, ...]:
        """The ids of the finished runs, oldest first; none where there is none."""
        try:
            return finished_runs(self.study)
        except VisteerError:
            return ()

    def chosen_run(self, run: str | None) -> str | None:
        """`run`, or the default one; None where no run is finished; 404 where there is no such run."""
        there = self.finished_runs()
        if run is not None and run not in there:
            raise HTTPException(404, "there is no such finished run; GET /api/study lists them")
        if run is None and self.run in there:
            return self.run
        return run or (there[-1] if there else None)


def _editor(request: Request) -> Editor:
    editor: Editor = request.app.state.editor
    return editor


Served = Annotated[Editor, Depends(_editor)]
