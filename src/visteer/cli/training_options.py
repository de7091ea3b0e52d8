"""The options of the two commands that train, and how they become settings."""

from __future__ import annotations

import dataclasses
from typing import Annotated, get_args, get_type_hints

import typer

from visteer.steering import SteeringConfig

SeedOption = Annotated[int | None, typer.Option(help="Of everything random; default: the study's.")]
PresetOption = Annotated[
    str,
    typer.Option(help="Settings to start from: default, or the paper's (paper)."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any other setting of SteeringConfig, such as --set learning_rate=1e-3; may be repeated.",
    ),
]
ResumeOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Go on with a run that was interrupted; its settings stay.")
]

OPTIONS = frozenset({"method", "gamma", "irrelevant", "epochs", "seed"})
"""The settings that have options of their own, with their own rules."""


def build_config(preset: str, named: dict[str, object], changes: list[str] | None) -> SteeringConfig:
    """The settings of `preset`, changed by the options given (None: not given) and by NAME=VALUE words.

    Raises:
        typer.BadParameter: no such preset or setting, or a value that it cannot have.
    """
    try:
        given = {key: value for key, value in named.items() if value is not None}
        parsed = [_parsed(word) for word in changes or ()]
        changed = dict(parsed)
        if len(changed) < len(parsed):
            twice = next(name for name in changed if sum(name == other for other, _ in parsed) > 1)
            raise ValueError(f"--set {twice} stands there twice; give all of it at once (a list: a,b)")
        for name in OPTIONS & set(changed):
            where = "" if name in named else " of visteer steer"
            raise ValueError(f"{name} is not for --set: it has an option of its own, --{name}{where}")
        config = SteeringConfig.preset(preset, {**given, **changed})
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(str(error)) from None
    return config


def _parsed(word: str) -> tuple[str, object]:
    """NAME=VALUE as a setting's name and its value in the setting's type."""
    name, equals, text = word.partition("=")
    if not equals:
        raise ValueError(f"--set needs NAME=VALUE, not {word!r}")
    if name not in {field.name for field in dataclasses.fields(SteeringConfig)}:
        names = ", ".join(field.name for field in dataclasses.fields(SteeringConfig))
        raise ValueError(f"not a setting: {name}; there are {names}")
    kind = get_type_hints(SteeringConfig)[name]
    kinds = get_args(kind) or (kind,)
    if text == "none" and type(None) in kinds:
        return name, None
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError(f"{name} must be true or false, not {text!r}")
        return name, text == "true"
    if str in kinds and Ellipsis in kinds:
        return name, tuple(part for part in text.split(",") if part)
    try:
        number = int if int in kinds else float if float in kinds else str
        return name, number(text)
    except ValueError:
        kind_of = "a whole number" if int in kinds else "a number"
        raise ValueError(f"{name} must be {kind_of}, not {text!r}") from None
