from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_auroc

from tests.oracles import paper_localisation as paper
from visteer.edits.map_edit import MapEdit, resample_edit
from visteer.evaluation.localisation import (
    IOU_SWEEP,
    MAP_SCORES,
    energy_share,
    iou,
    localisation_scores,
    map_distance,
    pixel_auroc,
    pointing_game,
    rank_accuracy,
    soft_dice,
    stretch,
)


def random_case(seed, shape=(2, 3), n=3):
    """Maps in quarters, so that ties are common; some dead; some cells unknown."""
    rng = np.random.default_rng(seed)
    maps = torch.tensor(rng.integers(0, 5, (n, *shape)) / 4) * torch.tensor(rng.random((n, 1, 1)) < 0.85)
    known = torch.tensor(rng.random((n, *shape)) < 0.8)
    region = torch.tensor(rng.random((n, *shape)) < 0.4) & known
    return maps, region, known


@given(st.integers(0, 100_000))
@settings(max_examples=80, deadline=None)
def test_scores_are_those_of_the_definitions(seed):
    maps, region, known = random_case(seed)
    unit = stretch(maps)
    for i in range(len(maps)):
        one = slice(i, i + 1)
        raw, stretched = paper.cells(maps[i], region[i], known[i]), paper.cells(unit[i], region[i], known[i])
        args = maps[one], region[one], known[one]
        assert energy_share(*args).item() == pytest.approx(paper.energy_share(raw))
        assert pointing_game(*args).item() == pytest.approx(paper.pointing_game(raw))
        assert pixel_auroc(*args).item() == pytest.approx(paper.pixel_auroc(raw), nan_ok=True)
        if region[i].any():
            assert rank_accuracy(*args).item() == pytest.approx(paper.rank_accuracy(raw))
        for threshold in (0.0, 0.5, 0.75):
            found = iou(unit[one], region[one], known[one], threshold).item()
            assert found == pytest.approx(paper.iou(stretched, threshold))


@given(st.integers(0, 100_000))
@settings(max_examples=40, deadline=None)
def test_dice_and_distance_take_soft_targets(seed):
    maps, _, known = random_case(seed, shape=(4, 4), n=1)
    targets = torch.tensor(np.random.default_rng(seed).random((1, 4, 4)))
    pairs = [(m, t) for m, t in paper.cells(stretch(maps)[0], targets[0], known[0])]
    assert soft_dice(stretch(maps), targets, known).item() == pytest.approx(paper.soft_dice(pairs))
    distance = map_distance(maps, targets * known, known.double(), grid=(4, 4)).item()
    assert distance == pytest.approx(paper.map_distance(maps[0], targets[0], known[0]))


def test_pixel_auroc_equals_torchmetrics():
    rng = np.random.default_rng(0)
    maps, region = torch.tensor(rng.random((1, 30, 30))), torch.tensor(rng.random((1, 30, 30)) < 0.2)
    expected = binary_auroc(maps.flatten(), region.flatten().long())
    found = pixel_auroc(maps, region, torch.ones_like(region))
    assert found.item() == pytest.approx(float(expected), abs=1e-6)


def test_a_perfect_map_has_the_best_scores_and_its_opposite_the_worst():
    targets = torch.zeros(1, 56, 56)
    targets[:, 8:32, 16:40] = 1
    weights = torch.ones_like(targets)
    best, worst = (localisation_scores(m, targets, weights) for m in (targets, 1 - targets))
    for name in MAP_SCORES:
        assert best[name].item() == (0 if name == "map_distance" else 1)
        assert worst[name].item() == (7 if name == "map_distance" else 0)


