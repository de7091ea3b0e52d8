"""Krippendorff's alpha by its definition: all pairs of values, one after the other."""

from __future__ import annotations

import itertools
import math

import numpy as np


def alpha(values: np.ndarray, level: str) -> float:
    """1 - observed / expected disagreement over explicit pairs; `values` is (raters, items) with NaN."""
    items = [[v for v in column if not math.isnan(v)] for column in values.T]
    items = [item for item in items if len(item) > 1]
    pool = [v for item in items for v in item]
    if not pool:
        return math.nan

    def squared(a: float, b: float) -> float:
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        low, high = min(a, b), max(a, b)
        between = sum(low <= v <= high for v in pool) - (pool.count(low) + pool.count(high)) / 2
        return 0.0 if a == b else between**2

    observed = sum(
        squared(a, b) / (len(item) - 1) for item in items for a, b in itertools.permutations(item, 2)
    ) / len(pool)
    expected = sum(squared(a, b) for a, b in itertools.permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    return 1 - observed / expected if expected else math.nan
