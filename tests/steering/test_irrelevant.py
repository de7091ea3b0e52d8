"""What is done with regions marked irrelevant."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visteer.edits.map_edit import MapEdit
from visteer.errors import VisteerError
from visteer.steering import SteeringDataset
from visteer.steering.dataset import SteeringBatch
from visteer.steering.irrelevant import (
    CANDIDATES,
    CLEAN_SHARE,
    DRAW_PROBABILITY,
    DRAWS_AN_IMAGE,
    LARGEST_PASTE,
    donor_marks,
    donor_rows,
    draw_contents,
    draw_donors,
    draw_fills,
    replace_irrelevant,
    transplant,
)

SIZE = 8
FILLS = torch.full((1, 3), 0.5)


def edit(target: np.ndarray, weight: np.ndarray) -> MapEdit:
    return MapEdit(target, weight, author="test")


def square(top: int, left: int, side: int, value: float = 1.0) -> np.ndarray:
    raster = np.zeros((SIZE, SIZE), np.float32)
    raster[top : top + side, left : left + side] = value
    return raster


def paste(
    batch: SteeringBatch, data: SteeringDataset, donors: torch.Tensor, sources: torch.Tensor
) -> SteeringBatch:
    """Transplant the donors' own marks."""
    return transplant(batch, data, donors, donors, sources, FILLS.expand(len(donors), 3))


@pytest.fixture
def data() -> SteeringDataset:
    """Image 0 marks its corner irrelevant, 1 has a relevant centre over part of it, 2 nothing, 3 everything."""
    images = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)
    edits = {
        "0": edit(square(0, 0, 0), square(0, 0, 3)),
        "1": edit(square(1, 1, 5), square(1, 1, 5)),
        "3": edit(square(0, 0, 0), square(0, 0, SIZE)),
    }
    return SteeringDataset(images, [0, 1, 0, 1], ["a", "b"], edits=edits)


def test_only_small_marks_are_donors(data):
    assert donor_rows(data).tolist() == [0]


def test_the_rest_around_a_large_region_is_no_mark():
    images = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    everywhere = np.ones((SIZE, SIZE), np.float32)
    edits = {"0": edit(square(0, 0, 7), everywhere), "1": edit(square(0, 0, 7), everywhere - square(0, 0, 1))}
    data = SteeringDataset(images, [0, 1], ["a", "b"], edits=edits)
    assert donor_rows(data).tolist() == [1]  # the second leaves a cell unknown, so what it marks is meant
    batch = data.batch([0])
    unchanged = paste(batch, data, torch.full((1, 3), -1), torch.tensor([1]))
    assert torch.equal(unchanged.images, batch.images)
    assert not torch.equal(replace_irrelevant(batch, FILLS).images, batch.images)


def test_a_transplanted_patch_is_the_donors_and_becomes_irrelevant(data):
    batch = data.batch([2])
    changed = paste(batch, data, torch.tensor([[0, -1, -1]]), torch.tensor([1]))
    donor = data.batch([0]).images[0]
    assert torch.equal(changed.images[0, :, :3, :3], donor[:, :3, :3])
    assert torch.equal(changed.images[0, :, 3:], batch.images[0, :, 3:])
    assert changed.weights[0, :3, :3].eq(1).all()
    assert changed.targets[0].eq(0).all()
    assert changed.weights[0, 3:].eq(0).all()
    assert torch.equal(changed.labels, batch.labels)


def test_a_relevant_cell_is_never_covered(data):
    batch = data.batch([1])
    changed = paste(batch, data, torch.tensor([[0, 0, 0]]), torch.tensor([2]))
    assert torch.equal(changed.images[0, :, 1:6, 1:6], batch.images[0, :, 1:6, 1:6])
    assert torch.equal(changed.targets[0, 1:6, 1:6], batch.targets[0, 1:6, 1:6])
    assert not torch.equal(changed.images[0, :, 0, :3], batch.images[0, :, 0, :3])
    assert changed.weights[0, 0, :3].eq(1).all()


