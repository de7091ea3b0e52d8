"""Take the pictures of the editor in docs/images from the study of the demo, which shows generated pictures only.

visteer demo
python docs/make_editor_pages.py visteer-demo/study

The study is copied first. It needs Chromium and the test extras.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
WINDOW = {"width": 1440, "height": 860}
VISTEER = (sys.executable, "-c", "from visteer.cli import main; main()")
READY = '.editor-stage[aria-busy="false"]'


def show_list(page: Page) -> None:
    """All images."""
    page.locator(".card:not(.is-empty) img.is-shown").nth(8).wait_for()


def show_image(page: Page) -> None:
    """One image with a relevant and an irrelevant region drawn."""
    open_first(page)
    for tool, key, points in (("o", "b", (0.44, 0.44, 0.58, 0.62)), ("r", "n", (0.6, 0.12, 0.74, 0.24))):
        page.keyboard.press(key)
        page.keyboard.press(tool)
        drag(page, *points)
    page.locator(".save-status .is-good").wait_for()


def show_help(page: Page) -> None:
    """All keys."""
    open_first(page)
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()


def show_history(page: Page) -> None:
    """The revisions of an image."""
    show_image(page)
    page.keyboard.press("i")
    page.locator(".history li").first.wait_for()


def show_rate(page: Page) -> None:
    """A map to rate."""
    page.keyboard.press("r")
    page.get_by_role("button", name="Start").click()
    page.locator('.rate-main[aria-busy="false"] canvas').wait_for()


def show_compare(page: Page) -> None:
    """Two runs on one image."""
    page.keyboard.press("Shift+C")
    page.locator(".divided canvas").first.wait_for()


PAGES: dict[str, Callable[[Page], None]] = {
    "list": show_list,
    "image": show_image,
    "history": show_history,
    "help": show_help,
    "rate": show_rate,
    "compare": show_compare,
}
"""Each becomes docs/images/editor-NAME.jpg."""


def open_first(page: Page) -> None:
    """The first image of the queue."""
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    page.locator(".bars").wait_for()
    if page.get_by_role("button", name="Got it").count():
        page.get_by_role("button", name="Got it").click()


def drag(page: Page, left: float, top: float, right: float, bottom: float) -> None:
    """Drag over the stage between two points, shares of its width and height."""
    box = page.locator(".stage").bounding_box()
    if box is None:
        raise SystemExit("the stage cannot be seen")
    page.mouse.move(box["x"] + left * box["width"], box["y"] + top * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], box["y"] + bottom * box["height"], steps=8)
    page.mouse.up()


def save_small(screenshot: bytes, path: Path) -> None:
    """The picture as JPEG, a fifth of the size."""
    with Image.open(io.BytesIO(screenshot)) as picture:
        picture.convert("RGB").save(path, quality=88, subsampling=0, optimize=True)


def main(study: Path, into: Path = IMAGES) -> None:
    """Serve a copy of `study` and take every picture in a browser that has opened nothing before."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is not installed")
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(study, Path(folder) / "phantom")
        for split in ("train", "val", "test"):
            subprocess.run(
                [*VISTEER, "explain", copy, "--split", split], check=True, stdout=subprocess.DEVNULL
            )
        command = [*VISTEER, "edit", copy, "--no-browser", "--author", "Ada"]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
            sync_playwright() as playwright,
        ):
            try:
                url = next(
                    word for line in server.stdout or () for word in line.split() if word.startswith("http")
                )
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                for name, show in PAGES.items():
                    page = browser.new_context(viewport=WINDOW).new_page()  # type: ignore[arg-type]
                    page.goto(url)
                    page.locator(".card:not(.is-empty)").first.wait_for()
                    show(page)
                    page.wait_for_timeout(600)
                    save_small(page.screenshot(), into / f"editor-{name}.jpg")
                    page.context.close()
                browser.close()
            finally:
                server.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