def test_dead_maps_look_nowhere():
    targets = torch.zeros(1, 14, 14)
    targets[:, :7, :7] = 1
    scores = localisation_scores(torch.zeros(1, 4, 4), targets, torch.ones_like(targets))
    assert scores.pop("pixel_auroc").item() == 0.5
    # 3.5 x 3.5 cells of 7 x 7: nine full ones, six halves, one quarter
    assert scores.pop("map_distance").item() == pytest.approx(math.sqrt(9 + 6 / 4 + 1 / 16))
    assert [s.item() for s in scores.values()] == [0] * len(scores)


def test_images_without_a_region_have_no_score():
    maps = torch.rand(3, 4, 4)
    targets, weights = torch.zeros(3, 8, 8), torch.ones(3, 8, 8)
    targets[1, :2] = 0.4  # relevant, but nowhere by half or more
    targets[2, :2], weights[2, :2] = 1, 0  # the region is unknown
    for score in localisation_scores(maps, targets, weights).values():
        assert score.isnan().all()


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_what_lies_on_unknown_cells_counts_nowhere(seed):
    """Both maps keep their extremes on known cells, so stretching is the same."""
    rng = np.random.default_rng(seed)
    maps = torch.tensor(rng.uniform(0.1, 0.9, (1, 14, 14)))
    maps[0, 0, 0], maps[0, 0, 13] = 0, 1
    targets = torch.tensor((rng.random((1, 14, 14)) < 0.3).astype(float))
    targets[0, 2, 2] = 1
    weights = torch.ones_like(targets)
    weights[:, 8:] = 0
    other_maps, other_targets = maps.clone(), targets.clone()
    other_maps[:, 8:] = torch.tensor(rng.uniform(0.1, 0.9, (1, 6, 14)))
    other_targets[:, 8:] = torch.tensor(rng.random((1, 6, 14)))
    first, second = (
        localisation_scores(m, t, weights) for m, t in ((maps, targets), (other_maps, other_targets))
    )
    for name in first:
        if name != "map_distance":  # its stretch is on the coarse grid, where the extremes move
            assert first[name].item() == pytest.approx(second[name].item()), name
    distances = [map_distance(maps, t, weights).item() for t in (targets, other_targets)]
    assert distances[0] == pytest.approx(distances[1])


def test_distance_pools_targets_as_the_edits_do():
    rng = np.random.default_rng(0)
    edit = MapEdit(rng.random((20, 33)), (rng.random((20, 33)) < 0.7).astype(float), author="Ada")
    target, weight = resample_edit(edit, (7, 7))
    maps = torch.tensor(rng.random((1, 7, 7)))
    found = map_distance(
        maps, torch.tensor(edit.target)[None].double(), torch.tensor(edit.weight)[None].double()
    )
    expected = paper.map_distance(maps[0], torch.tensor(target), torch.tensor(weight > 0))
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_sweep_falls_from_generous_to_strict_and_holds_the_default():
    maps = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(0))
    targets = torch.zeros(2, 16, 16)
    targets[:, 4:12, 4:12] = 1
    scores = localisation_scores(maps, targets, torch.ones_like(targets))
    assert [name for name in scores if "@" in name] == [f"iou@{t}" for t in IOU_SWEEP]
    assert torch.equal(scores["iou@0.5"], scores["iou"])


@pytest.mark.parametrize(
    ("maps", "targets", "message"),
    [
        (torch.zeros(1, 2), torch.zeros(1, 2, 2), "expected maps"),
        (torch.zeros(2, 2, 2), torch.zeros(1, 2, 2), "expected maps"),
        (-torch.ones(1, 2, 2), torch.zeros(1, 2, 2), "not negative"),
        (torch.full((1, 2, 2), math.nan), torch.zeros(1, 2, 2), "finite"),
    ],
)
def test_wrong_arguments(maps, targets, message):
    with pytest.raises(ValueError, match=message):
        localisation_scores(maps, targets, torch.ones_like(targets))


def test_threshold_must_leave_room():
    one = torch.ones(1, 1, 1)
    with pytest.raises(ValueError, match="threshold"):
        iou(one, one > 0, one > 0, 1.0)
