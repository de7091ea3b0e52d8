"""visteer evaluate: how right a run is, where it looks, and what it relies on."""

from __future__ import annotations

from typing import Annotated

import typer

from visteer.cli.opening import open_study
from visteer.cli.options import JsonOption, SplitOption, StudyArgument, as_split
from visteer.cli.output import print_json, print_table, progress_bar, suggest
from visteer.cli.wording import FIGURES, shown
from visteer.study import evaluate_run

COUNTS = ("images", "with_region", "with_irrelevant")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    study: StudyArgument,
    run: Annotated[str, typer.Option(metavar="ID", help="The run to measure.")],
    split: SplitOption = "test",
    json: JsonOption = False,
) -> None:
    """Measure a run on one split: classification, maps against edits, reliance; with 95 % intervals.

    Example: visteer evaluate my-study --run plain-1
    """
    wanted = as_split(split)
    opened = open_study(study)
    with progress_bar("evaluating") as bar:
        result = evaluate_run(opened, run, wanted, progress=bar)
    if json:
        print_json(result.to_json())
        return
    figures = {**result.figures, **result.maps, **result.interventions}
    rows = [
        [name, shown(figures[key]), meaning] for key, (name, meaning) in FIGURES.items() if key in figures
    ]
    counts = [f"{result.counts[name]} {name.replace('_', ' ')}" for name in COUNTS]
    counts += [
        f"{count} {name.replace('_', ' ')}"
        for name, count in result.counts.items()
        if "left" in name and count
    ]
    print_table(f"{run} on {split}: {', '.join(counts)}", ["figure", "value (95 %)", "meaning"], rows)
    suggest("report", study, *(() if split == "test" else ("--split", split)))
