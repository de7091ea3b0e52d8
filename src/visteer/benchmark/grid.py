"""All cells of a benchmark: what is done is skipped, what failed is tried once more, what was cut short goes on."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from types import ModuleType
from typing import Any, BinaryIO, Literal

import torch

from visteer.atomic import write_text
from visteer.benchmark.cell import has_run, prepare_studies, run_folder, study_folder
from visteer.benchmark.records import CellRecord, read_record, record_path, write_record
from visteer.benchmark.spec import BenchmarkSpec, Cell, named_text, read_spec
from visteer.errors import VisteerError
from visteer.lock import held
from visteer.study import Study, run_ratings
from visteer.study.setup import Progress

Engine = Literal["local", "ray"]
ATTEMPTS = 2
_LAST_WORDS = 400


@dataclass(frozen=True)
class Standing:
    """How far the grid is: the cell that has just ended, how many have, and the seconds of the rest, if known."""

    record: CellRecord
    ended: int
    total: int
    seconds_left: float | None


def run_grid(
    spec_path: Path,
    out: Path,
    *,
    data_root: Path | None = None,
    workers: int = 1,
    engine: Engine = "local",
    on_cell: Callable[[Standing], None] | None = None,
    progress: Progress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> tuple[CellRecord, ...]:
    """Run every cell of `spec_path` that is not done, each in a process of its own, and give all records.

    Arguments:
        spec_path: the benchmark's TOML file; a copy is kept in `out`.
        out: the folder of the studies, runs, records and logs.
        data_root: what relative paths in the file count from; by default the file's folder.
        workers: the cells at work at once; on one machine they share its processors.
        engine: "local", or "ray" for the Ray cluster that `ray.init` finds; it needs `out` and the data on a
            file system that all machines share.
        on_cell: called after each cell. progress: called while the images are read. on_note: called with what was
            left out of the data, and with maps of few cells.

    Raises:
        VisteerError: the file or the data cannot be used, a done cell has other settings than the file now, another
            call is at work on `out`, or Ray is missing. A cell that fails raises nothing; its record has the error.
    """
    spec = read_spec(spec_path, data_root)
    if engine == "ray":
        _ray()
    root = (data_root or spec_path.parent).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with held(out, f"another call is at work on {out}; wait for it, or take another --out"):
        cells = list(spec.cells())
        records = {cell: read_record(out, cell) for cell in cells}
        _refuse_other_settings(spec, out, records.values())
        waiting = [cell for cell in cells if records[cell].state != "done"]
        records |= {cell: replace(records[cell], state="waiting") for cell in waiting}
        needed = {(cell.data, cell.model) for cell in waiting}
        prepare_studies(spec, out, progress, wanted=needed, on_note=on_note)
        kept = (out / "spec.toml").resolve()
        if spec_path.resolve() != kept:
            write_text(kept, named_text(spec_path))
        jobs = [_Job(str(kept), str(root), str(out.resolve()), cell) for cell in waiting]
        run = _on_ray if engine == "ray" else _on_this_machine
        with closing(run(jobs, workers)) as ended:
            for record in ended:
                records[record.cell] = record
                if on_cell is not None:
                    ended_cells = sum(r.state != "waiting" for r in records.values())
                    left = _seconds_left(records.values(), workers)
                    on_cell(Standing(record, ended_cells, len(cells), left))
        with suppress(OSError):  # some cell had something to say
            (out / "logs").rmdir()
    return tuple(records.values())


def _refuse_other_settings(spec: BenchmarkSpec, out: Path, records: Iterable[CellRecord]) -> None:
    """Refuse to call the figures of other settings those of `spec`.

    Raises:
        VisteerError: a cell is done whose settings the file has changed since.
    """
    for record in records:
        changed = spec.changes(record.cell, record.config) if record.state == "done" else {}
        for name, (then, now) in changed.items():
            run = f" and {run_folder(out, record)}" if has_run(out, record) else ""
            raise VisteerError(
                f"{record.cell.name} was measured with {name} {then}, and the file says {now}; take another --out, "
                f"or delete {record_path(out, record.cell)}{run}"
            )


def read_grid(out: Path) -> tuple[BenchmarkSpec, tuple[CellRecord, ...]]:
    """The benchmark in `out` and the records of all its cells, with the blind ratings that people have given since.

    Raises:
        VisteerError: there is no benchmark, or a file is damaged.
    """
    if not (out / "spec.toml").exists():
        raise VisteerError(f"{out} holds no benchmark; run one: visteer benchmark SPEC.toml --out {out}")
    spec = read_spec(out / "spec.toml")
    return spec, tuple(_with_ratings(out, [read_record(out, cell) for cell in spec.cells()]))


def _with_ratings(out: Path, records: Sequence[CellRecord]) -> Iterator[CellRecord]:
    """The records with the expert rating of their runs' maps of the test images, where those were rated."""
    runs = defaultdict(list)
    for record in records:
        if has_run(out, record):
            runs[study_folder(out, record.cell)].append(str(record.run))
    rated = {folder: run_ratings(Study(folder), names, "test") for folder, names in runs.items()}
    for record in records:
        rating = rated.get(study_folder(out, record.cell), {}).get(record.run or "")
        rates = {} if rating is None else {"expert_rating": rating.mean.to_json()}
        yield replace(record, figures={**record.figures, **rates})


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know, on this machine or another."""

    spec: str
    root: str
    out: str
    cell: Cell

    def run(
        self, environment: dict[str, str] | None = None, processes: _Processes | None = None
    ) -> CellRecord:
        """Run the cell in a process, twice if it fails, and give its record; as it was if `processes` are ended."""
        processes = processes or _Processes()
        out = Path(self.out)
        log = out / "logs" / f"{self.cell.name}.log"
        log.parent.mkdir(exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "visteer.benchmark.cell",
            self.spec,
            self.root,
            self.out,
            self.cell.name,
        ]
        record = replace(read_record(out, self.cell), attempts=0)
        log.unlink(missing_ok=True)
        while record.attempts < ATTEMPTS:
            with log.open("ab") as file:
                code = processes.run(command, file, {**os.environ, **(environment or {})})
            if code and processes.ended:
                return record
            record = replace(read_record(out, self.cell), attempts=record.attempts + 1)
            if code == 0:
                if not log.stat().st_size:
                    log.unlink()
                break
            record = replace(record, state="failed", error=_last_words(log, code))
        write_record(out, record)
        return record


class _Processes:
    """The processes of a grid on this machine, which are ended together; after that none is begun."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.ended = False

    def run(self, command: list[str], output: BinaryIO, environment: Mapping[str, str]) -> int:
        """The exit status of `command`, not 0 where it was ended. Ctrl-C in the terminal does not reach it."""
        with self._lock:
            if self.ended:
                return 1
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # ends when this process is killed, and the cell with it
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
            self._running.add(process)
        with process:
            code = process.wait()
        with self._lock:
            self._running.remove(process)
        return code

    def end(self) -> None:
        """End those that run. A cell loses at most its unfinished epoch."""
        with self._lock:
            self.ended = True
            for process in self._running:
                process.terminate()


