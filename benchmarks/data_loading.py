"""The share of data loading in a training step: a batch from the memory map, and its paired transform.

    OMP_NUM_THREADS=2 python benchmarks/data_loading.py

Loading (gather rows of the map, to float, transform image, target and weight) and training (forward,
backward and optimiser step of a ResNet-18) take turns in one run, so that whatever else the machine does
hits both alike. Every image has an edit. Prints one JSON object, then one line for people; exits with 1
where a share is too high.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch.nn import functional as F

from visteer.data.image_cache import ImageCache
from visteer.data.phantom import generate_phantom
from visteer.data.sample import Sample
from visteer.data.transforms import PairedTransform, TransformConfig
from visteer.edits.map_edit import MapEdit
from visteer.steering.dataset import SteeringBatch, SteeringDataset

WANTED_SHARE = 0.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--presets", nargs="+", default=["none", "light", "medical", "strong"])
    options = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        data = phantom_data(Path(folder), 4 * options.batch, options.image_size)
        times = measure(data, options.presets, options.batch, options.steps)
    training = statistics.median(times.pop("training"))
    loading = {name: statistics.median(seconds) for name, seconds in times.items()}
    shares = {name: seconds / (seconds + training) for name, seconds in loading.items()}
    result = {
        "image_size": options.image_size,
        "batch": options.batch,
        "steps": options.steps,
        "threads": torch.get_num_threads(),
        "training_ms": round(training * 1000, 1),
        "loading_ms": {name: round(seconds * 1000, 1) for name, seconds in loading.items()},
        "share": {name: round(share, 4) for name, share in shares.items()},
        "wanted_share": WANTED_SHARE,
    }
    print(json.dumps(result))
    listed = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    print(f"data loading is this share of a ResNet-18 step: {listed} (wanted: below {WANTED_SHARE:.0%})")
    sys.exit(int(max(shares.values()) >= WANTED_SHARE))


def phantom_data(folder: Path, count: int, image_size: int) -> SteeringDataset:
    """A cache of phantom pictures on disk, each with its lesion as an edit."""
    made = generate_phantom(folder / "phantom", counts={"train": count}, image_size=image_size)
    paths = sorted(made.images.rglob("*.png"))
    samples = [Sample(path.name, path, int(path.parent.name == "malignant")) for path in paths]
    cache = ImageCache.build(samples, folder / "cache", image_size)
    weight = np.ones((image_size, image_size), dtype=np.float32)
    generator = np.random.default_rng(0)
    edits = {
        name: MapEdit(
            target=generator.random(weight.shape, dtype=np.float32), weight=weight, author="benchmark"
        )
        for name in cache.ids
    }
    labels = [sample.label for sample in samples]
    return SteeringDataset(cache.images, labels, ("benign", "malignant"), cache.ids, edits)


def measure(data: SteeringDataset, presets: list[str], batch_size: int, steps: int) -> dict[str, list[float]]:
    """Seconds of each step's training and of its loading by preset; the first two steps do not count."""
    transforms = {name: PairedTransform(TransformConfig.preset(name)) for name in presets}
    model = torchvision.models.resnet18(num_classes=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    shuffle = np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in ("training", *presets)}
    for step in range(steps + 2):
        rows = shuffle.choice(len(data), batch_size, replace=False)
        for name, transform in transforms.items():
            start = time.perf_counter()
            batch, images = load(data, rows, transform, generator)
            if step >= 2:
                times[name].append(time.perf_counter() - start)
        start = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(model(images), batch.labels).backward()
        optimizer.step()
        if step >= 2:
            times["training"].append(time.perf_counter() - start)
    return times


def load(
    data: SteeringDataset, rows: np.ndarray, transform: PairedTransform, generator: torch.Generator
) -> tuple[SteeringBatch, torch.Tensor]:
    batch = data.batch(rows)
    draw = transform.draw(len(rows), generator)
    images, _, _ = transform.apply(batch.images, batch.targets, batch.weights, draw)
    return batch, images


if __name__ == "__main__":
    main()
