"""One run on a study with planted marks: they tell the class in training, lie in one test, are absent in another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from visteer.benchmark.spec import PUBLISHED_LOSS, RECIPE
from visteer.data.planted import PlantedMark, plant_marks
from visteer.edits.formats.regions import choose_fraction
from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.evaluation import evaluate
from visteer.steering import SteeringConfig, SteeringDataset, steer
from visteer.study import Study, default_selection, is_steered
from visteer.study.stages import validation_figures
from visteer.study.study import SPLITS

APPROACHES: Mapping[str, Mapping[str, object]] = {
    "clean": {"method": "none"},
    "without": {"method": "none"},
    "proposed": PUBLISHED_LOSS,
    "transplant": {"method": "none", "irrelevant": "transplant"},
    "visteer": RECIPE,
}
"""clean is trained on images without marks. proposed has what the paper has: the object relevant, all else irrelevant.
The last two have the mark irrelevant, the object relevant, and the rest unknown; visteer is what `visteer steer` does
there."""

RESAMPLES = 200


@dataclass(frozen=True)
class PlantedRun:
    """What one run is: `fraction` of the training and validation images have an edit, `freeze` is not trained."""

    mark: PlantedMark
    approach: str
    seed: int
    fraction: float = 1.0
    epochs: int = 8
    freeze: tuple[str, ...] = ()

    @property
    def about(self) -> dict[str, object]:
        """What the result says of the run beside its settings."""
        return {name: getattr(self, name) for name in ("mark", "approach", "seed", "fraction")}

    @property
    def name(self) -> str:
        """Its name in files."""
        return f"planted-{self.mark}--{self.approach}--f{self.fraction:g}--s{self.seed}"


def run_planted(
    study: Study, run: PlantedRun, on_step: Callable[[int, int], None] | None = None
) -> dict[str, object]:
    """Train one approach on the study's training images with marks, and measure it on its test images.

    The kept epoch is picked on validation images with marks that tell the class, as whoever does not know of the
    shortcut would. Nothing is written.

    Returns:
        accuracy (the marks tell random classes), accuracy_clean (no marks), accuracy_agreeing (they tell the class),
        reliance_irrelevant on the marks and the map figures where they lie, seconds of training, and what was run.

    Raises:
        VisteerError: the study has no edits.
        ValueError: no such approach.
    """
    if run.approach not in APPROACHES:
        raise ValueError(f"approach must be one of {', '.join(APPROACHES)}, not {run.approach!r}")
    parts = {split: study.dataset(split) for split in SPLITS}
    if not any(len(part.edited) for part in parts.values()):
        raise VisteerError(f"{study.folder} has no edits; import its masks first: visteer import")
    whole = run.approach == "proposed"
    training, validation = (
        plant(parts[split], run, None if run.approach == "clean" else "agree", number, everything_else=whole)
        for number, split in enumerate(SPLITS[:2])
    )
    config = SteeringConfig.from_dict({**planted_settings(run), "target_layer": study.settings.layer})
    config = replace(config, select_by=default_selection(validation, steered=is_steered(config)))
    with torch.random.fork_rng():
        torch.manual_seed(run.seed)
        model = study.initial_model()
    started = time.monotonic()
    steer(model, training, config, validation_figures(validation, config), on_step=on_step)
    seconds = time.monotonic() - started
    tested = replace(run, fraction=1.0)
    figures: dict[str, object] = {}
    for name, told in (("accuracy", "random"), ("accuracy_clean", None), ("accuracy_agreeing", "agree")):
        data = plant(parts["test"], tested, told, 2, everything_else=False)
        result = evaluate(
            model,
            data,
            device=next(model.parameters()).device,
            layer=config.target_layer,
            resamples=RESAMPLES,
            interventions=told == "random",
            groups=study.groups("test"),
        )
        figures[name] = result.figures["accuracy"].value
        if told == "random":
            figures |= {key: figure.value for key, figure in {**result.maps, **result.interventions}.items()}
    return {
        **figures,
        "seconds": seconds,
        **run.about,
        "marked_images": len(training.edited),
        "config": config.to_dict(),
    }


def planted_settings(run: PlantedRun) -> dict[str, object]:
    """The settings of a run that are not the default and depend on nothing but the run."""
    same = {"epochs": run.epochs, "seed": run.seed, "freeze": run.freeze, "channels_last": True}
    return {**APPROACHES[run.approach], **same}


def plant(
    data: SteeringDataset, run: PlantedRun, told: str | None, part: int, *, everything_else: bool
) -> SteeringDataset:
    """The images with marks that tell the class ("agree"), a random one ("random"), or without (None), and edits.

    An edit has the study's relevant cells; with `everything_else` all other cells are irrelevant, else the mark is,
    and the rest is unknown. Images whose edit has nothing relevant keep the mark alone.
    """
    images = np.ascontiguousarray(data.images[np.arange(len(data))])
    where = np.zeros(images.shape[:3], np.bool_)
    if told is not None:
        rng = np.random.default_rng([run.seed, part])
        classes = len(data.class_names)
        kinds: NDArray[np.int64] = data.labels if told == "agree" else rng.integers(0, classes, len(data))
        seed = int(np.random.default_rng([run.seed, part, 1]).integers(2**31))
        images, where = plant_marks(images, kinds, run.mark, classes=classes, seed=seed)
    edits, row_of = {}, {name: row for row, name in enumerate(data.ids)}
    for name in choose_fraction(list(data.ids), run.fraction, run.seed):
        row = row_of[name]
        edit_row = data.edit_rows[row]
        relevant = np.zeros(where.shape[1:], np.bool_)
        if edit_row >= 0:
            relevant = (data.weights[edit_row] > 0) & (data.targets[edit_row] >= 128) & ~where[row]
        known = np.ones_like(relevant) if everything_else else relevant | where[row]
        if known.any():
            edits[name] = MapEdit(relevant.astype(np.uint8), known.astype(np.uint8), author="planted")
    return SteeringDataset(images, data.labels, data.class_names, data.ids, edits)
