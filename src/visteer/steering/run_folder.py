"""The folder of a training run: what is written, in which order, so that a killed process loses no epoch.

run.json            settings, versions, digests, seed; written first, "state" says how far it came
state.pt            everything to go on from the last finished epoch; gone when the run is finished
metrics.jsonl       one line a finished epoch
best.safetensors    the weights of the best epoch so far; becomes model.safetensors at the end
.lock               held by the process that trains the run
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from torch import nn

from visteer.atomic import write_text
from visteer.checkpoint import load_checkpoint, load_training_state, save_checkpoint, save_training_state
from visteer.errors import VisteerError
from visteer.lock import held
from visteer.models import Classifier
from visteer.steering.dataset import SteeringDataset

Epoch = Mapping[str, float]


class RunFolder:
    """Reads and writes one run's folder; every file is replaced as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model_path = folder / "model.safetensors"
        self._best = folder / "best.safetensors"
        self._state = folder / "state.pt"

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.model_path.exists()

    def held(self) -> AbstractContextManager[None]:
        """Hold the folder while the run is trained: two processes would mix their epochs.

        Raises:
            VisteerError: another process trains this run, or the folder cannot be written.
        """
        return held(self.folder, f"another process trains {self.folder}; wait for it, or stop it first")

    def start(self, description: Mapping[str, object]) -> None:
        """Make the folder and write run.json.

        Raises:
            VisteerError: the folder holds a run already.
        """
        if (self.folder / "run.json").exists():
            raise VisteerError(f"{self.folder} holds a run already; resume it or choose another name")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_description({**description, "state": "started"})

    def describe(self) -> dict[str, object]:
        """The contents of run.json.

        Raises:
            VisteerError: it is missing or not JSON.
        """
        path = self.folder / "run.json"
        try:
            description = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise VisteerError(f"{self.folder} is not a run: it has no run.json") from None
        except (ValueError, RecursionError) as error:
            raise VisteerError(f"{path} is damaged ({error}); start a new run") from None
        if not isinstance(description, dict):
            raise VisteerError(f"{path} is damaged (not a JSON object); start a new run")
        return description

    def history(self) -> tuple[Epoch, ...]:
        """The rows of metrics.jsonl up to the first that is damaged, such as a last line cut off by a crash."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return ()
        rows = []
        for line in path.read_bytes().splitlines():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                break
            if not isinstance(row, dict) or not all(isinstance(value, int | float) for value in row.values()):
                break
            rows.append(row)
        return tuple(rows)

    def save_best(self, model: nn.Module, epoch: int) -> None:
        """Keep the weights of the best epoch so far."""
        save_checkpoint(self._best, model, {"epoch": epoch})

    def load_best(self, model: nn.Module) -> None:
        """Put the weights of the best epoch into `model`."""
        with self._told_how_to_mend():
            load_checkpoint(self.model_path if self.finished else self._best, model)

    def load_interrupted(self) -> Classifier | None:
        """The classifier that an unfinished run trains, with the best weights so far; None before the first epoch.

        Raises:
            VisteerError: its file is missing or damaged.
        """
        if self.finished or not self._state.exists():
            return None
        with self._told_how_to_mend():
            return load_checkpoint(self._best).model

    def save_epoch(self, state: Mapping[str, object], history: Sequence[Epoch]) -> None:
        """Acknowledge a finished epoch: first the state to go on from, then the line for readers."""
        save_training_state(self._state, {**state, "history": [dict(row) for row in history]})
        lines = "".join(json.dumps(row) + "\n" for row in history)
        write_text(self.folder / "metrics.jsonl", lines)

    def load_epoch(self) -> dict[str, object] | None:
        """What `save_epoch` stored last, or None before the first epoch.

        Raises:
            VisteerError: the file is damaged.
        """
        with self._told_how_to_mend():
            if not self._state.exists():
                return None
            state = load_training_state(self._state)
            if not _is_whole(state):
                raise VisteerError(f"{self._state} is damaged: it lacks a part of a training's state")
            if not self._best.exists():
                raise VisteerError(f"{self._best} is missing")
            return state

    def finish(self, facts: Mapping[str, object]) -> None:
        """Turn the best weights into the run's model and drop the state."""
        self._write_description({**self.describe(), **facts, "state": "finished"})
        if self._best.exists():
            self._best.replace(self.model_path)
        self._state.unlink(missing_ok=True)
        for left in self.folder.glob(".*.partial"):  # by a process that was killed while it wrote
            left.unlink(missing_ok=True)

    @contextmanager
    def _told_how_to_mend(self) -> Iterator[None]:
        try:
            yield
        except VisteerError as error:
            raise VisteerError(
                f"{error}; where a file is damaged the run cannot go on: delete {self.folder} and start it anew"
            ) from None

    def _write_description(self, description: Mapping[str, object]) -> None:
        write_text(self.folder / "run.json", json.dumps(description, indent=2) + "\n")


def _is_whole(state: Mapping[str, object]) -> bool:
    """Whether a stored state has all that a training goes on from."""
    rows = state.get("history")
    epochs = isinstance(rows, list) and bool(rows) and all("epoch" in row for row in rows)
    return epochs and bool(state.get("model")) and bool(state.get("optimizer"))


def digest_data(data: SteeringDataset) -> str:
    """SHA-256 of images, labels and edits: equal digests mean equal training data."""
    digest = hashlib.sha256()
    for start in range(0, len(data), 256):
        digest.update(np.ascontiguousarray(data.images[start : start + 256]).tobytes())
    for array in (data.labels, data.edit_rows, data.targets, data.weights):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update("\0".join(data.ids).encode())
    return digest.hexdigest()
