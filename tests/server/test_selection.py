"""Superpixels and objects: found where they are, the same each time; a wrong question is refused in one line."""

from __future__ import annotations

import base64
import heapq
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from tests.server.serving import WRITE
from visteer.server.selection import flood, object_at, object_in, superpixels

NOWHERE = np.empty((0, 2))


def disc_on_noise(side: int = 240, radius: float = 50, seed: int = 0, *, colour: bool = False):
    """A disc in noise of a third of its contrast, and its cells."""
    y, x = np.mgrid[:side, :side] + 0.5
    disc = np.hypot(x - 0.45 * side, y - 0.55 * side) < radius
    rng = np.random.default_rng(seed)
    picture = rng.normal(np.where(disc, 60, 150)[..., None], 30, (side, side, 1 if not colour else 3))
    if colour:
        picture[..., 0] += np.where(disc, 90, 0)
    return np.clip(np.broadcast_to(picture, (side, side, 3)), 0, 255).astype(np.uint8), disc


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def box_round(cells: np.ndarray, margin: float = 0.08) -> tuple[float, float, float, float]:
    (top, bottom), (left, right) = ((at.min(), at.max() + 1) for at in np.nonzero(cells))
    (height, width), dx, dy = cells.shape, margin * (right - left), margin * (bottom - top)
    return (
        max(0, (left - dx) / width),
        max(0, (top - dy) / height),
        min(1, (right + dx) / width),
        min(1, (bottom + dy) / height),
    )


@pytest.mark.parametrize("colour", [False, True])
def test_a_disc_on_noise_is_found_by_a_click_and_by_a_box(colour):
    picture, disc = disc_on_noise(colour=colour)
    assert overlap(object_at(picture, np.array([[0.45, 0.55]]), NOWHERE), disc) > 0.9
    assert overlap(object_in(picture, box_round(disc)), disc) > 0.9


def test_a_box_starts_from_a_rough_drawing():
    picture, disc = disc_on_noise()
    sketch = np.roll(disc, (12, -12), (0, 1))
    found = object_in(picture, box_round(sketch | disc), sketch)
    assert overlap(sketch, disc) < 0.75
    assert overlap(found, disc) > 0.9


def test_more_clicks_take_more_in_and_leave_more_out():
    picture = np.full((120, 200, 3), 90, np.uint8)
    picture[40:80, 30:70] = picture[40:80, 120:160] = 200
    left, right = (0.25, 0.5), (0.7, 0.5)
    both = object_at(picture, np.array([left, right]), NOWHERE)
    assert both[60, 50]
    assert both[60, 140]
    one = object_at(picture, np.array([left]), np.array([right]))
    assert one[60, 50]
    assert not one[60, 140]


def test_an_object_at_the_border_is_found_up_to_it():
    picture = np.full((120, 120, 3), 90, np.uint8)
    picture[30:90, :40] = 200
    found = object_at(picture, np.array([[0.03, 0.5]]), NOWHERE)
    assert found[60, 0]
    assert not found[5, 5]


def least_rise(heights: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """How high water must rise to come from the seeds to each cell: Dijkstra, cell by cell."""
    rise = np.where(seeds, 0.0, np.inf)
    queue = [(0.0, int(y), int(x)) for y, x in zip(*np.nonzero(seeds), strict=True)]
    while queue:
        level, y, x = heapq.heappop(queue)
        for ny, nx in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= ny < rise.shape[0] and 0 <= nx < rise.shape[1]:
                there = max(level, heights[y, x], heights[ny, nx])
                if there < rise[ny, nx]:
                    rise[ny, nx] = there
                    heapq.heappush(queue, (there, ny, nx))
    return rise


@pytest.mark.parametrize("seed", range(20))
def test_each_cell_is_flooded_from_where_water_comes_first(seed):
    rng = np.random.default_rng(seed)
    heights = rng.permutation(12 * 15).reshape(12, 15) * 1.0
    seeds = np.zeros((12, 15), np.uint8)
    seeds[2, 3], seeds[9, 12], seeds[0, 14] = 1, 2, 2
    found = flood(heights, seeds)
    inside, outside = least_rise(heights, seeds == 1), least_rise(heights, seeds == 2)
    assert found[inside < outside].all()
    assert not found[outside < inside].any()
    assert ndimage.label(found)[1] == 1


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000), height=st.integers(5, 60), width=st.integers(5, 60), count=st.integers(1, 60)
)
def test_superpixels_are_connected_and_numbered_without_gaps(seed, height, width, count):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pieces = superpixels(noise, count)
    assert np.array_equal(np.unique(pieces), np.arange(pieces.max() + 1))
    for number in range(pieces.max() + 1):
        assert ndimage.label(pieces == number)[1] == 1


def test_superpixels_keep_to_edges():
    picture, disc = disc_on_noise()
    pieces = superpixels(picture, 400)
    assert 250 < pieces.max() < 600
    sizes = np.bincount(pieces.ravel())
    within = np.bincount(pieces.ravel(), disc.ravel())
    assert overlap((within / sizes > 0.5)[pieces], disc) > 0.9


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    value=st.integers(0, 255),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    box=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_nothing_to_be_seen_is_no_failure(value, size, box):
    flat = np.full((*size, 3), value, np.uint8)
    left, right = sorted(box[:2])
    top, bottom = sorted(box[2:])
    assert object_in(flat, (left, top, right, bottom)).shape == size
    assert object_at(flat, np.array([box[:2]]), NOWHERE).shape == size
    assert superpixels(flat, 4).shape == size


