"""Commands that are really killed: nothing acknowledged is lost, and the same command can be given again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.cli.command_line import call
from tests.cli.conftest import init_options
from visteer.study import Study

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")

# As `visteer`, but it tells when it begins to write and then waits to be killed.
WAITING = """
import sys, time
from visteer.edits.store import EditStore
from visteer.data.image_cache import ImageCache
from visteer.cli import main

def wait(place):
    print(place, flush=True)
    time.sleep(300)

{patch}
main(sys.argv[1:])
"""
IN_THE_TRANSACTION = """
import visteer.edits.store as store
real = store._append
def append(connection, edits, based_on=None):
    result = real(connection, edits, based_on)
    wait("written, not committed")
    return result
store._append = append
"""
WHILE_DECODING = """
import visteer.data.image_cache as cache
real = cache._decode
def decode(samples, path, *rest, **named):
    real(samples, path, *rest, **named)
    wait("decoded, not in place")
cache._decode = decode
"""


def start(code: str, *words: object) -> subprocess.Popen[str]:
    """Run `code` with `words` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
        text=True,
    )


def kill_when(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    """Kill the whole group as soon as `ready` holds."""
    deadline = time.monotonic() + 120
    while not ready():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()


def test_a_killed_steer_resumes_to_the_weights_of_an_uninterrupted_one(study, tmp_path):
    assert torch.get_num_threads() == 1
    shutil.rmtree(study / "runs" / "steered-2")
    whole = Path(shutil.copytree(study, tmp_path / "whole"))
    words = ("--epochs", 4, "--set", "augment=light")
    uninterrupted = call("steer", whole, *words, "--json").json

    code = "import sys; from visteer.cli import main; main()"
    metrics = study / "runs" / "steered-2" / "metrics.jsonl"
    process = start(code, "steer", study, *words)
    kill_when(process, metrics.exists)
    finished = len(metrics.read_text().splitlines())
    assert 1 <= finished < 4
    assert "is not finished" in call("evaluate", study, "--run", "steered-2").error

    resumed = call("steer", study, "--resume", "steered-2", "--json").json
    assert resumed["run"] == uninterrupted["run"] == "steered-2"
    assert resumed["irrelevant"] == "transplant"
    run = Path("runs") / "steered-2"
    assert (study / run / "model.safetensors").read_bytes() == (
        whole / run / "model.safetensors"
    ).read_bytes()
    assert without_times(study / run) == without_times(whole / run)
    assert not (study / run / "state.pt").exists()


def test_a_killed_init_can_be_given_again(phantom, tmp_path):
    folder = tmp_path / "new"
    process = start(WAITING.format(patch=WHILE_DECODING), "init", folder, *init_options(phantom))
    assert process.stdout is not None
    process.stdout.readline()
    kill_when(process, lambda: True)
    assert folder.exists()
    assert "is not a study" in call("train", folder).error
    assert call("init", folder, *init_options(phantom), "--json").json["images"]["train"] == 40
    assert len(Study(folder).dataset("train")) == 40


def test_a_killed_import_stores_nothing_and_loses_nothing(study):
    with Study(study).open_edits() as store:
        before = {name: edit.digest for name, edit in store.latest().items()}
    words = ("import", study, "--format", "masks", "--outside", "irrelevant")
    process = start(WAITING.format(patch=IN_THE_TRANSACTION), *words)
    assert process.stdout is not None
    process.stdout.readline()
    kill_when(process, lambda: True)
    with Study(study).open_edits() as store:
        assert {name: edit.digest for name, edit in store.latest().items()} == before
        assert store.count() == 60
    assert call(*words, "--json").json == {"edits": 80}
    with Study(study).open_edits() as store:
        assert store.count() == 140


def without_times(run: Path) -> list[dict[str, float]]:
    """The rows of metrics.jsonl but for how long an epoch took."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
