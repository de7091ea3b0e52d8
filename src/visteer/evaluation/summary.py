"""From the rows of the images to figures with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from visteer.evaluation.bootstrap import (
    Floats,
    bootstrap,
    percentile_figure,
    resample_counts,
    weighted_means,
)
from visteer.evaluation.classification import (
    CLASSIFICATION_FIGURES,
    classification_resamples,
    classification_values,
    confusion_matrix,
    per_class_values,
)
from visteer.evaluation.intervention import REGIONS, REPLACEMENTS, Region, score_name
from visteer.evaluation.localisation import IOU_SWEEP, MAP_SCORES
from visteer.evaluation.result import EvaluationResult, Figure, InterventionRow, MapTargets, PerImage

RELIANCES = tuple(f"reliance_{region}" for region in REGIONS)
NO_FIGURE = Figure(math.nan, math.nan, math.nan)


def summarise(
    per_image: PerImage,
    class_names: Sequence[str],
    counts: Mapping[str, int],
    *,
    map_targets: MapTargets = "true",
    resamples: int = 1000,
    seed: int = 0,
) -> EvaluationResult:
    """Make every figure, with its 95 % percentile interval over resampled images (or groups of them).

    Scores that `per_image` does not have give NaN figures; without intervention scores there are no
    intervention rows.

    Raises:
        ValueError: there is no image, `resamples` is below 1, or the rows do not fit together.
    """
    weights = resample_counts(len(per_image.ids), resamples, seed, per_image.groups)
    resampled = bootstrap(lambda w: resampled_figures(per_image, w), weights)
    values = figure_values(per_image)
    found = {name: percentile_figure(value, resampled[name]) for name, value in values.items()}
    classes = range(len(class_names))
    return EvaluationResult(
        class_names=tuple(class_names),
        figures={name: found[name] for name in CLASSIFICATION_FIGURES},
        per_class={
            class_names[c]: {kind: found[f"{kind}/{c}"] for kind in ("sensitivity", "specificity")}
            for c in classes
        },
        confusion=confusion_matrix(per_image.labels, per_image.probabilities),
        maps={name: found.get(name, NO_FIGURE) for name in (*MAP_SCORES, "dead")},
        iou_sweep={t: found.get(f"iou@{t:g}", NO_FIGURE) for t in IOU_SWEEP},
        interventions={name: found.get(name, NO_FIGURE) for name in RELIANCES},
        intervention_rows=_intervention_rows(per_image, found),
        counts=dict(counts),
        per_image=per_image,
        map_targets=map_targets,
    )


def figure_values(per_image: PerImage) -> dict[str, float]:
    """All figures by flat name: those of classification, "sensitivity/0" for class 0, and mean scores."""
    labels, probabilities = per_image.labels, per_image.probabilities
    each = per_class_values(labels, probabilities)
    values = classification_values(labels, probabilities)
    values |= {f"{kind}/{c}": float(v) for kind, column in each.items() for c, v in enumerate(column)}
    means = mean_scores(image_scores(per_image), np.ones((1, len(per_image.ids))))
    return values | {name: float(mean[0]) for name, mean in means.items()}


def resampled_figures(per_image: PerImage, weights: Floats) -> dict[str, Floats]:
    """Compute the figures of `figure_values` for (r, n) multiplicities: flat name -> (r,)."""
    return resampled_classification(per_image, weights) | mean_scores(image_scores(per_image), weights)


def resampled_classification(per_image: PerImage, weights: Floats) -> dict[str, Floats]:
    """Compute the figures that are no means over images, for (r, n) multiplicities: flat name -> (r,)."""
    found = classification_resamples(per_image.labels, per_image.probabilities, weights)
    flat: dict[str, Floats] = {name: found[name] for name in CLASSIFICATION_FIGURES}
    for kind in ("sensitivity", "specificity"):
        flat |= {f"{kind}/{c}": column for c, column in enumerate(found[kind].T)}
    return flat


def image_scores(per_image: PerImage) -> dict[str, Floats]:
    """All scores whose mean is a figure, by flat name: (n,) each, NaN where an image has none."""
    return {**per_image.scores, "dead": per_image.dead.astype(np.float64)}


def mean_scores(scores: Mapping[str, Floats], weights: Floats) -> dict[str, Floats]:
    """Means (r,) of each score for (r, n) multiplicities."""
    means = weighted_means(np.stack(list(scores.values()), axis=1), weights)
    return dict(zip(scores, means.T, strict=True))


def _intervention_rows(per_image: PerImage, found: Mapping[str, Figure]) -> tuple[InterventionRow, ...]:
    return tuple(
        _intervention_row(region, replacement, per_image, found)
        for region in REGIONS
        for replacement in REPLACEMENTS
        if score_name(region, replacement, "flips") in found
    )


def _intervention_row(
    region: Region, replacement: str, per_image: PerImage, found: Mapping[str, Figure]
) -> InterventionRow:
    flips = score_name(region, replacement, "flips")
    return InterventionRow(
        region=region,
        replacement=replacement,
        flips=found[flips],
        probability_change=found[score_name(region, replacement, "probability_change")],
        accuracy=found[score_name(region, replacement, "accuracy")],
        images=int(np.isfinite(per_image.scores[flips]).sum()),
    )