def _on_this_machine(jobs: list[_Job], workers: int) -> Generator[CellRecord, None, None]:
    """Run the jobs, `workers` at once, each with its share of the processors and, in turn, one of the accelerators.

    A worker has no more threads than its share of the processors, nor than OMP_NUM_THREADS says where it is set:
    threads that wait for one another while something else uses the processor slow a run down many times over.
    """
    share = max(1, (os.cpu_count() or 1) // workers)
    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = str(min(share, int(given)) if given.isdecimal() and int(given) else share)
    places: SimpleQueue[int] = SimpleQueue()
    for place in range(workers):
        places.put(place)

    processes = _Processes()

    def work(job: _Job) -> CellRecord:
        place = places.get()
        try:
            return job.run({"OMP_NUM_THREADS": threads, **_accelerator(place)}, processes)
        finally:
            places.put(place)

    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in as_completed([pool.submit(work, job) for job in jobs]):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            processes.end()


def _on_ray(jobs: list[_Job], workers: int) -> Generator[CellRecord, None, None]:
    """Run the jobs on a Ray cluster, `workers` at once."""
    ray = _ray()
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    gpus = 1 if ray.cluster_resources().get("GPU") else 0
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_Job.run)
    waiting: list[_Job] = list(jobs)
    running: list[Any] = []
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(task.remote(waiting.pop(0)))
        ended, running = ray.wait(running)
        yield from ray.get(ended)


def _ray() -> ModuleType:
    """The module.

    Raises:
        VisteerError: it is not installed.
    """
    try:
        return import_module("ray")
    except ImportError:
        raise VisteerError('--engine ray needs Ray: pip install "visteer[ray]"') from None


def _accelerator(place: int) -> dict[str, str]:
    """Which of several CUDA devices the worker at `place` sees; only of those that `CUDA_VISIBLE_DEVICES` names."""
    count = torch.cuda.device_count()
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    devices = named or [str(number) for number in range(count)]
    return {"CUDA_VISIBLE_DEVICES": devices[place % count]} if count > 1 else {}


def _last_words(log: Path, code: int) -> str:
    """The last line that a failed cell wrote, or how it ended."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    ended = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
    return (lines[-1] if lines and code > 0 else ended)[:_LAST_WORDS]


def _seconds_left(records: Iterable[CellRecord], workers: int) -> float | None:
    """What the waiting cells will take: each as long as the cells like it took on average."""
    records = list(records)
    done = [r for r in records if r.state == "done" and r.seconds > 0]
    if not done:
        return None

    def expected(cell: Cell) -> float:
        same_study = [r for r in done if (r.cell.data, r.cell.model) == (cell.data, cell.model)]
        same_approach = [r for r in same_study if r.cell.approach == cell.approach]
        return statistics.mean(r.seconds for r in same_approach or same_study or done)

    return sum(expected(r.cell) for r in records if r.state == "waiting") / workers
