"""What each approach of a grid gains over the first one, paired by seed, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from visteer.benchmark.records import CellRecord
from visteer.benchmark.spec import BenchmarkSpec
from visteer.benchmark.table import Value, mean_over_seeds

FIGURES = ("accuracy", "auc", "f2", "epg", "iou", "map_distance", "reliance_irrelevant")


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


def differences(spec: BenchmarkSpec, records: Iterable[CellRecord]) -> tuple[Difference, ...]:
    """Every other approach against the first of the benchmark, at each fraction that it was run at."""
    done = {record.cell: record for record in records if record.state == "done"}
    reference = next(iter(spec.approaches))
    rows = []
    groups = dict.fromkeys((c.data, c.model, c.fraction, c.approach) for c in done if c.approach != reference)
    for data, model, fraction, approach in groups:
        pairs = []
        for cell, record in done.items():
            if (cell.data, cell.model, cell.fraction, cell.approach) == (data, model, fraction, approach):
                against = _reference(done, reference, record)
                if against is not None:
                    pairs.append((record, against))
        if pairs:
            values = {
                name: mean_over_seeds([_number(a.value(name)) - _number(b.value(name)) for a, b in pairs])
                for name in FIGURES
            }
            cost = mean_over_seeds([_number(a.epoch_seconds) / _number(b.epoch_seconds) for a, b in pairs])
            rows.append(Difference(data, model, fraction, approach, values, cost))
    return tuple(rows)


def _reference(done: dict, approach: str, record: CellRecord) -> CellRecord | None:  # type: ignore[type-arg]
    """The reference's record of the same data, model and seed: at the same fraction, else at its largest."""
    cell = record.cell
    alike = [
        other
        for at, other in done.items()
        if (at.data, at.model, at.seed, at.approach) == (cell.data, cell.model, cell.seed, approach)
    ]
    return max(alike, key=lambda r: (r.cell.fraction == cell.fraction, r.cell.fraction), default=None)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
