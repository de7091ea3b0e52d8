"""Maps judged in a real browser: blind ratings that a reload does not lose, and two runs under one divider."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.e2e.site import OPEN
from tests.e2e.test_screens import site  # noqa: F401 - a fixture
from tests.server.process import running
from visteer.server.routes.page import STATIC
from visteer.study import Study

RUN = re.compile(r"plain-1|steered-2")


def counted(page: Page, text: str) -> None:
    """Wait until the top bar says so."""
    expect(page.locator(".bar .count")).to_have_text(text)
    expect(page.locator(".rate-main")).to_have_attribute("aria-busy", "false")


def test_maps_are_rated_blind_by_keys_and_a_reload_goes_on(browser: Browser, site: tuple[Study, str]):  # noqa: F811
    study, url = site
    total = 2 * len(study.ids("test"))
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        page.get_by_role("link", name="Rate").click()
        page.get_by_role("button", name="Start").click()
        counted(page, f"1 / {total}")
        asked: list[str] = []
        page.on("response", lambda answer: asked.append(answer.text() if "trials" in answer.url else ""))
        page.keyboard.press("4")
        counted(page, f"2 / {total}")
        page.keyboard.press("Backspace")
        counted(page, f"1 / {total}")
        expect(page.get_by_role("button", pressed=True)).to_have_text(re.compile("hardly"))
        page.keyboard.press("2")
        counted(page, f"2 / {total}")
        page.keyboard.press("s")
        counted(page, f"3 / {total}")
        page.get_by_role("button", name="somewhere else").click()
        counted(page, f"4 / {total}")
        page.wait_for_timeout(300)
        assert not RUN.search(page.locator("body").inner_text())
        assert asked
        assert not any(RUN.search(text) for text in asked)
        page.reload()
        page.get_by_role("button", name="Start").click()
        counted(page, f"2 / {total}")
        page.keyboard.press("1")
        counted(page, f"3 / {total}")
    with study.open_edits() as store:
        assert [rating.value for rating in store.ratings()] == [4, 2, 5, 1]
        assert {rating.author for rating in store.ratings()} == {"<b>Ada</b>"}


def test_when_all_is_rated_the_results_are_there_on_demand(browser: Browser, site: tuple[Study, str]):  # noqa: F811
    study, url = site
    total = 2 * len(study.ids("val"))
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        page.locator(".card:not(.is-empty)").first.wait_for()
        page.keyboard.press("r")
        page.locator(".rate-setup").wait_for()
        page.get_by_label("Images").select_option("val")
        page.get_by_role("button", name="Start").click()
        for number in range(total):
            counted(page, f"{number + 1} / {total}")
            page.keyboard.press("3")
        expect(page.get_by_role("heading", name="All maps are rated")).to_be_visible()
        assert page.locator("table").count() == 0
        page.get_by_role("button", name="Show the results").click()
        row = page.get_by_role("row").filter(has_text="steered-2")
        expect(row).to_contain_text("3.00 (3.00 to 3.00)")
        page.get_by_role("button", name="Go through them again").click()
        counted(page, f"1 / {total}")


def test_two_runs_are_compared_under_a_divider(browser: Browser, site: tuple[Study, str]):  # noqa: F811
    _, url = site
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        OPEN["compare"](page, url)
        figures = page.locator(".score-table")
        expect(figures).to_contain_text("IoU")
        divider = page.get_by_role("slider")
        expect(divider).to_have_attribute("aria-valuenow", "50")
        page.keyboard.press("ArrowLeft")
        expect(divider).to_have_attribute("aria-valuenow", "45")
        page.keyboard.press("\\")
        expect(divider).to_have_attribute("aria-valuenow", "100")
        box = page.locator(".divided").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 40, steps=4)
        page.mouse.up()
        expect(divider).to_have_attribute("aria-valuenow", "25")
        before = figures.inner_text()
        same = figures.locator("tbody td:nth-of-type(1)").all_inner_texts()
        page.get_by_label("After", exact=True).select_option("plain-1")
        expect(figures.locator("tbody td:nth-of-type(2)")).to_have_text(same)
        page.get_by_label("After", exact=True).select_option("steered-2")
        expect(figures).to_have_text(re.compile(re.escape(before.split("\n")[0].split("\t")[0])))
        page.keyboard.press("Enter")
        page.wait_for_selector('.editor-stage[aria-busy="false"]')
        page.keyboard.press("Shift+C")
        page.locator(".divided").wait_for()


def test_two_people_see_how_far_they_agree_and_make_a_consensus(browser: Browser, site: tuple[Study, str]):  # noqa: F811
    study, url = site
    name = study.samples[1].id
    with study.open_edits() as store:
        before = store.latest([name])[name]
        store.append(name, replace(before, author="Eve", target=1 - before.target))
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        page.goto(f"{url.partition('/?')[0]}/#/image/1")
        page.wait_for_selector('.editor-stage[aria-busy="false"]')
        page.keyboard.press("i")
        agreement = page.locator(".agreement")
        expect(agreement).to_contain_text("Agreement of 2 edits")
        expect(agreement).to_contain_text("Dice 0.00")
        agreement.get_by_role("button", name="Mean of all").click()
        expect(page.locator(".history li").first).to_contain_text("consensus")
    with study.open_edits() as store:
        history = store.history(name)
    assert [edit.source for edit in history][-1] == "consensus"
    assert history[-1].comment == "mean of Eve, folder masks"
    assert history[-1].weight.max() == 0  # of two who say the opposite everywhere, nothing is left


def test_what_the_list_lacks_is_made_while_it_is_open(
    browser: Browser,
    site: tuple[Study, str],  # noqa: F811
    tmp_path: Path,
):
    study = Study(Path(shutil.copytree(site[0].folder, tmp_path / "study")))
    shutil.rmtree(study.folder / "maps")
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        expect(page.locator(".jobs-line")).to_contain_text("Making maps and predictions")
        expect(page.locator(".is-note")).to_have_text("24 images have no prediction yet.")
        expect(page.locator(".jobs-line")).to_have_text("Show the new predictions", timeout=120_000)
        page.get_by_role("button", name="Show the new predictions").click()
        expect(page.locator(".jobs-line")).to_have_count(0)
        expect(page.locator(".is-note")).to_have_count(0)
    assert sorted(path.name for path in (study.folder / "maps").iterdir()) == [
        f"steered-2-{split}.npz" for split in ("test", "train", "val")
    ]
