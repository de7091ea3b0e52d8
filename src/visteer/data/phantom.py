"""A generator of ultrasound-like pictures with lesions and a burnt-in shortcut whose truth is known.

What a classifier should look at (the lesion) and what it must not use (the mark) are both known to the
pixel, and how often the mark agrees with the label is set for each split. That makes a study whose right
answer is known beforehand.

The picture is made the way a scanner makes it, in short: random scatterers, stronger or weaker by tissue,
are blurred by the beam as complex numbers, and the log of the envelope is shown. The envelope of
such a sum follows a Rayleigh distribution, which is what gives ultrasound its speckle (Goodman, Speckle
Phenomena in Optics, 2007, chapter 3).
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from visteer.data.sample import Split
from visteer.errors import VisteerError

Shortcut = Literal["caliper", "tag", "corner", "none"]
Floats = NDArray[np.float32]

PHANTOM_CLASSES = ("benign", "malignant")
DEFAULT_COUNTS: Mapping[Split, int] = {"train": 300, "val": 80, "test": 200}
DEFAULT_AGREEMENT: Mapping[Split, float | None] = {"train": 1.0, "val": 1.0, "test": 0.5}


@dataclass(frozen=True)
class Phantom:
    """One picture and its truth.

    `image` (S, S, 3) uint8, grey. `lesion` (S, S) bool. `mark` (S, S) bool: the rectangle with the mark,
    the same for either kind of mark, so that its outline tells nothing; all False without a mark.
    """

    image: NDArray[np.uint8]
    lesion: NDArray[np.bool_]
    mark: NDArray[np.bool_]


@dataclass(frozen=True)
class PhantomSummary:
    """Where a generated data set lies and what it holds.

    `images`, `masks` and `marks` are the folders of the main set. `variants` maps the name of each further
    rendering of the test pictures to its folder, which holds `images`, `masks` and `marks` of its own.
    """

    folder: Path
    image_size: int
    shortcut: Shortcut
    counts: Mapping[Split, int]
    agreement: Mapping[Split, float | None]
    seed: int
    variants: Mapping[str, Path] = field(default_factory=dict)

    @property
    def images(self) -> Path:
        """The folder of the pictures: `{split}/{class}/NAME.png`."""
        return self.folder / "images"

    @property
    def masks(self) -> Path:
        """The folder of the lesion masks, named as the pictures."""
        return self.folder / "masks"

    @property
    def marks(self) -> Path:
        """The folder of the masks of the marks, named as the pictures; none for a picture without a mark."""
        return self.folder / "marks"


def generate_phantom(
    folder: Path | str,
    *,
    counts: Mapping[Split, int] = DEFAULT_COUNTS,
    image_size: int = 128,
    shortcut: Shortcut = "caliper",
    agreement: Mapping[Split, float | None] = DEFAULT_AGREEMENT,
    variants: Mapping[str, float | None] | None = None,
    subtlety: float = 0.0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> PhantomSummary:
    """Write a data set of phantom pictures, half of them malignant, with its truth.

    ```
    folder/images/{train,val,test}/{benign,malignant}/NAME.png    8-bit grey
    folder/masks/...  the lesion, same names, 0 or 255
    folder/marks/...  the rectangle of the burnt-in mark, same names; no file where there is no mark
    folder/variants/VARIANT/{images,masks,marks}/test/...         the test pictures again, other marks
    folder/phantom.json                                           all parameters, and the mark of each picture
    ```
    The kind of the mark tells one of the classes. It lies somewhere along the margin, never on the lesion.
    The lesion, the tissue and the place of the mark depend on `seed`, split, class and number only. So the
    test pictures and their variants differ in the mark alone, and figures on them can be compared in pairs.

    The data set appears under `folder` when it is complete, and not before.

    Arguments:
        folder: must not exist yet, or be empty.
        counts: pictures in each split; a split that is left out gets none. An odd one is benign.
        image_size: side in pixels, at least 32.
        shortcut: what is burnt in, for benign or malignant: "caliper", a pair of crosses (+ or x); "tag", a
            text (LT or RX); "corner", a sign in a corner (square or triangle); or "none".
        agreement: for each split the share of each class whose mark tells the true class, rounded to whole
            pictures: 1.0 always, 0.5 a mark that tells nothing, 0.0 always wrong; None or left out: no marks.
        variants: name -> agreement of a further rendering of the test pictures.
        subtlety: 0 draws typical lesions; 1 draws them anywhere between typical and the middle between the
            classes, so that the lesion is hard to read and a mark is the easier way.
        seed: same seed, same pictures.
        progress: called with (pictures written, all pictures).

    Raises:
        VisteerError: `folder` is not empty.
        ValueError: a count, share, size, shortcut or variant name is out of range.
        ValueError: there are variants, but no test pictures.

    Example:
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as root:
        ...     made = generate_phantom(root + "/study", counts={"train": 4, "test": 2}, image_size=48,
        ...                             variants={"absent": None})
        ...     sorted(path.name for path in made.images.glob("train/*/*.png"))
        ['benign_0000.png', 'benign_0001.png', 'malignant_0000.png', 'malignant_0001.png']
    """
    folder = Path(folder)
    variants = dict(variants or {})
    shares: dict[str, float | None] = {str(split): share for split, share in agreement.items()}
    shares |= {f"variant {name}": share for name, share in variants.items()}
    _check(counts, image_size, shortcut, shares)
    if variants and not counts.get("test"):
        raise ValueError("variants render the test pictures again, and counts gives no test pictures")
    for name in variants:
        if name in ("", ".", "..") or Path(name).name != name:
            raise ValueError(f"a variant's name becomes a folder name, got {name!r}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise VisteerError(f"{folder}: already there and not empty; name a new folder or delete this one")

    # Each part: its subfolder, the share that agrees, and the splits that it holds.
    parts: list[tuple[str, Split, float | None]] = [
        ("", split, agreement.get(split)) for split in get_args(Split) if counts.get(split, 0)
    ]
    parts += [(f"variants/{name}/", "test", share) for name, share in variants.items()]
    total = sum(counts.get(split, 0) for _, split, _ in parts)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        records: list[dict[str, object]] = []
        for place, split, share in parts:
            marks = share if shortcut != "none" else None
            pictures = _render_split(
                split,
                counts[split],
                image_size=image_size,
                shortcut=shortcut,
                agreement=marks,
                seed=seed,
                subtlety=subtlety,
            )
            for entry, phantom in pictures:
                _write(partial / place, f"{split}/{entry.name}", phantom)
                records.append({"id": f"{place}images/{split}/{entry.name}", **entry.as_json()})
                if progress is not None:
                    progress(len(records), total)
        parameters = {
            "image_size": image_size,
            "shortcut": shortcut,
            "seed": seed,
            "subtlety": subtlety,
            "classes": PHANTOM_CLASSES,
            "counts": dict(counts),
            "agreement": dict(agreement),
            "variants": variants,
        }
        text = json.dumps({"version": 1, **parameters, "images": records}, indent=1)
        (partial / "phantom.json").write_text(text + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        partial.chmod(0o777 & ~_umask())
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return PhantomSummary(
        folder=folder,
        image_size=image_size,
        shortcut=shortcut,
        counts=dict(counts),
        agreement=dict(agreement),
        seed=seed,
        variants={name: folder / "variants" / name for name in variants},
    )


def render_phantom(
    seed: int | tuple[int, ...],
    label: int,
    *,
    image_size: int = 128,
    shortcut: Shortcut = "caliper",
    mark: int | None = None,
    subtlety: float = 0.0,
) -> Phantom:
    """Render one picture of class `label`: 0 benign, 1 malignant.

    `mark` is the class whose mark is burnt in, or None for no mark. It changes the pixels of its rectangle
    and no other: the same seed and label give the same lesion, tissue and place of the mark. `subtlety` is that
    of `generate_phantom`.

    Raises:
        ValueError: `label` or `mark` is not a class, `image_size` is below 32, `shortcut` is unknown, or
            `subtlety` leaves [0, 1].

    Example:
        >>> right, wrong = (render_phantom(3, 1, image_size=64, mark=kind) for kind in (1, 0))
        >>> bool((right.image != wrong.image)[~right.mark].any()), bool((right.mark & right.lesion).any())
        (False, False)
    """
    if label not in (0, 1) or mark not in (0, 1, None):
        raise ValueError(f"label must be 0 or 1 and mark 0, 1 or None, got {label} and {mark}")
    if not 0 <= subtlety <= 1:
        raise ValueError(f"subtlety must lie in [0, 1], got {subtlety}")
    _check({}, image_size, shortcut, {})
    entropy = (seed,) if isinstance(seed, int) else seed
    tissue_seed, mark_seed = np.random.SeedSequence([*entropy, label]).spawn(2)
    grey, lesion = _render_tissue(np.random.default_rng(tissue_seed), label, image_size, subtlety)
    marked = np.zeros_like(lesion)
    if mark is not None and shortcut != "none":
        ink, plate = _mark_pixels(shortcut, mark, image_size)
        rows, columns = _place(np.random.default_rng(mark_seed), shortcut, ink.shape, lesion)
        under = grey[rows, columns] * (1 - plate)
        grey[rows, columns] = under + (236 - under) * ink
        marked[rows, columns] = True
    image = np.repeat(np.rint(grey).astype(np.uint8)[:, :, None], 3, axis=2)
    return Phantom(image, lesion, marked)


# ------------------------------------------------------------------------------------------ data set


@dataclass(frozen=True)
class _Entry:
    """One line of phantom.json: a picture's path below its split, its label and the class its mark tells."""

    name: str
    label: int
    mark: int | None

    def as_json(self) -> dict[str, object]:
        mark = None if self.mark is None else PHANTOM_CLASSES[self.mark]
        agrees = None if self.mark is None else self.mark == self.label
        return {"label": PHANTOM_CLASSES[self.label], "mark": mark, "agrees": agrees}


