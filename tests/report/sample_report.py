"""A report about invented but plausible runs, for tests that look at what is shown."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from visteer.evaluation import ComparedFigure
from visteer.evaluation.result import EvaluationResult, Figure, InterventionRow, PerImage
from visteer.report import GalleryRow, ReportContent, RunReport

CLASSES = ("benign", "malignant", "normal")
NAN = Figure(math.nan, math.nan, math.nan)


def around(value: float, half: float = 0.04) -> Figure:
    return Figure(value, value - half, value + half)


def share(value: float, half: float = 0.04) -> Figure:
    return Figure(value, max(value - half, 0.0), min(value + half, 1.0))


def make_result(
    *, accuracy: float, f2: float, auc: float, epg: float, iou: float, reliance: float, classes=CLASSES
) -> EvaluationResult:
    n = len(classes)
    confusion = np.full((n, n), 8) + np.eye(n, dtype=int) * int(120 * accuracy)
    rows = [
        InterventionRow(
            region,
            replacement,
            share(0.7 * change),
            share(change, 0.03),
            share(accuracy - 0.3 * change),
            images,
        )
        for region, base, images in (("relevant", 0.42, 186), ("irrelevant", reliance, 240))
        for replacement, change in (
            ("another image", base),
            ("noise", 0.9 * base),
            ("blur", 0.7 * base),
            ("image mean", 0.8 * base),
            ("in-painting", 0.85 * base),
        )
    ]
    per_image = PerImage(
        ("a", "b"), np.array([0, 1]), np.full((2, n), 1 / n), np.array([False, False]), {"iou": np.zeros(2)}
    )
    return EvaluationResult(
        class_names=tuple(classes),
        figures={
            "accuracy": around(accuracy),
            "balanced_accuracy": around(accuracy - 0.03),
            "auc": around(auc, 0.02),
            "f2": around(f2),
            "ece": around(0.071, 0.02),
        },
        per_class={
            name: {"sensitivity": around(accuracy - 0.02 * i), "specificity": around(0.93 - 0.01 * i, 0.02)}
            for i, name in enumerate(classes)
        },
        confusion=confusion,
        maps={
            "epg": around(epg, 0.02),
            "iou": around(iou, 0.02),
            "dice": around(iou + 0.06, 0.02),
            "pointing_game": around(min(2 * iou, 0.9)),
            "rank_accuracy": around(iou + 0.05),
            "pixel_auroc": around(0.6 + iou / 2),
            "map_distance": around(3.0 - 3 * iou, 0.2),
            "dead": around(0.008, 0.006),
        },
        iou_sweep={
            t: around(max(iou * (1.2 - abs(t - 0.4)), 0), 0.02) for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
        },
        interventions={
            "reliance_irrelevant": around(reliance, 0.02),
            "reliance_relevant": around(0.35, 0.03),
        },
        intervention_rows=tuple(rows),
        counts={"images": 262, "with_region": 186, "with_irrelevant": 240},
        per_image=per_image,
    )


def make_comparison(before: EvaluationResult, after: EvaluationResult) -> tuple[ComparedFigure, ...]:
    rows = []
    for old, new in (
        (before.figures, after.figures),
        (before.maps, after.maps),
        (before.interventions, after.interventions),
    ):
        for key in old:
            difference = new[key].value - old[key].value
            clear = abs(difference) > 0.025
            p_value = 0.0004 if clear else 0.41
            rows.append(
                ComparedFigure(
                    key, old[key], new[key], around(difference, 0.025), p_value, "paired bootstrap"
                )
            )
    return tuple(rows)


def make_gallery_row(seed: int, *, runs: int = 2, size: int = 128, edited: bool = True) -> GalleryRow:
    """A speckled picture with a dark lesion (relevant) and a bright tag in a corner (irrelevant)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:size, 0:size] / size
    speckle = np.asarray(
        Image.fromarray(rng.rayleigh(60, (size // 2, size // 2)).astype(np.float32)).resize((size, size))
    )
    y, x = rng.uniform(0.35, 0.65, 2)
    lesion = ((rows - y) / rng.uniform(0.1, 0.18)) ** 2 + ((columns - x) / rng.uniform(0.14, 0.24)) ** 2 < 1
    picture = speckle * (1.15 - 0.5 * rows) * np.where(lesion, 0.35, 1)
    tag = (rows < 0.14) & (columns > 0.72)
    picture[tag & (rows > 0.05) & (rows < 0.12) & ((columns * 40 % 2) < 1.2) & (columns > 0.75)] = 245
    image = np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    grid = np.mgrid[0:7, 0:7] / 6

    def heat(cy: float, cx: float) -> np.ndarray:
        blob = np.exp(-((grid[0] - cy) ** 2 + (grid[1] - cx) ** 2) / 0.06) + 0.25 * rng.random((7, 7))
        return (blob - blob.min()) / (blob.max() - blob.min())

    maps = tuple(heat(0.03, 0.95) if run == 0 else heat(y, x) for run in range(runs))
    right = seed % 3 != 0
    return GalleryRow(
        sample_id=f"malignant/malignant ({seed}).png",
        true_class="malignant",
        image=image,
        target=lesion.astype(np.float32) if edited else None,
        weight=(lesion | tag).astype(np.float32) if edited else None,
        maps=maps,
        predictions=("benign", *(["malignant" if right else "benign"] * (runs - 1)))[:runs],
        confidences=tuple(float(c) for c in rng.uniform(0.55, 0.99, runs)),
        scores=tuple(float(s) for s in rng.uniform(0.0, 0.6, runs)) if edited else (math.nan,) * runs,
    )


def make_history(final: float) -> tuple[dict[str, float], ...]:
    epochs = np.arange(1, 13)
    decay = np.exp(-epochs / 4)
    return tuple(
        {
            "epoch": float(epoch),
            "train_loss": 0.3 + 0.9 * fall,
            "attention_loss": 0.05 + 0.2 * fall,
            "val_accuracy": final * (1 - 0.5 * fall),
            "val_f2": final * (0.95 - 0.6 * fall),
        }
        for epoch, fall in zip(epochs, decay, strict=True)
    )


def make_content(gallery_rows: int = 0) -> ReportContent:
    plain = make_result(accuracy=0.615, f2=0.614, auc=0.855, epg=0.166, iou=0.165, reliance=0.41)
    steered = make_result(accuracy=0.832, f2=0.611, auc=0.892, epg=0.302, iou=0.385, reliance=0.04)
    settings = {"model": "tf_efficientnet_lite0", "image size": "160", "epochs": "12", "seed": "0"}
    return ReportContent(
        title="Breast ultrasound, tags in the corner",
        runs=(
            RunReport(
                "20250301-plain",
                "Plain",
                "Cross-entropy alone.",
                plain,
                make_history(0.66),
                settings | {"gamma": "0"},
            ),
            RunReport(
                "20250301-steered",
                "Steered",
                "Attention loss towards the lesion; marked tags transplanted.",
                steered,
                make_history(0.84),
                settings | {"gamma": "10", "irrelevant": "transplant"},
            ),
        ),
        facts={
            "Study": "busi-tags",
            "Split": "test, 262 images",
            "Edits": "BUSI masks, 52 of 518",
            "Visteer": "0.1.0",
        },
        comparison=make_comparison(plain, steered),
        gallery=tuple(make_gallery_row(seed, edited=seed != 4) for seed in range(gallery_rows)),
        notes=("One seed. Repeat with others before you rely on it.",),
        training=(
            "visteer train busi-tags --epochs 12",
            "visteer steer busi-tags --gamma 10 --irrelevant transplant",
        ),
        measuring=("visteer report busi-tags plain-1 steered-2 --split test",),
    )
