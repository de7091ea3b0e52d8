"""What Visteer's own recipe costs: epochs of plain training and of each part of the recipe, interleaved in one run.

Each round trains one epoch of every variant with the real loop, in an order that rotates; a ratio is the median over
the rounds of the ratio within one round. The images are noise: time does not depend on what they show. Every image has
an object marked relevant and a mark near the border marked irrelevant.

    python benchmarks/recipe_cost.py [--model tf_efficientnet_lite0] [--layer NAME] [--size 128] [--images 128]
        [--out benchmarks/results/cost]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from visteer.atomic import write_text
from visteer.benchmark.spec import RECIPE
from visteer.data.planted import plant_marks
from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.models import build_classifier, find_target_layer
from visteer.steering import SteeringConfig, SteeringDataset, steer
from visteer.steering.steer import computes_bf16

VARIANTS = {
    "plain": {"method": "none"},
    "map loss": {"method": "attention-mse"},
    "transplant": {"method": "none", "irrelevant": "transplant"},
    "both": RECIPE,
    "both, maps in every fourth step": {**RECIPE, "attention_every": 4},
}


def marked_images(count: int, size: int) -> SteeringDataset:
    """Noise with planted tags, each with an edit."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    noise = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    images, where = plant_marks(noise, labels, "tag", classes=3, seed=0)
    relevant = np.zeros((size, size), np.bool_)
    relevant[size // 3 : 2 * size // 3, size // 3 : 2 * size // 3] = True
    edits = {
        str(row): MapEdit(
            (relevant & ~where[row]).astype(np.uint8),
            (relevant | where[row]).astype(np.uint8),
            author="benchmark",
        )
        for row in range(count)
    }
    return SteeringDataset(images, labels, ["a", "b", "c"], [str(row) for row in range(count)], edits)


def main() -> None:
    """Measure, and print one JSON object: the seconds of a plain epoch, and each variant as a multiple.

    A multiple is [lower quartile, median, upper quartile] over the rounds.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    parser.add_argument("--layer", help="where the maps are made; default: the last spatial stage")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, help="a folder where the result is kept, too")
    given = parser.parse_args()
    if given.images < 1 or given.rounds < 1:
        parser.error("--images and --rounds must be at least 1")
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
    data = marked_images(given.images, given.size)
    names = list(VARIANTS)
    multiples: dict[str, list[float]] = {name: [] for name in names[1:]}
    plain = []
    for count in range(given.rounds + 1):
        first = count % len(names)
        seconds = {
            name: epoch_seconds(given.model, given.layer, data, VARIANTS[name])
            for name in names[first:] + names[:first]
        }
        if count:  # the first round warms up
            plain.append(seconds["plain"])
            for name, found in multiples.items():
                found.append(seconds[name] / seconds["plain"])
    layer = given.layer or find_target_layer(
        build_classifier(given.model, 3, weights="none", image_size=given.size)
    )
    result = {
        "model": given.model,
        "layer": layer,
        "size": given.size,
        "images": given.images,
        "rounds": given.rounds,
        "threads": torch.get_num_threads(),
        "precision": "bf16" if computes_bf16(Accelerator().device) else "fp32",
        "plain_seconds": round(statistics.median(plain), 2),
        "multiples": {
            name: [round(float(part), 3) for part in np.quantile(found, (0.25, 0.5, 0.75))]
            for name, found in multiples.items()
        },
    }
    text = json.dumps(result, indent=1) + "\n"
    if given.out is not None:
        write_text(given.out / f"{given.model}--{layer}--{given.size}.json", text)
    sys.stdout.write(text)


def epoch_seconds(
    name: str, layer: str | None, data: SteeringDataset, settings: Mapping[str, object]
) -> float:
    """The seconds of one epoch with a new network."""
    model = build_classifier(name, 3, weights="none", image_size=data.image_size)
    same = {"epochs": 1, "channels_last": True, "target_layer": layer}
    run = steer(model, data, SteeringConfig.from_dict({**settings, **same}))
    return float(run.history[0]["seconds"])


if __name__ == "__main__":
    try:
        main()
    except (VisteerError, ValueError, OSError) as error:
        sys.exit(f"recipe_cost.py: {error}")
