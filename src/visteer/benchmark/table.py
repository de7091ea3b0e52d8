"""The results of a grid as tables, in the paper's form: rows of approach and model, a column a figure."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from scipy import stats

from visteer.benchmark.published import PUBLISHED_AS, published_figures
from visteer.benchmark.records import CellRecord
from visteer.benchmark.spec import BenchmarkSpec

TITLES = {
    "accuracy": "accuracy ↑",
    "auc": "AUC ↑",
    "f2": "F2 ↑",
    "map_distance": "map distance ↓",
    "expert_rating": "expert rating ↓",
    "epg": "EPG ↑",
    "iou": "IoU ↑",
    "dead": "dead maps ↓",
    "reliance_irrelevant": "reliance on irrelevant ↓",
}
"""The figures and their names for people, with an arrow for what is better. The paper's come first: `map_distance` and
`expert_rating` are the two readings of its qualitative measure."""


@dataclass(frozen=True)
class Value:
    """The mean of a figure over seeds; `half` is half the 95 % interval, NaN with one seed. `best` in its column."""

    mean: float
    half: float
    count: int
    best: bool = False

    @property
    def text(self) -> str:
        """Such as "0.812 ± 0.015".

        Example:
            >>> Value(0.8123, 0.0151, 3).text, Value(0.5, math.nan, 1).text
            ('0.812 ± 0.015', '0.500')
        """
        if math.isnan(self.mean):
            return "–"
        return f"{self.mean:.3f}" + ("" if math.isnan(self.half) else f" ± {self.half:.3f}")


@dataclass(frozen=True)
class Row:
    """One approach with one model on one data set, with what failed and what the paper printed."""

    data: str
    fraction: float
    model: str
    approach: str
    values: dict[str, Value]
    published: dict[str, float]
    seeds: tuple[int, ...]
    waiting: int
    errors: tuple[str, ...]


@dataclass(frozen=True)
class ResultTable:
    """All rows of a grid. `columns` are the figures that at least one row has."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def has_intervals(self) -> bool:
        """Whether some row has more than one seed."""
        return any(len(row.seeds) > 1 for row in self.rows)


def mean_over_seeds(values: Sequence[float | None]) -> Value:
    """The mean with Student's 95 % interval; values that are NaN or None are left out.

    Example:
        >>> value = mean_over_seeds([0.7, 0.8, 0.9])
        >>> round(value.mean, 3), round(value.half, 3), value.count
        (0.8, 0.248, 3)
    """
    there = [value for value in values if value is not None and not math.isnan(value)]
    if not there:
        return Value(math.nan, math.nan, 0)
    mean = math.fsum(there) / len(there)
    if len(there) == 1:
        return Value(mean, math.nan, 1)
    variance = math.fsum((value - mean) ** 2 for value in there) / (len(there) - 1)
    half = float(stats.t.ppf(0.975, len(there) - 1)) * math.sqrt(variance / len(there))
    return Value(mean, half, len(there))


def result_table(spec: BenchmarkSpec, records: Iterable[CellRecord]) -> ResultTable:
    """Gather the records of a grid. The best mean of each column, data set, fraction and model is marked."""
    records = list(records)
    rows = []
    for data in spec.data:
        for fraction in spec.fractions:
            for model in spec.models:
                group = [
                    _row(data.name, fraction, model.name, approach, chosen)
                    for approach in spec.approaches
                    if (chosen := _chosen(records, spec, (data.name, model.name, approach), fraction))
                ]
                rows += _mark_best(group)
    columns = tuple(
        name for name in TITLES if any(row.values[name].count for row in rows if name in row.values)
    )
    return ResultTable(spec.name, columns, tuple(rows))


