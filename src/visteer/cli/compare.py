"""visteer compare: what changed between two runs, image by image."""

from __future__ import annotations

from typing import Annotated

import typer

from visteer.cli.opening import open_study
from visteer.cli.options import JsonOption, SplitOption, StudyArgument, as_split
from visteer.cli.output import print_json, print_table, suggest
from visteer.cli.wording import FIGURES, p_value, shown, value
from visteer.study import compare_runs


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    study: StudyArgument,
    before: Annotated[str, typer.Argument(metavar="ID", help="The run before.")],
    after: Annotated[str, typer.Argument(metavar="ID", help="The run after.")],
    split: SplitOption = "test",
    json: JsonOption = False,
) -> None:
    """Compare two runs on the same images: paired differences with intervals and a test each.

    Example: visteer compare my-study plain-1 steered-2
    """
    wanted = as_split(split)
    comparison = compare_runs(open_study(study), before, after, wanted)
    if json:
        print_json({"before": before, "after": after, **comparison.to_json()})
        return
    rows = [
        [
            name,
            value(row.before),
            value(row.after),
            shown(row.difference),
            p_value(row.p_value),
            row.test.removeprefix("paired "),
        ]
        for key, (name, _) in FIGURES.items()
        if (row := comparison.rows.get(key)) is not None
    ]
    print_table(
        f"{before} against {after} on {split}",
        ["figure", before, after, "difference (95 %)", "p", "paired test"],
        rows,
    )
    suggest("report", study, before, after, *(() if split == "test" else ("--split", split)))
