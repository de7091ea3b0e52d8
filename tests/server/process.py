"""`visteer edit` as a process of its own, and a browser at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

# As `visteer`, but with the page in the folder that the first word names.
CODE = """
import sys
from pathlib import Path
import visteer.cli.edit as edit
edit.STATIC = Path(sys.argv.pop(1))
from visteer.cli import main
main()
"""


@contextmanager
def running(static: Path, study: Path, *words: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and the link that it printed; it is killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(static), "edit", str(study), "--json", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, json.loads(line)["url"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def browser(url: str, cookies: httpx.Cookies | None = None) -> httpx.Client:
    """A client with the Origin of the page at `url`; with a session if `cookies` hold one."""
    base = url.partition("/?")[0]
    headers = {"X-Visteer": "1", "Origin": base}
    return httpx.Client(base_url=base, headers=headers, cookies=cookies, timeout=60, trust_env=False)
