"""A real browser at a real server. Without Chromium these tests skip, unless VISTEER_BROWSER=required."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.study.conftest import made, pictures, settings  # noqa: F401
from visteer.edits.map_edit import MapEdit
from visteer.server.routes.page import STATIC
from visteer.study import Study

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window. It ends with the module: its event loop would be in the way of other tests."""
    missing = "Chromium is not installed" if CHROMIUM is None else ""
    if not (STATIC / "index.html").exists():
        missing = f"the page is not built ({STATIC})"
    if missing and os.environ.get("VISTEER_BROWSER") == "required":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Study:  # noqa: F811
    """A study without a run: drawing needs none."""
    return Study(Path(shutil.copytree(made, tmp_path / "study")))


def open_image(page: Page, url: str, key: int = 0) -> None:
    """Follow the link, then open one image."""
    page.goto(url)
    page.goto(f"{url.partition('/?')[0]}/#/image/{key}")
    page.wait_for_selector('.editor-stage[aria-busy="false"]')
    page.keyboard.press("b")


def latest(study: Study, key: int = 0) -> MapEdit | None:
    """What the study has of the image now."""
    name = study.samples[key].id
    with study.open_edits() as store:
        return store.latest([name]).get(name)


def draw(page: Page, *points: tuple[float, float], release: bool = True) -> None:
    """Drag over the stage through `points`, shares of its width and height."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    if release:
        page.mouse.up()


def wait_stored(page: Page, study: Study, key: int, revisions: int) -> MapEdit:
    """The latest edit of an image once the study has so many of it, and the page says that all is saved."""
    history = wait_for(page, study, key, lambda history: len(history) >= revisions)
    assert len(history) == revisions
    page.locator(".save-status .is-good").wait_for(timeout=20_000)
    return history[-1]


def wait_for(
    page: Page, study: Study, key: int, enough: Callable[[tuple[MapEdit, ...]], bool]
) -> tuple[MapEdit, ...]:
    """What the study has of an image, once that is `enough`, or after half a minute."""
    deadline = time.monotonic() + 30
    while True:
        with study.open_edits() as store:
            history = store.history(study.samples[key].id)
        if enough(history) or time.monotonic() > deadline:
            return history
        page.wait_for_timeout(100)
