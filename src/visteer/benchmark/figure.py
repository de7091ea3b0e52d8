"""The result figure: rows of test images; columns image, edit, and the map of each approach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from visteer.atomic import replacing, write_text
from visteer.benchmark.cell import has_run, study_folder
from visteer.benchmark.records import CellRecord
from visteer.benchmark.spec import BenchmarkSpec
from visteer.errors import VisteerError
from visteer.report import before_after_picture, before_after_svg
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
    nothing to compare, and no figure; nor where a file of a run is damaged, which `on_note` is told.
    """
    paths = []
    for data in spec.data:
        for model in spec.models:
            wanted = (data.name, model.name, spec.seeds[0])
            done = [
                r for r in records if wanted == (r.cell.data, r.cell.model, r.cell.seed) and has_run(out, r)
            ]
            # The largest fraction comes last and stays.
            runs = {r.cell.approach: r for r in sorted(done, key=lambda r: r.cell.fraction)}
            names = [name for name in spec.approaches if name in runs]
            if len(names) < 2 or runs[names[0]].value("iou") is None:
                continue
            study = Study(study_folder(out, runs[names[0]].cell))
            try:
                rows = result_rows(study, [str(runs[name].run) for name in names], "test", ROWS)
            except VisteerError as error:
                if on_note is not None:
                    on_note(f"no figure of {data.name} with {model.name}: {error}")
                continue
            columns = ("Image", "Edit", *(name[:1].upper() + name[1:] for name in names))
            path = out / f"figure-{data.name}--{model.name}.png"
            with replacing(path) as partial:
                before_after_picture(rows, columns).save(partial, format="png")
            write_text(path.with_suffix(".svg"), before_after_svg(rows, columns))
            paths += [path, path.with_suffix(".svg")]
    return paths
