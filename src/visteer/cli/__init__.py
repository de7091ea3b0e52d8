"""The visteer command: one module a command, `main` as the entry point.

Only the module of the command that is called is imported, since PyTorch takes seconds to load.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from visteer.errors import VisteerError

COMMANDS = {
    "demo": "Show the whole flow in a few minutes on generated pictures.",
    "init": "Make a study from a folder of images.",
    "train": "Train the study's classifier plainly.",
    "explain": "See what a run looks at.",
    "edit": "See and correct maps in the browser.",
    "import": "Take in edits: masks, boxes or pictures.",
    "export": "Write the latest edits as pictures.",
    "steer": "Train towards the edited maps.",
    "methods": "List the methods of steering.",
    "evaluate": "Measure a run: predictions, maps, reliance.",
    "compare": "Compare two runs image by image.",
    "report": "Write the results as one HTML file.",
    "benchmark": "Run a grid of data sets, models, approaches and seeds.",
    "data": "Check, download or generate images.",
    "doctor": "Say what this machine offers.",
}
_MODULES = {"import": "import_"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, 1 (failed) or 2 (wrong use).

    `--debug`, anywhere on the line, lets errors through with their traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    _prepare_streams()
    try:
        build_app(words[0] if words else None)(words, prog_name="visteer")
    except (VisteerError, OSError) as error:
        if debug:
            raise
        from visteer.cli.output import fail  # noqa: PLC0415 - rich need not load for --help

        fail(error)
    except KeyboardInterrupt:  # while the command was being loaded
        sys.exit(130)


def build_app(wanted: str | None) -> typer.Typer:
    """The command line with the command `wanted` loaded and the others by name and help only."""
    app = typer.Typer(
        help="See what an image classifier looks at, correct it, retrain it to look there, and prove it.\n\n"
        "Start with: visteer demo. Every command has --help, --json and --debug.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_root)  # also so that a single command still needs its name
    for name, help_line in COMMANDS.items():
        if name == wanted:
            importlib.import_module(f"visteer.cli.{_MODULES.get(name, name)}").register(app)
        else:
            app.command(name, help=help_line)(_nothing)
    return app


def _prepare_streams() -> None:
    """Let every name be written, whatever the encoding of the stream; a closed one takes all and keeps nothing."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open until the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"visteer {version('visteer')}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Stand for the command line itself."""


def _nothing() -> None:
    """Stand for commands that are not called."""
