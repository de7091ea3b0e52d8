"""A small data set and a study made of it, without any training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visteer.steering import RunFolder
from visteer.study import Study, StudySettings, make_study

SIZE = 48
COUNT = 20


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 20 pictures, with masks of a lesion and of a mark; the last two of a class are near-copies."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for part in ("images", "masks", "marks"):
            (root / part / name).mkdir(parents=True)
        for number in range(COUNT):
            if number < COUNT - 1:
                blocks = rng.integers(0, 250, (8, 8, 3), dtype=np.uint8).repeat(6, 0).repeat(6, 1)
            Image.fromarray(blocks + np.uint8(number == COUNT - 1)).save(
                root / f"images/{name}/{number:02}.png"
            )
            for part, box in {"masks": (8, 24), "marks": (0, 5)}.items():
                mask = np.zeros((SIZE, SIZE), np.uint8)
                mask[slice(*box), slice(*box)] = 255
                Image.fromarray(mask).save(root / f"{part}/{name}/{number:02}.png")
    return root


@pytest.fixture(scope="session")
def settings(pictures: Path) -> StudySettings:
    """Settings of a study of `pictures`."""
    return StudySettings(
        images=pictures / "images",
        masks=pictures / "masks",
        irrelevant_masks=pictures / "marks",
        model="test_resnet",
        weights="none",
        image_size=SIZE,
        seed=3,
    )


@pytest.fixture(scope="session")
def made(settings: StudySettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fresh study; take `study` instead where it is changed."""
    folder = tmp_path_factory.mktemp("made") / "study"
    make_study(folder, settings)
    return folder


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Study:
    """A fresh study that a test may change."""
    return Study(Path(shutil.copytree(made, tmp_path / "study")))


@pytest.fixture
def with_runs(study: Study) -> Callable[..., Study]:
    """Gives the study after making folders of runs that were begun."""

    def make(*names: str) -> Study:
        for name in names:
            RunFolder(study.folder / "runs" / name).start({})
        return study

    return make