def test_a_receivers_own_mark_is_covered_with_what_another_image_has_there(data):
    batch = data.batch([0, 1, 2, 3])
    nobody = torch.full((4, 3), -1)
    changed = paste(batch, data, nobody, torch.tensor([2, 0, 0, 0]))
    assert torch.equal(changed.images[0, :, :3, :3], data.batch([2]).images[0, :, :3, :3])
    assert torch.equal(changed.images[0, :, 3:], batch.images[0, :, 3:])
    assert torch.equal(changed.images[1:], batch.images[1:]), (
        "a region over a quarter of the image is no mark"
    )
    assert torch.equal(changed.weights, batch.weights)
    # Image 3 is marked there itself, so that what it has there may be a mark.
    changed = paste(batch, data, nobody, torch.tensor([3, 0, 0, 0]))
    assert changed.images[0, :, :3, :3].eq(0.5).all()


def four_corners(size: int = 28, side: int = 4) -> SteeringDataset:
    """Eight images, two with a mark in each corner."""
    edits = {}
    for number in range(8):
        raster = np.zeros((size, size), np.float32)
        top, left = (number // 2 % 2) * (size - side), (number % 2) * (size - side)
        raster[top : top + side, left : left + side] = 1
        edits[str(number)] = edit(np.zeros((size, size)), raster)
    images = np.zeros((8, size, size, 3), np.uint8)
    return SteeringDataset(images, [0, 1] * 4, ["a", "b"], edits=edits)


def test_a_mark_knows_its_place_and_area():
    marks = donor_marks(four_corners())
    assert marks.rows.tolist() == list(range(8))
    assert marks.areas.tolist() == pytest.approx([16 / 784] * 8)
    # A cell has 3.5 pixels: the first four begin in the first one, the last four in the last two.
    assert marks.places[0] == 1
    assert marks.places[3] == sum(1 << bit for bit in (54, 55, 62, 63))


def test_donors_are_those_of_the_slow_form():
    rng = np.random.default_rng(1)
    edits = {}
    for number in range(30):
        raster = np.zeros((16, 16), np.float32)
        top, left = rng.integers(0, 12, 2)
        raster[top : top + rng.integers(1, 7), left : left + rng.integers(1, 7)] = 1
        edits[str(number)] = edit(np.zeros((16, 16)), raster)
    data = SteeringDataset(np.zeros((30, 16, 16, 3), np.uint8), [0, 1] * 15, ["a", "b"], edits=edits)
    marks = donor_marks(data)
    marked = rng.integers(0, 2, 200).astype(bool)
    found = draw_donors(marked, marks, torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    drawn = torch.randint(len(marks), (200, DRAWS_AN_IMAGE), generator=generator)
    wanted = torch.rand((200, DRAWS_AN_IMAGE), generator=generator) < DRAW_PROBABILITY
    clean = (torch.rand(200, generator=generator) < CLEAN_SHARE).numpy() & marked
    assert 0 < clean.sum() < marked.sum()
    for receiver in range(200):
        taken, touched, area = [], set(), 0.0
        for choice, meant in zip(drawn[receiver].tolist(), wanted[receiver].tolist(), strict=True):
            row = int(marks.rows[choice])
            where = np.argwhere(data.weights[data.edit_rows[row]] > 0)
            cells = {(y * 8 // 16, x * 8 // 16) for y, x in where.tolist()}
            fits = not taken or area + len(where) / 256 <= LARGEST_PASTE
            if meant and cells - touched and fits and not clean[receiver]:
                taken.append(row)
                touched |= cells
                area += len(where) / 256
        assert [row for row in found[receiver].tolist() if row >= 0] == taken


def test_the_places_where_marks_occur_are_nearly_all_covered():
    data = four_corners()
    donors = draw_donors(np.zeros(4000, bool), donor_marks(data), torch.Generator().manual_seed(0))
    assert donors.shape == (4000, 4)
    # A corner stays free if none of twelve draws takes one of its two marks: (1 - 0.8 / 4) ** 12.
    free = 1 - (donors >= 0).double().mean().item()
    assert free == pytest.approx(0.8**12, abs=0.01)
    sources = torch.zeros(50, dtype=torch.int64)
    changed = paste(data.batch([0] * 50), data, donors[:50], sources)
    assert changed.weights.mean(dim=(1, 2)).max() <= LARGEST_PASTE


def test_a_place_can_get_what_a_marked_image_without_a_mark_there_has(data):
    batch = data.batch([2])
    donors, contents = torch.tensor([[0, -1]]), torch.tensor([[1, -1]])
    changed = transplant(batch, data, donors, contents, torch.tensor([1]), FILLS)
    assert torch.equal(changed.images[0, :, :3, :3], data.batch([1]).images[0, :, :3, :3])
    assert torch.equal(changed.images[0, :, 3:], batch.images[0, :, 3:])
    assert changed.weights[0, :3, :3].eq(1).all()
    assert changed.targets[0].eq(0).all()


def test_contents_are_those_of_the_slow_form():
    data = four_corners()
    marks = donor_marks(data)
    marked = np.arange(400) % 4 == 0
    donors = draw_donors(marked, marks, torch.Generator().manual_seed(3))
    found = draw_contents(donors, marked, marks, torch.Generator().manual_seed(4))
    generator = torch.Generator().manual_seed(4)
    shares = torch.rand((400, 1), generator=generator)
    kept = torch.rand(donors.shape, generator=generator) < shares
    candidates = torch.randint(8, (*donors.shape, CANDIDATES), generator=generator)
    for receiver in range(400):
        for column, donor in enumerate(donors[receiver].tolist()):
            wanted = donor
            if donor >= 0 and not kept[receiver, column] and not marked[receiver]:
                corner = donor % 4  # images 0 and 4 are marked in the same corner, and so on
                clear = [row for row in candidates[receiver, column].tolist() if row % 4 != corner]
                wanted = clear[0] if clear else donor
            assert found[receiver, column] == wanted


def test_an_image_of_unknown_mark_is_shown_with_any_number_of_marks_equally_often():
    """So that an image with few marks or none is as usual as one with many, and its marks tell nothing."""
    marks = donor_marks(four_corners())
    nobody = np.zeros(8000, bool)
    donors = draw_donors(nobody, marks, torch.Generator().manual_seed(0))
    contents = draw_contents(donors, nobody, marks, torch.Generator().manual_seed(1))
    everywhere = (donors >= 0).all(1)
    shown = (contents == donors)[everywhere].sum(1)
    share = np.bincount(shown.numpy(), minlength=5) / int(everywhere.sum())
    assert share == pytest.approx([0.2] * 5, abs=0.03)
    known = draw_contents(donors, ~nobody, marks, torch.Generator().manual_seed(1))
    assert torch.equal(known, donors)


def test_where_every_mark_lies_in_one_place_the_marks_are_pasted(data):
    donors = draw_donors(np.zeros(50, bool), donor_marks(data), torch.Generator().manual_seed(0))
    contents = draw_contents(donors, np.zeros(50, bool), donor_marks(data), torch.Generator().manual_seed(0))
    assert torch.equal(contents, donors)


def test_one_mark_is_pasted_once(data):
    donors = draw_donors(np.zeros(4000, bool), donor_marks(data), torch.Generator().manual_seed(0))
    assert donors.shape == (4000, 1)
    assert (donors == 0).double().mean().item() == pytest.approx(1, abs=0.001)


def test_without_a_donor_the_error_says_what_to_do():
    data = SteeringDataset(np.zeros((4, SIZE, SIZE, 3), np.uint8), [0, 1] * 2, ["a", "b"])
    with pytest.raises(VisteerError, match="mark the shortcut itself"):
        donor_marks(data)


def test_replacing_fills_the_marked_region_only(data):
    batch = data.batch([0, 2])
    changed = replace_irrelevant(batch, torch.tensor([[0.25, 0.5, 0.75], [0.0, 0.0, 0.0]]))
    assert changed.images[0, :, 0, 0].tolist() == [0.25, 0.5, 0.75]
    assert torch.equal(changed.images[0, :, 3:], batch.images[0, :, 3:])
    assert torch.equal(changed.images[1], batch.images[1])


def test_fills_are_colours_and_greys():
    fills = draw_fills(500, torch.Generator().manual_seed(0))
    grey = (fills[:, 0] == fills[:, 1]) & (fills[:, 1] == fills[:, 2])
    assert 0.4 < grey.double().mean() < 0.6
    assert fills.min() >= 0
    assert fills.max() <= 1
