"""How fast the editor draws, turns to the next image and saves, and whether its memory stays flat.

Each figure is taken on the real page in Chromium without a window and without a graphics card, at a real server, on
made-up pictures:

- frame: from the pointer's event to the start of the next frame, while a brush is dragged over a picture of
  4096 x 4096; on an empty drawing, and after 500 strokes. The browser's own limit of 60 frames a second is off.
- next: from the key to the frame in which the next image, its drawing and its map are there; a step every 0.3 s. An
  image whose map is zero everywhere has none to show and is not counted.
- save: a PUT of a drawing until it is answered, which means that it is on disk; from a client on the same machine.
- memory: of the page (live JavaScript objects) and of all of Chromium (PSS), over 500 images.

    python benchmarks/editor/measure.py [--strokes 500] [--images 520] [--repeats 3] [--out results.json]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import CDPSession, Page, sync_playwright
from studies import LARGE, SMALL, VISTEER, make_study

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-frame-rate-limit",
    "--disable-gpu-vsync",
    "--no-first-run",
]
WINDOW = {"width": 1440, "height": 900}
PROBE = Path(__file__).parent / "probe.js"
READY = '.editor-stage[aria-busy="false"]'


def main() -> None:
    """Measure everything and print it as JSON and as a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--strokes", type=int, default=500)
    parser.add_argument("--images", type=int, default=520)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("Chromium is not installed")
    figures: dict[str, Any] = {"load_before": os.getloadavg(), "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder:
        tell("making the studies")
        large = make_study(Path(folder) / "large", LARGE, 8)
        small = make_study(Path(folder) / "small", SMALL, given.images)
        with serving(large) as url:
            figures |= measure_brush(url, given.strokes, given.repeats)
            figures[f"save_{LARGE}_ms"] = measure_saves(url, LARGE, 10 * given.repeats)
        with serving(small) as url:
            figures[f"save_{SMALL}_ms"] = measure_saves(url, SMALL, 40 * given.repeats)
            figures |= measure_steps(url, given.images - 20)
    figures["load_after"] = os.getloadavg()
    text = json.dumps(figures, indent=2)
    print(text)
    print(table(figures))
    if given.out is not None:
        given.out.write_text(text + "\n", encoding="utf-8")


def tell(what: str) -> None:
    """Say on standard error how far it is."""
    sys.stderr.write(what + "\n")


@contextmanager
def serving(study: Path) -> Iterator[str]:
    """The link of a server at the study."""
    command = [*VISTEER, "edit", str(study), "--json", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


@contextmanager
def page_at(url: str) -> Iterator[Page]:
    """The first image of the queue, with the probe in the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport=WINDOW)
        context.add_init_script(path=PROBE)
        page = context.new_page()
        page.goto(url)
        page.locator(".card:not(.is-empty)").first.wait_for()
        page.keyboard.press("Enter")
        page.wait_for_selector(READY)
        page.keyboard.press("b")
        yield page
        browser.close()


def measure_brush(url: str, strokes: int, repeats: int) -> dict[str, Any]:
    """Frames on an empty drawing and after `strokes` strokes."""
    rng = np.random.default_rng(0)
    with page_at(url) as page:
        page.wait_for_timeout(1000)
        empty = [frames_of(page, rng, 6) for _ in range(repeats)]
        for number in range(strokes):
            if number % 100 == 0:
                tell(f"stroke {number} of {strokes}")
            stroke(page, rng, 4)
        page.locator(".save-status .is-good").wait_for(timeout=60_000)
        page.wait_for_timeout(1000)
        full = [frames_of(page, rng, 6) for _ in range(repeats)]
    ratio = np.median([percentiles(f)["p95"] for f in full]) / np.median(
        [percentiles(e)["p95"] for e in empty]
    )
    return {
        "frame_empty_ms": percentiles([*chain(*empty)]),
        f"frame_after_{strokes}_ms": percentiles([*chain(*full)]),
        "frame_p95_ratio": round(float(ratio), 2),
    }


def frames_of(page: Page, rng: np.random.Generator, strokes: int) -> list[float]:
    """The frames of some slow strokes."""
    page.evaluate("probe.frames.length = 0")
    for _ in range(strokes):
        stroke(page, rng, 40)
    found: list[float] = page.evaluate("probe.frames")
    return found


def stroke(page: Page, rng: np.random.Generator, moves: int) -> None:
    """Drag the brush from one place in the picture to another."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    side = min(box["width"], box["height"]) * 0.8
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    (x0, y0), (x1, y1) = rng.random((2, 2)) * side
    page.mouse.move(left + x0, top + y0)
    page.mouse.down()
    page.mouse.move(left + x1, top + y1, steps=moves)
    page.mouse.up()


def measure_steps(url: str, steps: int) -> dict[str, Any]:
    """Times to the next image, and memory on the way."""
    memory: list[dict[str, float]] = []
    with page_at(url) as page:
        session = page.context.new_cdp_session(page)
        page.wait_for_timeout(1000)
        for step in range(steps + 1):
            if step % 25 == 0:
                tell(f"image {step} of {steps}")
                memory.append({"image": step, **memory_of(session)})
            page.keyboard.press("d")
            page.wait_for_timeout(300)
        times: list[float] = page.evaluate("probe.next")
    after = [one for one in memory if one["image"] >= 100]
    grown = {
        name: round(
            float(np.polyfit([one["image"] for one in after], [one[name] for one in after], 1)[0] * 100), 2
        )
        for name in ("heap_mib", "browser_mib")
        if len(after) > 1
    }
    return {"next_ms": percentiles(times), "memory": memory, "memory_mib_per_100_images": grown}


def memory_of(session: CDPSession) -> dict[str, float]:
    """MiB of live JavaScript objects, and of Chromium with all its processes."""
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    return {"heap_mib": round(heap / 2**20, 1), "browser_mib": round(browser_kib() / 1024, 1)}


def browser_kib() -> int:
    """The proportional memory of Chromium's processes below this one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    total = 0
    for process in parents:
        above, is_mine = process, False
        while above in parents and not is_mine:
            above = parents[above]
            is_mine = above == os.getpid()
        try:
            if is_mine and b"chrom" in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[0]:
                lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:
            continue
    return total


def measure_saves(url: str, side: int, saves: int) -> dict[str, float]:
    """Times of saves of a drawing of `side` x `side`, each a new revision."""
    target, weight = np.zeros((side, side), "<u2"), np.zeros((side, side), np.uint8)
    rows, columns = np.mgrid[:side, :side]
    rng = np.random.default_rng(1)
    base = url.partition("/?")[0]
    times = []
    with httpx.Client(
        base_url=base, timeout=60, trust_env=False, headers={"X-Visteer": "1", "Origin": base}
    ) as client:
        client.get(url.removeprefix(base))
        revision = int(client.get("/api/images/1/edit").headers["ETag"].strip('"'))
        for _ in range(saves):
            y, x = rng.integers(0, side, 2)
            disc = (rows - y) ** 2 + (columns - x) ** 2 < (0.05 * side) ** 2
            target[disc], weight[disc] = 65535 * int(rng.integers(2)), 255
            body = gzip.compress(
                struct.pack("<4sII", b"VSE1", side, side) + target.tobytes() + weight.tobytes(), 1
            )
            headers = {"If-Match": f'"{revision}"', "Content-Encoding": "gzip"}
            start = time.perf_counter()
            answer = client.put("/api/images/1/edit", content=body, headers=headers)
            times.append(1000 * (time.perf_counter() - start))
            revision = answer.raise_for_status().json()["revision"]
    return percentiles(times)


def percentiles(times: list[float]) -> dict[str, float]:
    """The median, the 95th percentile and how many there are."""
    return {
        "p50": round(float(np.percentile(times, 50)), 1),
        "p95": round(float(np.percentile(times, 95)), 1),
        "count": len(times),
    }


def table(figures: dict[str, Any]) -> str:
    """The times as Markdown."""
    rows = [
        f"| {name.removesuffix('_ms').replace('_', ' ')} | {value['p50']} | {value['p95']} | {value['count']} |"
        for name, value in figures.items()
        if name.endswith("_ms")
    ]
    return "\n".join(["| ms | p50 | p95 | count |", "|---|---|---|---|", *rows])


if __name__ == "__main__":
    main()
