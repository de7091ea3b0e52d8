"""One pass over all files of a data set: what is wrong with them, and the facts that reports need."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visteer.data.duplicates import make_thumbnail
from visteer.data.images import MAX_PIXELS, BadImage, decode_image, decode_mask
from visteer.data.names import show_name
from visteer.data.sample import Catalogue, Problem, Sample
from visteer.errors import VisteerError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ImageFacts:
    """What one decoded image is like.

    `width` and `height` in pixels, upright. `coverage` is the share of the image inside its united masks,
    0 to 1, None where nobody annotated it. `thumbnail` (32, 32) uint8 grey, for finding duplicates.
    """

    width: int
    height: int
    coverage: float | None
    thumbnail: NDArray[np.uint8]


@dataclass(frozen=True)
class Inspection:
    """`problems` of reading and of decoding; `facts` by id of every image that can be decoded."""

    problems: tuple[Problem, ...]
    facts: Mapping[str, ImageFacts]


def check_files(
    catalogue: Catalogue, progress: Progress | None = None, *, max_pixels: int = MAX_PIXELS
) -> tuple[Problem, ...]:
    """Decode every image and mask and list all problems: the catalogue's own first, then those found now.

    A file that cannot be decoded, or a mask whose size is not its image's, is an error. A conversion
    (16-bit, CMYK, EXIF orientation, ...) is a note. `progress(done, total)` is called after each image.
    """
    return inspect_files(catalogue, progress, max_pixels=max_pixels).problems


def inspect_files(
    catalogue: Catalogue, progress: Progress | None = None, *, max_pixels: int = MAX_PIXELS
) -> Inspection:
    """Decode every image and mask once, on all cores, and keep what `check_files` and reports need.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (8, 6)).save(Path(folder) / "a.png")
        ...     sample = Sample("a.png", Path(folder) / "a.png", 0)
        ...     inspection = inspect_files(Catalogue(Path(folder), ("x",), (sample,)))
        >>> inspection.problems, inspection.facts["a.png"].width
        ((), 8)
    """
    problems = dict.fromkeys(catalogue.problems)
    facts: dict[str, ImageFacts] = {}
    total = len(catalogue.samples)
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        results = executor.map(partial(_inspect, max_pixels=max_pixels), catalogue.samples)
        for done, (sample, result) in enumerate(zip(catalogue.samples, results, strict=True), start=1):
            found, fact = result
            problems.update(dict.fromkeys(found))
            if fact is not None:
                facts[sample.id] = fact
            if progress is not None:
                progress(done, total)
    return Inspection(tuple(problems), facts)


def drop_bad(catalogue: Catalogue, problems: Collection[Problem]) -> Catalogue:
    """Leave out every sample of which the image or a mask has an error in `problems`.

    Class names and labels stay. The new catalogue keeps `problems`.

    Raises:
        VisteerError: no sample is left.
    """
    bad = {problem.path for problem in problems if problem.severity == "error"}
    samples = tuple(sample for sample in catalogue.samples if bad.isdisjoint(_files(sample)))
    if not samples:
        place = show_name(catalogue.root)
        raise VisteerError(f"no sound image is left of {len(catalogue.samples)} in {place}: mend the errors")
    return replace(catalogue, samples=samples, problems=tuple(problems))


def _files(sample: Sample) -> tuple[Path, ...]:
    return (sample.image, *(sample.masks or ()), *(sample.irrelevant_masks or ()))


def _inspect(sample: Sample, max_pixels: int) -> tuple[list[Problem], ImageFacts | None]:
    problems: list[Problem] = []
    size: tuple[int, int] | None = None
    fact = None
    try:
        image = decode_image(sample.image, max_pixels=max_pixels)
    except BadImage as error:
        problems.append(Problem(error.path, error.what, error.mend))
    else:
        height, width = size = image.pixels.shape[:2]
        problems += [_note(sample.image, conversion) for conversion in image.conversions]
        fact = ImageFacts(width, height, None, make_thumbnail(image.pixels))
        del image  # a large picture need not stay while its masks are decoded
    region = _united(sample.masks or (), size, problems, max_pixels)
    _united(sample.irrelevant_masks or (), size, problems, max_pixels)
    if fact is not None and region is not None:
        fact = replace(fact, coverage=float(region.mean()))
    return problems, fact


def _united(
    masks: tuple[Path, ...], size: tuple[int, int] | None, problems: list[Problem], max_pixels: int
) -> NDArray[np.bool_] | None:
    """Unite the masks of an image of `size` (height, width); None without a usable one."""
    region: NDArray[np.bool_] | None = None
    for path in masks:
        try:
            mask = decode_mask(path, max_pixels=max_pixels)
        except BadImage as error:
            problems.append(Problem(error.path, error.what, error.mend))
            continue
        problems += [_note(path, conversion) for conversion in mask.conversions]
        if size is not None and mask.region.shape != size:
            height, width = mask.region.shape
            what = f"the mask is {width} x {height} pixels, its image {size[1]} x {size[0]}"
            problems.append(Problem(path, what, "save the mask in the size of its image"))
            continue
        region = mask.region if region is None else region | mask.region
    return region


def _note(path: Path, conversion: str) -> Problem:
    return Problem(path, conversion, "nothing to do", "note")