def _render_split(
    split: Split,
    count: int,
    *,
    image_size: int,
    shortcut: Shortcut,
    agreement: float | None,
    seed: int,
    subtlety: float,
) -> Iterator[tuple[_Entry, Phantom]]:
    """The pictures of one split, class by class."""
    split_number = get_args(Split).index(split)
    for label, class_name in enumerate(PHANTOM_CLASSES):
        number = count // 2 if label else count - count // 2
        agrees = np.zeros(number, dtype=bool)
        if agreement is not None:
            agrees[: round(agreement * number)] = True
            np.random.default_rng([seed, split_number, label]).shuffle(agrees)
        for i in range(number):
            mark = None if agreement is None else label if agrees[i] else 1 - label
            phantom = render_phantom(
                (seed, split_number, i),
                label,
                image_size=image_size,
                shortcut=shortcut,
                mark=mark,
                subtlety=subtlety,
            )
            yield _Entry(f"{class_name}/{class_name}_{i:04d}.png", label, mark), phantom


def _write(folder: Path, name: str, phantom: Phantom) -> None:
    """Write picture, lesion mask and, where there is one, the mask of the mark."""
    arrays = {"images": phantom.image[:, :, 0], "masks": phantom.lesion.astype(np.uint8) * 255}
    if phantom.mark.any():
        arrays["marks"] = phantom.mark.astype(np.uint8) * 255
    for kind, array in arrays.items():
        path = folder / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path, compress_level=2)


