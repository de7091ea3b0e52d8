"""Maps made in the background: they appear whole, fail in a line, and no process outlives its server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.server.process import browser, running
from visteer.server.jobs import MapJobs
from visteer.server.maps import Maps
from visteer.study import explain_run

LIMIT = 120


def wait_for(said: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT
    while not said():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


@pytest.fixture
def jobs(study):
    """Jobs of a server on `study`, whose training images have no maps."""
    opened = MapJobs(study, Maps(study), enabled=True)
    yield opened
    opened.close()


def ended(jobs: MapJobs) -> bool:
    return all(job.state in ("done", "failed") for job in jobs.jobs)


def test_what_is_missing_is_made_and_is_what_explain_makes(jobs, study):
    jobs.want("plain-1")
    jobs.want("plain-1")
    wait_for(lambda: ended(jobs))
    (job,) = jobs.jobs
    count = len(study.ids("train"))
    assert (job.run, job.split, job.state, job.done, job.total) == ("plain-1", "train", "done", count, count)
    expected = explain_run(study, "plain-1", "train", instability=True)
    with np.load(study.folder / "maps" / "plain-1-train.npz", allow_pickle=False) as made:
        np.testing.assert_allclose(made["maps"], expected.maps, atol=1e-5)
        np.testing.assert_allclose(made["instability"], expected.instability, atol=1e-4)


def test_a_damaged_file_is_made_again_and_one_that_cannot_be_better_is_not(jobs, study):
    jobs.want("plain-1")
    wait_for(lambda: ended(jobs))
    path = study.folder / "maps" / "plain-1-train.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    jobs.want("plain-1")
    wait_for(lambda: ended(jobs))
    assert jobs._maps.stored("plain-1", "train") is not None
    path.write_bytes(b"what a worker wrote, and nobody can read")
    jobs._made["plain-1", "train"] = jobs._maps.stamp("plain-1", "train")
    jobs.want("plain-1")
    assert ended(jobs)


def test_a_killed_worker_leaves_no_half_file(jobs, study, monkeypatch):
    worker = """
import os, sys
from pathlib import Path
(Path(sys.argv[1]) / "maps" / f".plain-1-train.npz.{os.getpid()}.partial").write_bytes(b"half")
os.kill(os.getpid(), 9)
"""

    def start(job):
        return subprocess.Popen(
            [sys.executable, "-c", worker, str(study.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    monkeypatch.setattr(jobs, "_start", start)
    jobs.want("plain-1")
    wait_for(lambda: ended(jobs))
    (job,) = jobs.jobs
    assert (job.state, "start the editor again" in job.detail) == ("failed", True)
    assert not list((study.folder / "maps").glob(".*.partial"))


def test_what_cannot_be_made_says_so_in_a_line_and_is_not_tried_again(jobs, study):
    (study.folder / "runs" / "plain-1" / "model.safetensors").write_bytes(b"no weights")
    jobs.want("plain-1")
    wait_for(lambda: ended(jobs))
    jobs.want("plain-1")
    (job,) = jobs.jobs
    assert job.state == "failed"
    assert "model.safetensors" in job.detail
    assert "\n" not in job.detail
    assert "Traceback" not in job.detail
    assert not (study.folder / "maps" / "plain-1-train.npz").exists()


def test_nothing_is_made_where_it_is_not_wanted(study, client):
    off = MapJobs(study, Maps(study), enabled=False)
    off.want("plain-1")
    assert off.jobs == []
    off.close()
    assert client.get("/api/images").status_code == 200
    assert client.get("/api/jobs").json() == []


def test_the_list_has_the_predictions_once_they_are_made(serve):
    ada = serve(make_maps=True)
    counts = ada.get("/api/images", params={"split": "train"}).json()
    wait_for(lambda: [job["state"] for job in ada.get("/api/jobs").json()] == ["done"])
    counts = ada.get("/api/images", params={"split": "train"}).json()
    assert sum(counts["counts"].values()) == counts["total"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_server_that_ends_takes_its_process_along_and_leaves_no_half_file(study, static, how):
    with running(static, study.folder) as (process, url), browser(url) as ada:
        ada.get(url)
        wait_for(lambda: children(process.pid))
        (child,) = children(process.pid)
        process.send_signal(how)
        process.wait(60)
    wait_for(lambda: not Path(f"/proc/{child}").exists() or state(child) == "Z")
    left = sorted(path.name for path in (study.folder / "maps").iterdir())
    assert [name for name in left if "train" in name] in ([], ["plain-1-train.npz"])


def children(process: int) -> list[int]:
    """The processes below one, by its threads."""
    found = []
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        found += [int(child) for child in listed.read_text().split()]
    return [child for child in found if b"map_worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


def state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.skipif(not hasattr(os, "nice"), reason="no niceness here")
def test_it_gives_way_to_others(study, static):
    with running(static, study.folder) as (process, url), browser(url) as ada:
        ada.get(url)
        wait_for(lambda: children(process.pid))
        (child,) = children(process.pid)
        own = os.getpriority(os.PRIO_PROCESS, 0)
        wait_for(lambda: os.getpriority(os.PRIO_PROCESS, child) > own)


def test_a_server_without_maps_says_how_to_make_them(study, static):
    with running(static, study.folder, "--no-maps") as (process, url), browser(url) as ada:
        ada.get(url)
        assert ada.get("/api/jobs").json() == []
        process.kill()
        assert "make them: visteer explain" in process.stderr.read()
