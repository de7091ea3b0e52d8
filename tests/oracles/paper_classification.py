"""Classification figures in the words of their definitions: one image, one pair of images at a time."""

from __future__ import annotations

import math


def auc_of_class(labels, probabilities, c) -> float:
    """Share of (image of the class, image of another) pairs that are ranked right; ties count half."""
    inside = [p[c] for y, p in zip(labels, probabilities, strict=True) if y == c]
    outside = [p[c] for y, p in zip(labels, probabilities, strict=True) if y != c]
    if not inside or not outside:
        return math.nan
    right = sum((a > b) + (a == b) / 2 for a in inside for b in outside)
    return right / (len(inside) * len(outside))


def macro_auc(labels, probabilities) -> float:
    areas = [auc_of_class(labels, probabilities, c) for c in range(len(probabilities[0]))]
    return mean_of_defined(areas)


def sensitivities(labels, predicted, classes) -> list[float]:
    out = []
    for c in range(classes):
        calls = [q == c for y, q in zip(labels, predicted, strict=True) if y == c]
        out.append(sum(calls) / len(calls) if calls else math.nan)
    return out


def specificities(labels, predicted, classes) -> list[float]:
    out = []
    for c in range(classes):
        calls = [q != c for y, q in zip(labels, predicted, strict=True) if y != c]
        out.append(sum(calls) / len(calls) if calls else math.nan)
    return out


def macro_f2(labels, predicted, classes) -> float:
    """(1 + 4) precision recall / (4 precision + recall), over classes that are true or predicted."""
    scores = []
    for c in range(classes):
        hits = sum(y == c and q == c for y, q in zip(labels, predicted, strict=True))
        true, called = sum(y == c for y in labels), sum(q == c for q in predicted)
        if not true and not called:
            continue
        precision = hits / called if called else 0.0
        recall = hits / true if true else 0.0
        both = 4 * precision + recall
        scores.append(5 * precision * recall / both if both else 0.0)
    return sum(scores) / len(scores)


def calibration_error(labels, probabilities, bins) -> float:
    """sum over bins of (images in bin / n) |accuracy in bin - confidence in bin|."""
    n, total = len(labels), 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        inside = [
            (max(p), max(range(len(p)), key=lambda c: p[c]) == y)
            for y, p in zip(labels, probabilities, strict=True)
            if low <= max(p) < high
        ]
        if inside:
            confidence = sum(c for c, _ in inside) / len(inside)
            accuracy = sum(r for _, r in inside) / len(inside)
            total += len(inside) / n * abs(accuracy - confidence)
    return total


def mean_of_defined(values) -> float:
    defined = [v for v in values if not math.isnan(v)]
    return sum(defined) / len(defined) if defined else math.nan