def _umask() -> int:
    """The process's umask: `mkdtemp` makes its folder private, a data set is as open as any other file."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _check(
    counts: Mapping[Split, int],
    image_size: int,
    shortcut: Shortcut,
    agreement: Mapping[str, float | None],
) -> None:
    if image_size < 32:
        raise ValueError(f"image_size must be at least 32, got {image_size}")
    if shortcut not in get_args(Shortcut):
        raise ValueError(f"shortcut must be one of {', '.join(get_args(Shortcut))}, got {shortcut!r}")
    for split, count in counts.items():
        if split not in get_args(Split) or count < 0:
            raise ValueError(
                f"counts must give train, val or test a number of at least 0, got {split}: {count}"
            )
    for name, share in agreement.items():
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"agreement of {name} must lie in [0, 1] or be None, got {share}")


# ------------------------------------------------------------------------------------------- tissue


def _render_tissue(
    rng: np.random.Generator, label: int, size: int, subtlety: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Grey values (S, S) float32 in [0, 255] without a mark, and the lesion."""
    # How malignant the lesion looks: 0 or 1 when nothing is subtle, up to the middle between them when all is.
    severity = abs(label - 0.5 * subtlety * rng.random())
    level = _layers(rng, size)
    outline, lesion = _lesion(rng, severity, size)
    level = _insert_lesion(rng, level, outline, severity)
    level += _posterior(rng, lesion, severity, size)
    depth = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    level -= rng.uniform(5, 10) * depth
    return _scan(rng, level, size), lesion


