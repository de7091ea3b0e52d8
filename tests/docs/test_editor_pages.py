"""The pictures of the editor in the docs: every screen has one, and the script that takes them names them all."""

from __future__ import annotations

import importlib.util
import re

from tests.docs.markdown import ROOT

SCRIPT = ROOT / "docs" / "make_editor_pages.py"
# What shows each screen of frontend/src/screens/routes.ts.
SHOWN_BY = {"triage": "list", "editor": "image", "compare": "compare", "rate": "rate"}


def pages() -> set[str]:
    """The names of the pictures that the script takes."""
    spec = importlib.util.spec_from_file_location("make_editor_pages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return set(module.PAGES)


def test_every_screen_is_among_the_pictures():
    routes = (ROOT / "frontend" / "src" / "screens" / "routes.ts").read_text(encoding="utf-8")
    screens = set(re.findall(r'screen: "([a-z]+)"', routes))
    assert screens == set(SHOWN_BY)
    assert set(SHOWN_BY.values()) <= pages()


def test_every_picture_is_there_and_shown():
    page = (ROOT / "docs" / "editor.md").read_text(encoding="utf-8")
    for name in pages():
        assert (ROOT / "docs" / "images" / f"editor-{name}.jpg").exists()
        assert f"images/editor-{name}.jpg" in page
