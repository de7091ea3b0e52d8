"""One cell of a grid, in a process of its own: train or go on, measure on the test images, write the record.

`python -m visteer.benchmark.cell SPEC ROOT OUT CELL` is what the grid starts; it ends when standard input is closed,
so that no cell outlives the grid.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Container
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from visteer.benchmark.records import CellRecord, write_record
from visteer.benchmark.spec import BenchmarkSpec, Cell, read_spec
from visteer.edits.formats.regions import choose_fraction
from visteer.errors import VisteerError
from visteer.lifeline import end_with_input
from visteer.steering import METHODS, RunFolder, SteeringConfig, SteeringDataset
from visteer.steering.config import changed_settings
from visteer.steering.run_folder import digest_data
from visteer.study import (
    Study,
    TrainingData,
    chosen_irrelevant,
    default_selection,
    import_regions,
    is_steered,
    make_study,
    stored_result,
    train_run,
)
from visteer.study.setup import Progress


def study_folder(out: Path, cell: Cell) -> Path:
    """The study that all cells of one data set and model share."""
    return out / "studies" / f"{cell.data}--{cell.model}"


def run_folder(out: Path, record: CellRecord) -> Path:
    """Where the run of `record` is, or was."""
    return study_folder(out, record.cell) / "runs" / str(record.run)


def has_run(out: Path, record: CellRecord) -> bool:
    """Whether `record` is done and its run is still there.

    Someone may have deleted it to save space, and then its id may have been given to the run of another cell.
    """
    if record.state != "done":
        return False
    try:
        facts = RunFolder(run_folder(out, record)).describe()
    except VisteerError:
        return False
    return facts.get("cell") == record.cell.name


def prepare_studies(
    spec: BenchmarkSpec,
    out: Path,
    progress: Progress | None = None,
    *,
    wanted: Container[tuple[str, str]] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> None:
    """Make the studies of a grid with the regions of their data sets as edits; those that are there stay.

    Files that cannot be used are left out, as `visteer init --on-bad skip` does. Of the studies that are not there
    only those whose (data, model) is `wanted` are made; None makes all. `on_note` is called with what was left out,
    and with maps of few cells.

    Raises:
        VisteerError: the images, their regions or the model cannot be had.
    """
    steered = any(map(spec.uses_edits, spec.approaches))
    for data in spec.data:
        if steered and data.layout == "folder" and data.masks is None and data.irrelevant_masks is None:
            raise VisteerError(
                f'data {data.name}: approaches that use edits need regions; write masks = "FOLDER" or '
                'irrelevant_masks = "FOLDER", or leave such approaches out'
            )
        for model in spec.models:
            folder = out / "studies" / f"{data.name}--{model.name}"
            settings = spec.study_settings(data.name, model.name)
            if (folder / "visteer.toml").exists():
                study = Study(folder)
                if study.settings != settings:
                    raise VisteerError(
                        f"{folder} was made with other settings than the file has now; take another --out, "
                        "or delete that folder"
                    )
            elif wanted is not None and (data.name, model.name) not in wanted:
                continue
            else:
                made = make_study(folder, settings, on_bad="skip", progress=progress)
                study = made.study
                bad = [problem for problem in made.problems if problem.severity == "error"]
                if bad and on_note is not None:
                    first = f"{bad[0].path}: {bad[0].what}"
                    on_note(f"{data.name}: {len(bad)} files cannot be used and are left out, such as {first}")
                if made.maps.coarse and on_note is not None:
                    on_note(
                        f"{data.name} with {model.name}: {made.maps.warning} (layer or image_size of the data)"
                    )
            with study.open_edits(create=True) as store:
                empty = not store.count()
            if empty and (steered or _has_regions(study)):
                import_regions(study, "boxes" if data.masks is None and _has_boxes(study) else "masks")


def run_cell(spec: BenchmarkSpec, out: Path, cell: Cell) -> CellRecord:
    """Run `cell`, or what is left of it, and write its record.

    Raises:
        VisteerError: training or measuring failed.
    """
    study = Study(study_folder(out, cell))
    config, given = spec.config(cell), spec.given(cell)
    data = TrainingData.of(study)
    data = TrainingData(
        keep_edits(data.training, cell.fraction, cell.seed),
        keep_edits(data.validation, cell.fraction, cell.seed),
    )
    if given.get("irrelevant") == "auto":
        config = replace(config, irrelevant=chosen_irrelevant(data.training))  # type: ignore[arg-type]
    if "select_by" not in given:
        config = replace(config, select_by=default_selection(data.validation, steered=is_steered(config)))
    started = time.monotonic()
    run = _run_of(study, cell, config, data.training)
    before = sum(_epoch_seconds(study, run)) if run is not None else 0.0
    if run is None or not study.run_folder(run).finished:
        run, _ = train_run(study, config, data=data, resume=run, facts={"cell": cell.name})
    result = stored_result(study, run, "test")
    facts: dict[str, Any] = study.run_folder(run).describe()
    figures = {**result.figures, **result.maps, **result.interventions}
    record = CellRecord(
        cell,
        "done",
        run=run,
        seconds=before + time.monotonic() - started,
        epoch_seconds=median(seconds) if (seconds := _epoch_seconds(study, run)) else None,
        machine={**facts.get("machine", {}), **facts.get("versions", {})},
        config=config.to_dict(),
        figures={name: figure.to_json() for name, figure in figures.items()},
    )
    write_record(out, record)
    return record


def keep_edits(data: SteeringDataset, fraction: float, seed: int) -> SteeringDataset:
    """The same images with the edits of a seeded part of those that have one; smaller parts lie in larger ones.

    Example:
        >>> from visteer.edits.map_edit import MapEdit
        >>> edits = {str(i): MapEdit([[1.0]], [[1.0]], author="Ada") for i in range(4)}
        >>> data = SteeringDataset(np.zeros((6, 8, 8, 3), np.uint8), [0, 1] * 3, ["a", "b"], edits=edits)
        >>> thinned = keep_edits(data, 0.5, seed=0)
        >>> len(thinned.edited), thinned.targets.shape, len(data.edited)
        (2, (2, 8, 8), 4)
    """
    names = set(choose_fraction([data.ids[row] for row in data.edited], fraction, seed))
    kept = np.array([row for row in data.edited if data.ids[row] in names], dtype=np.int64)
    thinned = copy.copy(data)
    thinned.targets = data.targets[data.edit_rows[kept]]
    thinned.weights = data.weights[data.edit_rows[kept]]
    thinned.edit_rows = np.full(len(data), -1, dtype=np.int64)
    thinned.edit_rows[kept] = np.arange(len(kept))
    return thinned


def _epoch_seconds(study: Study, run: str) -> list[float]:
    return [row["seconds"] for row in study.run_folder(run).history() if "seconds" in row]


def _has_regions(study: Study) -> bool:
    return any(s.boxes or s.masks or s.irrelevant_masks for s in study.catalogue().samples)


def _has_boxes(study: Study) -> bool:
    return any(sample.boxes for sample in study.catalogue().samples)


def _run_of(study: Study, cell: Cell, config: SteeringConfig, training: SteeringDataset) -> str | None:
    """The run that was begun for `cell`, if any. One with other settings and no finished epoch is left aside.

    So are those that do not say any more whose they are, and unfinished ones that were begun on other images or edits
    than `training`: people may have drawn since.

    Raises:
        VisteerError: it was begun with other settings.
    """
    other: str | None = None
    for run in study.runs():
        try:
            facts: dict[str, Any] = study.run_folder(run).describe()
            if facts.get("cell") != cell.name:
                continue
            changed = changed_settings(facts["config"], config.to_dict())
        except (VisteerError, KeyError, TypeError):
            continue
        # Without one the study's was taken; a run with an attention branch has none.
        if config.target_layer is None or METHODS[config.method].has_branch:
            changed.pop("target_layer", None)
        if changed and study.run_folder(run).history():
            other = run
        if not changed and (
            study.run_folder(run).finished or facts.get("data_digest") == digest_data(training)
        ):
            return run
    if other is not None:
        raise VisteerError(
            f"{cell.name} was begun with other settings (run {other}); take another --out, or delete "
            f"{study.run_folder(other).folder}"
        )
    return None


def main(spec_path: str, data_root: str, out: str, name: str) -> int:
    """Run the cell `name`; the error, in one line, is the last line of standard error."""
    end_with_input(3)
    try:
        spec = read_spec(Path(spec_path), Path(data_root))
        run_cell(spec, Path(out), next(cell for cell in spec.cells() if cell.name == name))
    except (VisteerError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
