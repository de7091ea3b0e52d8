"""visteer demo: the whole flow on generated pictures with a known shortcut."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from visteer.cli.options import JsonOption
from visteer.cli.output import Bar, note, print_json, print_table, progress_bar, progress_bars, say, suggest
from visteer.cli.wording import shown
from visteer.data.phantom import generate_phantom
from visteer.errors import VisteerError
from visteer.evaluation import EvaluationResult, Figure, evaluate
from visteer.steering import SteeringConfig, SteeringDataset
from visteer.steering.config import MAX_SEED
from visteer.study import (
    Reporting,
    Study,
    StudySettings,
    TrainingData,
    default_selection,
    evaluate_run,
    import_regions,
    load_run,
    make_study,
    train_run,
    variant_dataset,
    write_report,
)

COUNTS = {"train": 400, "val": 60, "test": 160}
AGREEMENT = {"train": 1.0, "val": 1.0, "test": 0.5}
VARIANTS = {"absent": None, "misleading": 0.0}
EDITED_FRACTION = 0.25
IMAGE_SIZE = 96
SUBTLETY = 0.8  # the lesions are hard to read, so that the tag is the easier way
GAMMA = 10.0  # half the default: in a run as short as this, 20 takes from the prediction
AUGMENT = "none"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="The folder to make.")] = Path("visteer-demo"),
    epochs: Annotated[int, typer.Option(help="Of each of the two trainings.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0, max=MAX_SEED)] = 0,
    json: JsonOption = False,
) -> None:
    """Show the whole flow in a few minutes: a classifier that learned a shortcut, and the same one steered.

    The pictures look like ultrasound. In training a burnt-in tag tells the class; in the test it is absent or
    lies. An expert has marked lesion and tag on a quarter of the training images.

    Example: visteer demo
    """
    started = time.monotonic()
    if (out / "study" / "visteer.toml").exists():
        done = (out / "report.html").exists()
        state = f"a demo already; look at {out / 'report.html'}" if done else "an unfinished demo"
        raise VisteerError(f"{out} holds {state}; delete the folder to run it again")
    with progress_bar("drawing pictures") as bar:
        phantom = generate_phantom(
            out / "phantom",
            counts=COUNTS,  # type: ignore[arg-type]
            image_size=IMAGE_SIZE,
            shortcut="tag",
            agreement=AGREEMENT,  # type: ignore[arg-type]
            variants=VARIANTS,
            subtlety=SUBTLETY,
            seed=seed,
            progress=bar,
        )
    settings = StudySettings(
        images=phantom.images.resolve(),
        masks=phantom.masks.resolve(),
        irrelevant_masks=phantom.marks.resolve(),
        model="tf_efficientnet_lite0",
        weights="offline",
        image_size=IMAGE_SIZE,
        seed=seed,
    )
    with progress_bars() as bars:
        study = make_study(out / "study", settings, progress=bars).study
    plain, steered = _train_both(study, epochs, seed)
    absent, misleading = (variant_dataset(study, phantom.variants[name] / "images") for name in VARIANTS)
    rows = {run: _measure(study, run, absent, misleading) for run in (plain, steered)}
    with progress_bars() as bars:
        write_report(study, (plain, steered), "test", out / "report.html", progress=bars)
    seconds = time.monotonic() - started
    if json:
        figures = {
            run: {key: figure.to_json()["value"] for key, (_, figure) in row.items()}
            for run, row in rows.items()
        }
        print_json({"plain": plain, "steered": steered, "figures": figures, "seconds": round(seconds, 1)})
        return
    print_table(
        "What the classifier learned, and what it learned when steered (95 % intervals)",
        ["", "plain", "steered"],
        [[name, shown(figure), shown(rows[steered][key][1])] for key, (name, figure) in rows[plain].items()],
    )
    say(f"done in {seconds:.0f} s. Open {out / 'report.html'} in a browser to see both maps side by side.")
    suggest("edit", out / "study", "--run", plain)
    again = ("--epochs", epochs, "--gamma", f"{GAMMA:g}", "--set", f"augment={AUGMENT}")
    suggest("steer", out / "study", *again, head="then")


def _train_both(study: Study, epochs: int, seed: int) -> tuple[str, str]:
    """A plain run, edits for a part of the training images, and a steered run from the same start."""
    base = {"epochs": epochs, "seed": seed, "augment": AUGMENT}
    data = TrainingData.of(study)
    select_by = default_selection(data.validation, steered=False)
    plain_config = SteeringConfig.from_dict({**base, "select_by": select_by})
    note("training a plain classifier")
    plain = _trained(study, plain_config, data, Bar("plain training"))
    import_regions(study, "masks", outside="unknown", fraction=EDITED_FRACTION)
    data = TrainingData.of(study)
    note(
        f"an expert marks lesion and tag on {len(data.training.edited)} training images; the others' masks only measure"
    )
    note("training the same classifier again, steered")
    steered_config = SteeringConfig.from_dict(
        {
            **base,
            "method": "attention-mse",
            "gamma": GAMMA,
            "irrelevant": "transplant",
            "select_by": default_selection(data.validation, steered=True),
        }
    )
    return plain, _trained(study, steered_config, data, Bar("steered training"))


def _trained(study: Study, config: SteeringConfig, data: TrainingData, bar: Bar) -> str:
    """The id of a new run."""
    try:
        reporting = Reporting(on_step=bar, on_epoch=bar.print_epoch)
        run, _ = train_run(study, config, data=data, reporting=reporting)
    finally:
        bar.close()
    return run


def _measure(
    study: Study, run: str, absent: SteeringDataset, misleading: SteeringDataset
) -> dict[str, tuple[str, Figure]]:
    """The rows of the demo's table for one run."""
    with progress_bar(f"measuring {run}") as bar:
        result = evaluate_run(study, run, "test", progress=bar)
    without, against = (_classify(study, run, data) for data in (absent, misleading))
    return {
        "accuracy_misleading": ("accuracy, tag lies", against.figures["accuracy"]),
        "accuracy_random": ("accuracy, tag at random", result.figures["accuracy"]),
        "accuracy_absent": ("accuracy, no tag", without.figures["accuracy"]),
        "f2_absent": ("F2, no tag", without.figures["f2"]),
        "auc_absent": ("AUC, no tag", without.figures["auc"]),
        "epg": ("map energy: on the lesion, not on the tag", result.maps["epg"]),
        "iou": ("overlap of map and lesion (IoU), tag apart", result.maps["iou"]),
        "dead": ("maps that are zero everywhere", result.maps["dead"]),
        "reliance_irrelevant": ("reliance on the tag", result.interventions["reliance_irrelevant"]),
    }


def _classify(study: Study, run: str, data: SteeringDataset) -> EvaluationResult:
    """Classification figures of one run on other renderings of the test pictures."""
    return evaluate(load_run(study, run), data, interventions=False)
