"""Marks planted into real images, so that it is known what a classifier must not use.

A mark lies at a random place near the border. What kind it is tells a class:

caliper   a dotted line between two crosses; the class turns it
tag       a dark box with a bright letter; the class chooses the letter
patch     a disc of one colour, as dermatologists put beside a lesion; the class chooses the colour
"""

from __future__ import annotations

import colorsys
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

PlantedMark = Literal["caliper", "tag", "patch"]

SMALLEST = 64
"""The smallest side of an image in pixels: on less a letter cannot be read."""

_SHARE = 0.16
_OVERSAMPLED = 4

Bytes = NDArray[np.uint8]


def plant_marks(
    images: Bytes, told: NDArray[np.int64], mark: PlantedMark, *, classes: int, seed: int
) -> tuple[Bytes, NDArray[np.bool_]]:
    """Draw one mark on each image.

    Arguments:
        images: (n, S, S, 3) uint8, S at least 64; not changed.
        told: (n,) the class that each mark tells, 0 to `classes` - 1.
        mark: what is drawn.
        classes: how many kinds of the mark there are.
        seed: of the places; the same seed gives the same places, whatever is told.

    Returns:
        The images with marks, (n, S, S, 3) uint8; and where they lie, (n, S, S) bool: the square that holds the mark.

    Raises:
        ValueError: unknown mark, images too small or of another form, or a class out of range.

    Example:
        >>> grey = np.full((2, 64, 64, 3), 128, np.uint8)
        >>> planted, where = plant_marks(grey, np.array([0, 1]), "patch", classes=2, seed=0)
        >>> planted.shape, bool((planted != grey).any(axis=3)[~where].any()), round(float(where.mean()), 3)
        ((2, 64, 64, 3), False, 0.024)
    """
    if mark not in get_args(PlantedMark):
        raise ValueError(f"mark must be {', '.join(get_args(PlantedMark))}, got {mark!r}")
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] != 3:
        raise ValueError(f"images must be (n, S, S, 3), got {images.shape}")
    size = images.shape[1]
    if size < SMALLEST:
        raise ValueError(f"images need a side of at least {SMALLEST} pixels, got {size}")
    if len(told) != len(images) or (len(told) and not 0 <= told.min() <= told.max() < classes):
        raise ValueError(f"each image needs a class from 0 to {classes - 1}")
    side = round(_SHARE * size)
    stamps = [_stamp(mark, kind, classes, side) for kind in range(classes)]
    rng = np.random.default_rng(seed)
    planted, where = images.copy(), np.zeros(images.shape[:3], np.bool_)
    for number in range(len(images)):
        top, left = _place(rng, size, side)
        colour, opacity = stamps[int(told[number])]
        part = planted[number, top : top + side, left : left + side]
        part[:] = np.rint(part * (1 - opacity) + colour * opacity).astype(np.uint8)
        where[number, top : top + side, left : left + side] = True
    return planted, where


def _place(rng: np.random.Generator, size: int, side: int) -> tuple[int, int]:
    """Top and left of a square that lies along a random side of the image, a little off the border."""
    gap = round(0.02 * size)
    along = int(rng.integers(gap, size - gap - side + 1))
    across = gap if rng.integers(2) else size - gap - side
    return (across, along) if rng.integers(2) else (along, across)


def _stamp(
    mark: PlantedMark, kind: int, classes: int, side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colours (side, side, 3) from 0 to 255 and opacity (side, side, 1) from 0 to 1 of one kind of a mark."""
    large = side * _OVERSAMPLED
    picture = Image.new("RGBA", (large, large), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    if mark == "patch":
        red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(kind / classes, 0.75, 0.9))
        draw.ellipse((0, 0, large - 1, large - 1), fill=(red, green, blue, 255))
    elif mark == "tag":
        draw.rectangle((0, 0, large - 1, large - 1), fill=(20, 20, 20, 255))
        font = ImageFont.load_default(0.8 * large)
        draw.text(
            (large / 2, large / 2), chr(ord("A") + kind), font=font, anchor="mm", fill=(235, 235, 235, 255)
        )
    else:
        turn = np.pi / 2 * kind / max(1, classes - 1)  # a mirrored caliper tells no other class
        reach = 0.42 * large * np.array([np.cos(turn), np.sin(turn)])
        bright, width = (250, 230, 60, 255), max(1, large // 24)
        for share in np.linspace(-1, 1, 9):
            x, y = large / 2 + share * reach
            draw.ellipse((x - width, y - width, x + width, y + width), fill=bright)
        for end in (-1, 1):
            x, y = large / 2 + end * reach
            arm = 0.08 * large
            draw.line((x - arm, y, x + arm, y), fill=bright, width=width)
            draw.line((x, y - arm, x, y + arm), fill=bright, width=width)
    small = np.asarray(picture.resize((side, side), Image.Resampling.BOX), np.float64)
    return small[..., :3], small[..., 3:] / 255
