"""The evidence about one model on one set of images: figures with intervals, and the rows they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % bootstrap interval. All three are NaN where the data cannot give the value."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class InterventionRow:
    """What changing one region in one way does to the predictions.

    `region` is "irrelevant" or "relevant"; `replacement` names what was put there. `flips` is the share of
    predictions that change class, `probability_change` the mean total variation distance between the
    probabilities before and after (0 to 1), `accuracy` the accuracy under the change. `images` counts the
    images that have such a region.
    """

    region: str
    replacement: str
    flips: Figure
    probability_change: Figure
    accuracy: Figure
    images: int


@dataclass(frozen=True)
class PerImage:
    """One row an image, in the order of the data: what `compare` pairs and what the intervals resample.

    `scores` holds (n,) float arrays by name: the map metrics (NaN without a relevant region) and, as
    "reliance_irrelevant" and "reliance_relevant", the mean probability change of the image (NaN without
    such a region). `dead` marks maps that are zero everywhere.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    dead: NDArray[np.bool_]
    scores: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class EvaluationResult:
    """All that `evaluate` measures.

    `figures`: accuracy, balanced_accuracy, auc, f2, ece. `per_class`: class -> sensitivity, specificity.
    `confusion`: counts, rows are true classes. `maps`: epg, iou, dice, pointing_game, rank_accuracy,
    pixel_auroc, map_distance, dead. `iou_sweep`: threshold -> IoU. `interventions`: reliance_irrelevant,
    reliance_relevant; `intervention_rows` in detail. `counts`: images, with_region, with_irrelevant.
    """

    class_names: tuple[str, ...]
    figures: Mapping[str, Figure]
    per_class: Mapping[str, Mapping[str, Figure]]
    confusion: NDArray[np.int64]
    maps: Mapping[str, Figure]
    iou_sweep: Mapping[float, Figure]
    interventions: Mapping[str, Figure]
    intervention_rows: tuple[InterventionRow, ...]
    counts: Mapping[str, int]
    per_image: PerImage
