"""All faults of a data set come out of one pass, by name, and bad samples can be left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visteer.data.images import read_mask
from visteer.data.inspection import check_files, drop_bad
from visteer.data.readers import read_catalogue
from visteer.data.sample import Catalogue, Problem
from visteer.errors import VisteerError


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    images, masks = tmp_path / "images" / "cat", tmp_path / "masks" / "cat"
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for name in ("good", "wide", "torn", "missized", "badmask", "empty"):
        Image.fromarray(noise).save(images / f"{name}.png")
    Image.fromarray(noise).convert("CMYK").save(images / "cmyk.jpg")
    Image.fromarray(noise[..., 0].astype(np.uint16) * 257).save(images / "wide.png")
    (images / "torn.png").write_bytes((images / "torn.png").read_bytes()[:300])
    (images / "empty.png").write_bytes(b"")
    region = np.zeros((20, 30), np.uint8)
    region[:5] = 255
    Image.fromarray(region).save(masks / "good_mask.png")
    Image.fromarray(region[::-1]).save(masks / "good_mask_1.png")
    Image.fromarray(region[:10]).save(masks / "missized.png")
    (masks / "badmask.png").write_bytes(b"text")
    Image.fromarray(region).save(masks / "orphan.png")
    return read_catalogue("folder", images.parent, masks=masks.parent)


def test_every_problem_is_listed_by_name(catalogue: Catalogue) -> None:
    steps: list[tuple[int, int]] = []
    problems = check_files(catalogue, lambda done, total: steps.append((done, total)))
    errors = {problem.path.name: problem.what for problem in problems if problem.severity == "error"}
    assert sorted(errors) == ["badmask.png", "empty.png", "missized.png", "orphan.png", "torn.png"]
    assert errors["missized.png"] == "the mask is 30 x 10 pixels, its image 30 x 20"
    notes = {(problem.path.name, problem.what) for problem in problems if problem.severity == "note"}
    assert ("cmyk.jpg", "CMYK is converted to RGB") in notes
    assert ("wide.png", "16-bit grey is scaled to 8-bit and copied to RGB") in notes
    assert problems[: len(catalogue.problems)] == catalogue.problems
    assert steps == [(done, 7) for done in range(1, 8)]


def test_irrelevant_masks_are_checked_too(catalogue: Catalogue) -> None:
    by_id = {sample.id: sample for sample in catalogue.samples}
    bad = by_id["cat/badmask.png"].masks
    sample = replace(by_id["cat/good.png"], irrelevant_masks=bad)
    problems = check_files(replace(catalogue, samples=(sample,), problems=()))
    assert [problem.path.name for problem in problems] == ["badmask.png"]
    with pytest.raises(VisteerError, match="no sound image is left of 1"):
        drop_bad(replace(catalogue, samples=(sample,)), problems)


def test_the_pixel_limit_can_be_set(catalogue: Catalogue) -> None:
    problems = check_files(catalogue, max_pixels=599)
    assert sum("limit of 599" in problem.what for problem in problems) >= 5


def test_drop_bad_leaves_out_what_has_an_error(catalogue: Catalogue) -> None:
    problems = check_files(catalogue)
    kept = drop_bad(catalogue, problems)
    assert [sample.id for sample in kept.samples] == ["cat/cmyk.jpg", "cat/good.png", "cat/wide.png"]
    assert kept.classes == catalogue.classes
    assert kept.problems == problems
    note = Problem(kept.samples[0].image, "grey", "nothing", "note")
    assert drop_bad(kept, [note]).samples == kept.samples


@pytest.mark.real_data
def test_real_isic2017_is_sound_and_its_lesions_small(real_data: Path) -> None:
    catalogue = read_catalogue("isic2017", real_data / "isic2017")
    assert check_files(catalogue) == ()
    coverages = [read_mask(mask).mean() for sample in catalogue.samples for mask in sample.masks or ()]
    assert len(coverages) == 66
    assert 0.04 < np.median(coverages) < 0.08
