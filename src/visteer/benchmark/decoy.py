"""One run on a decoy set: train one approach, measure where the decoy tells the class, lies, or is absent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from visteer.benchmark.spec import PUBLISHED_LOSS, RECIPE
from visteer.data.decoys import (
    DecoyImages,
    DecoyMarks,
    DecoyName,
    DecoySet,
    MarkKind,
    decoy_marks,
    make_decoys,
)
from visteer.edits.map_edit import MapEdit
from visteer.models import Classifier, build_classifier
from visteer.models.decoy_network import DECOY_NETWORK
from visteer.models.eval_mode import eval_mode
from visteer.steering import METHODS, SteeringConfig, SteeringDataset, steer
from visteer.study import is_steered

EPOCHS = 12
"""A quarter of the typology's 50, with a cosine schedule: enough to reach its published accuracy of clean training."""

TYPOLOGY: Mapping[str, object] = {
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "batch_size": 256,
    "schedule": "cosine",
    "warmup_epochs": 0.0,
    "class_weights": "none",
    "augment": "none",
    "precision": "fp32",
}
"""The training of the XIL typology (Friedrich et al. 2023), but for the number of epochs and the cosine schedule."""

OWN_APPROACHES: Mapping[str, Mapping[str, object]] = {
    "clean": {"method": "none"},
    "without": {"method": "none"},
    "proposed": PUBLISHED_LOSS,
    "transplant": {"method": "none", "irrelevant": "transplant"},
    "replace": {"method": "none", "irrelevant": "replace"},
    "visteer": RECIPE,
}
"""Beside these each method of `visteer methods` is an approach. "clean" is trained on images without decoys; the edits
of "proposed" are as in the paper: the object relevant, all else irrelevant."""

_EVALUATED_AT_ONCE = 1000


@dataclass(frozen=True)
class DecoyRun:
    """What one run is: `fraction` of the training images have marks, of the kind `marks`."""

    data: DecoyName
    approach: str
    seed: int
    fraction: float = 1.0
    marks: MarkKind = "full"
    epochs: int = EPOCHS

    @property
    def about(self) -> dict[str, object]:
        """What the result says of the run beside its settings."""
        names = ("data", "approach", "seed", "fraction", "marks")
        return {name: getattr(self, name) for name in names}

    @property
    def name(self) -> str:
        """Its name in files.

        Example:
            >>> DecoyRun("decoy-fashion-ross", "transplant", 10, 0.001).name
            'decoy-fashion-ross--transplant--f0.001--full--s10'
        """
        return f"{self.data}--{self.approach}--f{self.fraction:g}--{self.marks}--s{self.seed}"


def approaches() -> tuple[str, ...]:
    """The names that `DecoyRun.approach` can have."""
    methods = (name for name, method in METHODS.items() if not method.has_branch and name != "none")
    return tuple(dict.fromkeys((*OWN_APPROACHES, *methods)))


def run_decoy(
    run: DecoyRun, folder: Path | None = None, on_step: Callable[[int, int], None] | None = None
) -> dict[str, object]:
    """Train and measure; the kept epoch is the last one, so that nothing is chosen on test images.

    Arguments:
        run: what to do.
        folder: where the IDX files lie; may be left out where `make_decoys` finds them.
        on_step: called with (steps done, steps in all).

    Returns:
        accuracy (the test decoys lie), accuracy_clean (no decoy at all), accuracy_agreeing (they tell the class),
        accuracy_validation (they tell the class, on held-out training images), the seconds that training took, and
        what was run.

    Raises:
        VisteerError: the images are missing, or no edit has the marks that the approach needs.
        ValueError: no such approach.
    """
    if run.approach not in approaches():
        raise ValueError(f"approach must be one of {', '.join(approaches())}, not {run.approach!r}")
    config = decoy_config(run)
    decoys = make_decoys(run.data, folder)
    training = decoys.train.without_decoy() if run.approach == "clean" else decoys.train
    edits = {}
    if is_steered(config):
        marked = decoy_marks(decoys, run.marks, fraction=run.fraction, seed=run.seed)
        whole = run.approach == "proposed"
        edits = decoy_edits(
            marked, relevant=whole or "relevant" in METHODS[config.method].needs, everything_else=whole
        )
    data = SteeringDataset(training.rgb(), training.labels, decoys.class_names, edits=edits)
    with torch.random.fork_rng():
        torch.manual_seed(run.seed)
        model = build_classifier(DECOY_NETWORK, len(decoys.class_names), weights="none", image_size=28)
    started = time.monotonic()
    steered = steer(model, data, config, on_step=on_step)
    seconds = time.monotonic() - started
    return {
        **{name: accuracy(model, part) for name, part in _parts(decoys).items()},
        "train_accuracy": steered.history[-1]["train_accuracy"],
        "seconds": seconds,
        **run.about,
        "marked_images": len(edits),
        "config": config.to_dict(),
    }


def decoy_config(run: DecoyRun) -> SteeringConfig:
    """The settings of a run: the typology's training, the approach's method with its own gamma."""
    own = OWN_APPROACHES.get(run.approach, {"method": run.approach})
    same = {"epochs": run.epochs, "seed": run.seed}
    return SteeringConfig.from_dict({**TYPOLOGY, **own, **same})


def decoy_edits(marks: DecoyMarks, *, relevant: bool, everything_else: bool = False) -> dict[str, MapEdit]:
    """The marks as edits by row: the square irrelevant; the object relevant where `relevant`.

    The rest is unknown; with `everything_else` it is irrelevant.
    """
    edits = {}
    for number, row in enumerate(marks.rows.tolist()):
        mark = marks.irrelevant[number]
        looked_at = marks.relevant[number] & ~mark if relevant else np.zeros_like(mark)
        known = np.ones_like(mark) if everything_else else mark | looked_at
        edits[str(row)] = MapEdit(looked_at.astype(np.uint8), known.astype(np.uint8), author="decoy")
    return edits


def accuracy(model: Classifier, images: DecoyImages) -> float:
    """The share of `images` that the model names right."""
    device = next(model.parameters()).device
    right = 0
    with torch.inference_mode(), eval_mode(model):
        for start in range(0, len(images), _EVALUATED_AT_ONCE):
            part = slice(start, start + _EVALUATED_AT_ONCE)
            pixels = torch.from_numpy(np.ascontiguousarray(images.images[part])).to(device).float().div(255)
            logits = model(pixels[:, None].expand(-1, 3, -1, -1))
            right += int((logits.argmax(1).cpu().numpy() == images.labels[part]).sum())
    return right / len(images)


def _parts(decoys: DecoySet) -> dict[str, DecoyImages]:
    return {
        "accuracy": decoys.test,
        "accuracy_clean": decoys.test.without_decoy(),
        "accuracy_agreeing": decoys.test_agreeing,
        "accuracy_validation": decoys.validation,
    }
