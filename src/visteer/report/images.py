"""Pictures of images, edits and maps, and the before-and-after picture made of them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from visteer.report.content import GalleryRow
from visteer.report.safe_text import shorten, visible_text

# Every picture of a report has this side, in pixels, whatever the image's own.
SIDE = 256

Picture = NDArray[np.uint8]


def draw_image(row: GalleryRow) -> Picture:
    """Draw the image alone, (SIDE, SIDE, 3) uint8."""
    return _resized_image(row.image)


def draw_edit(row: GalleryRow) -> Picture | None:
    """Draw the image under its edit, (SIDE, SIDE, 3) uint8; None without an edit.

    Relevant cells are tinted green-blue as strongly as they count and have an outline; irrelevant cells are
    orange and hatched, so that the two differ without colour. Unknown cells show the image as it is.
    """
    regions = _regions(row)
    if regions is None:
        return None
    relevant, irrelevant = regions
    canvas = _resized_image(row.image).astype(np.float32)
    canvas = _blend(canvas, _RELEVANT, relevant.cover * (0.12 + 0.33 * relevant.strength))
    # Orange beside black shows on any ground, and in print without colour.
    stripe = _DIAGONALS % 10
    canvas = _blend(canvas, _IRRELEVANT, irrelevant.cover * np.where(stripe < 4, 0.9, 0.2))
    canvas = _blend(canvas, _BLACK, irrelevant.cover * np.where((stripe >= 4) & (stripe < 6), 0.7, 0))
    canvas = _blend(canvas, _IRRELEVANT, irrelevant.border)
    canvas = _blend(canvas, _RELEVANT, relevant.border)
    return _rounded(canvas)


def draw_map(row: GalleryRow, run: int) -> Picture:
    """Draw the grey image under the map of run `run`, (SIDE, SIDE, 3) uint8, and outline the edit's regions.

    The map goes from 0 (the grey image) to 1 (the bright end of `colour_scale`) on the same scale in every
    picture. The relevant region has a solid white outline, the irrelevant one a broken orange line.
    """
    heat = np.clip(np.nan_to_num(np.asarray(row.maps[run], dtype=np.float32)), 0, 1)
    heat = _resized_raster(heat, Image.Resampling.BILINEAR)
    grey = _resized_image(row.image) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    share = (0.15 + 0.60 * heat)[..., None]
    colours = 255 * matplotlib.colormaps[_COLOUR_MAP](heat)[..., :3]
    canvas = np.asarray(0.85 * grey[..., None] * (1 - share) + colours * share, dtype=np.float32)
    regions = _regions(row)
    if regions is not None:
        relevant, irrelevant = regions
        canvas = _blend(canvas, _WHITE, relevant.border)
        # Where the two regions touch, the line of the relevant one is kept whole.
        broken = irrelevant.border * (1 - relevant.border) * (_DIAGONALS % 8 < 5)
        canvas = _blend(canvas, _IRRELEVANT, broken)
    return _rounded(canvas)


def colour_scale() -> Picture:
    """Draw the colours of a map from 0 (left) to 1 (right), (12, SIDE, 3) uint8."""
    colours = matplotlib.colormaps[_COLOUR_MAP](np.linspace(0, 1, SIDE))[:, :3]
    return np.repeat(np.rint(255 * colours).astype(np.uint8)[None], 12, axis=0)


def is_dead(row: GalleryRow, run: int) -> bool:
    """Say whether the map of run `run` is zero everywhere, so that its picture shows the grey image alone."""
    return not np.any(np.nan_to_num(row.maps[run]))


def data_uri(picture: Picture, kind: Literal["webp", "png"] = "webp") -> str:
    """Encode `picture` as a data URI that can be shown without a network: small as WebP, exact as PNG."""
    buffer = io.BytesIO()
    options = {"quality": 86, "method": 4} if kind == "webp" else {}
    Image.fromarray(picture).save(buffer, kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


@dataclass(frozen=True)
class _Cell:
    """A picture of the grid with its caption; `picture` is None where there is no edit to draw."""

    left: int
    top: int
    picture: Picture | None
    caption: str


@dataclass(frozen=True)
class _Grid:
    """Where everything lies, in pixels: `titles` are (left, text) at `margin` from the top."""

    width: int
    height: int
    margin: int
    titles: tuple[tuple[int, str], ...]
    cells: tuple[_Cell, ...]


def _laid_out(rows: Sequence[GalleryRow], columns: Sequence[str]) -> _Grid:
    """A row for each image: the image, its edit, and one map for each further column.

    Raises:
        ValueError: there is no row, or a row has not one map for each column after the second.
    """
    runs = len(columns) - 2
    if not rows or runs < 1 or any(len(row.maps) != runs for row in rows):
        raise ValueError("the picture needs at least one row, and one map for each column after the second")
    margin, gap, header, caption = 24, 10, 34, 34
    lefts = [margin + column * (SIDE + gap) for column in range(len(columns))]
    cells = []
    for index, row in enumerate(rows):
        top = margin + header + index * (SIDE + caption)
        pictures = (draw_image(row), draw_edit(row), *(draw_map(row, run) for run in range(runs)))
        predictions = (_prediction(row, run) for run in range(runs))
        captions = (shorten(visible_text(row.true_class), 24), "", *predictions)
        cells += [
            _Cell(left, top, picture, text)
            for left, picture, text in zip(lefts, pictures, captions, strict=True)
        ]
    return _Grid(
        width=2 * margin + len(columns) * (SIDE + gap) - gap,
        height=margin + header + len(rows) * (SIDE + caption) + margin // 2,
        margin=margin,
        titles=tuple(
            (left, shorten(visible_text(title), 22)) for left, title in zip(lefts, columns, strict=True)
        ),
        cells=tuple(cells),
    )


def before_after_picture(
    rows: Sequence[GalleryRow], columns: Sequence[str] = ("Image", "Edit", "Before", "After")
) -> Image.Image:
    """Draw a grid to show around: a row has the image, its edit, and one map for each further column.

    Dark text on white in 8-bit RGB; 256 pixels a column and some margins. Under each map stands what the run
    predicts and how surely, and "dead map" where the map is zero everywhere.

    Raises:
        ValueError: there is no row, or a row has not one map for each column after the second.
    """
    grid = _laid_out(rows, columns)
    page = Image.new("RGB", (grid.width, grid.height), "white")
    draw = ImageDraw.Draw(page)
    for left, title in grid.titles:
        draw.text((left, grid.margin), title, fill=_INK, font=_font(17, bold=True))
    for cell in grid.cells:
        if cell.picture is not None:
            page.paste(Image.fromarray(cell.picture), (cell.left, cell.top))
        else:
            draw.text((cell.left, cell.top + SIDE // 2), "no edit", fill=_PALE_INK, font=_font(14))
        draw.text((cell.left, cell.top + SIDE + 6), cell.caption, fill=_PALE_INK, font=_font(14))
    return page


def before_after_svg(
    rows: Sequence[GalleryRow], columns: Sequence[str] = ("Image", "Edit", "Before", "After")
) -> str:
    """As `before_after_picture`, as an SVG document: the words are text, the pictures are within it.

    Raises:
        ValueError: as there.
    """
    grid = _laid_out(rows, columns)
    parts = [f'<rect width="{grid.width}" height="{grid.height}" fill="#fff"/>']

    def words(left: int, top: int, text: str, style: str) -> None:
        parts.append(f'<text x="{left}" y="{top}" font-family="sans-serif" {style}>{escape(text)}</text>')

    title_style = f'font-size="17" font-weight="bold" fill="rgb{_INK}"'
    pale_style = f'font-size="14" fill="rgb{_PALE_INK}"'
    for left, title in grid.titles:
        words(left, grid.margin + 16, title, title_style)
    for cell in grid.cells:
        if cell.picture is not None:
            place = f'x="{cell.left}" y="{cell.top}" width="{SIDE}" height="{SIDE}"'
            parts.append(f'<image {place} href="{data_uri(cell.picture, "png")}"/>')
        else:
            words(cell.left, cell.top + SIDE // 2, "no edit", pale_style)
        words(cell.left, cell.top + SIDE + 20, cell.caption, pale_style)
    inside = "\n".join(parts)
    size = f"0 0 {grid.width} {grid.height}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}">\n{inside}\n</svg>\n'


_COLOUR_MAP = "inferno"
_RELEVANT = (0, 178, 160)
_IRRELEVANT = (240, 125, 15)
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)
_INK = (27, 30, 34)
_PALE_INK = (84, 91, 99)


# Row plus column of each pixel: what stripes and broken lines are cut from.
_DIAGONALS = np.add.outer(np.arange(SIDE), np.arange(SIDE))


@dataclass(frozen=True)
class _Region:
    """A region on the picture, (SIDE, SIDE) each: how strongly it counts, where it is, and its outline."""

    strength: NDArray[np.float32]
    cover: NDArray[np.float32]
    border: NDArray[np.float32]


def _regions(row: GalleryRow) -> tuple[_Region, _Region] | None:
    """Give the relevant and the irrelevant region of the row's edit, None without an edit."""
    if row.target is None or row.weight is None:
        return None
    target = np.asarray(row.target, dtype=np.float32)
    weight = np.asarray(row.weight, dtype=np.float32)
    return _region(target * weight), _region(np.where(target > 0, 0, weight))


