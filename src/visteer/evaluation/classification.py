"""How well the predictions fit the labels, for one set of images and for many resamples of it.

The values come from torchmetrics, in single precision. Its functions take one set of images a call, so the
resamples have their own form here, vectorised over resamples; the tests hold the two together.

Classes that are missing are no error and give no warning:

- a class without an image has no sensitivity and no AUC (NaN); balanced accuracy and AUC average over the
  others;
- if every image is of one class, that class has no specificity and no AUC either;
- F2 averages over the classes that are true or predicted for some image; a class that is predicted but never
  true counts as 0 (as in torchmetrics and scikit-learn).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import (
    binary_auroc,
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_fbeta_score,
    multiclass_recall,
    multiclass_specificity,
)

from visteer.evaluation.bootstrap import Floats, divide

CLASSIFICATION_FIGURES = ("accuracy", "balanced_accuracy", "auc", "f2", "ece")
CALIBRATION_BINS = 15


def classification_values(labels: NDArray[np.int64], probabilities: Floats) -> dict[str, float]:
    """Accuracy, balanced accuracy, AUC, F2 and calibration error of one set of images.

    Arguments:
        labels: (n,) true classes.
        probabilities: (n, C) float64, rows sum to 1; the predicted class is the first of the largest.

    Returns:
        `accuracy`: share of right predictions, 0 to 1, best 1. `balanced_accuracy`: mean sensitivity over the
        classes that occur. `auc`: mean over classes of the area under the ROC curve of that class against the
        rest, 0.5 for chance, best 1; ties count half. `f2`: mean over classes of F-beta with beta 2, in which
        a missed image weighs more than a false alarm; 0 to 1, best 1. `ece`: expected calibration error,
        the mean gap of confidence and accuracy over 15 bins of confidence, best 0 (Guo et al., ICML 2017,
        eq. 3).

    Raises:
        ValueError: shapes do not fit, or there is no image.
        ValueError: there are fewer than two classes, or a label or probability is out of range.

    Example:
        >>> values = classification_values(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
        >>> values["accuracy"], values["auc"]
        (0.5, 1.0)
    """
    _check(labels, probabilities)
    classes = probabilities.shape[1]
    truth, scores = torch.from_numpy(labels), torch.from_numpy(np.clip(probabilities, 0, 1))
    predicted = torch.from_numpy(probabilities.argmax(axis=1))
    areas = [_one_against_rest(scores[:, c], truth == c) for c in range(classes)]
    return {
        "accuracy": float(multiclass_accuracy(predicted, truth, classes, average="micro")),
        "balanced_accuracy": _mean(per_class_values(labels, probabilities)["sensitivity"]),
        "auc": _mean(np.array(areas)),
        "f2": float(multiclass_fbeta_score(predicted, truth, 2.0, classes, average="macro")),
        "ece": float(multiclass_calibration_error(scores, truth, classes, n_bins=CALIBRATION_BINS)),
    }


def per_class_values(labels: NDArray[np.int64], probabilities: Floats) -> dict[str, Floats]:
    """`sensitivity` and `specificity` of each class: two (C,) arrays, 0 to 1, best 1, NaN where undefined.

    Raises:
        ValueError: as `classification_values`.

    Example:
        >>> per_class_values(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))["sensitivity"]
        array([1., 0.])
    """
    _check(labels, probabilities)
    classes = probabilities.shape[1]
    truth, predicted = torch.from_numpy(labels), torch.from_numpy(probabilities.argmax(axis=1))
    recall = multiclass_recall(predicted, truth, classes, average="none").double().numpy()
    specificity = multiclass_specificity(predicted, truth, classes, average="none").double().numpy()
    images = np.bincount(labels, minlength=classes)
    return {
        "sensitivity": np.where(images > 0, recall, np.nan),
        "specificity": np.where(images < len(labels), specificity, np.nan),
    }


def confusion_matrix(labels: NDArray[np.int64], probabilities: Floats) -> NDArray[np.int64]:
    """Count (C, C) int64: row i, column j holds the images of class i that are predicted as class j.

    Raises:
        ValueError: as `classification_values`.

    Example:
        >>> confusion_matrix(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
        array([[1, 0],
               [1, 0]])
    """
    _check(labels, probabilities)
    predicted = torch.from_numpy(probabilities.argmax(axis=1))
    counts = multiclass_confusion_matrix(predicted, torch.from_numpy(labels), probabilities.shape[1])
    return np.asarray(counts.numpy(), dtype=np.int64)


def classification_resamples(
    labels: NDArray[np.int64], probabilities: Floats, weights: Floats
) -> dict[str, Floats]:
    """All of the above for many resamples at once.

    Arguments:
        labels: (n,) true classes.
        probabilities: (n, C) float64.
        weights: (r, n) float64, how often each image occurs in each resample.

    Returns:
        `accuracy`, `balanced_accuracy`, `auc`, `f2`, `ece`: (r,); `sensitivity`, `specificity`: (r, C). A
        weight of one everywhere gives the values of `classification_values` and `per_class_values`.

    Raises:
        ValueError: as `classification_values`, or the weights do not fit.

    Example:
        >>> labels, probabilities = np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]])
        >>> weights = np.array([[1.0, 1.0], [2.0, 0.0]])
        >>> classification_resamples(labels, probabilities, weights)["accuracy"]
        array([0.5, 1. ])
    """
    _check(labels, probabilities)
    if weights.ndim != 2 or weights.shape[1] != len(labels):
        raise ValueError(f"weights must be (r, {len(labels)}), got {weights.shape}")
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    is_true = np.eye(classes)[labels]
    is_predicted = np.eye(classes)[predicted]
    hits, true, called = weights @ (is_true * is_predicted), weights @ is_true, weights @ is_predicted
    images = weights.sum(axis=1)
    others = images[:, None] - true
    sensitivity = divide(hits, true)
    # F-beta = (1 + b^2) hits / (b^2 true + called), b = 2; undefined for classes neither true nor called.
    f2 = divide(5 * hits, 4 * true + called)
    areas = [_weighted_auc(probabilities[:, c], labels == c, weights) for c in range(classes)]
    return {
        "accuracy": divide(hits.sum(axis=1), images),
        "balanced_accuracy": _row_means(sensitivity),
        "auc": _row_means(np.stack(areas, axis=1)),
        "f2": _row_means(f2),
        "ece": _calibration_error(probabilities.max(axis=1), predicted == labels, weights),
        "sensitivity": sensitivity,
        "specificity": divide(others - (called - hits), others),
    }


def _check(labels: NDArray[np.int64], probabilities: Floats) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(
            "expected (n,) labels and (n, C) probabilities with n > 0, "
            f"got {labels.shape} and {probabilities.shape}"
        )
    classes = probabilities.shape[1]
    if classes < 2:
        raise ValueError("a classifier needs at least 2 classes")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must lie in [0, {classes})")
    if not np.isfinite(probabilities).all() or probabilities.min() < -1e-6 or probabilities.max() > 1 + 1e-6:
        raise ValueError("probabilities must be finite and lie in [0, 1]")


def _one_against_rest(scores: torch.Tensor, positive: torch.Tensor) -> float:
    if positive.all() or not positive.any():
        return math.nan
    return float(binary_auroc(scores, positive.long()))


def _weighted_auc(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Area under the ROC curve (r,): share of (positive, negative) pairs in the right order; ties half."""
    order = np.argsort(scores, kind="stable")
    ranked, positive = scores[order], positive[order]
    below = np.zeros((len(weights), len(scores) + 1))
    np.cumsum(weights[:, order] * ~positive, axis=1, out=below[:, 1:])
    first = np.searchsorted(ranked, ranked[positive], side="left")
    after = np.searchsorted(ranked, ranked[positive], side="right")
    own = weights[:, order[positive]]
    right = (own * (below[:, first] + below[:, after])).sum(axis=1) / 2
    return divide(right, own.sum(axis=1) * below[:, -1])


def _calibration_error(confidence: Floats, right: NDArray[np.bool_], weights: Floats) -> Floats:
    """ECE (r,) over equal bins [low, high), their edges in single precision as torchmetrics has them."""
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1, dtype=np.float32)
    bins = np.digitize(confidence.astype(np.float32), edges) - 1
    in_bin = np.eye(CALIBRATION_BINS + 1)[np.minimum(bins, CALIBRATION_BINS)]
    gaps = weights @ (in_bin * (right - confidence)[:, None])
    return divide(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


def _mean(values: Floats) -> float:
    return float(_row_means(values[None])[0])


def _row_means(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return divide(np.where(known, values, 0).sum(axis=1), known.sum(axis=1))
