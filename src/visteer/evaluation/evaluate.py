"""Measure one model on one set of images: predictions, maps, and what it relies on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visteer.attribution.explain import explain_images
from visteer.attribution.normalization import dead_maps
from visteer.errors import VisteerError
from visteer.evaluation.bootstrap import Floats, group_rows
from visteer.evaluation.intervention import Progress, intervene, rows_to_change
from visteer.evaluation.localisation import IOU_SWEEP, MAP_SCORES, localisation_scores
from visteer.evaluation.result import EvaluationResult, MapTargets, PerImage
from visteer.evaluation.summary import summarise
from visteer.models.eval_mode import eval_mode
from visteer.steering.dataset import SteeringDataset


def evaluate(
    model: nn.Module,
    data: SteeringDataset,
    *,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    layer: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
    interventions: bool = True,
    draws: int = 4,
    map_targets: MapTargets = "true",
    groups: Sequence[object] | NDArray[np.generic] | None = None,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Measure predictions, maps and reliance of a model, each figure with a 95 % interval over the images.

    One pass over the images gives predictions and Grad-CAM maps; the interventions run the model again on
    changed images: 4 + `draws` times for each image and region. Images without an edit count for the
    predictions and for the share of dead maps; the other map figures and the reliance are NaN if no image has
    an edit that they can use. The model runs in eval mode on `device`, and is afterwards as it was before.

    Arguments:
        model: takes float images (N, 3, S, S) in [0, 1], gives logits (N, C), C = len(data.class_names).
        data: images, labels and edits.
        batch_size: images a forward pass. It changes nothing but rounding.
        device: where to compute; the model is moved there, and back.
        layer: dotted name of the layer whose maps are taken; by default the last spatial stage.
        resamples: bootstrap resamples.
        seed: of resamples, donors and noise. Models that are to be compared need the same one.
        interventions: whether to measure reliance.
        draws: donors an image, see `intervene`.
        map_targets: "true" takes the map of the true class, as the paper does: does the evidence for the
            right answer lie in the region? "predicted" takes the map of what the model says.
        groups: one label an image; images that share one are resampled together. Give near-duplicates one
            label, or the intervals come out too narrow.
        progress: called with (images done, images to do) over all passes.

    Raises:
        ValueError: there is no image, `batch_size` or `resamples` or `draws` is below 1, `map_targets` is
            unknown, or the model has another number of classes than the data.
        VisteerError: the model gives logits or maps that are not finite; or no layer is found.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
        >>> data = SteeringDataset(images, [0, 1, 0, 1, 0, 1], ["a", "b"])
        >>> result = evaluate(net, data, layer="0", resamples=100)
        >>> result.figures["accuracy"].value, result.counts["with_region"]
        (0.5, 0)
    """
    if not len(data) or batch_size < 1:
        raise ValueError(f"need at least 1 image and a batch size of 1, got {len(data)} and {batch_size}")
    if map_targets not in ("true", "predicted"):
        raise ValueError(f'map_targets must be "true" or "predicted", got {map_targets!r}')
    rows, left_out = rows_to_change(data)
    total = len(data) + (sum(len(found) for found in rows.values()) if interventions else 0)
    with _evaluating(model, device):
        probabilities, dead, scores = _explain_all(
            model,
            data,
            batch_size=batch_size,
            device=device,
            layer=layer,
            map_targets=map_targets,
            progress=_part_of(progress, 0, total),
        )
        if interventions:
            scores |= intervene(
                model,
                data,
                probabilities,
                batch_size=batch_size,
                device=device,
                draws=draws,
                seed=seed,
                progress=_part_of(progress, len(data), total),
            )
    per_image = PerImage(
        ids=data.ids,
        labels=data.labels,
        probabilities=probabilities,
        dead=dead,
        scores=scores,
        groups=None if groups is None else group_rows(groups, len(data)),
    )
    counts = {
        "images": len(data),
        "with_edit": len(data.edited),
        "with_region": int(np.isfinite(scores["epg"]).sum()),
        "with_relevant": len(rows["relevant"]) + left_out["relevant"],
        "with_irrelevant": len(rows["irrelevant"]) + left_out["irrelevant"],
        "relevant_left_out": left_out["relevant"],
        "irrelevant_left_out": left_out["irrelevant"],
    }
    return summarise(
        per_image, data.class_names, counts, map_targets=map_targets, resamples=resamples, seed=seed
    )


def _explain_all(
    model: nn.Module,
    data: SteeringDataset,
    *,
    batch_size: int,
    device: torch.device | str,
    layer: str | None,
    map_targets: MapTargets,
    progress: Progress | None,
) -> tuple[Floats, NDArray[np.bool_], dict[str, Floats]]:
    """Run the one pass: probabilities (n, C), which maps are dead (n,), and the map scores (n,) by name."""
    n, classes = len(data), len(data.class_names)
    probabilities, dead = np.empty((n, classes)), np.empty(n, dtype=np.bool_)
    names = [*MAP_SCORES, *(f"iou@{threshold:g}" for threshold in IOU_SWEEP)]
    scores = {name: np.full(n, np.nan) for name in names}
    for start in range(0, n, batch_size):
        chosen = np.arange(start, min(start + batch_size, n))
        batch = data.batch(chosen, device)
        targets = batch.labels if map_targets == "true" else None
        found = explain_images(model, batch.images, targets, layer=layer)
        if found.logits.shape[1] != classes:
            raise ValueError(f"the model has {found.logits.shape[1]} classes and the data have {classes}")
        _check_finite(found.logits, chosen, data)
        _check_finite(found.maps, chosen, data)
        probabilities[chosen] = found.logits.float().softmax(dim=1).cpu().double().numpy()
        dead[chosen] = dead_maps(found.maps).cpu().numpy()
        edited = np.flatnonzero(data.edit_rows[chosen] >= 0)
        if len(edited):
            some = torch.from_numpy(edited).to(batch.images.device)
            measured = localisation_scores(found.maps[some], batch.targets[some], batch.weights[some])
            for name, values in measured.items():
                scores[name][chosen[edited]] = values.cpu().double().numpy()
        if progress is not None:
            progress(int(chosen[-1]) + 1, n)
    return probabilities, dead, scores


def _check_finite(values: Tensor, rows: NDArray[np.int64], data: SteeringDataset) -> None:
    finite = torch.isfinite(values).flatten(1).all(dim=1).cpu().numpy()
    if not finite.all():
        first = data.ids[rows[np.flatnonzero(~finite)[0]]]
        raise VisteerError(
            f"the model gives values that are not finite for image {first}: "
            "its weights are damaged or its training diverged; use another checkpoint"
        )


@contextmanager
def _evaluating(model: nn.Module, device: torch.device | str) -> Iterator[None]:
    """Eval mode on `device`; every module's flag and the model's place are as before afterwards."""
    home = next((parameter.device for parameter in model.parameters()), torch.device(device))
    try:
        with eval_mode(model.to(device)):
            yield
    finally:
        model.to(home)


def _part_of(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Report a part's progress as that of the whole."""
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)
