"""Map metrics in the words of their definitions: lists of cells of one image, no arrays."""

from __future__ import annotations

import math
from itertools import permutations


def cells(map_, region, known):
    """(value, inside) of every known cell."""
    flat = zip(map_.flatten().tolist(), region.flatten().tolist(), known.flatten().tolist(), strict=True)
    return [(value, inside) for value, inside, is_known in flat if is_known]


def energy_share(pairs) -> float:
    total = sum(v for v, _ in pairs)
    return sum(v for v, inside in pairs if inside) / total if total else 0.0


def iou(pairs, threshold) -> float:
    hot = {i for i, (v, _) in enumerate(pairs) if v > threshold}
    region = {i for i, (_, inside) in enumerate(pairs) if inside}
    return len(hot & region) / len(hot | region) if hot | region else 0.0


def soft_dice(pairs) -> float:
    """`pairs` of (map value, target value)."""
    bottom = sum(m * m + t * t for m, t in pairs)
    return 2 * sum(m * t for m, t in pairs) / bottom if bottom else 0.0


def pointing_game(pairs) -> float:
    top = max((v for v, _ in pairs), default=0)
    hottest = [inside for v, inside in pairs if v == top]
    return sum(hottest) / len(hottest) if top > 0 else 0.0


def rank_accuracy(pairs) -> float:
    """The mean over every order of the cells (few cells only) of the share of the top |G| inside."""
    if max((v for v, _ in pairs), default=0) <= 0:
        return 0.0
    size = sum(inside for _, inside in pairs)
    shares = []
    for order in permutations(pairs):
        top = sorted(order, key=lambda cell: -cell[0])[:size]  # the sort is stable: ties keep the order
        shares.append(sum(inside for _, inside in top) / size)
    return sum(shares) / len(shares)


def pixel_auroc(pairs) -> float:
    inside, outside = [v for v, i in pairs if i], [v for v, i in pairs if not i]
    if not inside or not outside:
        return math.nan
    return sum((a > b) + (a == b) / 2 for a in inside for b in outside) / (len(inside) * len(outside))


def map_distance(map_, target, known) -> float:
    """All on one grid already."""
    low, high = map_.min().item(), map_.max().item()
    total = 0.0
    for value, wanted, is_known in zip(
        map_.flatten().tolist(), target.flatten().tolist(), known.flatten().tolist(), strict=True
    ):
        if is_known:
            unit = (value - low) / (high - low) if high > low else 0.0
            total += (unit - wanted) ** 2
    return math.sqrt(total)
