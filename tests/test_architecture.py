"""The order of the stages: a package imports only itself and what stands left of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "visteer"
FOUNDATION = ("errors", "atomic", "lifeline", "lock", "machine")
STAGES = (
    ("data", "edits"),
    ("models",),
    ("attribution", "checkpoint"),
    ("steering",),
    ("evaluation",),
    ("report",),
    ("study",),
    ("benchmark",),
    ("server",),
    ("cli",),
)
POSITION = {name: position for position, stage in enumerate(STAGES) for name in stage}
POSITION |= {**dict.fromkeys(FOUNDATION, -1), "errors": -2}
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py", "core.py", "misc.py"}


def part_of(path: Path) -> str:
    """The package or top-level module that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """The parts of visteer that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "visteer"}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("visteer.")}


FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_stage_imports_only_what_stands_left_of_it(path: Path):
    part = part_of(path)
    assert part in POSITION, f"{part} has no place in the order of the stages"
    for other in imported_parts(path) - {part}:
        assert other in POSITION, f"{other} has no place in the order of the stages"
        assert POSITION[other] < POSITION[part], f"{part} must not import {other}"


def test_edits_are_free_of_torch():
    for path in (SOURCE / "edits").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) torch", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_only_weights_and_checkpoint_touch_weight_files():
    allowed = {SOURCE / "checkpoint.py", SOURCE / "models" / "weights.py"}
    for path in set(FILES) - allowed:
        text = path.read_text(encoding="utf-8")
        assert "torch.load" not in text, path
        assert "torch.save" not in text, path
        assert "import safetensors" not in text, path
        assert "from safetensors" not in text, path


def test_no_file_has_a_name_that_says_nothing():
    assert not [path for path in FILES if path.name in FORBIDDEN_NAMES]


def test_shipped_code_asserts_nothing():
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)], path
