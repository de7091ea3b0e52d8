"""How commands speak: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from visteer.data.sample import Problem

Epoch = Mapping[str, float]

PLAIN_LINE_SECONDS = 10.0
_SHOWN_FIRST = (
    "prediction_loss",
    "attention_loss",
    "val_f2",
    "val_auc",
    "val_accuracy",
    "val_epg",
    "val_iou",
)


def printable(text: str) -> str:
    """`text` with control characters shown as escapes, so that a file name cannot drive the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def fail(error: Exception) -> NoReturn:
    """Print one line about `error` on standard error and exit with 1."""
    message = str(error)
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename else ""
        message = f"{named}{error.strerror or error}"
    note(f"visteer: {message}")
    sys.exit(1)


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object on standard output; NaN has no place in JSON and must be None."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def say(text: str) -> None:
    """Print one line of result on standard output."""
    sys.stdout.write(printable(text) + "\n")


def note(text: str) -> None:
    """Print one line on standard error, where progress goes."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def suggest(command: str, *words: object, head: str = "next") -> None:
    """Print the command line to try next, quoted for a shell."""
    say(f"{head}: {shlex.join(['visteer', command, *map(str, words)])}")


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, error: bool = False
) -> None:
    """Print a table on standard output, or on standard error: as wide as the terminal.

    A file or a pipe gets 110 columns, or as many as COLUMNS says if that is more.
    """
    table = Table(title=Text(printable(title)), title_justify="left", header_style="bold")
    for name in header:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    stream = sys.stderr if error else sys.stdout
    console = Console(file=stream)
    if not stream.isatty():
        console.width = max(110, console.width)
    console.print(table)


def show_problems(title: str, problems: Sequence[Problem]) -> None:
    """Print all `problems` as one table on standard error."""
    rows = [[str(p.path), p.what, p.mend] for p in problems]
    print_table(title, ["file", "what", "how to mend"], rows, error=True)


class Bar:
    """A progress bar on a terminal; a plain line now and then elsewhere. Call it with (done, total)."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: Progress | None = None
        self._spoke = time.monotonic()
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(what, total=None)
            self._bar.start()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
        elif time.monotonic() - self._spoke > PLAIN_LINE_SECONDS:
            self._spoke = time.monotonic()
            note(f"{self._what}: {done} of {total}")

    def print_epoch(self, row: Epoch) -> None:
        """Show the figures of a finished epoch as a line; plain training has no attention loss to show."""
        shown = [name for name in _SHOWN_FIRST if name in row and (name != "attention_loss" or row[name])]
        figures = [f"{name} {row[name]:.3f}" for name in shown]
        line = f"epoch {row['epoch']:.0f}: " + ", ".join(figures)
        if self._bar is not None:
            self._bar.console.print(Text(line))
        else:
            note(line)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


@contextmanager
def progress_bar(what: str) -> Iterator[Bar]:
    """A `Bar` that is always taken away again."""
    bar = Bar(what)
    try:
        yield bar
    finally:
        bar.close()


class Bars:
    """Progress of work in several named parts: call with (what, done, total)."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._bar: Bar | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done in the part `what`."""
        if self._bar is None or what != self._name:
            self.close()
            self._name, self._bar = what, Bar(what)
        self._bar(done, total)

    def close(self) -> None:
        """Take the last bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def progress_bars() -> Iterator[Bars]:
    """`Bars` that are always taken away again."""
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()
