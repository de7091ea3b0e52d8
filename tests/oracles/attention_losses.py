"""The attention losses in the form of the papers: loops over images and cells, no broadcasting."""

from __future__ import annotations


def paper_attention_mse(maps: list, targets: list, region_share: float = 0.1) -> float:
    """(1 - s) * MSE over all cells + s * MSE over the cells with target 1, image by image, then the mean.

    `maps` are normalised already; images, rows and columns are nested lists. Without a cell of target 1 the plain MSE.
    """
    losses = []
    for image, target in zip(maps, targets, strict=True):
        everywhere, region = [], []
        for map_row, target_row in zip(image, target, strict=True):
            for m, t in zip(map_row, target_row, strict=True):
                everywhere.append((m - t) ** 2)
                if t == 1:
                    region.append((m - t) ** 2)
        plain = sum(everywhere) / len(everywhere)
        inside = sum(region) / len(region) if region else plain
        losses.append((1 - region_share) * plain + region_share * inside)
    return sum(losses) / len(losses)


def min_max(image: list) -> list:
    """(M - min) / (max - min), cell by cell."""
    cells = [cell for row in image for cell in row]
    low, high = min(cells), max(cells)
    return [[(cell - low) / (high - low) for cell in row] for row in image]
