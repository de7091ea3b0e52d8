"""Change a region of the image and watch the prediction: what a map alone cannot show.

A map can be made to look right while the prediction still hangs on the shortcut. So the region itself is
replaced, and the change of the predicted probabilities is the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from visteer.evaluation.bootstrap import Floats
from visteer.steering.dataset import SteeringBatch, SteeringDataset, irrelevant_cells, relevant_cells

Region = Literal["irrelevant", "relevant"]
Progress = Callable[[int, int], None]

REGIONS: tuple[Region, ...] = ("irrelevant", "relevant")
REPLACEMENTS = ("another image", "noise", "blur", "image mean", "in-painting")
MEASURES = ("flips", "probability_change", "accuracy")
MOST_OF_THE_IMAGE = 0.99

# In-painting reads its tensors many times: a few images at once stay in the processor's cache.
_IMAGES_AT_ONCE = 4


def score_name(region: Region, replacement: str, measure: str) -> str:
    """Name the per-image score of one measure, for example "irrelevant/noise/flips".

    The probability change under another image's content has a name of its own, "reliance_irrelevant" or
    "reliance_relevant".

    Example:
        >>> score_name("irrelevant", "another image", "probability_change")
        'reliance_irrelevant'
    """
    if (replacement, measure) == ("another image", "probability_change"):
        return f"reliance_{region}"
    return f"{region}/{replacement}/{measure}"


def intervene(
    model: nn.Module,
    data: SteeringDataset,
    probabilities: Floats,
    *,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    draws: int = 4,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Floats]:
    """Replace the irrelevant region of each image, then the relevant one, and compare the predictions.

    Measures of image i, with p the probabilities before and q those after:

    - `probability_change`: total variation 1/2 sum_c |p_c - q_c|, 0 (nothing changed) to 1;
    - `flips`: 1 if another class becomes the largest;
    - `accuracy`: 1 if the largest of q is the true class.

    **Reliance** on a region is the probability change under "another image", averaged over `draws` donors.
    The donor's content at the same place is what images of this kind hold there, so a model that reads
    nothing from the region has no reason to change its mind. Noise, blur, a flat colour and in-painting also
    show the model something it never saw: it may change its mind without having used the region. They are
    reported beside it, not mixed in. Every second donor is of another class, the others are any other image:
    a shortcut that agrees with the class would hide among donors of the same class. The limits: the border of
    a pasted region is a new edge; and if no image holds the shortcut, nothing can be seen, so test on images
    that have it.

    Where the donor's own edit says "relevant", the irrelevant region of the image keeps its content: a second
    lesion pasted beside the first would be evidence, not background. What nobody marked in a donor is
    pasted.

    Donors and noise depend on the data and `seed` only, not on the model or the batch size: two models are
    asked the same questions.

    Arguments:
        model: takes float images (N, 3, S, S) in [0, 1], gives logits (N, C); in eval mode, on `device`.
        data: images and edits. Irrelevant: weight > 0 and target 0; relevant: weight > 0 and target > 0.
        probabilities: (n, C) float64, the model's for the unchanged images.
        batch_size: images a forward pass.
        device: where the model is.
        draws: donors an image; at least 1. Data of one image have no donor: "another image" is NaN.
        seed: of donors and noise.
        progress: called with (images done, images to do); an image with two regions counts twice.

    Returns:
        `score_name(region, replacement, measure)` -> (n,) float64 in [0, 1], NaN for images without such a
        region and for those that `rows_to_change` leaves out.

    Raises:
        ValueError: `draws` is below 1 or `probabilities` has another length than the data.

    Example:
        >>> from visteer.edits.map_edit import MapEdit
        >>> class ReadsTheCorner(nn.Module):
        ...     def forward(self, images):
        ...         corner = images[:, 0, 0, 0]
        ...         return 10 * torch.stack([corner, 1 - corner], dim=1)
        >>> images = np.zeros((2, 4, 4, 3), np.uint8)
        >>> images[0] = 255
        >>> weight = np.zeros((4, 4))
        >>> weight[0, 0] = 1
        >>> edit = MapEdit(np.zeros((4, 4)), weight, author="Ada")
        >>> data = SteeringDataset(images, [0, 1], ["white", "black"], edits={"0": edit})
        >>> before = ReadsTheCorner()(data.batch([0, 1]).images).softmax(dim=1).double().numpy()
        >>> intervene(ReadsTheCorner(), data, before)["reliance_irrelevant"].round(2)
        array([ 1., nan])
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    if len(probabilities) != len(data):
        raise ValueError(f"{len(data)} images, but probabilities of {len(probabilities)}")
    names = [score_name(r, how, measure) for r in REGIONS for how in REPLACEMENTS for measure in MEASURES]
    scores = {name: np.full(len(data), np.nan) for name in names}
    rows, _ = rows_to_change(data)
    donors = draw_donors(data.labels, draws, seed)
    total, done = sum(len(r) for r in rows.values()), 0
    for region in REGIONS:
        for start in range(0, len(rows[region]), batch_size):
            chosen = rows[region][start : start + batch_size]
            batch = data.batch(chosen, device)
            for how in REPLACEMENTS:
                changes = _changed_images(data, batch, region, how, donors=donors[chosen], seed=seed)
                after = [_predict(model, changed) for changed in changes]
                for measure, values in _measure(probabilities[chosen], after, data.labels[chosen]).items():
                    scores[score_name(region, how, measure)][chosen] = values
            done += len(chosen)
            if progress is not None:
                progress(done, total)
    return scores


