"""Measure the editor in headless Chromium: brush, next image, saves, memory. `python benchmarks/editor/measure.py`.

It makes two studies without a run (one picture of 4096 x 4096; many small ones), serves them, and prints a JSON object
and a table. Times hold for this machine only; the ratios between early and late are what to look at.
"""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import CDPSession, Page, sync_playwright

VISTEER = (sys.executable, "-c", "from visteer.cli import main; main()")
READY = '.editor-stage[aria-busy="false"]'
LARGE, SMALL, COUNT = 4096, 256, 520
STROKES, STEPS, SAVES = 500, 150, 60

# Times between frames, and in the callbacks of frames, in milliseconds, while `window.gaps` is a list.
PROBE = """
const ask = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (act) => ask((now) => {
  const start = performance.now();
  act(now);
  if (window.frameWork) window.frameWork.push(performance.now() - start);
});
const beat = (last) => ask((now) => { if (window.gaps) window.gaps.push(now - last); beat(now); });
beat(performance.now());
"""

NEXT = """async () => {
  const before = location.hash, title = document.title, start = performance.now();
  window.dispatchEvent(new KeyboardEvent("keydown", { key: "d", bubbles: true }));
  const shown = () => location.hash !== before && document.title !== title
    && document.querySelector(".editor-stage").ariaBusy === "false" && !document.querySelector(".stage-skeleton");
  while (!shown() && performance.now() - start < 5000) await new Promise((done) => requestAnimationFrame(done));
  return performance.now() - start;
}"""


def main() -> None:
    """Measure everything and print it."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--enable-precise-memory-info"]
        )
        figures: dict[str, object] = {}
        with served(make_study(Path(folder) / "large", LARGE, 4)) as url:
            page = browser.new_context(viewport={"width": 1600, "height": 1000}).new_page()
            page.add_init_script(PROBE)
            figures |= measure_brush(page, url)
            page.context.close()
            figures |= measure_saves(url)
        with served(make_study(Path(folder) / "small", SMALL, COUNT)) as url:
            page = browser.new_context(viewport={"width": 1600, "height": 1000}).new_page()
            figures |= measure_steps(page, url)
        browser.close()
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    sys.stdout.write("| figure | value |\n|---|---|\n")
    for name, value in figures.items():
        sys.stdout.write(f"| {name} | {value} |\n")


def make_study(root: Path, side: int, count: int) -> Path:
    """A study of `count` random pictures of two classes."""
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (root / "images" / label).mkdir(parents=True)
        for number in range(count // 2):
            coarse = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
            picture.save(root / "images" / label / f"{number:04}.png", compress_level=1)
    words = ("--images", root / "images", "--model", "test_resnet", "--weights", "none", "--image-size", "64")
    subprocess.run(
        [*VISTEER, "init", root / "study", *map(str, words)], check=True, stdout=subprocess.DEVNULL
    )
    return root / "study"


@contextmanager
def served(study: Path) -> Iterator[str]:
    """The link of a server at `study`."""
    command = [*VISTEER, "edit", str(study), "--no-browser", "--author", "Ada"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield next(
                word for line in server.stdout or () for word in line.split() if word.startswith("http")
            )
        finally:
            server.terminate()


def measure_brush(page: Page, url: str) -> dict[str, object]:
    """Frames while drawing the first ten strokes and the last ten of 500, on 4096 x 4096."""
    page.goto(url)
    page.goto(f"{url.partition('/?')[0]}/#/image/0")
    page.wait_for_selector(READY, timeout=60_000)
    page.keyboard.press("b")
    box = page.locator(".stage").bounding_box()
    if box is None:
        raise SystemExit("the stage cannot be seen")
    rng = np.random.default_rng(0)

    def stroke() -> None:
        points = rng.uniform(0.3, 0.7, (4, 2)) * [box["width"], box["height"]] + [box["x"], box["y"]]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=6)
        page.mouse.up()

    found: dict[str, object] = {}
    parts = {"first 10 strokes": range(10), f"last 10 of {STROKES}": range(STROKES - 10, STROKES)}
    for number in range(STROKES):
        for name, rows in parts.items():
            if number == rows.start:
                page.evaluate("() => { window.gaps = []; window.frameWork = []; }")
            if number == rows.start or number in rows:
                stroke()
            if number == rows.stop - 1:
                frames, work = page.evaluate("() => [window.gaps, window.frameWork]")
                page.evaluate("() => { window.gaps = null; window.frameWork = null; }")
                found[f"brush, {name}: between frames, ms"] = percentiles(frames)
                found[f"brush, {name}: work in a frame, ms"] = percentiles(work)
        if not any(number in rows for rows in parts.values()):
            stroke()
    page.locator(".save-status .is-good").wait_for(timeout=60_000)
    return found


def measure_saves(url: str) -> dict[str, object]:
    """Time of a save, from request to answer, of a drawing at two sizes; each one other than the one before."""
    found: dict[str, object] = {}
    with httpx.Client(base_url=url.partition("/?")[0], follow_redirects=True) as client:
        client.get(url).raise_for_status()
        for side in (512, LARGE):
            times, revision = [], 0
            for number in range(SAVES):
                body = gzip.compress(drawing(side, number), 1)
                headers = {
                    "X-Visteer": "1",
                    "If-Match": f'"{revision}"',
                    "X-Visteer-Stroke": str(uuid.uuid4()),
                    "Content-Encoding": "gzip",
                    "Content-Type": "application/octet-stream",
                }
                start = time.perf_counter()
                answer = client.put(
                    f"/api/images/{1 if side == LARGE else 2}/edit", content=body, headers=headers
                )
                times.append(1000 * (time.perf_counter() - start))
                revision = answer.raise_for_status().json()["revision"]
            found[f"save of {side} x {side}, ms"] = percentiles(times)
    return found


def drawing(side: int, number: int) -> bytes:
    """`VSE1` with one relevant disc."""
    rows, columns = np.ogrid[:side, :side]
    disc = (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < (side / 8 + number) ** 2
    target, weight = disc.astype("<u2") * 65535, disc.astype(np.uint8) * 255
    return b"VSE1" + struct.pack("<II", side, side) + target.tobytes() + weight.tobytes()


def measure_steps(page: Page, url: str) -> dict[str, object]:
    """Time from the key to the next image, and the memory of the page over 500 images."""
    page.goto(url)
    page.locator(".card:not(.is-empty)").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    page.wait_for_timeout(500)
    session = page.context.new_cdp_session(page)
    times, heaps = [], {}
    for number in range(COUNT - 15):
        took = page.evaluate(NEXT)
        if number < STEPS:
            times.append(took)
            page.wait_for_timeout(150)  # somebody looks at it
        if number + 1 in (50, 100, 250, 500):
            heaps[number + 1] = heap_megabytes(session)
    return {
        "next image, ms": percentiles(times),
        "heap of the page after 50, 100, 250, 500 images, MB": heaps,
        "heap after 500 / after 50": round(heaps[500] / heaps[50], 2),
    }


def heap_megabytes(session: CDPSession) -> float:
    """What the page holds after a collection."""
    session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"]
    return round(used / 1e6, 1)


def percentiles(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {
        "p50": round(float(np.percentile(values, 50)), 1),
        "p95": round(float(np.percentile(values, 95)), 1),
    }


if __name__ == "__main__":
    main()