def to_markdown(table: ResultTable) -> str:
    """The table as GitHub's Markdown, errors below it."""
    head = table_heads(table)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in table.rows:
        texts = [
            f"**{row.values[c].text}**" if row.values[c].best else row.values[c].text for c in table.columns
        ]
        lines.append("| " + " | ".join([*_labels(row), *texts]) + " |")
        if row.published:
            lines.append("| " + " | ".join([*_published_labels(row), *_published_texts(table, row)]) + " |")
    return "\n".join([*lines, "", *(f"- {_md(line)}" for line in _footnotes(table)), ""])


def _md(text: str) -> str:
    """Text that Markdown shows as it is: an error may quote anything."""
    return re.sub(r"([\\`*\[\]<>&|])", r"\\\1", text)


def to_csv(table: ResultTable) -> str:
    """The table as CSV: a row a row and figure, with mean, half interval, seeds, and the published value."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        ["data", "fraction", "model", "approach", "figure", "mean", "half_interval", "seeds", "published"]
    )
    for row in table.rows:
        for name in dict.fromkeys([*table.columns, *row.published]):
            value = row.values.get(name, Value(math.nan, math.nan, 0))
            writer.writerow(
                [row.data, f"{row.fraction:g}", row.model, row.approach, name]
                + ["" if math.isnan(number) else f"{number:.6g}" for number in (value.mean, value.half)]
                + [value.count, row.published.get(name, "")]
            )
    return text.getvalue()


def to_latex(table: ResultTable) -> str:
    """The table as a LaTeX tabular; it needs the package booktabs."""
    head = table_heads(table)
    lines = [r"\begin{tabular}{" + "l" * len(_HEADS) + "r" * len(table.columns) + "}", r"\toprule"]
    lines += [" & ".join(map(_tex, head)) + r" \\", r"\midrule"]
    for row in table.rows:
        texts = [
            r"\textbf{" + _tex(row.values[c].text) + "}" if row.values[c].best else _tex(row.values[c].text)
            for c in table.columns
        ]
        lines.append(" & ".join([*map(_tex, _labels(row)), *texts]) + r" \\")
        if row.published:
            shown = [*_published_labels(row), *_published_texts(table, row)]
            lines.append(
                " & ".join(r"\textit{" + _tex(part) + "}" if part else "" for part in shown) + r" \\"
            )
    notes = [f"% {line}" for line in _footnotes(table)]
    return "\n".join([*notes, *lines, r"\bottomrule", r"\end{tabular}", ""])


def to_html(table: ResultTable) -> str:
    """The table as a page of its own, without scripts or anything from elsewhere."""
    rows, notes = html_rows(table)
    return template("table.html").render(name=table.name, heads=table_heads(table), rows=rows, notes=notes)


def template(name: str) -> Template:
    """A template of this package, which may include those of the report."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("visteer.benchmark"), PackageLoader("visteer.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def html_rows(table: ResultTable) -> tuple[list[dict[str, object]], list[str]]:
    """The rows for a template: kind ("" or "published"), labels, cells of text and whether it is best; notes."""
    rows: list[dict[str, object]] = []
    for row in table.rows:
        cells = [(row.values[c].text, row.values[c].best) for c in table.columns]
        rows.append({"kind": "", "labels": _labels(row), "cells": cells})
        if row.published:
            shown = [(text, False) for text in _published_texts(table, row)]
            rows.append({"kind": "published", "labels": _published_labels(row), "cells": shown})
    return rows, _footnotes(table)


def table_heads(table: ResultTable) -> list[str]:
    """The heads of all columns."""
    return [*_HEADS, *(title_of(name) for name in table.columns)]


_HEADS = ("data", "annotated", "model", "approach")


def _chosen(
    records: list[CellRecord], spec: BenchmarkSpec, place: tuple[str, str, str], fraction: float
) -> list[CellRecord]:
    """The records of one row; an approach without edits stands beside the others of every fraction."""
    used = fraction if spec.uses_edits(place[2]) else max(spec.fractions)
    return [
        record
        for record in records
        if (record.cell.data, record.cell.model, record.cell.approach) == place
        and record.cell.fraction == used
    ]


