"""A study whose names want to be markup, with runs and edits, and every screen of the page at it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from tests.cli.command_line import call

CLASSES = (
    "<img src=x onerror=window.ran=1>",
    "quote'\"&amp;<svg onload=window.ran=1>",
    "\u202eright to left \u202b",
)
NAMES = (
    "<img src=x onerror=alert(1)>.png",
    "quote'\"&amp;.png",
    "<script>alert(1).png",
    "x" * 220 + ".png",
    "gpj.\u202eexe.png",
    "line\nbreak.png",
    "病変 größe.png",
    "{{7*7}}.png",
)
SIDE = 96

OPEN: dict[str, Callable[[Page, str], None]] = {}
"""By the screen's name in frontend/src/screens/routes.ts: how to open it at the address of the server."""


def make_site(root: Path) -> Path:
    """A study with a plain and a steered run, both evaluated, and all maps."""
    rng = np.random.default_rng(0)
    for row, label in enumerate(CLASSES):
        for part in ("images", "masks"):
            (root / part / label).mkdir(parents=True)
        for column, name in enumerate(NAMES):
            blocks = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            Image.fromarray(blocks).save(root / "images" / label / name)
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[row * 24 : row * 24 + 36, column * 8 : column * 8 + 36] = 255
            Image.fromarray(mask).save(root / "masks" / label / name)
    study = root / "study <b>one"
    sources = ("--images", root / "images", "--masks", root / "masks")
    words = ("--model", "test_resnet", "--weights", "none", "--image-size", 32)
    ran("init", study, *sources, *words)
    ran("train", study, "--epochs", 1)
    ran("import", study, "--format", "masks")
    ran("steer", study, "--epochs", 1)
    for run in ("plain-1", "steered-2"):
        ran("evaluate", study, "--run", run)
        for split in ("train", "val", "test"):
            ran("explain", study, "--run", run, "--split", split)
    return study


def ran(*words: object) -> None:
    """Call `visteer WORDS`, which must go well."""
    done = call(*words)
    assert done.code == 0, done.err


def at(page: Page, url: str, hash_: str, ready: str) -> None:
    """Open an address of the page and wait until `ready` can be seen."""
    page.goto(f"{url.partition('/?')[0]}/{hash_}")
    page.locator(ready).first.wait_for()


def _screen(name: str) -> Callable[[Callable[[Page, str], None]], Callable[[Page, str], None]]:
    def keep(how: Callable[[Page, str], None]) -> Callable[[Page, str], None]:
        OPEN[name] = how
        return how

    return keep


@_screen("triage")
def open_triage(page: Page, url: str) -> None:
    """All images."""
    at(page, url, "#/", ".card:not(.is-empty) img.is-shown")


@_screen("editor")
def open_editor(page: Page, url: str) -> None:
    """One image, with its history open."""
    at(page, url, "#/image/0", '.editor-stage[aria-busy="false"]')
    page.locator(".bars").wait_for()
    if page.locator(".history").count() == 0:
        page.keyboard.press("i")
    page.locator(".history").wait_for()


@_screen("rate")
def open_rate(page: Page, url: str) -> None:
    """The first map to rate."""
    at(page, url, "#/rate", ".rate-setup .is-main")
    page.get_by_role("button", name="Start").click()
    page.locator(".rate-main canvas").wait_for()


@_screen("compare")
def open_compare(page: Page, url: str) -> None:
    """Two runs on one image."""
    at(page, url, "#/compare/0", ".divided canvas")