def test_the_same_question_has_the_same_answer():
    picture, disc = disc_on_noise(side=120, radius=25)
    box = box_round(disc)
    assert np.array_equal(object_in(picture, box), object_in(picture, box))
    assert np.array_equal(superpixels(picture, 100), superpixels(picture, 100))


@pytest.mark.real_data
def test_lesions_are_found(real_data: Path):
    folder = real_data / "busi" / "Dataset_BUSI_with_GT" / "benign"
    by_box, by_box_alone = [], []
    for path in sorted(folder.glob("*_mask.png"))[::20][:20]:
        with Image.open(path) as mask, Image.open(str(path).replace("_mask", "")) as image:
            picture = image.convert("RGB")
            picture.thumbnail((512, 512))
            lesion = np.asarray(mask.convert("L").resize(picture.size)) > 127
        left, top, right, bottom = box = box_round(lesion)
        height, width = lesion.shape
        filled = np.zeros_like(lesion)
        filled[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = 1
        by_box.append(overlap(object_in(np.asarray(picture), box), lesion))
        by_box_alone.append(overlap(filled, lesion))
    assert np.median(by_box) > 0.75
    assert np.median(by_box) > np.median(by_box_alone) + 0.15


def raster(content: bytes) -> np.ndarray:
    assert content[:4] == b"VSL1"
    width, height = struct.unpack("<II", content[4:12])
    return np.frombuffer(content[12:], "<u2").reshape(height, width)


def test_superpixels_are_served_and_cached(client):
    answer = client.get("/api/images/0/superpixels", params={"count": 20})
    assert answer.status_code == 200
    pieces = raster(answer.content)
    assert pieces.shape == (48, 48)
    again = client.get(
        "/api/images/0/superpixels", params={"count": 20}, headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    other = client.get("/api/images/0/superpixels", params={"count": 60})
    assert other.headers["etag"] != answer.headers["etag"]
    assert raster(other.content).max() > pieces.max()


def ask(client, **wanted):
    return client.post("/api/images/0/select", json=wanted, headers=WRITE)


def test_objects_are_served(client):
    clicked = ask(client, points=[{"x": 0.5, "y": 0.5}, {"x": 0.1, "y": 0.1, "inside": False}])
    assert clicked.status_code == 200, clicked.text
    cells = raster(clicked.content)
    assert cells.shape == (48, 48)
    assert cells[24, 24] == 1
    assert cells[4, 4] == 0
    box = {"left": 0.25, "top": 0.25, "right": 0.75, "bottom": 0.75}
    boxed = raster(ask(client, box=box).content)
    assert set(np.unique(boxed)) <= {0, 1}
    assert not boxed[:11].any()
    sketch = np.zeros((48, 48), bool)
    sketch[16:32, 16:32] = True
    text = base64.b64encode(np.packbits(sketch).tobytes()).decode()
    assert ask(client, box=box, sketch=text).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"points": []},
        {"points": [{"x": 0.5, "y": 0.5, "inside": False}]},
        {"points": [{"x": 1.5, "y": 0.5}]},
        {"points": [{"x": 0.5, "y": 0.5}] * 65},
        {"box": {"left": 0.5, "top": 0.1, "right": 0.5, "bottom": 0.9}},
        {"box": {"left": 0, "top": 0, "right": 1, "bottom": 1}, "sketch": "AAAA"},
        {"box": {"left": 0, "top": 0, "right": 1, "bottom": 1}, "sketch": "no base64"},
        {"points": [{"x": 0.5, "y": 0.5}], "sketch": "AAAA"},
    ],
)
def test_a_wrong_question_is_refused_in_one_line(client, wanted):
    answer = ask(client, **wanted)
    assert answer.status_code == 422
    assert "\n" not in answer.json()["detail"]


def test_the_gate_is_before_selections(client, stranger):
    assert stranger.get("/api/images/0/superpixels").status_code == 401
    assert client.post("/api/images/0/select", json={"points": [{"x": 0.5, "y": 0.5}]}).status_code == 403


def test_the_place_of_an_image_is_that_in_the_list(client):
    listed = client.get("/api/images", params={"limit": 200, "class_": "cat", "sort": "name"}).json()
    keys = [item["key"] for item in listed["items"]]
    for place in (0, 7, len(keys) - 1):
        answer = client.get(f"/api/images/{keys[place]}/place", params={"class_": "cat", "sort": "name"})
        assert answer.json() == {"place": place, "total": len(keys)}
    dog = client.get("/api/images", params={"limit": 1, "class_": "dog"}).json()["items"][0]["key"]
    left_out = client.get(f"/api/images/{dog}/place", params={"class_": "cat"}).json()
    assert left_out["place"] is None
    assert client.get("/api/images/999/place").status_code == 404
