"""The losses of other papers, image by image and cell by cell.

`cells` are (raw map, normalised map, target, weight, row, column) of the cells of one image, on one grid.
"""

from __future__ import annotations

import math

Cell = tuple[float, float, float, float, int, int]


def cells_of(raw: list, normalised: list, target: list, weight: list) -> list[Cell]:
    """One image's cells, from nested lists of rows."""
    return [
        (raw[r][c], normalised[r][c], target[r][c], weight[r][c], r, c)
        for r in range(len(raw))
        for c in range(len(raw[0]))
    ]


def rrr_g(cells: list[Cell]) -> float:
    return sum((w * n) ** 2 for _, n, t, w, _, _ in cells if t == 0)


def hint(cells: list[Cell]) -> float:
    return sum(w * (n - t) ** 2 for _, n, t, w, _, _ in cells) / sum(w for *_, w, _, _ in cells)


def l1(cells: list[Cell]) -> float:
    return sum(w * abs(n - t) for _, n, t, w, _, _ in cells) / sum(w for *_, w, _, _ in cells)


def ppce(cells: list[Cell]) -> float:
    inside = [(n, w * t) for _, n, t, w, _, _ in cells if w * t > 0]
    return sum(r * -math.log((n + 1e-3) / 1.001) for n, r in inside) / sum(r for _, r in inside)


def energy(cells: list[Cell]) -> float:
    inside = sum(w * t * m for m, _, t, w, _, _ in cells)
    return 1 - inside / max(sum(w * m for m, _, _, w, _, _ in cells), 0.1)


def gradia(cells: list[Cell]) -> float:
    return l1(cells) if 1 - energy(cells) < 0.5 else 0.0


def res_g(cells: list[Cell]) -> float:
    apart = known = imputed = 0.0
    for _, n, t, w, row, column in cells:
        sign = math.tanh(5 * (n - 0.5))
        relevant, irrelevant = w * t, w * (t == 0)
        apart += relevant * abs(sign - 1) + irrelevant * abs(sign + 1)
        known += relevant + irrelevant
        # A Gaussian of one cell over the image's own cells.
        parts = [
            (math.exp(-((r - row) ** 2 + (c - column) ** 2) / 2), w2 * t2) for _, _, t2, w2, r, c in cells
        ]
        blurred = sum(k * value for k, value in parts) / sum(k for k, _ in parts)
        imputed += abs(n - blurred)
    return max(apart / known, 0) + imputed / len(cells)


def distance_aware(cells: list[Cell]) -> float:
    height, width = cells[-1][4] + 1, cells[-1][5] + 1
    inside = [(r, c) for _, _, t, w, r, c in cells if w * t > 0]
    total = sum(
        w * n * min(math.dist((r, c), place) for place in inside) / math.hypot(height, width)
        for _, n, _, w, r, c in cells
    )
    return total / sum(w for *_, w, _, _ in cells)


def dice(cells: list[Cell]) -> float:
    both = sum(w * n * t for _, n, t, w, _, _ in cells)
    return 1 - 2 * both / sum(w * (n + t) for _, n, t, w, _, _ in cells)


def abn_map(cells: list[Cell]) -> float:
    return math.sqrt(sum(w * (m - t) ** 2 for m, _, t, w, _, _ in cells))
