"""docs/cli.md names every command and option; every command in the pages is one that the command line takes."""

from __future__ import annotations

import re
import shlex

import pytest
from typer.main import get_command

from tests.docs.markdown import PAGES, ROOT, blocks, name_of, sections, shell_lines, table_rows
from visteer.cli import COMMANDS, build_app

PAGE = ROOT / "docs" / "cli.md"
SECTIONS = {name: text for name, text in sections(PAGE, 2).items() if name.startswith("visteer ")}


def loaded_commands() -> dict[str, object]:
    """Every command by the words that call it."""
    found = {}
    for name in COMMANDS:
        command = get_command(build_app(name)).commands[name]
        for sub, inner in getattr(command, "commands", {}).items():
            found[f"visteer {name} {sub}"] = inner
        if not hasattr(command, "commands"):
            found[f"visteer {name}"] = command
    return found


LOADED = loaded_commands()


def options_of(command) -> dict[str, object]:
    return {p.opts[0]: p for p in command.params if p.opts[0].startswith("--")}


def commands_in_pages() -> list[tuple[str, str]]:
    """(page, command line) of every shell block and of every `visteer ...` in the text."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        outside = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
        lines = [line for block in blocks(page, "sh") for line in shell_lines(block.text)]
        lines += re.findall(r"`(visteer [^`]*--[^`]*)`", outside)
        found += [(name_of(page), line) for line in lines if line.startswith("visteer ")]
    return found


def test_every_command_has_a_section_and_no_other():
    assert set(SECTIONS) == set(LOADED)


@pytest.mark.parametrize("name", LOADED)
def test_a_section_lists_the_options_with_their_defaults(name):
    listed = {row[0].strip("`"): row[1].strip("`") for row in table_rows(SECTIONS[name])}
    options = options_of(LOADED[name])
    assert set(listed) == set(options)
    for option, default in listed.items():
        parameter = options[option]
        if parameter.default is False or (parameter.default is None and not parameter.required):
            expected = ""
        else:
            expected = "required" if parameter.required else str(parameter.default)
        assert default == expected, option


@pytest.mark.parametrize("name", LOADED)
def test_a_section_has_an_example_of_its_command(name):
    (example,) = re.findall(r"^```sh\n(.*?)^```$", SECTIONS[name], re.M | re.S)
    assert example.startswith(name)


def test_there_are_commands_to_check():
    assert len(commands_in_pages()) > 30


@pytest.mark.parametrize(("page", "line"), commands_in_pages())
def test_every_command_in_the_pages_is_taken(page, line):
    words = shlex.split(line)
    name = " ".join(words[:3]) if " ".join(words[:3]) in LOADED else " ".join(words[:2])
    if name == "visteer data" or words[1].startswith("-"):
        assert words[-1] == "--help", line
        return
    arguments = words[len(name.split()) :]
    if "--help" not in arguments:
        LOADED[name].make_context(name, arguments)


def test_the_readme_names_every_make_target_of_its_own():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in shell_lines(block.text):
                if line.startswith("make "):
                    assert f"\n{line.split()[1]}:" in makefile, line
