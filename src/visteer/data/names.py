"""File names made safe to print: they come from strangers."""

from __future__ import annotations

from pathlib import Path

LONGEST = 160


def show_name(name: Path | str) -> str:
    r"""Quote `name` on one line: control, escape and invisible characters are spelled out, long names cut.

    Safe on a terminal and in a log. It is not escaped for HTML, nor for the markup of a terminal library.

    Example:
        >>> show_name("scan\n\x1b[31m.png")
        "'scan\\n\\x1b[31m.png'"
    """
    text = repr(str(name))
    if len(text) <= LONGEST:
        return text
    half = (LONGEST - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