def _layers(rng: np.random.Generator, size: int) -> Floats:
    """The echo level (S, S) in dB of skin, fat, gland and muscle without a lesion; gland lies near 0."""
    depth = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    skin = 0.035 + _curve(rng, size, 0.006)
    fat = rng.uniform(0.13, 0.24) + _curve(rng, size, 0.025)
    gland = rng.uniform(0.74, 0.84) + _curve(rng, size, 0.025)
    clouds = _clouds(rng, size, (9, 7))
    septa = np.exp(-np.square(_clouds(rng, size, (9, 5)) / 0.12))
    fibres = np.sin(2 * np.pi * (depth - _curve(rng, size, 0.02)) / rng.uniform(0.03, 0.045))
    level = np.where(
        depth < fat,
        -9 + 1.5 * clouds + 9 * septa,
        np.where(depth < gland, 3.0 * clouds + 4 * septa, -9 + 1.5 * clouds + 3.5 * fibres),
    )
    fascia = np.exp(-np.square((depth - gland) / 0.012)) + 0.6 * np.exp(-np.square((depth - fat) / 0.01))
    level = np.where(depth < skin, 7, level + 8 * fascia)
    return level.astype(np.float32)


def _between(severity: float, benign: float, malignant: float) -> float:
    """The value on the way from a benign lesion's to a malignant one's."""
    return benign + severity * (malignant - benign)


def _lesion(rng: np.random.Generator, severity: float, size: int) -> tuple[Floats, NDArray[np.bool_]]:
    """The distance to the lesion's outline along the ray (S, S), in sides, positive inside; the lesion.

    Benign: a smooth ellipse that lies flat. Malignant: rounder, jagged, with spikes.
    """
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    dx = axis[None, :] - rng.uniform(0.34, 0.66)
    dy = axis[:, None] - rng.uniform(0.40, 0.60)
    outline = _outline(rng, severity)
    turn = (np.arctan2(dy, dx) / (2 * np.pi)) % 1
    inside = outline[(turn * len(outline)).astype(np.intp) % len(outline)] - np.hypot(dx, dy)
    return inside, inside > 0


def _outline(rng: np.random.Generator, severity: float) -> Floats:
    """The lesion's radius in sides at 1024 angles, clockwise from the right."""
    angle = np.arange(1024) * (2 * np.pi / 1024) - rng.uniform(-0.3, 0.3)
    long = rng.uniform(_between(severity, 0.12, 0.10), _between(severity, 0.19, 0.15))
    short = long * rng.uniform(_between(severity, 0.55, 0.75), _between(severity, 0.8, 1.15))
    radius = long * short / np.hypot(short * np.cos(angle), long * np.sin(angle))
    orders = np.arange(2, 8)
    coarse = orders < 5
    heights = rng.normal(0, np.where(coarse, _between(severity, 0.025, 0.06), 0.06 * severity))
    phases = rng.uniform(0, 2 * np.pi, len(orders))
    radius *= 1 + (heights[:, None] * np.cos(orders[:, None] * angle + phases[:, None])).sum(axis=0)
    count = int(rng.integers(9, 15))
    spokes = (np.arange(count) + rng.uniform(-0.4, 0.4, count)) * (2 * np.pi / count)
    away = np.abs((angle - spokes[:, None] + np.pi) % (2 * np.pi) - np.pi)
    heights = severity * long * rng.uniform(0.1, 0.75, count)
    radius += (heights[:, None] * np.exp(-away / rng.uniform(0.06, 0.13, (count, 1)))).sum(axis=0)
    outline: Floats = np.minimum(radius, 0.27).astype(np.float32)
    return outline


