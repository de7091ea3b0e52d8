"""visteer steer: train the study's classifier towards the edited maps."""

from __future__ import annotations

from typing import Annotated

import typer

from visteer.cli.opening import open_study
from visteer.cli.options import JsonOption, StudyArgument
from visteer.cli.output import note
from visteer.cli.train import run_training
from visteer.cli.training_options import (
    PresetOption,
    ResumeOption,
    SeedOption,
    SetOption,
    build_config,
)
from visteer.steering import METHODS
from visteer.steering.config import PRESETS
from visteer.study import TrainingData, chosen_irrelevant, default_selection


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("steer")(steer)


def steer(
    study: StudyArgument,
    from_run: Annotated[
        str | None, typer.Option("--from", metavar="ID", help="Start from this run's weights.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="What is added to the prediction loss; `visteer methods` lists them.")
    ] = "attention-mse",
    gamma: Annotated[
        float | None,
        typer.Option(help="Its factor. Default: the preset's for this method, else the method's own.", min=0),
    ] = None,
    irrelevant: Annotated[
        str | None,
        typer.Option(
            help="What is done with regions marked irrelevant: none, replace or transplant. "
            "Default with attention-mse or none: transplant where there are marks small enough, else none. "
            "Default with another method or with --preset paper: none."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.", min=1)] = None,
    seed: SeedOption = None,
    preset: PresetOption = "default",
    change: SetOption = None,
    resume: ResumeOption = None,
    json: JsonOption = False,
) -> None:
    """Train towards the edited maps: prediction loss + gamma * what the method adds.

    Without --from it starts where `visteer train` starts, so that both runs can be compared.

    Example: visteer steer my-study --epochs 20
    """
    # "none" steers by what is done with the irrelevant regions alone.
    offered = ["none", *(name for name, entry in METHODS.items() if entry.marks != "none")]
    if method not in offered:
        where = ": that is for visteer train" if method in METHODS else ""
        raise typer.BadParameter(f"--method must be one of {', '.join(offered)}, not {method!r}{where}")
    opened = open_study(study)
    data = TrainingData.of(opened)
    own = PRESETS.get(preset, {})
    chooses = "irrelevant" not in own and method in ("none", "attention-mse")
    if irrelevant is None and resume is None and chooses:
        irrelevant = chosen_irrelevant(data.training)
        note(f"irrelevant regions: {irrelevant} (--irrelevant changes it)")
    named: dict[str, object] = {
        "method": method,
        "gamma": gamma,
        "irrelevant": irrelevant,
        "epochs": epochs,
        "seed": opened.settings.seed if seed is None else seed,
        "select_by": default_selection(data.validation, steered=True),
    }
    config = build_config(preset, named, change)
    run_training(opened, data, config, start_from=from_run, resume=resume, json=json)
