"""Superpixels, an object from clicks, an object in a box: drawn as one stroke by mouse and keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import draw, wait_for, wait_stored
from tests.e2e.test_drawing import open_image
from tests.server.process import running
from visteer.server.routes.page import STATIC
from visteer.study import Study, StudySettings, make_study

SIDE = 240


@pytest.fixture(scope="module")
def with_discs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, np.ndarray]:
    """A study of pictures that all have one disc in their middle, and its cells."""
    root = tmp_path_factory.mktemp("discs")
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    disc = np.hypot(x - SIDE / 2, y - SIDE / 2) < 45
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / "images" / name).mkdir(parents=True)
        for number in range(20):
            grey = rng.normal(np.where(disc, 70, 160), 20).clip(0, 255).astype(np.uint8)
            Image.fromarray(grey).convert("RGB").save(root / "images" / name / f"{number:02}.png")
    folder = Path(tmp_path_factory.mktemp("study")) / "study"
    make_study(
        folder, StudySettings(images=root / "images", model="test_resnet", weights="none", image_size=48)
    )
    return Study(folder), disc


def overlap(relevant: np.ndarray, disc: np.ndarray) -> float:
    return (relevant & disc).sum() / (relevant | disc).sum()


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    box = page.locator(".stage").bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def round_the_disc(page: Page) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two corners of a box round the disc, in shares of the stage: the picture is square and fills its short side."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    reach = 0.23 * min(box["width"], box["height"])
    dx, dy = reach / box["width"], reach / box["height"]
    return (0.5 - dx, 0.5 - dy), (0.5 + dx, 0.5 + dy)


def test_a_superpixel_is_outlined_and_filled(browser: Browser, with_discs):
    study, disc = with_discs
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url, 0)
        with page.expect_response("**/superpixels?**"):
            page.keyboard.press("q")
        page.mouse.move(*at(page, 0.5, 0.5))
        page.locator(".stage-draft path.is-outline").wait_for(state="attached")
        page.mouse.down()
        page.mouse.up()
        one = wait_stored(page, study, 0, 1)
        assert 40 < one.relevant.sum() < 600  # about a 400th of the picture
        draw(page, (0.48, 0.5), (0.52, 0.5))
        two = wait_for(page, study, 0, lambda history: len(history) >= 2)[-1]
        assert two.relevant.sum() > one.relevant.sum()
        page.keyboard.press("Control+z")
        assert np.array_equal(wait_stored(page, study, 0, 3).relevant, one.relevant)


def test_clicks_find_an_object_that_enter_draws_and_undo_takes_back(browser: Browser, with_discs):
    study, disc = with_discs
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url, 1)
        page.keyboard.press("l")
        page.mouse.click(*at(page, 0.5, 0.5))
        said = page.get_by_role("status").filter(has_text="Found")
        said.wait_for()
        page.mouse.click(*at(page, 0.4, 0.3), button="right")
        page.locator(".stage-draft .is-click").nth(1).wait_for(state="attached")
        page.keyboard.press("Escape")
        assert page.locator(".stage-draft path").count() == 0
        with study.open_edits() as store:
            assert store.history(study.samples[1].id) == ()
        with page.expect_response("**/select"):
            page.mouse.click(*at(page, 0.5, 0.5))
        page.locator(".stage-draft path.is-outline").wait_for(state="attached")
        page.keyboard.press("Enter")
        assert overlap(wait_stored(page, study, 1, 1).relevant, disc) > 0.9
        page.keyboard.press("Control+z")
        assert not wait_stored(page, study, 1, 2).relevant.any()


def test_a_box_and_a_rough_drawing_snap_to_the_object(browser: Browser, with_discs):
    study, disc = with_discs
    with running(STATIC, study.folder) as (_, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url, 2)
        page.keyboard.press("j")
        draw(page, *round_the_disc(page))
        page.locator(".stage-draft path.is-outline").wait_for(state="attached")
        page.get_by_role("button", name="Draw as relevant").click()
        assert overlap(wait_stored(page, study, 2, 1).relevant, disc) > 0.9
        page.keyboard.press("Control+z")
        wait_stored(page, study, 2, 2)
        page.keyboard.press("o")
        (left, top), (right, bottom) = round_the_disc(page)
        draw(page, (left, top), (right, bottom - 0.05))
        rough = wait_stored(page, study, 2, 3).relevant
        page.keyboard.press("j")
        page.get_by_role("button", name="Start from my drawing").click()
        page.locator(".stage-draft path.is-outline").wait_for(state="attached")
        page.locator(".stage").hover()
        page.get_by_role("button", name="Draw as relevant").click()
        snapped = wait_stored(page, study, 2, 4).relevant
        assert overlap(snapped, disc) > max(0.9, overlap(rough, disc))


def test_a_finger_says_outside_by_a_button(browser: Browser, with_discs):
    study, _ = with_discs
    with running(STATIC, study.folder) as (_, url), browser.new_context(has_touch=True) as context:
        page = context.new_page()
        open_image(page, url, 3)
        page.get_by_role("button", name="Object from clicks").click()
        page.touchscreen.tap(*at(page, 0.5, 0.5))
        page.locator(".stage-draft path.is-outline").wait_for(state="attached")
        page.get_by_role("button", name="Next click").click()
        page.touchscreen.tap(*at(page, 0.5, 0.15))
        page.locator(".stage-draft .is-click").nth(1).wait_for(state="attached")


def test_an_error_is_one_line(browser: Browser, with_discs):
    study, _ = with_discs
    with running(STATIC, study.folder) as (process, url), browser.new_context() as context:
        page = context.new_page()
        open_image(page, url, 4)
        page.keyboard.press("l")
        process.kill()
        process.wait()
        page.mouse.click(*at(page, 0.5, 0.5))
        page.get_by_role("status").filter(has_text="The server does not answer").wait_for()
        assert page.locator(".stage-draft .is-click").count() == 0
