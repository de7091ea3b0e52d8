"""What a report shows: runs with their figures, their paired comparison, and a gallery of maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visteer.evaluation.compare import ComparedFigure
from visteer.evaluation.result import EvaluationResult


@dataclass(frozen=True)
class RunReport:
    """One run: its measured `result`, how it was trained, and one row of `history` an epoch.

    `name` is the run's id, `title` the word a reader sees ("Plain", "Steered"), `method` one line on how it
    was trained. `history` rows map a quantity to its value; "epoch" gives the position on the x axis.
    """

    name: str
    title: str
    method: str
    result: EvaluationResult
    history: tuple[Mapping[str, float], ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GalleryRow:
    """One image with its edit and what each run makes of it.

    `image` is (S, S, 3) uint8. `target` and `weight` are (H, W) in [0, 1], both None without an edit. `maps`,
    `predictions`, `confidences` and `scores` hold one entry a run, in the order of the report's runs: maps
    are (h, w), min-max normalised to [0, 1]; scores are values of the report's `gallery_score`, NaN where
    the image cannot give one.

    Raises:
        ValueError: the arrays do not have these shapes and types, or the tuples differ in length.
    """

    sample_id: str
    true_class: str
    image: NDArray[np.uint8]
    target: NDArray[np.floating] | None
    weight: NDArray[np.floating] | None
    maps: tuple[NDArray[np.floating], ...]
    predictions: tuple[str, ...]
    confidences: tuple[float, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(f"image must be (S, S, 3) uint8, got {self.image.shape} {self.image.dtype}")
        if (self.target is None) != (self.weight is None):
            raise ValueError("target and weight go together: give both or neither")
        if self.target is not None and self.weight is not None and self.target.shape != self.weight.shape:
            raise ValueError(f"target is {self.target.shape} and weight is {self.weight.shape}")
        if any(heat.ndim != 2 for heat in self.maps):
            raise ValueError(f"maps must be (h, w), got {[heat.shape for heat in self.maps]}")
        lengths = {len(self.maps), len(self.predictions), len(self.confidences), len(self.scores)}
        if len(lengths) != 1:
            raise ValueError("maps, predictions, confidences and scores must have one entry a run each")


@dataclass(frozen=True)
class ReportContent:
    """Everything in a report. Two runs read as before and after.

    With more than two runs, `comparison` is about the last against the first. `facts` say which study, split
    and versions the report is about, `notes` are remarks a line each, the commands in `training` train runs like
    these, and those in `measuring` measure these again.
    `class_changes` compares how often another image's content in the place of the irrelevant region changes the class.
    `gallery_score` names the figure of `GalleryRow.scores`: the rows are shown worst first by the last run's.

    Raises:
        ValueError: there is no run, the runs have different classes, or a gallery row has not one map a run.
    """

    title: str
    runs: tuple[RunReport, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    comparison: tuple[ComparedFigure, ...] = ()
    gallery: tuple[GalleryRow, ...] = ()
    gallery_score: str = "iou"
    notes: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    measuring: tuple[str, ...] = ()
    class_changes: ComparedFigure | None = None

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("a report needs at least one run")
        if len({run.result.class_names for run in self.runs}) != 1:
            raise ValueError("the runs of a report must have the same classes")
        for row in self.gallery:
            if len(row.maps) != len(self.runs):
                raise ValueError(f"{row.sample_id!r} has {len(row.maps)} maps for {len(self.runs)} runs")
