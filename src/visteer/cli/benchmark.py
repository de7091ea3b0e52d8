"""visteer benchmark: a grid of data sets, models, approaches and seeds, and its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated, get_args

import typer

from visteer.atomic import write_text
from visteer.benchmark.decoy import EPOCHS, DecoyRun, approaches, decoy_config, run_decoy
from visteer.benchmark.figure import write_figures
from visteer.benchmark.grid import Engine, Standing, read_grid, run_grid
from visteer.benchmark.kept import ACCURACIES, kept_result
from visteer.benchmark.report import duration, render_benchmark
from visteer.benchmark.table import ResultTable, result_table, to_csv, to_html, to_latex, to_markdown
from visteer.cli.options import JsonOption, one_of
from visteer.cli.output import note, print_json, progress_bar, progress_bars, say
from visteer.data.decoys import DecoyName, MarkKind
from visteer.errors import VisteerError

DECOYS = "A run on a decoy set"
FORMATS = {"md": to_markdown, "csv": to_csv, "tex": to_latex, "html": to_html}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("benchmark")(benchmark)


def benchmark(
    context: typer.Context,
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC",
            help="A benchmark's TOML file; paper for the one of the paper; or a decoy set for one run on it: "
            + ", ".join(get_args(DecoyName))
            + ".",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder of all results; default: the file's name without its ending. A decoy run: none."
        ),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="What relative paths in the file count from; default: its folder.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Runs at once.", min=1, max=256)] = 1,
    engine: Annotated[str, typer.Option(help="local, or ray for a Ray cluster.")] = "local",
    approach: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Of a decoy run: " + ", ".join(approaches()) + ".", rich_help_panel=DECOYS
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of a decoy run.", min=0, max=2**31 - 1, rich_help_panel=DECOYS)
    ] = 1,
    fraction: Annotated[
        float,
        typer.Option(help="Of the training images that have marks.", min=0, max=1, rich_help_panel=DECOYS),
    ] = 1.0,
    marks: Annotated[str, typer.Option(help="full, half or wrong.", rich_help_panel=DECOYS)] = "full",
    epochs: Annotated[
        int, typer.Option(help="Of a decoy run.", min=1, max=100_000, rich_help_panel=DECOYS)
    ] = EPOCHS,
    data: Annotated[
        Path | None,
        typer.Option(help="The folder of the decoy set's IDX files.", rich_help_panel=DECOYS),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also write report.html: tables, gains, plots, settings.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run every cell of a benchmark that is not done yet, and write its tables; or one run on a decoy set.

    Stop it at any time: called again, it goes on where it was. A run that fails is tried once more, then shown in the
    tables with its error.

    Example: visteer benchmark benchmarks/specs/small.toml --data-root data --workers 2
    """
    if spec in get_args(DecoyName):
        _refuse_given(context, ("data_root", "workers", "engine", "report"), "is for a benchmark's file")
        if approach not in approaches():
            given = "" if approach is None else f", not {approach!r}"
            raise typer.BadParameter(f"a decoy run needs --approach, one of {', '.join(approaches())}{given}")
        if not fraction:
            raise typer.BadParameter("--fraction must be above 0")
        run = DecoyRun(
            data=spec,  # type: ignore[arg-type]
            approach=approach,
            seed=seed,
            fraction=fraction,
            marks=one_of(marks, MarkKind, "--marks"),  # type: ignore[arg-type]
            epochs=epochs,
        )
        _run_decoy(run, data, out, json=json)
        return
    decoy_options = ("approach", "seed", "fraction", "marks", "epochs", "data")
    _refuse_given(context, decoy_options, "is for a run on a decoy set; a file has its own")
    path = _spec_path(spec, data_root)
    folder = out or Path(path.stem)
    if folder.is_file():
        raise VisteerError(f"{folder} is a file; name a folder for the results with --out")
    with progress_bars() as bars, _told_when_stopped():
        run_grid(
            path,
            folder,
            data_root=data_root,
            workers=workers,
            engine=one_of(engine, Engine, "--engine"),  # type: ignore[arg-type]
            on_cell=_tell,
            progress=bars,
            on_note=note,
        )
    _show_grid(folder, report=report, json=json)


