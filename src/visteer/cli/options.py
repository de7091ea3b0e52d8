"""Arguments and options that several commands share. Nothing here loads PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from visteer.data.sample import Split

StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
SplitOption = Annotated[str, typer.Option(help="Which images: train, val or test.", metavar="SPLIT")]


def one_of(value: str, choices: object, option: str) -> str:
    """`value` if the Literal type `choices` has it.

    Raises:
        typer.BadParameter: it has not; the message names the choices.
    """
    allowed = get_args(choices)
    if value not in allowed:
        raise typer.BadParameter(f"{option} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def as_split(value: str) -> Split:
    """`value` as the name of a split."""
    return one_of(value, Split, "--split")  # type: ignore[return-value]
