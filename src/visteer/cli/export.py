"""visteer export: the latest edits as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visteer.cli.options import JsonOption, StudyArgument
from visteer.cli.output import print_json, say
from visteer.study import Study, export_edits


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    study: StudyArgument,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("edits"),
    json: JsonOption = False,
) -> None:
    """Write the latest edit of every image as PNG, without loss; `visteer import --format png` reads it.

    Example: visteer export my-study --out edits
    """
    count = export_edits(Study(study), out)
    if json:
        print_json({"edits": count, "folder": str(out)})
        return
    say(f"{count} edits in {out}")
