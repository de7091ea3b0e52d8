"""The page's own tests and types, with the packages of its lock file and a Node that pip brings."""

from __future__ import annotations

from pathlib import Path

from tests.frontend.conftest import run


def test_the_pages_own_tests_pass(copy: Path):
    run(copy, copy / "node_modules" / "vitest" / "vitest.mjs", "run")


def test_the_pages_types_hold(copy: Path):
    run(copy, copy / "node_modules" / "typescript" / "bin" / "tsc", "--noEmit")


def test_the_pages_messages_are_those_of_the_server(copy: Path):
    kept = copy / "src" / "api" / "schema.d.ts"
    made = copy / "schema.d.ts"
    run(
        copy, copy / "node_modules" / "openapi-typescript" / "bin" / "cli.js", "openapi.json", "-o", str(made)
    )
    assert made.read_text() == kept.read_text(), "run npm run schema in frontend/"
