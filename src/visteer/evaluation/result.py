"""The evidence about one model on one set of images: figures with intervals, and the rows they come from."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from visteer.atomic import write_bytes
from visteer.errors import VisteerError

MapTargets = Literal["true", "predicted"]

_FORMAT = "visteer-evaluation 1"


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % bootstrap interval. All three are NaN where the data cannot give the value."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """Give the three numbers by name, None for NaN.

        Example:
            >>> Figure(0.5, 0.25, float("nan")).to_json()
            {'value': 0.5, 'low': 0.25, 'high': None}
        """
        return {name: _number(getattr(self, name)) for name in ("value", "low", "high")}


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
    such a region), and the other measures of the interventions. `dead` marks maps that are zero everywhere.
    `groups`, if given, numbers the sets of near-duplicates that are resampled together.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    dead: NDArray[np.bool_]
    scores: Mapping[str, NDArray[np.float64]]
    groups: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class EvaluationResult:
    """All that `evaluate` measures.

    `figures`: accuracy, balanced_accuracy, auc, f2, ece. `per_class`: class -> sensitivity, specificity.
    `confusion`: counts, rows are true classes. `maps`: epg, iou, dice, pointing_game, rank_accuracy,
    pixel_auroc, map_distance, dead. `iou_sweep`: threshold -> IoU. `interventions`: reliance_irrelevant,
    reliance_relevant; `intervention_rows` in detail. `counts`: images, with_region, with_irrelevant and
    more. `map_targets` says of which class the maps are: the "true" or the "predicted" one.
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
    map_targets: MapTargets = "true"

    def to_json(self) -> dict[str, Any]:
        """All but the rows of the images, ready for `json.dumps`; each figure as `Figure.to_json` gives it.

        The figures of classification stand at the top, those of the maps under "maps", and the interventions
        under "interventions" with their rows under "rows".
        """
        rows = [
            {
                "region": row.region,
                "replacement": row.replacement,
                "flips": row.flips.to_json(),
                "probability_change": row.probability_change.to_json(),
                "accuracy": row.accuracy.to_json(),
                "images": row.images,
            }
            for row in self.intervention_rows
        ]
        return {
            **_figures_to_json(self.figures),
            "maps": _figures_to_json(self.maps),
            "interventions": {**_figures_to_json(self.interventions), "rows": rows},
            "per_class": {name: _figures_to_json(figures) for name, figures in self.per_class.items()},
            "confusion": self.confusion.tolist(),
            "iou_sweep": {f"{threshold:g}": figure.to_json() for threshold, figure in self.iou_sweep.items()},
            "counts": dict(self.counts),
            "class_names": list(self.class_names),
            "map_targets": self.map_targets,
        }


def save_result(folder: Path, name: str, result: EvaluationResult) -> Path:
    """Write `NAME.json` (the figures) and `NAME.npz` (the rows of the images); give the path of the first.

    Each file appears whole or not at all, the JSON file last. It holds the digest of the other, so files of
    two different savings are never taken for one result.

    Raises:
        ValueError: `name` is not a plain file name.
        OSError: the folder does not exist or cannot be written.
    """
    if Path(name).name != name:
        raise ValueError(f"name must be a plain file name, got {name!r}")
    rows = _pack(result.per_image)
    content = {
        "format": _FORMAT,
        **result.to_json(),
        "figures": list(result.figures),
        "per_image_sha256": hashlib.sha256(rows).hexdigest(),
    }
    path = folder / f"{name}.json"
    write_bytes(folder / f"{name}.npz", rows)
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
    return path


def load_result(folder: Path, name: str) -> EvaluationResult:
    """Read what `save_result` wrote; nothing is unpickled.

    Raises:
        VisteerError: a file is missing or damaged, or the two are not of one saving.
    """
    path = folder / f"{name}.json"
    mend = "evaluate the run again"
    try:
        content = json.loads(path.read_bytes())
        rows = path.with_suffix(".npz").read_bytes()
    except OSError as error:
        raise VisteerError(f"cannot read the evaluation {path}: {error.strerror}; {mend}") from error
    except (ValueError, RecursionError) as error:
        raise VisteerError(f"{path} is damaged ({error}); {mend}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise VisteerError(f"{path} is not an evaluation that this version can read; {mend}")
    if content.get("per_image_sha256") != hashlib.sha256(rows).hexdigest():
        raise VisteerError(f"{path} and its .npz file do not belong together; {mend}")
    try:
        return _from_json(content, _unpack(rows))
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise VisteerError(f"{path} is damaged ({type(error).__name__}: {error}); {mend}") from error


def _from_json(content: Mapping[str, Any], per_image: PerImage) -> EvaluationResult:
    interventions = dict(content["interventions"])
    rows = [
        InterventionRow(
            region=row["region"],
            replacement=row["replacement"],
            flips=_figure(row["flips"]),
            probability_change=_figure(row["probability_change"]),
            accuracy=_figure(row["accuracy"]),
            images=row["images"],
        )
        for row in interventions.pop("rows")
    ]
    return EvaluationResult(
        class_names=tuple(content["class_names"]),
        figures={name: _figure(content[name]) for name in content["figures"]},
        per_class={name: _figures(figures) for name, figures in content["per_class"].items()},
        confusion=np.array(content["confusion"], dtype=np.int64),
        maps=_figures(content["maps"]),
        iou_sweep={float(threshold): _figure(figure) for threshold, figure in content["iou_sweep"].items()},
        interventions=_figures(interventions),
        intervention_rows=tuple(rows),
        counts=content["counts"],
        per_image=per_image,
        map_targets=content["map_targets"],
    )


def _figure(content: Mapping[str, float | None]) -> Figure:
    numbers = (content[name] for name in ("value", "low", "high"))
    return Figure(*(math.nan if number is None else float(number) for number in numbers))


def _figures(content: Mapping[str, Mapping[str, float | None]]) -> dict[str, Figure]:
    return {name: _figure(figure) for name, figure in content.items()}


def _figures_to_json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: figure.to_json() for name, figure in figures.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _pack(rows: PerImage) -> bytes:
    arrays: dict[str, NDArray[Any]] = {
        "ids": _texts(rows.ids),
        "labels": rows.labels,
        "probabilities": rows.probabilities,
        "dead": rows.dead,
        "score_names": _texts(list(rows.scores)),
        "scores": np.array(list(rows.scores.values())).reshape(len(rows.scores), len(rows.ids)),
    }
    if rows.groups is not None:
        arrays["groups"] = rows.groups
    packed = io.BytesIO()
    # Given by name: savez stores each array under its keyword.
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def _unpack(packed: bytes) -> PerImage:
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        names = [str(name) for name in arrays["score_names"]]
        return PerImage(
            ids=tuple(str(name) for name in arrays["ids"]),
            labels=arrays["labels"],
            probabilities=arrays["probabilities"],
            dead=arrays["dead"],
            scores=dict(zip(names, arrays["scores"], strict=True)),
            groups=arrays.get("groups"),
        )


def _texts(texts: Sequence[str]) -> NDArray[np.str_]:
    return np.array(texts, dtype=np.str_)
