"""visteer import: edits from masks, boxes or pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visteer.cli.options import JsonOption, StudyArgument, one_of
from visteer.cli.output import print_json, progress_bar, say, suggest
from visteer.study import EditSource, Outside, Study, import_drawn, import_regions


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_edits)


def import_edits(
    study: StudyArgument,
    format_: Annotated[str, typer.Option("--format", help="masks, boxes or png.")],
    fraction: Annotated[
        float, typer.Option(help="Of the training images that have a region.", min=0.0, max=1.0)
    ] = 1.0,
    outside: Annotated[
        str | None,
        typer.Option(
            help="What cells outside the regions are: irrelevant or unknown. "
            "Default: irrelevant; unknown where the study has masks of irrelevant regions."
        ),
    ] = None,
    source: Annotated[Path | None, typer.Option("--from", help="The folder of PNG edits.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the fraction; default: the study's.")] = None,
    json: JsonOption = False,
) -> None:
    """Take in edits: the masks or boxes of the data set, or pictures that `visteer export` wrote.

    Example: visteer import my-study --format masks --fraction 0.1
    """
    if one_of(format_, EditSource, "--format") == "png" and source is None:
        raise typer.BadParameter("--format png needs --from FOLDER")
    chosen_outside = None if outside is None else one_of(outside, Outside, "--outside")
    opened = Study(study)
    if format_ == "png" and source is not None:
        count = import_drawn(opened, source)
    else:
        with progress_bar("importing") as bar:
            count = import_regions(
                opened,
                format_,  # type: ignore[arg-type]
                outside=chosen_outside,  # type: ignore[arg-type]
                fraction=fraction,
                seed=seed,
                progress=bar,
            )
    if json:
        print_json({"edits": count})
        return
    say(f"{count} edits stored")
    suggest("steer", study)
