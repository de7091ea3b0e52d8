"""A benchmark that runs in seconds: two classes of small pictures with masks, a tiny network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZE = 32

SPEC = """
name = "small"
seeds = [0, 1]
fractions = [1.0, 0.5]
approaches = ["without", "proposed"]

[settings]
epochs = 1
batch_size = 8

[[data]]
name = "blobs"
images = "pictures/images"
masks = "pictures/masks"
image_size = 32

[[models]]
name = "tiny"
model = "test_resnet"
weights = "none"
"""


@pytest.fixture
def spec_path(tmp_path: Path) -> Path:
    """The file of the benchmark, with its pictures beside it."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(("cat", "dog")):
        for part in ("images", "masks"):
            (tmp_path / "pictures" / part / name).mkdir(parents=True)
        for number in range(14):
            picture = rng.integers(0, 250, (4, 4, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            picture[8:16, 8:16, label] = 255
            mask = np.zeros((SIZE, SIZE), np.uint8)
            mask[8:16, 8:16] = 255
            Image.fromarray(picture).save(tmp_path / f"pictures/images/{name}/{number:02}.png")
            Image.fromarray(mask).save(tmp_path / f"pictures/masks/{name}/{number:02}.png")
    path = tmp_path / "small.toml"
    path.write_text(SPEC, encoding="utf-8")
    return path