def rows_to_change(data: SteeringDataset) -> tuple[dict[Region, NDArray[np.int64]], dict[Region, int]]:
    """Find the images whose regions can be replaced, and count the others.

    Returns:
        region -> rows of the images that have such a region, ascending; and region -> how many images are
        left out because it covers 99 % of the image or more. To replace that is to replace the image, which
        says nothing about a region.

    Example:
        >>> from visteer.edits.map_edit import MapEdit
        >>> edits = {"0": MapEdit([[1.0, 0.0]], [[1.0, 1.0]], author="Ada")}
        >>> edits["2"] = MapEdit([[0.0, 0.0]], [[1.0, 1.0]], author="Ada")
        >>> data = SteeringDataset(np.zeros((3, 4, 4, 3), np.uint8), [0, 0, 1], ["a", "b"], edits=edits)
        >>> rows, left_out = rows_to_change(data)
        >>> rows["irrelevant"].tolist(), rows["relevant"].tolist(), left_out
        ([0], [0], {'irrelevant': 1, 'relevant': 0})
    """
    rows: dict[Region, list[int]] = {region: [] for region in REGIONS}
    left_out: dict[Region, int] = dict.fromkeys(REGIONS, 0)
    for row in data.edited:
        targets, weights = data.edit_arrays(np.array([row]))
        for region, mask in region_masks(torch.from_numpy(targets), torch.from_numpy(weights)).items():
            covered = float(mask.float().mean())
            if covered >= MOST_OF_THE_IMAGE:
                left_out[region] += 1
            elif covered > 0:
                rows[region].append(int(row))
    return {region: np.array(found, dtype=np.int64) for region, found in rows.items()}, left_out


def region_masks(targets: Tensor, weights: Tensor) -> dict[Region, Tensor]:
    """Split edits into regions: (N, H, W) targets and weights give two (N, H, W) bool masks.

    Example:
        >>> masks = region_masks(torch.tensor([[[0.0, 0.5, 0.0]]]), torch.tensor([[[1.0, 1.0, 0.0]]]))
        >>> masks["irrelevant"], masks["relevant"]
        (tensor([[[ True, False, False]]]), tensor([[[False,  True, False]]]))
    """
    return {"irrelevant": irrelevant_cells(targets, weights), "relevant": relevant_cells(targets, weights)}


