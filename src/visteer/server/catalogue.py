"""All images with what is known of them, in memory: built once a run, then kept up by what is new in the store."""

from __future__ import annotations

from dataclasses import dataclass
from threading import RLock
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from visteer.data.sample import Split
from visteer.edits.map_edit import MapEdit
from visteer.edits.store import EditStore
from visteer.edits.verdict import VerdictKind
from visteer.server.listing import STATES, Columns, Filters, Selection, select_images
from visteer.server.maps import Maps, Stamp
from visteer.server.messages import Item, OrderName, SortName
from visteer.server.misalignment import edit_misalignment, guessed_misalignment
from visteer.study import Study

SPLITS: tuple[Split, ...] = get_args(Split)
MISALIGNED_FROM = 0.5
_EDITS_AT_ONCE = 4
_RUNS_KEPT = 2
# Rows that are looked at again: in PostgreSQL a row may become visible after one with a higher number.
_OVERLAP = 64
_STATE_OF: dict[VerdictKind, int] = {
    "reasonable": STATES.index("accepted"),
    "nothing": STATES.index("nothing"),
    "skip": STATES.index("skipped"),
}


@dataclass(frozen=True)
class Page:
    """A part of the list and what it was chosen from."""

    selection: Selection
    items: list[Item]


class Catalogue:
    """The images of a study under each of its runs. Any number of threads may ask.

    Before each answer it takes in what anybody, also another program, has stored since; the tables only grow, so a row
    number is all it has to remember.
    """

    def __init__(self, study: Study, store: EditStore, maps: Maps) -> None:
        self._study = study
        self._store = store
        self._maps = maps
        self._lock = RLock()
        self._keys = {sample.id: key for key, sample in enumerate(study.samples)}
        count = len(study.samples)
        self._labels = np.array([sample.label for sample in study.samples], np.int64)
        self._splits = np.array([SPLITS.index(sample.split) for sample in study.samples], np.int8)
        self._name_ranks = np.empty(count, np.int64)
        by_name = sorted(range(count), key=lambda key: (study.samples[key].id.casefold(), key))
        self._name_ranks[by_name] = np.arange(count)
        classes = [name.casefold() for name in study.class_names]
        self._texts = [f"{sample.id.casefold()}\n{classes[sample.label]}" for sample in study.samples]
        self._revisions = np.zeros(count, np.int64)
        self._authors = np.full(count, -1, np.int32)
        self._author_names: list[str] = []
        self._states = np.zeros(count, np.int8)
        self._last_verdicts = np.full(count, -1, np.int8)
        self._verdict_revisions = np.zeros(count, np.int64)
        self._verdicts: dict[str | None, NDArray[np.int8]] = {}
        self._runs: dict[str | None, _RunColumns] = {}
        self._edit_row = self._verdict_row = 0
        self._unmeasured: set[int] = set()

    def page(
        self,
        run: str | None,
        filters: Filters,
        *,
        sort: SortName = "queue",
        order: OrderName | None = None,
        seed: int = 0,
        offset: int = 0,
        limit: int = 50,
    ) -> Page:
        """The images under `filters` from `offset` on, at most `limit`, with the counts of all."""
        with self._lock:
            columns = self._columns(run)
            selection = select_images(columns, filters, sort, order, seed)
            shown = selection.keys[offset : offset + limit]
            return Page(selection, [self._item(columns, int(key)) for key in shown])

    def item(self, run: str | None, key: int) -> Item:
        """One image."""
        with self._lock:
            return self._item(self._columns(run), key)

    def author_code(self, name: str) -> int:
        """The number of an author in `Filters`; -1 for one who has done nothing."""
        with self._lock:
            self._take_in()
            return self._author_names.index(name) if name in self._author_names else -1

    def authors(self) -> list[str]:
        """All who did the latest act on an image at any time, sorted."""
        with self._lock:
            self._take_in()
            return sorted(self._author_names)

    def _columns(self, run: str | None) -> Columns:
        self._take_in()
        figures = self._run_columns(run)
        verdicts = self._verdicts.get(run)
        by_edit = np.where(
            figures.by_edit, np.where(figures.misalignment < MISALIGNED_FROM, 1, 0), -1
        ).astype(np.int8)
        reasonable = by_edit if verdicts is None else np.where(verdicts >= 0, verdicts, by_edit)
        return Columns(
            labels=self._labels,
            splits=self._splits,
            states=self._states,
            authors=self._authors,
            predicted=figures.predicted,
            confidence=figures.confidence,
            misalignment=figures.misalignment,
            reasonable=reasonable,
            name_ranks=self._name_ranks,
            texts=self._texts,
        )

    def _take_in(self) -> None:
        """Read what was stored since the last look. Where the store fails, all of it is taken in the next time."""
        revisions = self._store.revision_notes(max(0, self._edit_row - _OVERLAP))
        said_since = self._store.verdict_notes(max(0, self._verdict_row - _OVERLAP))
        touched = set()
        for note in revisions:
            self._edit_row = max(self._edit_row, note.row)
            key = self._keys.get(note.image_id)
            if key is not None and note.revision > self._revisions[key]:
                self._revisions[key] = note.revision
                self._authors[key] = self._code(note.author)
                touched.add(key)
                self._unmeasured.add(key)
        for said in said_since:
            self._verdict_row = max(self._verdict_row, said.row)
            key = self._keys.get(said.image_id)
            if key is None:
                continue
            verdict = said.verdict
            self._last_verdicts[key] = get_args(VerdictKind).index(verdict.kind)
            self._verdict_revisions[key] = verdict.revision
            author = self._code(verdict.author)
            if verdict.revision >= self._revisions[key]:
                self._authors[key] = author
            if verdict.kind in ("reasonable", "unreasonable"):
                if verdict.run not in self._verdicts:
                    self._verdicts[verdict.run] = np.full(len(self._labels), -1, np.int8)
                self._verdicts[verdict.run][key] = verdict.kind == "reasonable"
            touched.add(key)
        for key in touched:
            self._states[key] = self._state(key)
        if self._unmeasured and self._runs:
            self._measure_edits(list(self._runs.values()), sorted(self._unmeasured))
        self._unmeasured.clear()

    def _state(self, key: int) -> int:
        """The place in `STATES` of an image, by the latest act on it."""
        revision = self._revisions[key]
        if self._last_verdicts[key] >= 0 and self._verdict_revisions[key] >= revision:
            kind: VerdictKind = get_args(VerdictKind)[self._last_verdicts[key]]
            if kind in _STATE_OF:
                return _STATE_OF[kind]
        return STATES.index("edited" if revision > 0 else "none")

    def _code(self, author: str) -> int:
        if author not in self._author_names:
            self._author_names.append(author)
        return self._author_names.index(author)

    def _run_columns(self, run: str | None) -> _RunColumns:
        """The figures of `run`, made anew for each split whose maps were written anew."""
        stamps = {} if run is None else {split: self._maps.stamp(run, split) for split in SPLITS}
        known = self._runs.get(run)
        if known is None or known.stamps != stamps:
            before = {} if known is None else known.stamps
            known = known or _RunColumns(run, len(self._labels))
            known.stamps = {}  # not known again before all is measured
            for split in [split for split, stamp in stamps.items() if stamp != before.get(split)]:
                keys = np.flatnonzero(self._splits == SPLITS.index(split))
                known.forget(keys)
                if run is not None:
                    self._fill(known, run, split)
                self._measure_edits([known], keys[self._revisions[keys] > 0].tolist())
            known.stamps = stamps
            self._runs.pop(run, None)
            while len(self._runs) >= _RUNS_KEPT:
                del self._runs[next(iter(self._runs))]
            self._runs[run] = known
        return known

    def _fill(self, figures: _RunColumns, run: str, split: Split) -> None:
        """Predictions, and the guess at the misalignment, of all images of `split`."""
        stored = self._maps.stored(run, split)
        if stored is None:
            return
        pairs = [(self._keys[name], row) for name, row in stored.row_of.items() if name in self._keys]
        if not pairs:
            return
        keys, rows = np.array(pairs).T
        probabilities = stored.probabilities[rows]
        figures.predicted[keys] = probabilities.argmax(axis=1)
        figures.confidence[keys] = probabilities.max(axis=1)
        figures.guessed[keys] = guessed_misalignment(
            stored.maps[rows], figures.confidence[keys], stored.instability[rows]
        )
        figures.misalignment[keys] = figures.guessed[keys]

    def _measure_edits(self, runs: list[_RunColumns], keys: list[int]) -> None:
        """Misalignment of the images `keys` by their latest edits, a few edits in memory at a time."""
        samples = self._study.samples
        for start in range(0, len(keys), _EDITS_AT_ONCE):
            some = keys[start : start + _EDITS_AT_ONCE]
            edits = self._store.latest([samples[key].id for key in some])
            for figures in runs:
                for key in some:
                    self._measure_edit(figures, key, edits.get(samples[key].id))

    def _measure_edit(self, figures: _RunColumns, key: int, edit: MapEdit | None) -> None:
        sample = self._study.samples[key]
        stored = None if figures.run is None else self._maps.stored(figures.run, sample.split)
        row = None if stored is None else stored.row_of.get(sample.id)
        figures.by_edit[key] = False
        figures.misalignment[key] = figures.guessed[key]
        if stored is not None and row is not None and edit is not None and edit.has_relevant:
            value = edit_misalignment(stored.maps[row], self._study.as_meant(edit))
            if not np.isnan(value):
                figures.by_edit[key] = True
                figures.misalignment[key] = value

    def _item(self, columns: Columns, key: int) -> Item:
        sample = self._study.samples[key]
        names = self._study.class_names
        predicted = int(columns.predicted[key])
        author = int(columns.authors[key])
        return Item(
            key=key,
            id=sample.id,
            split=sample.split,
            label=sample.label,
            class_=names[sample.label],
            predicted=names[predicted] if predicted >= 0 else None,
            confidence=_number(columns.confidence[key]),
            right=predicted == sample.label if predicted >= 0 else None,
            reasonable=bool(columns.reasonable[key]) if columns.reasonable[key] >= 0 else None,
            misalignment=_number(columns.misalignment[key]),
            state=STATES[columns.states[key]],
            revision=int(self._revisions[key]),
            author=self._author_names[author] if author >= 0 else None,
        )


class _RunColumns:
    """Figures of all images under one run; `stamps` of the files that they come from."""

    def __init__(self, run: str | None, count: int) -> None:
        self.run = run
        self.stamps: dict[Split, Stamp | None] = {}
        self.predicted = np.full(count, -1, np.int64)
        self.confidence = np.full(count, np.nan, np.float32)
        self.guessed = np.full(count, np.nan, np.float32)
        self.misalignment = np.full(count, np.nan, np.float32)
        self.by_edit = np.zeros(count, bool)

    def forget(self, keys: NDArray[np.int64]) -> None:
        """Know nothing of the images `keys`."""
        self.predicted[keys] = -1
        self.by_edit[keys] = False
        for figures in (self.confidence, self.guessed, self.misalignment):
            figures[keys] = np.nan


def _number(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
