"""Made-up studies for the editor: a few pictures of 4096 x 4096, and more than five hundred small ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

VISTEER = (sys.executable, "-c", "from visteer.cli import main; main()")
LARGE, SMALL = 4096, 512


def make_study(root: Path, side: int, count: int) -> Path:
    """A study of `count` pictures of two classes with a run of a tiny network and all its maps."""
    rng = np.random.default_rng(0)
    for number in range(count):
        folder = root / "images" / ("left", "right")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        rough = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        smooth = np.asarray(rough.resize((side, side), Image.Resampling.BICUBIC))
        grain = rng.integers(0, 8, (side, side, 1), dtype=np.uint8)
        Image.fromarray(np.minimum(smooth, 247) + grain).save(folder / f"{number:04}.png", compress_level=1)
    study = root / "study"
    words = ("--model", "test_resnet", "--weights", "none", "--image-size", "64")
    visteer("init", study, "--images", root / "images", *words)
    visteer("train", study, "--epochs", 1)
    for split in ("train", "val", "test"):
        visteer("explain", study, "--split", split)
    return study


def visteer(*words: object) -> None:
    """Run the command line; what it says is shown where it fails."""
    done = subprocess.run([*VISTEER, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"visteer {words[0]}: {done.stderr}")
