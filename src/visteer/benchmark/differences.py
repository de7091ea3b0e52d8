"""What each approach of a grid gains over the first one, paired by seed, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from visteer.benchmark.records import CellRecord
from visteer.benchmark.spec import BenchmarkSpec, Cell
from visteer.benchmark.table import TITLES, Value, mean_over_seeds

FIGURES = tuple(name for name in TITLES if name != "expert_rating")


@dataclass(frozen=True)
class Difference:
    """One approach less the reference, on one data set with one model.

    `values` maps a figure to the mean difference over the seeds that both have; `cost` is the mean ratio of the
    seconds of an epoch, training and validation together.
    """

    data: str
    model: str
    fraction: float
    approach: str
    values: dict[str, Value]
    cost: Value


def differences(
    spec: BenchmarkSpec, records: Iterable[CellRecord], reference: str | None = None
) -> tuple[Difference, ...]:
    """Every other approach against `reference`, by default the benchmark's first, at each fraction it was run at."""
    done = {record.cell: record for record in records if record.state == "done"}
    reference = reference or next(iter(spec.approaches))
    rows = []
    groups = dict.fromkeys((c.data, c.model, c.fraction, c.approach) for c in done if c.approach != reference)
    for data, model, fraction, approach in groups:
        pairs = []
        for cell, record in done.items():
            if (cell.data, cell.model, cell.fraction, cell.approach) == (data, model, fraction, approach):
                against = _reference(spec, done, record, reference)
                if against is not None:
                    pairs.append((record, against))
        if pairs:
            values = {
                name: mean_over_seeds([_number(a.value(name)) - _number(b.value(name)) for a, b in pairs])
                for name in FIGURES
            }
            cost = mean_over_seeds([_cost(a, b) for a, b in pairs])
            rows.append(Difference(data, model, fraction, approach, values, cost))
    return tuple(rows)


def _reference(
    spec: BenchmarkSpec, done: Mapping[Cell, CellRecord], record: CellRecord, approach: str
) -> CellRecord | None:
    """The record of `approach` to compare with; without edits it was run at the largest fraction only."""
    fraction = record.cell.fraction if spec.uses_edits(approach) else max(spec.fractions)
    return done.get(replace(record.cell, approach=approach, fraction=fraction))


def _cost(record: CellRecord, reference: CellRecord) -> float:
    """The ratio of the seconds of an epoch; NaN where they were not taken on one machine."""
    if record.machine != reference.machine or not reference.epoch_seconds:
        return math.nan
    return _number(record.epoch_seconds) / reference.epoch_seconds


def _number(value: float | None) -> float:
    return math.nan if value is None else value
