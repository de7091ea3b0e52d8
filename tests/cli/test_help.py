"""The help of every command: a line of its own, and an example that can be typed."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import version

import pytest

from tests.cli.command_line import call
from visteer.cli import COMMANDS

CALLS = [(name,) for name in COMMANDS if name != "data"]
CALLS += [("data", name) for name in ("check", "download", "phantom")]


def test_every_command_is_listed_with_its_line():
    said = call("--help")
    assert said.code == 0
    for name, line in COMMANDS.items():
        assert re.search(rf"^ +{name} +{re.escape(line)}$", said.out, re.MULTILINE)


def test_the_version_is_that_of_the_package():
    assert call("--version").out == f"visteer {version('visteer')}\n"


def test_no_command_shows_the_help_and_counts_as_wrong_use():
    said = call()
    assert said.code == 2
    assert "Commands:" in said.out + said.err


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_the_example_can_be_typed(words):
    said = call(*words, "--help")
    assert said.code == 0
    flat = " ".join(said.out.split())
    example = re.search(r"Example: (visteer .*?) (?:Arguments|Options):", flat)
    assert example, said.out
    typed = shlex.split(example[1])[1:]
    assert tuple(typed[: len(words)]) == words
    listed = set(re.findall(r"--[a-z0-9-]+", said.out[said.out.index("Options:") :]))
    for option in (word for word in typed if word.startswith("--")):
        assert option in listed
    assert "--json" in listed


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_the_example_s_line_is_understood(words, tmp_path, monkeypatch):
    """In an empty folder a right line fails for want of files, and a wrong one for its wording."""
    said = call(*words, "--help")
    example = re.search(r"Example: visteer (.*?) (?:Arguments|Options):", " ".join(said.out.split()))
    assert example
    if words[0] in ("demo", "doctor", "methods") or words[-1] in ("download", "phantom"):
        pytest.skip("works for long, or on nothing")
    monkeypatch.chdir(tmp_path)
    assert call(*shlex.split(example[1])).error
