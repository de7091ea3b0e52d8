"""What an expert draws while something is amiss is in the study once it is mended."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import draw, latest, open_image, wait_for, wait_stored
from tests.server.process import running
from visteer.edits.map_edit import MapEdit
from visteer.server.routes.page import STATIC
from visteer.server.sessions import SECRET_FILE
from visteer.study import Study

LEFT, RIGHT = ((0.4, 0.3), (0.42, 0.7)), ((0.6, 0.3), (0.58, 0.7))
JOURNAL = """() => new Promise((done) => {
  const request = indexedDB.open("visteer");
  request.onsuccess = () => {
    const all = request.result.transaction("unsent").objectStore("unsent").count();
    all.onsuccess = () => { request.result.close(); done(all.result); };
  };
})"""


def test_the_network_gone_for_a_minute(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        page.clock.install()
        open_image(page, url)
        context.set_offline(True)
        draw(page, *LEFT)
        status = page.locator(".save-status")
        expect(status).to_contain_text("Kept in this browser, will retry", timeout=20_000)
        for _ in range(6):
            page.clock.fast_forward(10_000)
            page.wait_for_timeout(100)  # the attempts of those seconds fail
        draw(page, *RIGHT)
        expect(status).to_contain_text("Kept in this browser, will retry", timeout=20_000)
        assert page.evaluate(JOURNAL) == 1
        assert latest(study) is None
        context.set_offline(False)
        edit = wait_stored(page, study, 0, 2)
        assert page.evaluate(JOURNAL) == 0
    assert share_painted(edit.relevant, left=True) > 0
    assert share_painted(edit.relevant, left=False) > 0


def test_a_session_that_ends_is_said_and_the_link_mends_it(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url)
        context.clear_cookies()
        draw(page, *LEFT)
        says_that_the_session_ended(page)
        draw(page, *RIGHT)
        assert latest(study) is None
        follow(context, url)
        edit = wait_stored(page, study, 0, 2)
    assert share_painted(edit.relevant, left=True) > 0
    assert share_painted(edit.relevant, left=False) > 0


def test_strokes_outlive_a_server_that_forgot_its_sessions(browser: Browser, study: Study):
    with browser.new_context() as context:
        page = context.new_page()
        with running(STATIC, study.folder) as (process, url):
            port = url.partition("/?")[0].rpartition(":")[2]
            open_image(page, url)
            process.kill()
            process.wait()
            draw(page, *LEFT)
            expect(page.locator(".save-status")).to_contain_text("Kept in this browser", timeout=20_000)
            page.close(run_before_unload=False)
        (study.folder / SECRET_FILE).unlink(missing_ok=True)
        with running(STATIC, study.folder, "--port", port) as (_, url):
            page = context.new_page()
            page.goto(url.partition("?")[0])
            expect(page.locator("body")).to_contain_text("take the link that visteer edit printed")
            page.goto(url)
            edit = wait_stored(page, study, 0, 1)
    assert share_painted(edit.relevant, left=True) > 0


def test_two_tabs_follow_each_other(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        one, other = context.new_page(), context.new_page()
        open_image(one, url)
        open_image(other, url)
        expect(one.locator(".tag.is-warning")).to_be_visible()
        draw(one, *LEFT)
        first = wait_stored(one, study, 0, 1)
        expect(other.locator(".toast")).to_contain_text("another tab", timeout=20_000)
        draw(other, *RIGHT)
        second = wait_stored(other, study, 0, 2)
    assert second.relevant[first.relevant].all()  # the other tab went on from it
    assert share_painted(second.relevant, left=False) > share_painted(first.relevant, left=False)


def test_two_tabs_that_draw_at_once_lose_nothing(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        one, other = context.new_page(), context.new_page()
        open_image(one, url)
        open_image(other, url)
        other.bring_to_front()
        draw(other, *RIGHT, release=False)  # under way when the first tab's stroke is stored
        one.bring_to_front()
        draw(one, *LEFT)
        wait_stored(one, study, 0, 1)
        other.bring_to_front()
        other.mouse.up()
        conflict = other.locator(".conflict")
        expect(conflict).to_contain_text("You, in another tab, saved revision 1", timeout=20_000)
        conflict.get_by_role("button", name="Keep mine as the new revision").click()
        wait_stored(other, study, 0, 2)
    with study.open_edits() as store:
        first, second = store.history(study.samples[0].id)
    assert share_painted(first.relevant, left=True) > share_painted(first.relevant, left=False)
    assert share_painted(second.relevant, left=False) > share_painted(second.relevant, left=True)


def says_that_the_session_ended(page: Page) -> None:
    expect(page.locator(".save-status")).to_contain_text(
        re.compile("Kept in this browser.*open the link that visteer edit printed again"), timeout=20_000
    )


def follow(context: BrowserContext, url: str) -> None:
    """Take the link in a tab of its own and close it."""
    page = context.new_page()
    page.goto(url)
    page.close()


def share_painted(cells: np.ndarray, *, left: bool) -> float:
    """How much of one half of the image is painted."""
    half = cells.shape[1] // 2
    return float((cells[:, :half] if left else cells[:, half:]).mean())


def test_another_image_opened_under_the_pen_takes_nothing_of_the_stroke(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url)
        draw(page, (0.3, 0.3), (0.6, 0.6), release=False)
        page.keyboard.press("d")
        page.wait_for_function("!location.hash.endsWith('/0')")
        page.wait_for_selector('.editor-stage[aria-busy="false"]')
        page.mouse.move(500, 500, steps=8)
        page.mouse.up()
        assert wait_stored(page, study, 0, 1).has_relevant
        page.wait_for_timeout(1500)
        with study.open_edits() as store:
            assert store.image_ids() == (study.samples[0].id,)


def test_what_is_undone_in_mid_stroke_is_gone_on_the_server_too(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url)
        draw(page, (0.3, 0.3), (0.6, 0.6), release=False)
        page.wait_for_timeout(400)
        page.mouse.move(500, 400, steps=8)
        page.keyboard.press("Control+z")
        page.mouse.move(700, 300, steps=8)
        page.mouse.up()
        page.locator(".save-status .is-good").wait_for()
        history = wait_for(page, study, 0, lambda history: bool(history) and not history[-1].has_relevant)
        assert history
        assert not history[-1].has_relevant


def test_theirs_is_not_taken_before_it_can_be_shown(browser: Browser, study: Study):
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url)
        name = study.samples[0].id
        with study.open_edits() as store:
            store.append(name, MapEdit([[1.0]], [[1.0]], author="Eve"))
        draw(page, (0.3, 0.3), (0.6, 0.6))
        theirs = page.get_by_role("button", name="Take theirs")
        theirs.wait_for()
        page.route("**/api/images/0/edit*", lambda route: route.abort())
        theirs.click()
        page.wait_for_timeout(500)
        expect(theirs).to_be_visible()
        page.unroute("**/api/images/0/edit*")
        theirs.click()
        expect(theirs).to_have_count(0)
        page.wait_for_timeout(1500)
        with study.open_edits() as store:
            assert [edit.author for edit in store.history(name)] == ["Eve"]
