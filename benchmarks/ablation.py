"""Transplanting without one of its parts, on the decoy set.

    python benchmarks/ablation.py --without places --seed 1 --fraction 0.001 --out benchmarks/results/ablation

cover       an image's own mark is not covered, only pasted over by chance
places      marks are pasted wherever they fall, three an image with probability 0.7, without a limit to their area
clean       every image whose mark is known gets marks pasted, too
contents    a mark's place always gets the mark, never what a marked image without one there has

cover and clean change only images whose mark is known: try them with --fraction 1; contents changes only the others.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visteer.benchmark.decoy import DecoyRun, decoy_config, run_decoy
from visteer.benchmark.kept import kept_result
from visteer.errors import VisteerError
from visteer.steering import irrelevant
from visteer.steering.dataset import SteeringBatch
from visteer.steering.irrelevant import DonorMarks


def without_cover() -> None:
    """Leave own marks as they are."""

    def leave(batch: SteeringBatch, *_: object) -> SteeringBatch:
        return batch

    irrelevant._cover_own_marks = leave


def without_places() -> None:
    """Draw three donors an image, each with probability 0.7."""

    def draw(marked: NDArray[np.bool_], marks: DonorMarks, generator: torch.Generator) -> Tensor:
        drawn = torch.randint(len(marks), (len(marked), 3), generator=generator)
        wanted = torch.rand(drawn.shape, generator=generator) < 0.7
        clean = (torch.rand(len(marked), generator=generator) < irrelevant.CLEAN_SHARE) & torch.from_numpy(
            marked
        )
        return torch.where(wanted & ~clean[:, None], torch.from_numpy(marks.rows)[drawn], -1)

    import_module("visteer.steering.steer").draw_donors = draw


def without_clean() -> None:
    """Give every image marks."""
    irrelevant.CLEAN_SHARE = 0.0


def without_contents() -> None:
    """Paste the donors' own marks everywhere."""

    def own(donors: Tensor, *_: object) -> Tensor:
        return donors

    import_module("visteer.steering.steer").draw_contents = own


PARTS: dict[str, Callable[[], None]] = {
    "cover": without_cover,
    "places": without_places,
    "clean": without_clean,
    "contents": without_contents,
}


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without", choices=list(PARTS), required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fraction", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    PARTS[given.without]()
    run = DecoyRun("decoy-fashion-ross", "transplant", given.seed, given.fraction)
    path = None if given.out is None else given.out / f"{run.name}--without-{given.without}.json"
    config = decoy_config(run).to_dict()
    result = kept_result(
        path,
        config,
        {**run.about, "without": given.without},
        lambda: {"without": given.without, **run_decoy(run)},
    )
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except (VisteerError, ValueError, OSError) as error:
        sys.exit(f"ablation.py: {error}")
