"""visteer init: make a study from a folder of images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from visteer.cli.options import JsonOption, one_of
from visteer.cli.output import note, print_json, progress_bars, say, show_problems, suggest
from visteer.data.readers import Layout
from visteer.data.sample import Problem
from visteer.steering.config import MAX_SEED
from visteer.study import BadFiles, OnBad, StudySettings, make_study
from visteer.study.study import MAX_IMAGE_SIZE, Unpainted

NOTES_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder to make.")],
    images: Annotated[Path, typer.Option(help="The folder of the images.")],
    layout: Annotated[str, typer.Option(help="folder, busi, isic9, isic2017 or imagenette.")] = "folder",
    masks: Annotated[Path | None, typer.Option(help="Masks of what is relevant, paired by name.")] = None,
    irrelevant_masks: Annotated[
        Path | None, typer.Option(help="Masks of what must not be used, paired by name.")
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Keep only these classes: a,b,...")] = None,
    model: Annotated[str, typer.Option(help="A timm name, or torchvision:NAME.")] = "resnet50",
    weights: Annotated[str, typer.Option(help="imagenet, offline, none or a path.")] = "imagenet",
    layer: Annotated[
        str | None,
        typer.Option(help="Dotted name of the layer of the maps; default: the last spatial stage."),
    ] = None,
    image_size: Annotated[int, typer.Option(help="Side in pixels.", min=16, max=MAX_IMAGE_SIZE)] = 224,
    seed: Annotated[int, typer.Option(help="Of the split and of all that follows.", min=0, max=MAX_SEED)] = 0,
    on_bad: Annotated[str, typer.Option(help="At files that cannot be used: stop or skip.")] = "stop",
    unpainted: Annotated[
        str, typer.Option(help="What a cell means that nobody painted: unknown, or irrelevant (the paper's).")
    ] = "unknown",
    database: Annotated[
        str, typer.Option(help="SQLAlchemy URL of the edits; a relative SQLite path is in the study.")
    ] = "sqlite:///visteer.db",
    json: JsonOption = False,
) -> None:
    """Make a study: read and check the images, group near-duplicates, split, decode.

    Example: visteer init my-study --images Dataset_BUSI_with_GT --layout busi
    """
    settings = StudySettings(
        images=images.resolve(),
        layout=one_of(layout, Layout, "--layout"),  # type: ignore[arg-type]
        masks=masks.resolve() if masks else None,
        irrelevant_masks=irrelevant_masks.resolve() if irrelevant_masks else None,
        classes=tuple(name.strip() for name in classes.split(",")) if classes else None,
        model=model,
        weights=weights if weights in ("imagenet", "offline", "none") else str(Path(weights).resolve()),
        layer=layer,
        image_size=image_size,
        seed=seed,
        unpainted=one_of(unpainted, Unpainted, "--unpainted"),  # type: ignore[arg-type]
        database=database,
    )
    try:
        with progress_bars() as bars:
            made = make_study(study, settings, on_bad=one_of(on_bad, OnBad, "--on-bad"), progress=bars)  # type: ignore[arg-type]
    except BadFiles as error:
        show_problems("These files cannot be used", error.problems)
        raise
    counts = {split: len(made.study.ids(split)) for split in ("train", "val", "test")}
    notes = [problem for problem in made.problems if problem.severity == "note"]
    skipped = [problem for problem in made.problems if problem.severity == "error"]
    if skipped:
        show_problems("Left out", skipped)
    if made.maps.coarse:
        note(f"{made.maps.warning} (--layer, --image-size)")
    if json:
        print_json(
            {
                "study": str(study),
                "images": counts,
                "classes": list(made.study.class_names),
                "skipped": len(skipped),
                "notes": len(notes),
                "maps": vars(made.maps),
                "weights": made.weights,
            }
        )
        return
    show_notes(notes)
    say(f"{study}: {', '.join(f'{count} {split}' for split, count in counts.items())} images")
    say(f"classes: {', '.join(made.study.class_names)}")
    say(f"weights: {made.weights}")
    say(f"maps: {made.maps.text}")
    suggest("train", study)


def show_notes(notes: Sequence[Problem]) -> None:
    """Print one line a kind of note, with the number of files and one of them by name."""
    alike = defaultdict(list)
    for found in notes:
        alike[found.what].append(found.path.name)
    for what, names in list(alike.items())[:NOTES_SHOWN]:
        which = names[0] if len(names) == 1 else f"{len(names)} files, such as {names[0]}"
        note(f"note: {which}: {what}")
    if len(alike) > NOTES_SHOWN:
        note(f"note: and {len(alike) - NOTES_SHOWN} more kinds (visteer data check lists them all)")