def _show_grid(folder: Path, *, report: bool, json: bool) -> None:
    """Write the tables, the figures and, if wanted, the report of the grid in `folder`, and say where they are."""
    grid, records = read_grid(folder)
    table = result_table(grid, records)
    written = write_tables(folder, table)
    figures = write_figures(folder, grid, records, on_note=note)
    page = folder / "report.html"
    if report := report or page.exists():  # one that is there would be of other results
        pictures = {path.stem.removeprefix("figure-"): path for path in figures if path.suffix == ".png"}
        text = (folder / "spec.toml").read_text(encoding="utf-8")
        write_text(page, render_benchmark(grid, records, text, pictures))
    failed = [record for record in records if record.state == "failed"]
    if json:
        print_json(
            {
                "benchmark": grid.name,
                "done": sum(record.state == "done" for record in records),
                "failed": {record.cell.name: record.error for record in failed},
                "tables": [str(path) for path in written],
                "figures": [str(path) for path in figures],
                "report": str(page) if report else None,
            }
        )
    else:
        for line in to_markdown(table).splitlines():
            say(line)
        say(f"tables: {', '.join(str(path) for path in written)}")
        if figures:
            say(f"figures: {', '.join(str(path) for path in figures)}")
        if report:
            say(f"report: {page}")
    if failed:
        raise VisteerError(
            f"{len(failed)} of {len(records)} runs failed; see {folder / 'logs'}, and call it again to retry"
        )


def _run_decoy(run: DecoyRun, data: Path | None, out: Path | None, *, json: bool) -> None:
    """One run, told and, with `out`, written to a file of its own there; one that is there already is not run again."""

    def train() -> dict[str, object]:
        with progress_bar("training") as bar:
            return run_decoy(run, data, on_step=bar)

    path = None if out is None else out / f"{run.name}.json"
    result = kept_result(path, decoy_config(run).to_dict(), run.about, train)
    if json:
        print_json(result)
        return
    for name, what in ACCURACIES.items():
        say(f"{100 * float(str(result[name])):5.1f} %  {what}")


def write_tables(folder: Path, table: ResultTable) -> list[Path]:
    """Write the table in every format into `folder`; gives the paths."""
    paths = []
    for suffix, as_text in FORMATS.items():
        paths.append(folder / f"table.{suffix}")
        write_text(paths[-1], as_text(table))
    return paths


def _spec_path(spec: str, data_root: Path | None) -> Path:
    """The file that `spec` names."""
    if spec == "paper":
        if data_root is None:
            raise typer.BadParameter("paper needs --data-root: the folder of imagenette2, BUSI and ISIC 2017")
        return Path(str(files("visteer.benchmark"))) / "specs" / "paper.toml"
    if not Path(spec).exists():
        there = ", ".join(get_args(DecoyName))
        raise VisteerError(f"{spec} is no file; a benchmark is a TOML file, or paper, or one of {there}")
    return Path(spec)


def _refuse_given(context: typer.Context, names: Sequence[str], why: str) -> None:
    """Refuse options that were given and would not be used."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"--{name.replace('_', '-')} {why}")


@contextmanager
def _told_when_stopped() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        note("stopped; the same command goes on where it was")
        raise


def _tell(standing: Standing) -> None:
    """One line for each cell that ends."""
    record = standing.record
    ended = "done" if record.state == "done" else f"failed: {record.error}"
    left = f", about {duration(standing.seconds_left)} left" if standing.seconds_left else ""
    note(f"{standing.ended} of {standing.total}: {record.cell.name} {ended}{left}")