def _insert_lesion(rng: np.random.Generator, level: Floats, inside: Floats, severity: float) -> Floats:
    """Lower the echo level inside the lesion, and give the border its rim."""
    share = np.clip(inside / _between(severity, 0.008, 0.016) + 0.5, 0, 1)
    lesion_level = rng.uniform(-19, -14) + 1.5 * _clouds(rng, len(level), (8, 8))
    # A benign lesion has a thin capsule, a malignant one a wide halo and specks of chalk.
    distance, width = _between(severity, 0.008, 0.03), _between(severity, 0.008, 0.025)
    rim = rng.uniform(2, 5) * np.exp(-np.square((inside + distance) / width))
    result: Floats = level + share * (lesion_level - level) + rim
    result[(rng.random(level.shape, dtype=np.float32) < 0.004 * severity) & (inside > 0.02)] += 16
    return result


def _posterior(rng: np.random.Generator, lesion: NDArray[np.bool_], severity: float, size: int) -> Floats:
    """What the lesion does to the tissue below it (S, S) in dB: enhancement or shadow."""
    strength = _between(severity, rng.uniform(1, 5), -rng.uniform(2, 8))
    passed = np.minimum(np.cumsum(lesion, axis=0, dtype=np.float32) / (0.14 * size), 1)
    passed[lesion] = 0
    blurred = ndimage.gaussian_filter1d(passed, 0.015 * size, axis=1)
    change: Floats = strength * blurred
    return change


def _scan(rng: np.random.Generator, level: Floats, size: int) -> Floats:
    """The picture (S, S) in [0, 255] of scatterers at `level` dB: complex blur, envelope, log compression."""
    beam = (0.0055 * size, 0.0105 * size)
    scatterers = rng.standard_normal((2, size, size), dtype=np.float32) * np.exp(level * (math.log(10) / 20))
    echo = [ndimage.gaussian_filter(part, beam, mode="reflect", truncate=3) for part in scatterers]
    # A Gaussian blur of white noise lowers its variance by 4 pi times the product of the two sigmas.
    power = (np.square(echo[0]) + np.square(echo[1])) * (2 * np.pi * beam[0] * beam[1])
    decibel = 10 * np.log10(power + np.float32(1e-5)) + rng.uniform(-1.5, 1.5)
    shown = ndimage.gaussian_filter(np.clip((decibel + 31) / 47, 0, 1), 0.004 * size, truncate=3)
    grey: Floats = 255 * np.power(shown, 1.15)
    return grey


def _curve(rng: np.random.Generator, size: int, strength: float) -> Floats:
    """A smooth random curve (1, S) of about `strength` in height."""
    x = np.linspace(0, 2 * np.pi, size)
    rates = np.array([[0.5], [1.0], [1.9]])
    heights, phases = rng.normal(0, strength, (3, 1)), rng.uniform(0, 2 * np.pi, (3, 1))
    curve: Floats = (heights * np.sin(rates * x + phases)).sum(axis=0, keepdims=True).astype(np.float32)
    return curve


