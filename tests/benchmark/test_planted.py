"""A run with planted marks, in the small."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from subprocess import CompletedProcess

import numpy as np
import pytest

from tests.docs.markdown import ROOT
from tests.study.conftest import made, pictures, settings  # noqa: F401
from visteer.benchmark.planted import APPROACHES, PlantedRun, plant, run_planted
from visteer.errors import VisteerError
from visteer.study import Study, import_regions, make_study

RUN = PlantedRun("patch", "visteer", 3, 0.5, epochs=1)


@pytest.fixture
def study(settings, tmp_path) -> Study:  # noqa: F811
    """A study with masks as edits, its images large enough for a mark."""
    study = make_study(tmp_path / "study", replace(settings, image_size=64)).study
    import_regions(study, "masks")
    return study


def test_edits_say_what_the_approach_knows(study):
    data = study.dataset("train")
    marked = plant(data, RUN, "agree", 0, everything_else=False)
    assert len(marked.edited) == round(0.5 * len(data))
    changed = (np.asarray(marked.images) != data.images[np.arange(len(data))]).any(axis=3)
    for row in marked.edited:
        weights, targets = (array[marked.edit_rows[row]] for array in (marked.weights, marked.targets))
        assert (weights[changed[row]] == 255).all()
        assert (targets[changed[row]] == 0).all()
        assert (weights == 0).any()
        assert targets.any()
    whole = plant(data, RUN, "agree", 0, everything_else=True)
    assert (whole.weights == 255).all()
    plain = plant(data, RUN, None, 0, everything_else=False)
    assert np.array_equal(plain.images, data.images[np.arange(len(data))])


def test_a_mark_tells_the_class_or_a_random_one_at_the_same_place(study):
    data = study.dataset("train")
    agree, random = (plant(data, RUN, told, 0, everything_else=False) for told in ("agree", "random"))
    same = (agree.images == random.images).all(axis=(1, 2, 3))
    assert 0 < same.mean() < 1  # a random class is right for some
    assert np.array_equal(agree.weights, random.weights)


@pytest.mark.parametrize("approach", APPROACHES)
def test_every_approach_runs_and_says_what_it_was(study, approach):
    result = run_planted(study, replace(RUN, approach=approach))
    for name in ("accuracy", "accuracy_clean", "accuracy_agreeing"):
        assert 0 <= result[name] <= 1
    assert result["reliance_irrelevant"] >= 0
    assert result["approach"] == approach


def test_what_cannot_be_run(study, settings, tmp_path):  # noqa: F811
    with pytest.raises(ValueError, match="approach must be one of clean"):
        run_planted(study, replace(RUN, approach="magic"))
    bare = make_study(tmp_path / "bare", replace(settings, image_size=64)).study
    with pytest.raises(VisteerError, match="import its masks first"):
        run_planted(bare, RUN)


def test_a_kept_result_of_another_study_of_the_same_name_is_not_given(study, settings, tmp_path):  # noqa: F811
    """Same folder name, other pixels."""
    words = ["--mark", "patch", "--approach", "without", "--epochs", "1", "--out", tmp_path / "out"]
    first = planted(study, *words)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["image_size"] == 64
    again = planted(study, *words)
    assert again.stdout == first.stdout
    other = make_study(tmp_path / "other" / "study", replace(settings, image_size=32)).study
    told = planted(other, *words)
    assert told.returncode == 1
    assert "is of image_size 64, not 32; take another --out" in told.stderr


def planted(study: Study, *words: object) -> CompletedProcess[str]:
    """What the script says of `study`."""
    command = [sys.executable, ROOT / "benchmarks" / "planted.py", study.folder, *words]
    return subprocess.run(command, check=False, capture_output=True, text=True)
