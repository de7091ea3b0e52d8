"""What is known of each cell of a grid, one small file a cell."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from visteer.atomic import write_text
from visteer.benchmark.spec import Cell, changed_settings
from visteer.errors import VisteerError

State = Literal["waiting", "done", "failed"]

ACCURACIES = {
    "accuracy": "right where the decoys lie",
    "accuracy_clean": "right without any decoy",
    "accuracy_agreeing": "right where the decoys tell the class",
}
"""What a run with decoys or planted marks measures, and what it is."""


@dataclass(frozen=True)
class CellRecord:
    """One cell: how it stands and, once done, its figures on the test images.

    `seconds` are those of the cell, `epoch_seconds` the median of its epochs (training and validation), `machine` says
    where. `figures` maps a name to value, low and high (a 95 % bootstrap interval over the images; None for NaN).
    `expert_rating`, the mean blind rating of its maps, is never stored: `read_grid` adds it where people have rated.
    """

    cell: Cell
    state: State = "waiting"
    run: str | None = None
    attempts: int = 0
    error: str = ""
    seconds: float = 0.0
    epoch_seconds: float | None = None
    machine: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, object] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    def value(self, name: str) -> float | None:
        """The figure `name`, None where the cell has none."""
        return self.figures.get(name, {}).get("value")


def kept_result(
    path: Path | None, config: Mapping[str, object], run: Callable[[], dict[str, object]]
) -> dict[str, object]:
    """What `run` gives, kept as JSON at `path`; what is there already is read instead. None keeps nothing.

    Arguments:
        path: the file.
        config: the settings that the result's own "config" must have; it may have others beside them.
        run: gives the result, with its accuracies.

    Raises:
        VisteerError: the file is damaged, or was measured with other settings.
    """
    if path is None:
        return run()
    if not path.exists():
        # What cannot be kept is found out before it is measured.
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path.with_suffix(".begun"), "")
        path.with_suffix(".begun").unlink()
        result = run()
        write_text(path, json.dumps(result, indent=1) + "\n")
        return result
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        then: dict[str, object] = kept["config"]
        sound = isinstance(then, dict) and all(math.isfinite(kept[name]) for name in ACCURACIES)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        sound = False
    if not sound:
        raise VisteerError(f"{path} is damaged; delete it, and it is measured again")
    for name, (before, now) in changed_settings(then, config).items():
        raise VisteerError(
            f"{path} was measured with {name} {before}, not {now}; delete it, or take another --out"
        )
    return kept


def record_path(out: Path, cell: Cell) -> Path:
    """The file of the record of `cell`."""
    return out / "cells" / f"{cell.name}.json"


def write_record(out: Path, record: CellRecord) -> None:
    """Replace the record of a cell as a whole."""
    path = record_path(out, record.cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(dataclasses.asdict(record), indent=1) + "\n")


def read_record(out: Path, cell: Cell) -> CellRecord:
    """The record of `cell`; one that waits where there is none.

    Raises:
        VisteerError: the file is damaged.
    """
    path = record_path(out, cell)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        record = CellRecord(**{**content, "cell": Cell(**content["cell"])})
    except FileNotFoundError:
        return CellRecord(cell)
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise VisteerError(f"{path} is damaged; delete it, and the cell is measured again") from None
    if not _is_sound(record) or record.cell != cell:
        raise VisteerError(f"{path} is damaged; delete it, and the cell is measured again")
    return record


def _is_sound(record: CellRecord) -> bool:
    if record.state not in ("waiting", "done", "failed"):
        return False
    if not all(isinstance(table, dict) for table in (record.config, record.figures, record.machine)):
        return False
    if not _is_number(record.seconds) or not (
        record.epoch_seconds is None or _is_number(record.epoch_seconds)
    ):
        return False
    return all(
        isinstance(figure, dict) and all(part is None or _is_number(part) for part in figure.values())
        for figure in record.figures.values()
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and abs(value) < math.inf