def _row(data: str, fraction: float, model: str, approach: str, records: list[CellRecord]) -> Row:
    done = [record for record in records if record.state == "done"]
    values = {}
    for name in TITLES:
        values[name] = mean_over_seeds([record.value(name) for record in done])
    return Row(
        data=data,
        fraction=fraction,
        model=model,
        approach=approach,
        values=values,
        published=dict(published_figures(data, model, approach)),
        seeds=tuple(record.cell.seed for record in done),
        waiting=sum(record.state == "waiting" for record in records),
        errors=tuple(
            f"{record.cell.name} failed: {record.error}" for record in records if record.state == "failed"
        ),
    )


def _mark_best(rows: list[Row]) -> list[Row]:
    """Mark the best mean of each column, equal ones together, where not all are equal and all have the same seeds."""
    for name, title in TITLES.items():
        there = [row for row in rows if row.values[name].count]
        means = [row.values[name].mean for row in there]
        if len(set(means)) < 2 or len({row.seeds for row in there}) > 1:
            continue
        best = min(means) if title.endswith("↓") else max(means)
        for row in rows:
            value = row.values[name]
            row.values[name] = Value(value.mean, value.half, value.count, best=value.mean == best)
    return rows


def _labels(row: Row) -> list[str]:
    return [row.data, f"{100 * row.fraction:g} %", row.model, row.approach]


def _published_labels(row: Row) -> list[str]:
    return [row.data, "", row.model, f"{row.approach}, published"]


def _published_texts(table: ResultTable, row: Row) -> list[str]:
    return [f"{row.published[name]:.3f}" if name in row.published else "" for name in table.columns]


def _footnotes(table: ResultTable) -> list[str]:
    """What a reader must know beside the figures."""
    seeds = "One seed each at most: no intervals over seeds."
    if table.has_intervals:
        counts = sorted({len(row.seeds) for row in table.rows})
        over = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
        seeds = f"Mean over {over} seeds, ± half the 95 % interval (Student's)."
    notes = [f"{seeds} Bold: the best of its data set, share and model, where all have the same seeds."]
    if any(row.published for row in table.rows):
        notes.append(f"Rows in italics or named so: {PUBLISHED_AS}; measured by others, on other splits.")
        shown = {
            f"{row.data} {row.model} {row.approach} {row.published['qualitative_measure']:.4f}"
            for row in table.rows
            if row.published
        }
        notes.append(
            "The paper's qualitative measure, whose definition is not public: " + "; ".join(sorted(shown))
        )
    waiting: dict[str, list[str]] = {}
    for row in table.rows:
        notes += [error for error in row.errors if error not in notes]
        approaches = waiting.setdefault(f"{row.data}, {row.model}", [])
        if row.waiting and row.approach not in approaches:
            approaches.append(row.approach)
    notes += [
        f"{about}: runs are still to do of {', '.join(names)}" for about, names in waiting.items() if names
    ]
    return notes


def title_of(name: str) -> str:
    """A figure's name for people, with an arrow for what is better."""
    return TITLES.get(name, name)


def signed(difference: Value) -> tuple[str, bool]:
    """A difference with its sign, and whether its interval leaves out 0.

    Example:
        >>> signed(Value(0.02, 0.01, 3)), signed(Value(-0.02, math.nan, 1))
        (('+0.020 ± 0.010', True), ('-0.020', False))
    """
    if math.isnan(difference.mean):
        return difference.text, False
    sign = "" if difference.mean < 0 else "+"
    return f"{sign}{difference.text}", abs(difference.mean) > difference.half


def _tex(text: str) -> str:
    """`text` with LaTeX's signs escaped."""
    signs = {"\\": r"\textbackslash{}", "±": r"$\pm$", "–": "--", "↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    signs |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
    signs |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(signs.get(sign, sign) for sign in text)
