"""Every screen: names made up to do harm, accessibility rules, sizes of window; and the way through by keys alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.site import CLASSES, OPEN, make_site
from tests.frontend.conftest import FRONTEND, copy  # noqa: F401
from tests.server.process import running
from visteer.server.routes.page import STATIC
from visteer.study import Study

SIZES = {"laptop": (1280, 720), "desk": (1920, 1080), "large": (2560, 1440), "tablet": (1024, 768)}
FOUND = (Path(__file__).parent / "layout.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Study, str]]:
    """The study and the link of a server at it."""
    folder = make_site(tmp_path_factory.mktemp("site"))
    with running(STATIC, folder, "--author", "<b>Ada</b>") as (_, url):
        yield Study(folder), url


@pytest.fixture(scope="module")
def axe(request: pytest.FixtureRequest) -> Path:
    """The accessibility rules, of the packages that are installed in frontend/, or else of a copy."""
    script = Path("node_modules/axe-core/axe.min.js")
    return FRONTEND / script if (FRONTEND / script).exists() else request.getfixturevalue("copy") / script


def opened(context: BrowserContext, url: str, screen: str) -> Page:
    """A tab that took the link and shows the screen."""
    page = context.new_page()
    page.goto(url)
    OPEN[screen](page, url)
    return page


def test_every_screen_is_here():
    routes = (FRONTEND / "src" / "screens" / "routes.ts").read_text(encoding="utf-8")
    assert set(re.findall(r'screen: "([a-z]+)"', routes)) == set(OPEN)


@pytest.mark.parametrize("screen", OPEN)
def test_hostile_names_are_shown_and_never_run(browser: Browser, site: tuple[Study, str], screen: str):
    _, url = site
    faults: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        context.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        context.on("weberror", lambda error: faults.append(str(error.error)))
        context.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page = opened(context, url, screen)
        page.wait_for_timeout(300)  # what was put in as markup would have run by then
        assert page.evaluate("window.ran") is None
        assert page.locator('img[src="x"], #page script').count() == 0
        words = page.locator("body").inner_text() + " ".join(page.locator("option").all_inner_texts())
        assert any(name in words for name in CLASSES)
        assert page.evaluate(FOUND) == []
    assert faults == []


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("screen", [*OPEN, "help"])
def test_accessibility_rules_hold(
    browser: Browser, site: tuple[Study, str], axe: Path, screen: str, theme: str
):
    _, url = site
    # Only here without the page's Content-Security-Policy, which forbids what is put in from outside.
    with browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True) as context:
        page = opened(context, url, "triage" if screen == "help" else screen)
        page.locator(":root").evaluate("(root, theme) => (root.dataset.theme = theme)", theme)
        if screen == "help":
            page.keyboard.press("?")
            page.get_by_role("dialog").wait_for()
        page.add_script_tag(path=axe)
        report = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    assert serious(report) == []


def serious(report: dict[str, Any]) -> list[str]:
    """The violations that keep somebody out, one line each."""
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in report["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("screen", OPEN)
def test_nothing_is_cut_off(browser: Browser, site: tuple[Study, str], screen: str, size: str):
    _, url = site
    width, height = SIZES[size]
    touch = size == "tablet"
    with browser.new_context(viewport={"width": width, "height": height}, has_touch=touch) as context:
        page = opened(context, url, screen)
        assert page.evaluate(FOUND) == []
        if screen == "editor":
            areas = page.evaluate(
                """() => [...document.querySelector(".editor").children].map((part) => {
                  const box = part.getBoundingClientRect();
                  return [part.className, box.width * box.height];
                })"""
            )
            largest = max(areas, key=lambda part: part[1])
            assert largest[0] == "editor-stage"
            assert largest[1] > 0.5 * width * height


def test_from_the_link_to_a_shape_and_a_verdict_by_keys_alone(browser: Browser, site: tuple[Study, str]):
    study, url = site
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        page.locator(".card:not(.is-empty)").first.wait_for()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_selector('.editor-stage[aria-busy="false"]')
        page.locator(".bars").wait_for()
        key = int(page.url.rpartition("/")[2])
        before = len(revisions(study, key))
        page.keyboard.press("n")
        page.keyboard.press("m")
        slider = page.get_by_role("slider", name="Threshold")
        expect(slider).to_be_focused()
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        expect(slider).to_have_value("0.45")
        page.keyboard.press("Enter")
        expect(page.locator(".float")).to_have_count(0)
        page.locator(".save-status .is-good").wait_for(timeout=20_000)
        drawn = revisions(study, key)
        assert len(drawn) == before + 1
        assert drawn[-1].irrelevant.any()
        page.keyboard.press("k")
        page.keyboard.type("only keys")
        page.keyboard.press("Escape")
        page.keyboard.press("a")
        page.wait_for_url(lambda address: not address.endswith(f"/{key}"))
        page.wait_for_selector('.editor-stage[aria-busy="false"]')
        page.keyboard.press("Escape")
        page.locator(".card:not(.is-empty)").first.wait_for()
        page.keyboard.press("/")
        page.keyboard.type("7*7")
        expect(page.locator(".count")).to_have_text(f"1 / {len(CLASSES)}")
    with study.open_edits() as store:
        verdict = store.verdicts(study.samples[key].id)[-1]
    assert (verdict.kind, verdict.comment) == ("reasonable", "only keys")


def revisions(study: Study, key: int) -> tuple[Any, ...]:
    """All edits of the image."""
    with study.open_edits() as store:
        return store.history(study.samples[key].id)
