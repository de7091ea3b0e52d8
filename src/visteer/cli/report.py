"""visteer report: one offline HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visteer.cli.opening import open_study
from visteer.cli.options import JsonOption, SplitOption, StudyArgument, as_split
from visteer.cli.output import print_json, progress_bars, say
from visteer.study import runs_to_report, write_report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    study: StudyArgument,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...", help="Runs, the one before first. Default: latest plain and steered."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default: report.html in the study.")] = None,
    split: SplitOption = "test",
    json: JsonOption = False,
) -> None:
    """Write one HTML file with tables, curves and a gallery; it opens without a network.

    Example: visteer report my-study --out report.html
    """
    wanted = as_split(split)
    opened = open_study(study)
    path = out or study / "report.html"
    chosen = tuple(runs) if runs else runs_to_report(opened)
    with progress_bars() as bars:
        write_report(opened, chosen, wanted, path, progress=bars)
    if json:
        print_json({"report": str(path), "runs": list(chosen)})
        return
    say(f"{path} shows {', '.join(chosen)}")
