"""visteer train: train the study's classifier plainly."""

from __future__ import annotations

from typing import Annotated

import typer

from visteer.cli.opening import open_study
from visteer.cli.options import JsonOption, StudyArgument
from visteer.cli.output import Epoch, note, print_json, progress_bar, say, suggest
from visteer.cli.training_options import (
    PresetOption,
    ResumeOption,
    SeedOption,
    SetOption,
    build_config,
)
from visteer.steering import METHODS, SteeringConfig
from visteer.study import Reporting, Study, TrainingData, default_selection, train_run

TOO_MUCH = 20.0
"""What a method adds is called too much from so many times the prediction loss on."""

PLAIN_METHODS = tuple(name for name, method in METHODS.items() if method.marks == "none")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    study: StudyArgument,
    method: Annotated[
        str, typer.Option(help="none, or abn: give the classifier an attention branch (no edits needed).")
    ] = "none",
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the training images; 0 takes the classifier as it is.", min=0),
    ] = None,
    seed: SeedOption = None,
    preset: PresetOption = "default",
    change: SetOption = None,
    resume: ResumeOption = None,
    json: JsonOption = False,
) -> None:
    """Train the study's classifier plainly, by the prediction loss alone.

    With --epochs 0 the classifier becomes a run as it is, to be seen and measured before any training.

    Example: visteer train my-study --epochs 10
    """
    if method not in PLAIN_METHODS:
        raise typer.BadParameter(
            f"--method must be one of {', '.join(PLAIN_METHODS)}, not {method!r}: visteer steer takes the others"
        )
    opened = open_study(study)
    data = TrainingData.of(opened)
    named: dict[str, object] = {
        "method": method,
        "epochs": epochs,
        "seed": opened.settings.seed if seed is None else seed,
        "select_by": default_selection(data.validation, steered=False),
    }
    run_training(opened, data, build_config(preset, named, change), resume=resume, json=json)


def run_training(
    study: Study,
    data: TrainingData,
    config: SteeringConfig,
    *,
    start_from: str | None = None,
    resume: str | None = None,
    json: bool,
) -> None:
    """Train with a progress bar and say how it ended; `visteer steer` ends the same way."""

    def tell(row: Epoch) -> None:
        bar.print_epoch(row)
        added, prediction = config.gamma * row["attention_loss"], row["prediction_loss"]
        if row["epoch"] == 1 and resume is None and added > TOO_MUCH * prediction > 0:
            note(
                f"gamma times the method's loss is {added / prediction:.3g} times the prediction loss; "
                "with a lower --gamma the prediction has more say"
            )

    with progress_bar("training") as bar:
        reporting = Reporting(on_step=bar, on_epoch=tell)
        run, result = train_run(
            study, config, data=data, start_from=start_from, resume=resume, reporting=reporting
        )
    if json:
        score = None if result.score != result.score else result.score
        kept = {
            "run": run,
            "best_epoch": result.best_epoch,
            "score": score,
            "irrelevant": result.config.irrelevant,
        }
        print_json({**kept, "history": [dict(row) for row in result.history]})
        return
    kept_epoch = f"kept epoch {result.best_epoch} of {len(result.history)}"
    say(f"run {run}: {kept_epoch if config.epochs else 'the classifier as it is, not trained'}")
    suggest("evaluate", study.folder, "--run", run)
