"""The command line called in this process, so that PyTorch loads once."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from visteer.cli import main


@dataclass(frozen=True)
class Call:
    """How one call of the command line ended, and what it wrote."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one strict JSON object that it must be."""
        assert self.code == 0, self.err

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is no JSON")

        value = json.loads(self.out, parse_constant=refuse)
        assert isinstance(value, dict)
        assert self.out.endswith("}\n")
        assert "\n" not in self.out[:-1]
        return value

    @property
    def error(self) -> str:
        """The one line on standard error that says what failed; lines of progress may stand before it."""
        assert self.code == 1, (self.code, self.out, self.err)
        assert self.out == ""
        assert "Traceback" not in self.err
        last = self.err.splitlines()[-1]
        assert last.startswith("visteer: ")
        return last

    @property
    def misuse(self) -> str:
        """What is said of a call that was wrong in itself."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert self.out == ""
        assert "Traceback" not in self.err
        return " ".join(self.err.split())


def call(*words: object) -> Call:
    """Call `visteer WORDS`."""
    texts = tuple(str(word) for word in words)
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(texts)
        except SystemExit as end:
            code = int(end.code or 0)
    return Call(texts, code, out.getvalue(), err.getvalue())
