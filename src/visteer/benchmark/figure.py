"""The result figure: rows of test images; columns image, edit, and the map of each approach."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from visteer.atomic import replacing, write_text
from visteer.benchmark.cell import has_run, study_folder
from visteer.benchmark.records import CellRecord
from visteer.benchmark.spec import BenchmarkSpec
from visteer.errors import VisteerError
from visteer.report import GalleryRow, before_after_picture, before_after_svg
from visteer.study import Study, result_rows

ROWS = 5


def write_figures(
    out: Path,
    spec: BenchmarkSpec,
    records: Sequence[CellRecord],
    on_note: Callable[[str], None] | None = None,
) -> list[Path]:
    """Draw one figure for each data set and model, as PNG and SVG, from the runs of the first seed; gives the paths.

    The columns are the approaches whose run at its largest fraction is done and still there, in the order of the
    benchmark; the rows are picked by `result_rows`. Where fewer than two are done, or no image has a region, there is
    nothing to compare, and no figure; nor where a file of a run is missing or damaged, which `on_note` is told. A
    figure of before stays then, since runs may have been deleted to save space.
    """
    paths = []
    for data, model in itertools.product(spec.data, spec.models):
        png = out / f"figure-{data.name}--{model.name}.png"
        svg = png.with_suffix(".svg")
        runs = _runs_to_show(
            out, spec, [r for r in records if (r.cell.data, r.cell.model) == (data.name, model.name)]
        )
        rows: Sequence[GalleryRow] = ()
        try:
            if runs:
                rows = result_rows(
                    Study(study_folder(out, runs[0].cell)), [str(run.run) for run in runs], "test", ROWS
                )
        except VisteerError as error:
            if on_note is not None:
                on_note(f"no figure of {data.name} with {model.name}: {error}")
        if not rows:
            continue
        names = [run.cell.approach for run in runs]
        columns = ("Image", "Edit", *(name[:1].upper() + name[1:] for name in names))
        with replacing(png) as partial:
            before_after_picture(rows, columns).save(partial, format="png")
        write_text(svg, before_after_svg(rows, columns))
        paths += [png, svg]
    return paths


def _runs_to_show(out: Path, spec: BenchmarkSpec, records: Iterable[CellRecord]) -> list[CellRecord]:
    """Of one data set and model the run of each approach with the most edits; none if there is nothing to compare."""
    done = [r for r in records if r.cell.seed == spec.seeds[0] and has_run(out, r)]
    # The largest fraction comes last and stays.
    runs = {r.cell.approach: r for r in sorted(done, key=lambda r: r.cell.fraction)}
    chosen = [runs[name] for name in spec.approaches if name in runs]
    return chosen if len(chosen) > 1 and chosen[0].value("iou") is not None else []
