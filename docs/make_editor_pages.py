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

from visteer.study import Study, result_rows, runs_to_report

IMAGES = Path(__file__).parent / "images"
WINDOW = {"width": 1440, "height": 860}
VISTEER = (sys.executable, "-c", "from visteer.cli import main; main()")
MARGIN = 12  # around a picture that fits the stage, in pixels: `fit` in frontend/src/view/viewport.ts
READY = '.editor-stage[aria-busy="false"]'


def show_list(page: Page, _study: Study) -> None:
    """All images."""
    page.locator(".card:not(.is-empty) img.is-shown").nth(8).wait_for()


def show_image(page: Page, study: Study) -> None:
    """One image with its lesion drawn as relevant and its tag as irrelevant, where their masks say that they are."""
    open_first(page)
    key = int(page.url.rpartition("/")[2])
    sample = next(s for s in study.catalogue().samples if s.id == study.samples[key].id)
    for tool, ink, masks in (("o", "b", sample.masks), ("r", "n", sample.irrelevant_masks)):
        page.keyboard.press(ink)
        page.keyboard.press(tool)
        if not masks:
            raise SystemExit("the image has no mask to draw after")
        with Image.open(masks[0]) as mask:
            drag(page, mask)
    page.locator(".save-status .is-good").wait_for()


def show_help(page: Page, _study: Study) -> None:
    """All keys."""
    open_first(page)
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()


def show_history(page: Page, study: Study) -> None:
    """The revisions of an image."""
    show_image(page, study)
    page.keyboard.press("i")
    page.locator(".history li").first.wait_for()


def show_rate(page: Page, _study: Study) -> None:
    """A map to rate, the first that shows something."""
    page.keyboard.press("r")
    page.get_by_role("button", name="Start").click()
    page.locator('.rate-main[aria-busy="false"] canvas').wait_for()
    while page.get_by_text("zero everywhere").count():
        page.get_by_role("button", name="Later").click()
        page.wait_for_timeout(300)
        page.locator('.rate-main[aria-busy="false"] canvas').wait_for()


def show_compare(page: Page, study: Study) -> None:
    """Two runs on the test image at the 90th percentile of the gain in IoU."""
    first = result_rows(study, runs_to_report(study), "test")[0]
    key = [sample.id for sample in study.samples].index(first.sample_id)
    page.evaluate(f"location.hash = '#/compare/{key}'")
    page.locator(".divided canvas").first.wait_for()


PAGES: dict[str, Callable[[Page, Study], None]] = {
    "list": show_list,
    "image": show_image,
    "history": show_history,
    "help": show_help,
    "rate": show_rate,
    "compare": show_compare,
}
"""Each becomes docs/images/editor-NAME.jpg."""


def open_first(page: Page) -> None:
    """The first image of the queue that nobody has drawn on."""
    page.locator(".card", has_text="To do").first.click()
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    page.locator(".bars").wait_for()
    if page.get_by_role("button", name="Got it").count():
        page.get_by_role("button", name="Got it").click()


def drag(page: Page, mask: Image.Image) -> None:
    """Drag over the stage from corner to corner of what is white in `mask`; the picture fits the stage."""
    stage = page.locator(".stage").bounding_box()
    region = mask.convert("L").point(lambda value: value >= 128).getbbox()
    if stage is None or region is None:
        raise SystemExit("the stage or a region cannot be seen")
    width, height = mask.size
    scale = min((stage["width"] - 2 * MARGIN) / width, (stage["height"] - 2 * MARGIN) / height)
    left = stage["x"] + (stage["width"] - scale * width) / 2
    top = stage["y"] + (stage["height"] - scale * height) / 2
    page.mouse.move(left + scale * region[0], top + scale * region[1])
    page.mouse.down()
    page.mouse.move(left + scale * region[2], top + scale * region[3], steps=8)
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
                    show(page, Study(copy))
                    page.wait_for_timeout(600)
                    save_small(page.screenshot(), into / f"editor-{name}.jpg")
                    page.context.close()
                browser.close()
            finally:
                server.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
