"""Figures in words, the same in every table of the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping

from visteer.evaluation import Figure

FIGURES: Mapping[str, tuple[str, str]] = {
    "accuracy": ("accuracy", "share of images classified right"),
    "balanced_accuracy": ("balanced accuracy", "the same, every class counting alike"),
    "auc": ("AUC", "how well probabilities rank the classes"),
    "f2": ("F2", "recall-weighted F score, mean over classes"),
    "ece": ("calibration error", "confidence against accuracy, lower is better"),
    "epg": ("EPG", "share of the map's energy inside the region"),
    "iou": ("IoU", "overlap of the map above 0.5 with the region"),
    "dice": ("Dice", "soft overlap of map and region"),
    "pointing_game": ("pointing game", "share of maps whose peak lies inside"),
    "map_distance": ("map distance", "map against edit on a 7 x 7 grid, lower is better"),
    "dead": ("dead maps", "share of maps that are zero everywhere, lower is better"),
    "reliance_irrelevant": (
        "reliance, irrelevant",
        "change when irrelevant content is swapped, lower is better",
    ),
    "reliance_relevant": ("reliance, relevant", "change when relevant content is swapped"),
}


def shown(figure: Figure) -> str:
    """A figure with its interval, or a dash where there is none."""
    if math.isnan(figure.low):
        return value(figure)
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def value(figure: Figure) -> str:
    """A figure without its interval, or a dash where there is none."""
    return "–" if math.isnan(figure.value) else f"{figure.value:.3f}"


def p_value(value: float) -> str:
    """A p value, or a dash where the data cannot say."""
    if math.isnan(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
