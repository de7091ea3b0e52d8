"""What an expert draws is in the study afterwards, whatever dies in between."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Browser

from tests.e2e.conftest import draw, latest, open_image, wait_for, wait_stored
from tests.server.process import running
from visteer.server.routes.page import STATIC
from visteer.study import Study

ACROSS = ((0.4, 0.5), (0.6, 0.5))


def test_from_the_link_to_a_saved_edit(browser: Browser, study: Study):
    faults: list[str] = []
    with running(STATIC, study.folder, "--author", "Ada") as (_, url), browser.new_context() as context:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(error.message))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.goto(url)
        page.wait_for_selector(".card:not(.is-empty)")
        page.keyboard.press("Enter")
        page.wait_for_selector('.editor-stage[aria-busy="false"]')
        page.keyboard.press("b")
        draw(page, *ACROSS)
        page.keyboard.press("n")
        draw(page, (0.45, 0.8), (0.55, 0.8))
        key = int(page.url.rpartition("/")[2])
        *_, edit = wait_for(page, study, key, lambda history: bool(history) and history[-1].irrelevant.any())
    assert edit.author == "Ada"
    assert edit.relevant.any()
    assert edit.irrelevant.any()
    assert edit.unknown.any()  # what nobody painted
    rows, columns = np.nonzero(edit.relevant)
    assert abs(rows.mean() / edit.shape[0] - 0.5) < 0.1  # drawn across the middle
    assert abs(columns.mean() / edit.shape[1] - 0.5) < 0.1
    assert faults == []


def test_undo_is_one_stroke(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url)
        draw(page, *ACROSS)
        first = wait_stored(page, study, 0, 1)
        draw(page, (0.5, 0.2), (0.5, 0.8))
        assert not np.array_equal(wait_stored(page, study, 0, 2).weight, first.weight)
        page.keyboard.press("Control+z")
        assert np.array_equal(wait_stored(page, study, 0, 3).weight, first.weight)


def test_a_tab_that_dies_in_mid_stroke_loses_nothing_drawn_before(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url)
        draw(page, *ACROSS, release=False)
        stage = page.locator(".stage").bounding_box()
        for step in range(4):  # a slow stroke: what is under way goes into the journal now and then
            page.wait_for_timeout(500)
            x, y = stage["x"] + (0.61 + step / 100) * stage["width"], stage["y"] + 0.5 * stage["height"]
            page.mouse.move(x, y, steps=3)
        assert latest(study) is None  # never sent while the pointer is down
        page.close(run_before_unload=False)
        again = context.new_page()
        again.goto(url.partition("/?")[0])
        *_, edit = wait_for(again, study, 0, bool)
    assert edit.relevant.any()


def test_what_is_drawn_while_the_server_is_dead_arrives_when_it_is_back(browser: Browser, study: Study):
    with browser.new_context() as context:
        page = context.new_page()
        with running(STATIC, study.folder) as (process, url):
            port = url.partition("/?")[0].rpartition(":")[2]
            open_image(page, url)
            process.kill()
            process.wait()
            draw(page, *ACROSS)
            page.locator(".save-status .is-kept").wait_for(timeout=20_000)
            assert latest(study) is None
        with running(STATIC, study.folder, "--port", port):
            assert wait_stored(page, study, 0, 1).relevant.any()  # the session of before still counts


def test_a_second_expert_on_the_same_image_loses_nothing(browser: Browser, study: Study):
    with (
        running(STATIC, study.folder) as (_, url),
        browser.new_context() as hers,
        browser.new_context() as his,
    ):
        one, other = hers.new_page(), his.new_page()
        open_image(one, url)
        open_image(other, url)
        draw(one, *ACROSS)
        wait_stored(one, study, 0, 1)
        draw(other, (0.5, 0.2), (0.5, 0.3))
        other.get_by_role("button", name="Keep mine as the new revision").click(timeout=20_000)
        wait_stored(other, study, 0, 2)
    with study.open_edits() as store:
        first, second = store.history(study.samples[0].id)
    assert not np.array_equal(first.weight, second.weight)


def test_a_verdict_goes_on_to_the_next_image(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(".card:not(.is-empty)")
        page.keyboard.press("Enter")
        page.wait_for_selector('.editor-stage[aria-busy="false"]')
        before = page.url
        page.keyboard.press("0")
        page.wait_for_url(lambda address: address != before)
    key = int(before.rpartition("/")[2])
    edit = latest(study, key)
    assert edit is not None
    assert edit.irrelevant.all()
