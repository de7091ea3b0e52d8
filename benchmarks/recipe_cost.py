"""What Visteer's own recipe costs: epochs of plain training and of each part of the recipe, interleaved in one run.

Each round trains one epoch of every variant with the real loop, in an order that rotates; a ratio is the median over
the rounds of the ratio within one round. The images are noise: time does not depend on what they show. Every image has
an object marked relevant and a mark near the border marked irrelevant.

    python benchmarks/recipe_cost.py [--model tf_efficientnet_lite0] [--layer NAME] [--size 128] [--images 128]
"""

from __future__ import annotations

import argparse
import json
import statistics

import numpy as np

from visteer.data.planted import plant_marks
from visteer.edits.map_edit import MapEdit
from visteer.models import build_classifier
from visteer.steering import SteeringConfig, SteeringDataset, steer
from visteer.steering.config import PRESETS

VARIANTS = {
    "plain": {"method": "none"},
    "map loss": {"method": "attention-mse"},
    "transplant": {"method": "none", "irrelevant": "transplant"},
    "both": {"method": "attention-mse", "irrelevant": "transplant"},
    "gentle": {**PRESETS["gentle"], "irrelevant": "transplant"},
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
    """Measure, and print one JSON object: the seconds of a plain epoch, and each variant as a multiple."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    parser.add_argument("--layer", help="where the maps are made; default: the last spatial stage")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    data = marked_images(given.images, given.size)
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    names = list(VARIANTS)
    for count in range(given.rounds + 1):
        first = count % len(names)
        for name in names[first:] + names[:first]:
            model = build_classifier(given.model, 3, weights="none", image_size=given.size)
            same = {"epochs": 1, "channels_last": True, "target_layer": given.layer}
            config = SteeringConfig.from_dict({**VARIANTS[name], **same})
            seconds = steer(model, data, config).history[0]["seconds"]
            if count:  # the first round warms up
                times[name].append(seconds)
    ratios = {
        name: round(statistics.median(t / p for t, p in zip(times[name], times["plain"], strict=True)), 3)
        for name in names[1:]
    }
    seconds = round(statistics.median(times["plain"]), 2)
    print(
        json.dumps(
            {
                "model": given.model,
                "layer": given.layer,
                "size": given.size,
                "plain_seconds": seconds,
                **ratios,
            }
        )
    )


if __name__ == "__main__":
    main()
