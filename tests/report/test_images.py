"""Pictures show what the edit and the map say, where they say it."""

from __future__ import annotations

import base64
import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

from tests.report.sample_report import make_gallery_row
from visteer.report import GalleryRow, before_after_picture
from visteer.report.images import SIDE, colour_scale, data_uri, draw_edit, draw_image, draw_map


def grey_row(target=None, weight=None, heat=None, size=64) -> GalleryRow:
    heat = np.zeros((4, 4)) if heat is None else heat
    return GalleryRow(
        "x.png",
        "a",
        np.full((size, size, 3), 128, np.uint8),
        target,
        weight,
        (heat,),
        ("a",),
        (0.5,),
        (math.nan,),
    )


def halves(left: float, right: float, size: int = 32) -> np.ndarray:
    return np.repeat([[left] * (size // 2) + [right] * (size // 2)], size, axis=0).astype(np.float32)


LEFT, RIGHT = (slice(20, -20), slice(20, 100)), (slice(20, -20), slice(-100, -20))


def test_the_image_keeps_its_content():
    row = grey_row()
    assert draw_image(row).shape == (SIDE, SIDE, 3)
    assert (draw_image(row) == 128).all()


def test_unknown_cells_show_the_image_as_it_is():
    picture = draw_edit(grey_row(halves(1, 1), halves(0, 0)))
    assert (picture == 128).all()


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_relevant_is_even_green_blue_and_irrelevant_is_hatched_orange(ground):
    row = dataclasses.replace(
        grey_row(halves(1, 0), halves(1, 1)), image=np.full((64, 64, 3), ground, np.uint8)
    )
    picture = draw_edit(row).astype(int)
    left, right = picture[LEFT], picture[RIGHT]
    assert (left[..., 2] > left[..., 0]).all()
    assert left.std(axis=(0, 1)).max() < 1
    assert (right[..., 0] >= right[..., 2]).all()
    # The stripes are seen without colour: brightness alone tells them apart.
    assert right.mean(axis=2).std() > 25


def test_a_stronger_target_has_a_stronger_tint():
    picture = draw_edit(grey_row(halves(0.2, 1), halves(1, 1))).astype(int)
    assert picture[RIGHT][..., 0].mean() < picture[LEFT][..., 0].mean() - 10


def test_no_edit_no_picture():
    assert draw_edit(grey_row()) is None


def test_the_map_is_bright_where_it_is_hot_and_the_scale_is_the_same_everywhere():
    hot_left = draw_map(grey_row(heat=halves(1, 0, 8)), 0).astype(int)
    hot_right = draw_map(grey_row(heat=halves(0, 1, 8)), 0).astype(int)
    assert hot_left[LEFT].mean() > hot_left[RIGHT].mean() + 40
    assert abs(hot_left[LEFT].mean() - hot_right[RIGHT].mean()) < 2
    half = draw_map(grey_row(heat=np.full((8, 8), 0.5)), 0).astype(int)
    assert hot_left[RIGHT].mean() < half[LEFT].mean() < hot_left[LEFT].mean()


def test_a_map_that_is_not_finite_is_drawn_as_zero():
    broken = draw_map(grey_row(heat=np.full((4, 4), np.nan)), 0)
    assert np.array_equal(broken, draw_map(grey_row(heat=np.zeros((4, 4))), 0))


def test_regions_are_outlined_on_the_map():
    target = np.zeros((64, 64), np.float32)
    target[16:48, 16:48] = 1
    picture = draw_map(grey_row(target, (target > 0).astype(np.float32)), 0).astype(int)
    assert picture[128, 60:68].max() > 220
    assert picture[128, 120:136].max() < 150


def test_the_line_of_the_relevant_region_is_whole_where_the_irrelevant_one_touches_it():
    known, right = np.ones((64, 64), np.float32), halves(0, 1, 64)
    line = (slice(20, -20), 127)
    on_map = draw_map(grey_row(right, known), 0).astype(int)[line]
    on_edit = draw_edit(grey_row(right, known)).astype(int)[line]
    assert np.ptp(on_map, axis=0).max() < 3
    assert on_map.min() > 200
    assert (on_edit[:, 2] > on_edit[:, 0]).all()


def test_the_colour_scale_grows_brighter_all_along():
    brightness = colour_scale()[0].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) > -2).all()
    assert brightness[-1] > brightness[0] + 200


def test_data_uri_holds_the_picture():
    uri = data_uri(draw_image(make_gallery_row(1)))
    head, _, body = uri.partition(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as picture:
        assert picture.size == (SIDE, SIDE)


def test_before_after_picture_has_a_row_for_each_image():
    rows = [make_gallery_row(seed, edited=seed != 1) for seed in range(3)]
    one, three = before_after_picture(rows[:1]), before_after_picture(rows)
    assert one.mode == "RGB"
    assert three.width == one.width
    assert three.height - one.height == 2 * (SIDE + 34)
    assert one.getpixel((1, 1)) == (255, 255, 255)
    pasted = np.asarray(one)[58 : 58 + SIDE, 24 : 24 + SIDE]
    assert np.array_equal(pasted, draw_image(rows[0]))


def test_before_after_picture_says_that_a_map_is_dead():
    columns = ("Image", "Edit", "Map")
    pale = before_after_picture([grey_row(heat=np.full((4, 4), 1e-3))], columns)
    dead = before_after_picture([grey_row(heat=np.zeros((4, 4)))], columns)
    ink = [(np.asarray(page)[-40:, 24 + 2 * (SIDE + 10) :] < 200).any(axis=(0, 2)) for page in (pale, dead)]
    ends = [int(np.flatnonzero(written).max()) for written in ink]
    assert ends[1] > ends[0] + 50
    assert ends[1] < SIDE


def test_before_after_picture_survives_hostile_names():
    row = dataclasses.replace(
        make_gallery_row(0), true_class="\u202e\n" + "x" * 10_000, predictions=("\x00", "\udcff")
    )
    assert before_after_picture([row]).height == before_after_picture([make_gallery_row(0)]).height


def test_before_after_picture_needs_rows():
    with pytest.raises(ValueError, match="at least one row"):
        before_after_picture([])
