"""Misalignment in its slow form: loops over cells, areas cut by hand."""

from __future__ import annotations


def paper_edit_misalignment(values: list, target: list, weight: list) -> float:
    """1 - sum(w min(m, t)) / sum(w max(m, t)) on the map's grid; the edit is on a grid that each map cell divides."""
    down, across = len(target) // len(values), len(target[0]) // len(values[0])
    shared = union = 0.0
    for row, cells in enumerate(values):
        for column, m in enumerate(cells):
            trust = mass = 0.0
            for i in range(row * down, (row + 1) * down):
                for j in range(column * across, (column + 1) * across):
                    trust += weight[i][j]
                    mass += weight[i][j] * target[i][j]
            w = trust / (down * across)
            t = mass / trust if trust > 0 else 0.0
            shared += w * min(m, t)
            union += w * max(m, t)
    return 1 - shared / union


def paper_flip_instability(values: list, mirrored: list) -> float:
    """1 - sum min / sum max of a map and the other one read from right to left."""
    shared = union = 0.0
    for row, cells in enumerate(values):
        for column, m in enumerate(cells):
            n = mirrored[row][len(cells) - 1 - column]
            shared += min(m, n)
            union += max(m, n)
    return 1 - shared / union


def paper_guessed_misalignment(values: list, confidence: float, instability: float, parts: int = 80) -> float:
    """Confidence times the larger of the instability and the share of the mass in the outer eighth, each cell cut into
    `parts` x `parts` points."""
    height, width = len(values), len(values[0])
    outside = total = 0.0
    for row, cells in enumerate(values):
        for column, m in enumerate(cells):
            for i in range(parts):
                for j in range(parts):
                    y = (row + (i + 0.5) / parts) / height
                    x = (column + (j + 0.5) / parts) / width
                    total += m
                    if min(x, y, 1 - x, 1 - y) < 1 / 8:
                        outside += m
    return confidence * max(instability, outside / total)