def _region(raster: NDArray[np.floating]) -> _Region:
    inside = Image.fromarray(np.where(raster > 0, 255, 0).astype(np.uint8))
    # A soft step of a few pixels: its middle makes a smooth line, and coarse cells keep their shape.
    soft = inside.resize((SIDE, SIDE), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(1.6))
    cover = np.asarray(np.asarray(soft) / 255, dtype=np.float32)
    border = np.asarray(np.clip(1.6 - np.abs(cover - 0.5) / 0.25, 0, 1), dtype=np.float32)
    return _Region(_resized_raster(raster, Image.Resampling.BOX), cover, border)


def _blend(
    canvas: NDArray[np.float32], colour: tuple[int, int, int], share: NDArray[np.floating]
) -> NDArray[np.float32]:
    alpha = np.asarray(share, dtype=np.float32)[..., None]
    return canvas * (1 - alpha) + np.asarray(colour, dtype=np.float32) * alpha


def _rounded(canvas: NDArray[np.float32]) -> Picture:
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _resized_image(image: NDArray[np.uint8]) -> Picture:
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _resized_raster(raster: NDArray[np.floating], how: Image.Resampling) -> NDArray[np.float32]:
    picture = Image.fromarray(np.ascontiguousarray(raster, dtype=np.float32))
    return np.asarray(picture.resize((SIDE, SIDE), how), dtype=np.float32).clip(0, 1)


def _prediction(row: GalleryRow, run: int) -> str:
    sign = "✓" if row.predictions[run] == row.true_class else "✗"
    name = shorten(visible_text(row.predictions[run]), 14 if is_dead(row, run) else 20)
    return f"{sign} {name} {row.confidences[run]:.2f}" + (", dead map" if is_dead(row, run) else "")


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Open the font that matplotlib brings along, the same on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