def draw_donors(labels: NDArray[np.int64], draws: int, seed: int) -> NDArray[np.int64]:
    """For each image, rows of other images: (n, draws) int64, or (n, 0) if there is no other image.

    Even columns are of another class where there is one; all else is any image but the image itself.

    Example:
        >>> draw_donors(np.array([0, 0, 1]), 2, seed=0)[:, 0].tolist()[:2]
        [2, 2]
    """
    n = len(labels)
    if n < 2:
        return np.zeros((n, 0), dtype=np.int64)
    rng = np.random.default_rng(seed)
    # Any other image: skip the image itself.
    donors = rng.integers(0, n - 1, size=(n, draws))
    donors += donors >= np.arange(n)[:, None]
    # Another class: in the order of the labels each class is one block; skip the block.
    order = np.argsort(labels, kind="stable")
    ranked = labels[order]
    first = np.searchsorted(ranked, labels, side="left")[:, None]
    size = np.searchsorted(ranked, labels, side="right")[:, None] - first
    has_others = size[:, 0] < n
    place = rng.integers(0, np.maximum(n - size, 1), size=(n, (draws + 1) // 2))
    place += np.where(place >= first, size, 0)
    donors[has_others, ::2] = order[place[has_others]]
    return donors


def uniform_noise(images: Tensor, rows: NDArray[np.int64], seed: int) -> Tensor:
    """Independent uniform values in [0, 1), shape and dtype of `images`; they depend on the row and the seed.

    Example:
        >>> images = torch.zeros(2, 3, 4, 4)
        >>> both = uniform_noise(images, np.array([5, 9]), seed=0)
        >>> torch.equal(both[1], uniform_noise(images[:1], np.array([9]), seed=0)[0])
        True
    """
    drawn = [np.random.default_rng([seed, int(row)]).random(images.shape[1:], np.float32) for row in rows]
    return torch.from_numpy(np.stack(drawn)).to(images)


def strong_blur(images: Tensor) -> Tensor:
    """Blur with a Gaussian whose standard deviation is an eighth of the image's side; borders are repeated.

    Arguments:
        images: (N, C, S, S).

    Example:
        >>> strong_blur(torch.full((1, 3, 8, 8), 0.5)).std().item() < 1e-6
        True
    """
    side, channels = images.shape[-1], images.shape[1]
    sigma = side / 8
    reach = min(int(np.ceil(3 * sigma)), 3 * side)
    offsets = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    bell = torch.exp(-0.5 * (offsets / sigma).square())
    bell = (bell / bell.sum()).expand(channels, 1, 1, -1)
    padded = pad(images, (reach, reach, reach, reach), mode="replicate")
    return conv2d(conv2d(padded, bell, groups=channels), bell.mT, groups=channels)


def harmonic_inpainting(images: Tensor, masks: Tensor, cycles: int = 4) -> Tensor:
    """Fill the masked pixels smoothly from the pixels around them: the solution of Laplace's equation.

    Each filled pixel becomes the mean of its four neighbours; nothing flows through the border of the image.
    Solved by conjugate gradients, each step preconditioned by a multigrid cycle, so a large region takes no
    more steps than a small one. The default leaves an error below 1 % of the range of the kept pixels.

    Arguments:
        images: (N, C, S, S) floating point.
        masks: (N, S, S) bool, the pixels to fill. An image masked all over becomes zero.
        cycles: steps; each makes the error three to six times smaller.

    Returns:
        (N, C, S, S); unmasked pixels are kept, filled ones lie within the range of the kept ones.

    Example:
        >>> image = torch.linspace(0, 1, 16).expand(1, 1, 16, 16)
        >>> mask = torch.zeros(1, 16, 16, dtype=torch.bool)
        >>> mask[:, 4:12, 4:12] = True
        >>> (harmonic_inpainting(image, mask) - image).abs().max().item() < 1e-3
        True
    """
    parts = [slice(i, i + _IMAGES_AT_ONCE) for i in range(0, len(images), _IMAGES_AT_ONCE)]
    return torch.cat([_inpainted(images[part], masks[part][:, None], cycles) for part in parts])


def _changed_images(
    data: SteeringDataset,
    batch: SteeringBatch,
    region: Region,
    replacement: str,
    *,
    donors: NDArray[np.int64],
    seed: int,
) -> Iterator[Tensor]:
    """Yield the batch's images with the region replaced: once, or once for each column of donors."""
    images = batch.images
    masks = region_masks(batch.targets, batch.weights)[region]
    if replacement == "another image":
        for column in donors.T:
            other = data.batch(column, images.device)
            pasted = masks
            if region == "irrelevant":
                pasted = masks & ~region_masks(other.targets, other.weights)["relevant"]
            yield torch.where(pasted[:, None], other.images, images)
        return
    if replacement == "noise":
        content = uniform_noise(images, batch.indices.cpu().numpy(), seed)
    elif replacement == "blur":
        content = strong_blur(images)
    elif replacement == "image mean":
        content = images.mean(dim=(2, 3), keepdim=True)
    else:
        content = harmonic_inpainting(images, masks)
    yield torch.where(masks[:, None], content, images)


def _predict(model: nn.Module, images: Tensor) -> Floats:
    with torch.no_grad():
        probabilities: Floats = model(images).float().softmax(dim=1).cpu().double().numpy()
    return probabilities


def _measure(before: Floats, after: list[Floats], labels: NDArray[np.int64]) -> dict[str, Floats]:
    """Average the measures (N,) over the draws `after`; NaN if there is none."""
    if not after:
        return {measure: np.full(len(before), np.nan) for measure in MEASURES}
    drawn = np.stack(after)
    called = drawn.argmax(axis=2)
    return {
        "flips": (called != before.argmax(axis=1)).mean(axis=0),
        "probability_change": np.abs(drawn - before).sum(axis=2).mean(axis=0) / 2,
        "accuracy": (called == labels).mean(axis=0),
    }


def _inpainted(images: Tensor, masks: Tensor, cycles: int) -> Tensor:
    inside = masks.to(images.dtype)
    known = 1 - inside
    mean = (images * known).sum(dim=(2, 3), keepdim=True) / known.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    filled = torch.where(masks, mean, images)
    low, high = filled.amin(dim=(2, 3), keepdim=True), filled.amax(dim=(2, 3), keepdim=True)
    tiny = torch.finfo(images.dtype).tiny
    residual = inside * _laplacian(filled)
    previous, direction, energy = residual, torch.zeros_like(filled), torch.ones_like(mean)
    # Conjugate gradients in the Polak-Ribiere form: the cycle is not exactly symmetric.
    for _ in range(cycles):
        step = _correction(residual, inside)
        direction = step + _dot(step, residual - previous) / energy * direction
        energy = _dot(step, residual).clamp(min=tiny)
        image_of = -inside * _laplacian(direction)
        length = _dot(direction, residual) / _dot(direction, image_of).clamp(min=tiny)
        filled = filled + length * direction
        previous, residual = residual, residual - length * image_of
    return torch.where(masks, filled.clamp(low, high), images)


def _correction(residual: Tensor, inside: Tensor, sweeps: int = 2) -> Tensor:
    """One multigrid cycle for e with -laplacian(e) = `residual` where `inside` is 1, and e = 0 elsewhere."""
    error = _relax(torch.zeros_like(residual), residual, inside, sweeps)
    if min(residual.shape[-2:]) > 2:
        # A coarse pixel is inside if all its pixels are. Twice the spacing is four times the residual.
        coarse_inside = (avg_pool2d(inside, 2, ceil_mode=True) == 1).to(inside.dtype)
        left = inside * (residual + _laplacian(error))
        coarse = _correction(coarse_inside * 4 * avg_pool2d(left, 2, ceil_mode=True), coarse_inside)
        error = error + inside * interpolate(
            coarse, size=residual.shape[-2:], mode="bilinear", align_corners=False
        )
    return _relax(error, residual, inside, sweeps)


def _relax(error: Tensor, residual: Tensor, inside: Tensor, sweeps: int) -> Tensor:
    """Damped Jacobi sweeps; 4/5 damps the fast half of the waves best."""
    for _ in range(sweeps):
        error = error + 0.2 * inside * (residual + _laplacian(error))
    return error


def _laplacian(values: Tensor) -> Tensor:
    """Sum of the four neighbours less four times the pixel; outside the image its border is repeated."""
    around = pad(values, (1, 1, 1, 1), mode="replicate")
    vertical = around[:, :, :-2, 1:-1] + around[:, :, 2:, 1:-1]
    horizontal = around[:, :, 1:-1, :-2] + around[:, :, 1:-1, 2:]
    return vertical + horizontal - 4 * values


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Scalar product of each channel: (N, C, 1, 1)."""
    return (a * b).sum(dim=(2, 3), keepdim=True)
