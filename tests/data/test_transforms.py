"""Paired transforms: against a slow resampling, torchvision, and what must never come apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torchvision.transforms.v2 import functional as tvf

from visteer.data.transforms import PRESETS, PairedTransform, TransformConfig

SIZE = 24
ONES = torch.ones((1, SIZE, SIZE))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((5, 3, SIZE, SIZE), generator=generator)
    targets = torch.rand((5, SIZE, SIZE), generator=generator)
    weights = (torch.rand((5, SIZE, SIZE), generator=generator) > 0.3).float()
    return images, targets, weights


def run(config: TransformConfig, images, targets, weights, seed: int = 0):
    transform = PairedTransform(config)
    draw = transform.draw(len(images), torch.Generator().manual_seed(seed))
    return *transform.apply(images, targets, weights, draw), draw


def test_no_change_returns_the_same_objects(batch):
    images, targets, weights, _ = run(TransformConfig(), *batch)
    assert images is batch[0]
    assert targets is batch[1]
    assert weights is batch[2]


@pytest.mark.parametrize(
    ("config", "axis"), [(TransformConfig(flip=1), -1), (TransformConfig(vertical_flip=1), -2)]
)
def test_flips_are_exact(batch, config, axis):
    images, targets, weights, _ = run(config, *batch)
    assert torch.allclose(images, batch[0].flip(axis), atol=1e-5)
    assert torch.allclose(weights, batch[2].flip(axis), atol=1e-5)
    known = weights > 0.5
    assert torch.allclose(targets[known], batch[1].flip(axis)[known], atol=1e-5)


def test_rotation_equals_torchvision(batch):
    images, targets, weights, draw = run(
        TransformConfig(rotate=30), batch[0], batch[1], torch.ones_like(batch[2])
    )
    for row in range(len(images)):
        matrix = draw.homography[row]
        degrees = math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
        expected = tvf.rotate(batch[0][row], degrees, interpolation=tvf.InterpolationMode.BILINEAR)
        inside = slice(8, 16)
        assert torch.allclose(images[row, :, inside, inside], expected[:, inside, inside], atol=1e-4)
    assert (weights[:, 0, 0] < 1).any()
    assert weights[:, 12, 12].eq(1).all()


def test_every_geometry_equals_a_slow_resampling(batch):
    config = TransformConfig(flip=0.5, rotate=20, scale=0.2, translate=0.1, perspective=0.1)
    images, _, weights, draw = run(config, batch[0], batch[1], torch.ones_like(batch[2]), seed=3)
    for row in range(len(images)):
        matrix = draw.homography[row].double().numpy()
        rows, columns = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
        for i in range(SIZE):
            for j in range(SIZE):
                x, y, w = matrix @ [(2 * j + 1) / SIZE - 1, (2 * i + 1) / SIZE - 1, 1]
                columns[i, j] = ((x / w + 1) * SIZE - 1) / 2
                rows[i, j] = ((y / w + 1) * SIZE - 1) / 2
        expected = ndimage.map_coordinates(
            batch[0][row, 0].double().numpy(), [rows, columns], order=1, mode="reflect"
        )
        inside = weights[row].numpy() > 0.999
        assert inside.sum() > 100
        assert np.abs(images[row, 0].numpy() - expected)[inside].max() < 1e-3


def test_a_marked_pixel_moves_with_its_image():
    """Image and target are the same picture: they still are after any geometry, wherever it is known."""
    picture = torch.rand((6, SIZE, SIZE), generator=torch.Generator().manual_seed(1))
    images = picture[:, None].expand(-1, 3, -1, -1)
    config = TransformConfig(
        flip=0.5, vertical_flip=0.5, rotate=40, scale=0.3, translate=0.2, perspective=0.1
    )
    images, targets, weights, _ = run(config, images, picture, torch.ones_like(picture))
    inside = weights > 0.999
    assert 0.3 < inside.float().mean() < 1
    assert (images[:, 0] - targets)[inside].abs().max() < 1e-4


def test_what_comes_from_outside_is_unknown():
    config = TransformConfig(translate=0.4)
    images, _, weights, draw = run(config, torch.rand((1, 3, SIZE, SIZE)), ONES, ONES, seed=2)
    shift = draw.homography[0, 0, 2] / 2 * SIZE
    outside = (weights[0] == 0).all(0).sum().item()
    assert outside == pytest.approx(abs(shift), abs=1.5)
    assert (images > 0).all(), "the image is continued, not filled with black"


def test_unknown_cells_do_not_dilute_their_neighbours():
    targets = torch.zeros((1, SIZE, SIZE))
    weights = torch.zeros((1, SIZE, SIZE))
    targets[:, :, 12:] = 1
    weights[:, :, 12:] = 1
    _, moved, known, _ = run(TransformConfig(rotate=30), torch.rand((1, 3, SIZE, SIZE)), targets, weights)
    assert (moved[known > 0] > 0.999).all()
    assert known.gt(0).any()


def test_images_without_an_edit_keep_none(batch):
    nothing = torch.zeros_like(batch[2])
    _, targets, weights, _ = run(PRESETS["strong"], batch[0], nothing, nothing)
    assert not weights.any()
    assert not targets.any()


def test_photometric_changes_leave_edits_alone(batch):
    config = TransformConfig(brightness=0.2, contrast=0.3, gamma=0.3, blur=1.0, noise=0.1)
    images, targets, weights, _ = run(config, *batch)
    assert targets is batch[1]
    assert weights is batch[2]
    assert not torch.allclose(images, batch[0], atol=0.01)


def test_tone_is_what_it_says(batch):
    images, _, _, draw = run(TransformConfig(brightness=0.1), *batch)
    for row in range(len(images)):
        expected = (batch[0][row] + draw.tone[row, 0]).clamp(0, 1)
        assert torch.allclose(images[row], expected, atol=1e-6)
    images, _, _, draw = run(TransformConfig(contrast=0.3), *batch)
    mean = batch[0][0].mean()
    assert torch.allclose(images[0], (mean + (batch[0][0] - mean) * draw.tone[0, 1]).clamp(0, 1), atol=1e-6)
    images, _, _, draw = run(TransformConfig(gamma=0.5), *batch)
    assert torch.allclose(images[0], batch[0][0] ** draw.tone[0, 2], atol=1e-6)


def test_blur_equals_scipy(batch):
    images, _, _, draw = run(TransformConfig(blur=2.0), *batch)
    for row in range(len(images)):
        expected = ndimage.gaussian_filter(
            batch[0][row, 1].double().numpy(), draw.blur[row].item(), mode="mirror", radius=6
        )
        assert np.abs(images[row, 1].numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("name", list(PRESETS))
def test_slicing_the_batch_changes_nothing(batch, name):
    transform = PairedTransform(TransformConfig.preset(name))
    draw = transform.draw(5, torch.Generator().manual_seed(0))
    whole = transform.apply(*batch, draw)
    rows = np.array([4, 1])
    part = transform.apply(*(tensor[rows] for tensor in batch), draw[rows])
    for one, other in zip(whole, part, strict=True):
        assert torch.allclose(one[rows], other, atol=1e-6)


@pytest.mark.parametrize("name", list(PRESETS))
def test_results_stay_in_range(batch, name):
    images, targets, weights, _ = run(PRESETS[name], *batch)
    for tensor in (images, targets, weights):
        assert tensor.min() >= 0
        assert tensor.max() <= 1 + 1e-6


@pytest.mark.parametrize("change", [{"flip": 1.5}, {"rotate": -1}, {"scale": 1}, {"noise": math.nan}])
def test_values_that_cannot_be_meant_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        TransformConfig(**change)


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match="no transform preset 'wild'"):
        TransformConfig.preset("wild")


def test_sizes_that_do_not_fit_are_refused(batch):
    transform = PairedTransform(PRESETS["light"])
    with pytest.raises(ValueError, match="do not fit"):
        transform.apply(*batch, transform.draw(4, torch.Generator()))
