"""A benchmark as one HTML file that needs no network: tables, gains, plots, settings, and how to repeat it."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from visteer.benchmark.differences import FIGURES, Difference, differences
from visteer.benchmark.plots import ForestRow, Point, forest_plot, fractions_plot, points_plot
from visteer.benchmark.records import CellRecord
from visteer.benchmark.spec import BenchmarkSpec
from visteer.benchmark.table import (
    ResultTable,
    Row,
    Value,
    html_rows,
    result_table,
    signed,
    table_heads,
    template,
    title_of,
)
from visteer.steering import SteeringConfig

GAIN = "f2"
AGREEMENT = "iou"
GAINS = ("accuracy", "f2", "epg", "iou")


def render_benchmark(
    spec: BenchmarkSpec, records: Sequence[CellRecord], spec_text: str, pictures: Mapping[str, Path]
) -> str:
    """Write the report as the text of one HTML file, to be saved as UTF-8.

    Arguments:
        spec, records: as `read_grid` gives them.
        spec_text: the benchmark's file, shown as it is.
        pictures: caption to PNG file; they are put into the page.
    """
    table = result_table(spec, records)
    rows, notes = html_rows(table)
    gains = differences(spec, records)
    return template("benchmark.html").render(
        name=spec.name,
        facts=_facts(spec, records),
        heads=table_heads(table),
        rows=rows,
        notes=notes,
        reference=next(iter(spec.approaches)),
        difference_heads=("data", "annotated", "model", "approach", *map(title_of, FIGURES), "cost"),
        differences=[_difference_row(row) for row in gains],
        gains=gains_plot(spec, gains) if gains else "",
        plots=list(_plots(spec, table, gains)),
        pictures=[(caption, _data_uri(path)) for caption, path in pictures.items()],
        several_seeds=table.has_intervals,
        settings=_settings(records),
        commands=f"visteer benchmark {spec.name}.toml --data-root DATA --report",
        spec_name=f"{spec.name}.toml",
        spec_text=spec_text,
    )


def _facts(spec: BenchmarkSpec, records: Sequence[CellRecord]) -> dict[str, str]:
    """What a reader must know of the whole: cells, seeds, hours, machines and versions."""
    done = [record for record in records if record.state == "done"]
    machines = dict.fromkeys(json.dumps(record.machine) for record in done if record.machine)
    facts = {
        "runs": f"{len(done)} of {len(records)} done",
        "seeds": ", ".join(map(str, spec.seeds)),
        "annotated": ", ".join(f"{100 * fraction:g} %" for fraction in spec.fractions),
        "time of all runs": duration(sum(record.seconds for record in done)),
    }
    for place, found in enumerate(machines, 1):
        of = "" if len(machines) == 1 else f" {place}"
        facts[f"machine{of}"] = ", ".join(f"{key} {value}" for key, value in json.loads(found).items())
    return facts


def duration(seconds: float) -> str:
    """Such as "2 h 5 min".

    Example:
        >>> duration(30), duration(7500)
        ('1 min', '2 h 5 min')
    """
    minutes = max(1, round(seconds / 60))
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _difference_row(row: Difference) -> dict[str, object]:
    cells = [signed(row.values[name]) for name in FIGURES]
    cost = "–" if math.isnan(row.cost.mean) else f"{row.cost.text} ×"
    return {
        "kind": "",
        "labels": [row.data, f"{100 * row.fraction:g} %", row.model, row.approach],
        "cells": [*cells, (cost, False)],
    }


def _plots(
    spec: BenchmarkSpec, table: ResultTable, gains: Iterable[Difference]
) -> Iterator[tuple[str, Markup]]:
    """For each data set and model: the prediction against map agreement, over the fractions, and gain against cost."""
    gains, styles = list(gains), tuple(spec.approaches)
    for number, (data, model) in enumerate(dict.fromkeys((row.data, row.model) for row in table.rows)):
        rows = [row for row in table.rows if (row.data, row.model) == (data, model)]
        most = [row for row in rows if row.fraction == max(spec.fractions)]
        about = f"{data}, {model}"
        points = [Point(row.approach, row.values[AGREEMENT], row.values[GAIN]) for row in most]
        if known := [point for point in points if point.x.count and point.y.count]:
            labels = (title_of(AGREEMENT), title_of(GAIN))
            plot = points_plot(known, styles, f"agreement-{number}", labels, (0, 1), (0, 1))
            yield f"{about}: prediction against agreement of the maps with the edits", plot
        for name in (GAIN, AGREEMENT):
            lines, level = _over_fractions(spec, rows, name)
            if any(len(values) > 1 for values in lines.values()):
                plot = fractions_plot(lines, level, styles, f"fraction-{name}-{number}", title_of(name))
                yield f"{about}: {title_of(name)} over the share of annotated images", plot
        costs = [
            Point(row.approach, row.cost, row.values[GAIN])
            for row in gains
            if (row.data, row.model, row.fraction) == (data, model, max(spec.fractions))
            and row.cost.count
            and row.values[GAIN].count
        ]
        if costs:
            labels = ("cost, ×", f"gain in {title_of(GAIN)}")
            plot = points_plot(costs, styles, f"cost-{number}", labels, (0, math.inf), (-1, 1))
            yield f"{about}: gain over {next(iter(spec.approaches))} against cost of an epoch", plot


def gains_plot(spec: BenchmarkSpec, gains: Sequence[Difference]) -> Markup:
    """What each approach gains in prediction and maps, by data set, model and fraction, as an `<svg>` element."""
    rows = [
        ForestRow(_place(spec, row), row.approach, tuple(row.values[name] for name in GAINS)) for row in gains
    ]
    return forest_plot(rows, [title_of(name) for name in GAINS], tuple(spec.approaches), f"gains-{spec.name}")


def _place(spec: BenchmarkSpec, row: Difference) -> str:
    """The data set, and what else there is more than one of."""
    model = f", {row.model}" * (len(spec.models) > 1)
    return f"{row.data}{model}" + f", {100 * row.fraction:g} %" * (len(spec.fractions) > 1)


def _over_fractions(
    spec: BenchmarkSpec, rows: Iterable[Row], name: str
) -> tuple[dict[str, dict[float, Value]], dict[str, Value]]:
    """A figure of each approach at each fraction; and of those that use no edits."""
    lines: dict[str, dict[float, Value]] = {}
    level: dict[str, Value] = {}
    for row in rows:
        value = row.values[name]
        if not value.count:
            continue
        if spec.uses_edits(row.approach):
            lines.setdefault(row.approach, {})[row.fraction] = value
        else:
            level[row.approach] = value
    return lines, level


def _settings(records: Iterable[CellRecord]) -> list[tuple[str, str]]:
    """Of each approach the settings that are not always the default, with all values that its runs had."""
    default = SteeringConfig().to_dict()
    found: dict[str, dict[str, list[str]]] = {}
    for record in records:
        known = found.setdefault(record.cell.approach, {}) if record.config else {}
        for key, value in record.config.items():
            if key != "seed" and str(value) not in known.setdefault(key, []):
                known[key].append(str(value))
    return [
        (
            name,
            ", ".join(
                f"{key} = {' or '.join(values)}"
                for key, values in own.items()
                if values and values != [str(default.get(key))]
            ),
        )
        for name, own in found.items()
    ]


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
