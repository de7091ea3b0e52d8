"""A few phantom pictures in the layout of BUSI, so that the pages' own commands can be run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from visteer.data.phantom import render_phantom

CLASSES = ("benign", "malignant", "normal")


def write_busi(folder: Path, each: int = 12, size: int = 64) -> None:
    """`each` pictures a class under `folder`, named and masked as BUSI's; `normal` has empty masks."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(1, each + 1):
            made = render_phantom(1000 * label + number, label % 2, image_size=size)
            lesion = made.lesion if name != "normal" else np.zeros_like(made.lesion)
            Image.fromarray(made.image).save(folder / name / f"{name} ({number}).png")
            Image.fromarray(lesion).save(folder / name / f"{name} ({number})_mask.png")
