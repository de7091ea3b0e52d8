"""visteer explain: maps of every image of a split."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer

from visteer.attribution.explain import METHODS
from visteer.cli.opening import open_study
from visteer.cli.options import JsonOption, SplitOption, StudyArgument, as_split
from visteer.cli.output import print_json, progress_bar, say, suggest
from visteer.study import explain_run, finished_runs, save_explanation, save_explanation_sheet


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    study: StudyArgument,
    run: Annotated[str | None, typer.Option(metavar="ID", help="Default: the latest finished run.")] = None,
    split: SplitOption = "test",
    method: Annotated[
        str | None,
        typer.Option(
            help="One of "
            + ", ".join(METHODS)
            + ". Default: abn-attention for a run with an attention branch, else grad-cam.",
            metavar="METHOD",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make the map of the true class of every image, and a sheet of the images the run is least right about.

    Example: visteer explain my-study --split test
    """
    if method is not None and method not in METHODS:
        raise typer.BadParameter(f"--method must be one of {', '.join(METHODS)}, not {method!r}")
    wanted = as_split(split)
    opened = open_study(study)
    with progress_bar("explaining") as bar:
        explained = explain_run(
            opened,
            run or finished_runs(opened)[-1],
            wanted,
            method=method,
            instability=True,
            progress=bar,
        )
    path = save_explanation(opened, explained)
    sheet = save_explanation_sheet(opened, explained)
    right = float(np.mean(explained.probabilities.argmax(1) == explained.labels))
    dead = int(explained.dead.sum())
    if json:
        files = {"maps": str(path), "sheet": str(sheet)}
        counts = {"images": len(explained.ids), "dead": dead, "accuracy": right}
        print_json({"run": explained.run, "split": split, **files, **counts})
        return
    say(f"{len(explained.ids)} maps of run {explained.run} ({dead} zero everywhere) in {path}")
    say(f"look at {sheet}")
    suggest("evaluate", study, "--run", explained.run)
