"""What is printed: bars on a terminal, plain lines elsewhere, and nothing a file name could do to either."""

from __future__ import annotations

import io
import os
import pty
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from visteer.cli import output


@contextmanager
def terminal(monkeypatch) -> Iterator[Callable[[], str]]:
    """Standard error as a terminal; gives a call for all that was shown there."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stderr", stream)

        def shown() -> str:
            stream.flush()
            read = b""
            while select.select([ours], [], [], 0.2)[0]:
                read += os.read(ours, 65536)
            return read.decode()

        yield shown
    os.close(ours)


def test_a_terminal_has_a_bar_and_lines_above_it(monkeypatch, capsys):
    with terminal(monkeypatch) as told:
        with output.progress_bar("training") as bar:
            bar(3, 7)
            bar.print_epoch({"epoch": 1, "prediction_loss": 0.5, "val_f2": 0.25})
            bar(7, 7)
        shown = told()
    assert "training" in shown
    assert "7/7" in shown
    assert "epoch 1: prediction_loss 0.500, val_f2 0.250" in shown
    assert "\x1b[?25h" in shown  # the cursor is back
    assert capsys.readouterr().out == ""


def test_the_bar_is_taken_away_after_an_error(monkeypatch):
    def work() -> None:
        with output.progress_bars() as bars:
            bars("one", 1, 2)
            bars("two", 1, 2)
            raise KeyError

    with terminal(monkeypatch) as told:
        with pytest.raises(KeyError):
            work()
        shown = told()
    assert "one" in shown
    assert "two" in shown
    assert "\x1b[?25h" in shown


def test_elsewhere_there_are_plain_lines_now_and_then(monkeypatch, capsys):
    clock = iter([0.0, 1.0, 11.0, 11.0, 12.0, 22.5, 22.5])
    monkeypatch.setattr(output.time, "monotonic", lambda: next(clock))
    with output.progress_bar("training") as bar:
        for done in range(1, 5):
            bar(done, 9)
    written = capsys.readouterr()
    assert written.err == "training: 2 of 9\ntraining: 4 of 9\n"
    assert written.out == ""


def test_epochs_are_plain_lines_elsewhere(capsys):
    with output.progress_bar("training") as bar:
        bar.print_epoch({"epoch": 2, "prediction_loss": 0.125, "val_auc": 0.75})
    written = capsys.readouterr()
    assert written.err == "epoch 2: prediction_loss 0.125, val_auc 0.750\n"
    assert written.out == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("[bold]b[/bold]", "[bold]b[/bold]"),
        (":smile: [/]", ":smile: [/]"),
        ("back\\", "back\\"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("ärger", "ärger"),
        ("\udcff", r"\udcff"),
    ],
)
def test_names_are_shown_as_they_are_and_do_nothing(name, shown, capsys):
    output.say(name)
    output.note(name)
    output.print_table(name, ["what"], [[name]])
    written = capsys.readouterr()
    assert written.out.count(shown) == 3
    assert written.err == shown + "\n"
    assert "\x1b" not in written.out


def test_a_suggestion_is_quoted(capsys):
    output.suggest("train", "my study", "--run", "it's")
    assert capsys.readouterr().out == """next: visteer train 'my study' --run 'it'"'"'s'\n"""


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        output.print_json({"a": float("nan")})


def test_an_error_of_the_system_names_the_file(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(SystemExit) as end:
        output.fail(PermissionError(13, "Permission denied", "/etc/\nx"))
    assert end.value.code == 1
    assert stream.getvalue() == "visteer: /etc/\\nx: Permission denied\n"
