"""The maps and predictions that the list lacks, made in the background by a process of low priority."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Condition, Thread

from visteer.data.sample import Split
from visteer.server.maps import Maps, Stamp
from visteer.server.messages import JobState
from visteer.study import Study

_STOP_SECONDS = 3
_KILLED = "the process was killed; start the editor again to have them made"


@dataclass(frozen=True)
class MapJob:
    """The maps of one split by one run; `done` of `total` images (0 until it is known); `detail` says what failed."""

    run: str
    split: Split
    state: JobState = "waiting"
    done: int = 0
    total: int = 0
    detail: str = ""


class MapJobs:
    """Makes maps one split at a time. What failed is not tried again before the server starts anew.

    The process (`visteer.server.map_worker`) lives on a pipe from this one: it ends when the pipe does, however this
    process ends. A file of maps appears whole or not at all.
    """

    def __init__(self, study: Study, maps: Maps, *, enabled: bool) -> None:
        self._study = study
        self._maps = maps
        self._enabled = enabled
        self._splits = tuple(dict.fromkeys(sample.split for sample in study.samples))
        self._jobs: dict[tuple[str, Split], MapJob] = {}
        self._made: dict[tuple[str, Split], Stamp | None] = {}
        self._changed = Condition()
        self._process: subprocess.Popen[str] | None = None
        self._thread: Thread | None = None
        self._closed = False

    @property
    def jobs(self) -> list[MapJob]:
        """All that were wanted since the server started, in that order."""
        with self._changed:
            return list(self._jobs.values())

    def want(self, run: str | None) -> None:
        """Have the maps made that `run` lacks; at once where that is asked for again, or is not enabled."""
        if run is None or not self._enabled:
            return
        lacking = [split for split in self._splits if self._maps.stored(run, split) is None]
        with self._changed:
            for split in lacking:
                known = self._jobs.get((run, split))
                # Done, and its file was deleted or damaged since; one that is as it was made would be made so again.
                changed = self._maps.stamp(run, split) != self._made.get((run, split))
                if known is None or (known.state == "done" and changed):
                    self._jobs[run, split] = MapJob(run, split)
            if self._thread is None and lacking and not self._closed:
                self._thread = Thread(target=self._work, name="map jobs", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Stop what is running; its file is not written."""
        with self._changed:
            self._closed = True
            process, thread = self._process, self._thread
            self._changed.notify()
        if process is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        if thread is not None:
            thread.join(_STOP_SECONDS)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._closed and self._next() is None:
                    self._changed.wait()
                job = self._next()
                if self._closed or job is None:
                    return
                try:
                    process = self._start(job)
                except OSError as error:
                    self._put(replace(job, state="failed", detail=f"no process can be started: {error}"))
                    continue
                self._process = process
                self._put(replace(job, state="running"))
            with process:
                said = self._follow(process, job)
            for left in (self._study.folder / "maps").glob(f".*.{process.pid}.partial"):
                left.unlink(missing_ok=True)  # it was killed while it wrote
            is_made = not process.returncode or self._maps.stored(job.run, job.split) is not None
            with self._changed:
                self._process = None
                latest = self._jobs[job.run, job.split]
                if is_made:
                    self._made[job.run, job.split] = self._maps.stamp(job.run, job.split)
                    self._put(replace(latest, state="done"))
                else:
                    self._put(replace(latest, state="failed", detail=said or _KILLED))

    def _start(self, job: MapJob) -> subprocess.Popen[str]:
        # -P: no module in the user's folder is taken for one of Python's. Its own session: Ctrl-C does not reach it.
        worker = [sys.executable, "-P", "-m", "visteer.server.map_worker"]
        return subprocess.Popen(
            [*worker, str(self._study.folder.resolve()), job.run, job.split],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def _next(self) -> MapJob | None:
        return next((job for job in self._jobs.values() if job.state == "waiting"), None)

    def _put(self, job: MapJob) -> None:
        self._jobs[job.run, job.split] = job

    def _follow(self, process: subprocess.Popen[str], job: MapJob) -> str:
        """Take in the progress of a process until it ends; gives the last line that was none."""
        said = ""
        for line in process.stdout or ():
            try:
                done, total = json.loads(line)
                progress = replace(job, state="running", done=int(done), total=int(total))
            except (TypeError, ValueError):
                said = line.strip() or said
                continue
            with self._changed:
                self._put(progress)
        return said
