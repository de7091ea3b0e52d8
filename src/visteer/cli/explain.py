"""visteer explain: maps of every image of a split."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer

from visteer.cli.options import JsonOption, SplitOption, StudyArgument, as_split
from visteer.cli.output import print_json, progress_bar, say
from visteer.study import Study, explain_run, finished_runs, save_explanation, save_explanation_sheet


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    study: StudyArgument,
    run: Annotated[str | None, typer.Option(metavar="ID", help="Default: the latest finished run.")] = None,
    split: SplitOption = "test",
    method: Annotated[
        str, typer.Option(help="grad-cam, hirescam, grad-cam++, layercam, xgrad-cam, ...")
    ] = "grad-cam",
    json: JsonOption = False,
) -> None:
    """Make the map of the true class of every image, and a sheet of the images the run is least right about.

    Example: visteer explain my-study --split test
    """
    opened = Study(study)
    with progress_bar("explaining") as bar:
        explained = explain_run(
            opened, run or finished_runs(opened)[-1], as_split(split), method=method, progress=bar
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
