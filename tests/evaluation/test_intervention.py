from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve
from torch import nn
from torch.nn.functional import cross_entropy

from visteer.edits.map_edit import MapEdit
from visteer.evaluation.intervention import (
    MEASURES,
    REGIONS,
    REPLACEMENTS,
    draw_donors,
    harmonic_inpainting,
    intervene,
    rows_to_change,
    score_name,
    strong_blur,
    uniform_noise,
)
from visteer.steering.dataset import SteeringDataset

SIZE, PATCH = 16, 4


def shortcut_data(n, seed, agrees=True):
    """Two classes by the direction of stripes in the middle (true signal), and a bright or dark corner patch.

    The patch agrees with the class or is random. Every corner is marked irrelevant, every middle relevant.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    images = rng.uniform(0.3, 0.7, (n, SIZE, SIZE))
    stripes = np.where(np.arange(8) % 4 < 2, 0.15, -0.15)
    for image, label in zip(images, labels, strict=True):
        image[4:12, 4:12] += stripes[:, None] if label else stripes[None, :]
    patch = labels if agrees else rng.integers(0, 2, n)
    images[:, :PATCH, :PATCH] = patch[:, None, None] * 0.8 + 0.1
    pixels = np.repeat((images.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, axis=3)
    target, weight = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    weight[:PATCH, :PATCH] = weight[4:12, 4:12] = 1
    target[4:12, 4:12] = 1
    edits = {str(i): MapEdit(target, weight, author="Ada") for i in range(n)}
    return SteeringDataset(pixels, labels, ["across", "down"], edits=edits)


def trained(data, seed=0, steps=150):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(144, 2),
    )  # fmt: skip
    batch = data.batch(np.arange(len(data)))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        chosen = torch.randint(len(data), (64,))
        optimiser.zero_grad()
        cross_entropy(net(batch.images[chosen] - 0.5), batch.labels[chosen]).backward()
        optimiser.step()

    class Centred(nn.Module):
        def forward(self, images):
            return net(images - 0.5)

    return Centred().eval()


def predicted(model, data):
    with torch.no_grad():
        return model(data.batch(np.arange(len(data))).images).softmax(dim=1).double().numpy()


@pytest.fixture(scope="module")
def test_images():
    return shortcut_data(80, seed=7)


@pytest.fixture(scope="module")
def shortcut_net():
    return trained(shortcut_data(400, seed=1))


def test_reliance_finds_a_planted_shortcut(shortcut_net, test_images):
    before = predicted(shortcut_net, test_images)
    assert (before.argmax(axis=1) == test_images.labels).mean() > 0.98
    scores = intervene(shortcut_net, test_images, before, draws=6)
    assert scores["reliance_irrelevant"].mean() > 0.5
    assert scores["irrelevant/another image/flips"].mean() > 0.5
    assert scores["irrelevant/another image/accuracy"].mean() < 0.5
    assert scores["reliance_relevant"].mean() < 0.2


def test_reliance_clears_a_net_without_the_shortcut(test_images):
    """Same pictures, but in training the patch said nothing about the class."""
    net = trained(shortcut_data(400, seed=1, agrees=False), steps=300)
    before = predicted(net, test_images)
    scores = intervene(net, test_images, before)
    assert (before.argmax(axis=1) == test_images.labels).mean() > 0.98
    assert scores["reliance_irrelevant"].mean() < 0.05
    assert scores["irrelevant/another image/accuracy"].mean() > 0.95
    assert scores["reliance_relevant"].mean() > 0.5


def test_scores_are_those_of_replacing_by_hand(shortcut_net, test_images):
    before = predicted(shortcut_net, test_images)
    scores = intervene(shortcut_net, test_images, before, draws=2, seed=5)
    donors = draw_donors(test_images.labels, 2, seed=5)
    images = test_images.batch(np.arange(80)).images
    changes, flips = [], []
    for column in range(2):
        changed = images.clone()
        changed[:, :, :PATCH, :PATCH] = images[donors[:, column], :, :PATCH, :PATCH]
        with torch.no_grad():
            after = shortcut_net(changed).softmax(dim=1).double().numpy()
        changes.append(0.5 * abs(after - before).sum(axis=1))
        flips.append(after.argmax(axis=1) != before.argmax(axis=1))
    assert scores["reliance_irrelevant"] == pytest.approx(np.mean(changes, axis=0), abs=1e-6)
    assert scores["irrelevant/another image/flips"] == pytest.approx(np.mean(flips, axis=0))


def test_what_is_relevant_in_a_donor_is_not_pasted_as_background():
    """The net reads the brightest pixel: a lesion at another place in each image, all else irrelevant."""

    class Brightest(nn.Module):
        def forward(self, images):
            top = 20 * images.amax(dim=(1, 2, 3))
            return torch.stack([top, 10 - top], dim=1)

    images, edits = np.zeros((6, 8, 8, 3), np.uint8), {}
    for i in range(6):
        target = np.zeros((8, 8))
        target[i, i] = 1
        images[i, i, i] = 40 * i
        edits[str(i)] = MapEdit(target, np.ones((8, 8)), author="Ada")
    data = SteeringDataset(images, [0, 0, 0, 1, 1, 1], ["dark", "bright"], edits=edits)
    found = intervene(Brightest(), data, predicted(Brightest(), data))
    assert found["reliance_irrelevant"] == pytest.approx(np.zeros(6), abs=1e-9)
    assert found["reliance_relevant"].max() > 0.5
    del edits["5"]  # nobody marked the brightest lesion: it is pasted
    data = SteeringDataset(images, data.labels, data.class_names, edits=edits)
    found = intervene(Brightest(), data, predicted(Brightest(), data))
    assert np.nanmax(found["reliance_irrelevant"]) > 0.05


def test_the_batch_size_changes_nothing(shortcut_net, test_images):
    before = predicted(shortcut_net, test_images)
    first, second = (intervene(shortcut_net, test_images, before, batch_size=b) for b in (80, 7))
    assert set(first) == {score_name(r, how, m) for r in REGIONS for how in REPLACEMENTS for m in MEASURES}
    for name in first:
        assert first[name] == pytest.approx(second[name], abs=1e-5), name


def test_images_without_a_region_or_covered_by_it_are_left_out(shortcut_net):
    plain = shortcut_data(5, seed=0)
    ones, zeros = np.ones((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    edits = {
        "0": MapEdit(zeros, ones, author="Ada"),  # all irrelevant: left out
        "1": MapEdit(ones, ones, author="Ada"),  # all relevant: left out
        "2": MapEdit(np.eye(SIZE), ones, author="Ada"),
        "3": MapEdit(zeros, zeros, author="Ada"),  # all unknown: no region
    }
    data = SteeringDataset(plain.images, plain.labels, plain.class_names, edits=edits)
    calls = []
    rows, left_out = rows_to_change(data)
    assert {region: found.tolist() for region, found in rows.items()} == {"irrelevant": [2], "relevant": [2]}
    assert left_out == {"irrelevant": 1, "relevant": 1}
    before = predicted(shortcut_net, data)
    for scores in intervene(shortcut_net, data, before, progress=lambda *done: calls.append(done)).values():
        assert np.isnan(scores).tolist() == [True, True, False, True, True]
    assert calls == [(1, 2), (2, 2)]


def test_one_image_has_no_donor(shortcut_net):
    data = shortcut_data(1, seed=0)
    scores = intervene(shortcut_net, data, predicted(shortcut_net, data))
    assert np.isnan(scores["reliance_irrelevant"]).all()
    assert np.isfinite(scores["irrelevant/noise/probability_change"]).all()


def test_donors_are_others_and_every_second_one_of_another_class():
    labels = np.random.default_rng(0).integers(0, 3, 50)
    donors = draw_donors(labels, 5, seed=0)
    assert (donors != np.arange(50)[:, None]).all()
    assert (labels[donors[:, ::2]] != labels[:, None]).all()
    assert (labels[donors[:, 1::2]] == labels[:, None]).any()
    assert set(donors.ravel()) == set(range(50))


def test_donors_of_one_class_only_are_any_other_image():
    donors = draw_donors(np.zeros(3, np.int64), 4, seed=0)
    assert (donors != np.arange(3)[:, None]).all()


def test_every_image_of_another_class_is_as_likely_a_donor():
    labels = np.array([0, 1, 1, 2])
    counts = np.bincount(draw_donors(labels, 6000, seed=0)[0, ::2], minlength=4)
    assert counts[0] == 0
    assert counts[1:] == pytest.approx(np.full(3, 1000), rel=0.1)


def test_noise_is_uniform_and_belongs_to_the_row():
    images = torch.zeros(2, 3, 32, 32)
    noise = uniform_noise(images, np.array([3, 4]), seed=1)
    assert noise.min() >= 0
    assert noise.max() < 1
    assert noise.mean().item() == pytest.approx(0.5, abs=0.02)
    assert not torch.equal(noise[0], noise[1])
    assert not torch.equal(noise, uniform_noise(images, np.array([3, 4]), seed=2))


def test_blur_is_a_gaussian_of_an_eighth_of_the_side():
    image = torch.zeros(1, 1, 65, 65, dtype=torch.float64)
    image[0, 0, 32, 32] = 1
    blurred = strong_blur(image)[0, 0]
    assert blurred.sum().item() == pytest.approx(1, abs=0.01)
    ratio = (blurred[32, 40] / blurred[32, 32]).item()
    assert ratio == pytest.approx(np.exp(-0.5 * (8 / (65 / 8)) ** 2))


def solve_exactly(image, mask):
    """One linear equation a masked pixel: it is the mean of its neighbours inside the image."""
    number = {place: i for i, place in enumerate(zip(*np.nonzero(mask), strict=True))}
    matrix, right = lil_matrix((len(number), len(number))), np.zeros(len(number))
    for (y, x), i in number.items():
        for place in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
            if 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]:
                matrix[i, i] += 1
                if mask[place]:
                    matrix[i, number[place]] -= 1
                else:
                    right[i] += image[place]
    solved = image.copy()
    solved[mask] = spsolve(matrix.tocsr(), right)
    return solved


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("side", [24, 37])
def test_inpainting_solves_laplace(side, inverted):
    image = np.random.default_rng(0).random((side, side))
    mask = np.zeros((side, side), bool)
    mask[side // 3 : -side // 4, 2 : side // 2] = True
    mask ^= inverted
    expected = solve_exactly(image, mask)
    few, many = (
        harmonic_inpainting(torch.tensor(image)[None, None], torch.tensor(mask)[None], cycles)[0, 0].numpy()
        for cycles in (4, 30)
    )
    assert abs(few - expected).max() < 0.01
    assert abs(many - expected).max() < 1e-9
    assert (few[~mask] == image[~mask]).all()


def test_inpainting_continues_a_harmonic_function():
    """x^2 - y^2 solves Laplace's equation, also on the pixel grid."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    image = ((x - 16).square() - (y - 16).square())[None, None] / 256
    mask = torch.zeros(1, 32, 32, dtype=torch.bool)
    mask[:, 6:25, 9:28] = True
    assert (harmonic_inpainting(image, mask) - image).abs().max() < 0.005


def test_inpainting_of_nothing_and_of_everything():
    images = torch.rand(2, 3, 9, 9)
    masks = torch.zeros(2, 9, 9, dtype=torch.bool)
    masks[1] = True
    filled = harmonic_inpainting(images, masks)
    assert torch.equal(filled[0], images[0])
    assert (filled[1] == 0).all()


@pytest.mark.parametrize(("draws", "rows", "message"), [(0, 80, "draws"), (1, 3, "80 images")])
def test_wrong_arguments(shortcut_net, test_images, draws, rows, message):
    with pytest.raises(ValueError, match=message):
        intervene(shortcut_net, test_images, np.full((rows, 2), 0.5), draws=draws)