def _clouds(rng: np.random.Generator, size: int, cells: tuple[int, int]) -> Floats:
    """A smooth random field (S, S) with a deviation of about 1 and `cells` (rows, columns) of detail."""
    coarse = Image.fromarray(rng.standard_normal(cells, dtype=np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32) * 1.3


# --------------------------------------------------------------------------------------------- mark

# Letters as strokes in a box of 1 x 1, y downwards.
_LETTERS: Mapping[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "L": (((0, 0), (0, 1), (1, 1)),),
    "R": (((0, 1), (0, 0), (0.8, 0), (1, 0.25), (0.8, 0.5), (0, 0.5)), ((0.4, 0.5), (1, 1))),
    "T": (((0, 0), (1, 0)), ((0.5, 0), (0.5, 1))),
    "X": (((0, 0), (1, 1)), ((0, 1), (1, 0))),
}
# Height and width of the rectangle of a mark, in 128ths of the picture's side.
_MARK_BOXES: Mapping[Shortcut, tuple[int, int]] = {"caliper": (15, 44), "tag": (15, 30), "corner": (17, 17)}


@lru_cache(maxsize=32)
def _mark_pixels(shortcut: Shortcut, kind: int, size: int) -> tuple[Floats, Floats]:
    """Two rasters (h, w) in [0, 1] of a mark: its ink, and how far the picture under it is darkened."""
    height, width = (max(5, round(side * size / 128)) for side in _MARK_BOXES[shortcut])
    fine = 8  # drawn this much larger, then averaged: smooth edges
    canvas = Image.new("L", (width * fine, height * fine))
    pen = ImageDraw.Draw(canvas)
    unit = size / 128 * fine
    line = max(fine, round(1.3 * unit))
    middle = height * fine / 2
    if shortcut == "caliper":
        arm = 5 * unit
        ends = (middle, width * fine - middle)
        arms = ((arm, 0), (0, arm)) if kind == 0 else ((0.71 * arm, 0.71 * arm), (0.71 * arm, -0.71 * arm))
        for x in ends:
            for dx, dy in arms:
                pen.line((x - dx, middle - dy, x + dx, middle + dy), fill=255, width=line)
        for x in np.arange(ends[0] + 1.6 * arm, ends[1] - 1.2 * arm, 3.2 * unit):
            pen.line((x, middle, x + 1.2 * unit, middle), fill=255, width=line)
    elif shortcut == "tag":
        left, top, letter_width, letter_height = (v * unit for v in (4.5, 3.5, 8, 8))
        for number, letter in enumerate("LT" if kind == 0 else "RX"):
            start = left + number * 13 * unit
            for stroke in _LETTERS[letter]:
                points = [(start + x * letter_width, top + y * letter_height) for x, y in stroke]
                pen.line(points, fill=255, width=line, joint="curve")
    else:
        low, high, right = 3 * unit, height * fine - 3 * unit, width * fine - 3 * unit
        if kind == 0:
            pen.rectangle((low, low, right, high), fill=255)
        else:
            pen.polygon(((low, high), (right, high), (width * fine / 2, low)), fill=255)
    small = canvas.resize((width, height), Image.Resampling.BOX)
    ink: Floats = np.asarray(small, dtype=np.float32) / np.float32(255)
    # A dark plate under a text, a thin dark rim around strokes: they stay readable on bright tissue.
    plate: Floats = np.full_like(ink, 0.85) if shortcut == "tag" else 0.7 * ndimage.grey_dilation(ink, (3, 3))
    return ink, plate


def _place(
    rng: np.random.Generator, shortcut: Shortcut, shape: tuple[int, ...], lesion: NDArray[np.bool_]
) -> tuple[slice, slice]:
    """A random rectangle of `shape` along the margin that keeps clear of the lesion."""
    size, gap = len(lesion), max(1, len(lesion) // 42)
    last = (size - gap - shape[0], size - gap - shape[1])
    corners = [(top, left) for top in (gap, last[0]) for left in (gap, last[1])]
    places = [corners[i] for i in rng.permutation(4)]
    if shortcut != "corner":
        along = [tuple(int(rng.integers(gap, end + 1)) for end in last) for _ in range(8)]
        sides = rng.integers(0, 4, len(along))
        edge = ((gap, None), (last[0], None), (None, gap), (None, last[1]))
        margin = [
            (edge[s][0] if edge[s][0] is not None else y, edge[s][1] if edge[s][1] is not None else x)
            for s, (y, x) in zip(sides, along, strict=True)
        ]
        places = margin + places
    for top, left in places:
        near = lesion[max(0, top - gap) : top + shape[0] + gap, max(0, left - gap) : left + shape[1] + gap]
        if not near.any():
            break
    return slice(top, top + shape[0]), slice(left, left + shape[1])
