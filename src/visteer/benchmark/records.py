"""What is known of each cell of a grid, one small file a cell."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from visteer.atomic import write_text
from visteer.benchmark.spec import Cell
from visteer.errors import VisteerError

State = Literal["waiting", "done", "failed"]


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
        VisteerError: the file is damaged, or cannot be read.
    """
    path = record_path(out, cell)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        record = CellRecord(**{**content, "cell": Cell(**content["cell"]), "state": content["state"]})
    except FileNotFoundError:
        return CellRecord(cell)
    except OSError as error:
        raise VisteerError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise VisteerError(f"{path} is damaged; delete it, and the cell is measured again") from None
    if not _is_sound(record) or record.cell != cell:
        raise VisteerError(f"{path} is damaged; delete it, and the cell is measured again")
    return record


def _is_sound(record: CellRecord) -> bool:
    if record.state not in ("waiting", "done", "failed"):
        return False
    # The run is a folder's name: it must not lead elsewhere.
    run: object = record.run
    if run is not None and not (isinstance(run, str) and run != ".." and run and Path(run).name == run):
        return False
    if not _is_number(record.attempts) or not _is_text(record.error):
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


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    # A whole number may be larger than any float.
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max
