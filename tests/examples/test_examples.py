"""Every example runs as it stands, and shows what it is there to show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"


def printed(name: str) -> str:
    """What the example prints; it must end well and say nothing on standard error."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / name)],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_example_has_a_test():
    assert {path.name for path in FOLDER.glob("*.py")} == {
        "plain_loop.py",
        "callback_style.py",
        "own_torchvision_model.py",
    }


def test_in_a_plain_loop_the_class_is_learned_and_the_maps_approach_the_targets():
    lines = re.findall(r"(\d+)% right, .* attention loss ([\d.]+)", printed("plain_loop.py"))
    assert len(lines) == 6
    assert float(lines[-1][1]) < 0.5 * float(lines[0][1])
    assert int(lines[-1][0]) > 90


def test_as_a_callback_the_loss_falls():
    losses = [float(value) for value in re.findall(r"loss ([\d.]+)", printed("callback_style.py"))]
    assert len(losses) == 5
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_a_steered_model_of_one_s_own_relies_less_on_the_corner():
    lines = dict(line.split(": ") for line in printed("own_torchvision_model.py").splitlines())
    found = {name: [float(number) for number in re.findall(r"[\d.]+", line)] for name, line in lines.items()}
    (plain_accuracy, plain_reliance), (accuracy, reliance) = found["plain"], found["steered"]
    assert reliance < 0.5 * plain_reliance
    assert plain_reliance > 0.2
    assert accuracy > plain_accuracy + 0.1
