"""What each figure is called, what it means in one line, and which direction is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Meaning:
    """A figure in words. `percent` figures are shares, shown as per cent and compared in points."""

    label: str
    line: str
    better: Better
    percent: bool = False


def meaning_of(key: str) -> Meaning:
    """Look up what the figure `key` means; an unknown key becomes its own label, and no direction is better.

    Example:
        >>> meaning_of("accuracy").label
        'Accuracy'
        >>> meaning_of("expert_hours")
        Meaning(label='expert hours', line='', better='neither', percent=False)
    """
    return _MEANINGS.get(key) or Meaning(key.replace("_", " "), "", "neither")


_MEANINGS = {
    "accuracy": Meaning(
        "Accuracy", "Share of the images whose most probable class is the true one.", "higher", percent=True
    ),
    "balanced_accuracy": Meaning(
        "Balanced accuracy",
        "Share found in each class, averaged: a rare class counts as much as a common one.",
        "higher",
        percent=True,
    ),
    "auc": Meaning(
        "AUC",
        "Chance that an image of a class scores above an image of another. 0.5 is guessing, 1 is perfect.",
        "higher",
    ),
    "f2": Meaning(
        "F2", "Cases found against false alarms; a missed case weighs more. 1 is perfect.", "higher"
    ),
    "ece": Meaning(
        "Calibration error", "Mean gap between stated confidence and real accuracy (ECE). 0 is best.", "lower"
    ),
    "epg": Meaning(
        "Energy in the region",
        "Share of the map that falls inside the relevant region (EPG); cells marked neither way do not count. "
        "Large regions score higher.",
        "higher",
    ),
    "iou": Meaning(
        "IoU",
        "Overlap of the hot part of the map (above 0.5) with the relevant region; cells marked neither way do not "
        "count. 1 is best.",
        "higher",
    ),
    "dice": Meaning("Soft Dice", "Overlap of the whole map with the relevant region. 1 is best.", "higher"),
    "pointing_game": Meaning(
        "Pointing game",
        "Share of the images whose hottest spot lies in the relevant region.",
        "higher",
        percent=True,
    ),
    "rank_accuracy": Meaning(
        "Rank accuracy",
        "Of the hottest cells, as many as the region has, the share that lies inside it.",
        "higher",
    ),
    "pixel_auroc": Meaning(
        "Pixel AUROC",
        "Chance that a cell inside the region is hotter than one outside. 0.5 is guessing.",
        "higher",
    ),
    "map_distance": Meaning(
        "Map distance",
        "Euclidean distance between the map and the edit on a grid of 7 x 7 cells. 0 is best, 7 worst.",
        "lower",
    ),
    "expert_rating": Meaning(
        "Expert rating",
        "Mean blind rating by people: 1 looks exactly where an expert looks, 5 somewhere else.",
        "lower",
    ),
    "dead": Meaning(
        "Dead maps",
        "Share of the images whose map is zero everywhere and shows nothing.",
        "lower",
        percent=True,
    ),
    "reliance_irrelevant": Meaning(
        "Reliance on the irrelevant",
        "Change of the probabilities when the region marked irrelevant is replaced. 0: it plays no part.",
        "lower",
    ),
    "reliance_relevant": Meaning(
        "Reliance on the relevant",
        "Change of the probabilities when the relevant region is replaced. 0: it plays no part.",
        "neither",
    ),
    "flips": Meaning("Changed class", "Share of the predictions that change class.", "neither", percent=True),
    "probability_change": Meaning(
        "Probability change", "Total variation distance of the probabilities before and after.", "neither"
    ),
    "sensitivity": Meaning("Sensitivity", "Share of the class that is found.", "higher", percent=True),
    "specificity": Meaning("Specificity", "Share of the rest that is left alone.", "higher", percent=True),
}
