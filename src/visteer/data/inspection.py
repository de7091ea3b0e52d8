"""One pass over all files of a data set: what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from visteer.data.images import MAX_PIXELS, BadImage, decode_image, decode_mask
from visteer.data.names import show_name
from visteer.data.sample import Catalogue, Problem, Sample
from visteer.errors import VisteerError

Progress = Callable[[int, int], None]


def check_files(
    catalogue: Catalogue, progress: Progress | None = None, *, max_pixels: int = MAX_PIXELS
) -> tuple[Problem, ...]:
    """Decode every image and mask, on all cores, and list all problems: the catalogue's own first.

    A file that cannot be decoded, or a mask whose size is not its image's, is an error. A conversion
    (16-bit, CMYK, EXIF orientation, ...) is a note. `progress(done, total)` is called after each image.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (8, 6)).save(Path(folder) / "a.png")
        ...     sample = Sample("a.png", Path(folder) / "a.png", 0)
        ...     problems = check_files(Catalogue(Path(folder), ("x",), (sample,)))
        >>> [(problem.severity, problem.path.name) for problem in problems]
        [('note', 'a.png')]
    """
    problems = dict.fromkeys(catalogue.problems)
    total = len(catalogue.samples)
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        results = executor.map(partial(_check_sample, max_pixels=max_pixels), catalogue.samples)
        for done, found in enumerate(results, start=1):
            problems.update(dict.fromkeys(found))
            if progress is not None:
                progress(done, total)
    return tuple(problems)


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


def _check_sample(sample: Sample, max_pixels: int) -> list[Problem]:
    problems: list[Problem] = []
    size: tuple[int, ...] | None = None
    try:
        image = decode_image(sample.image, max_pixels=max_pixels)
    except BadImage as error:
        problems.append(Problem(error.path, error.what, error.mend))
    else:
        size = image.pixels.shape[:2]
        problems += [_note(sample.image, conversion) for conversion in image.conversions]
        del image  # a large picture need not stay while its masks are decoded
    for path in (*(sample.masks or ()), *(sample.irrelevant_masks or ())):
        problems += _check_mask(path, size, max_pixels)
    return problems


def _check_mask(path: Path, size: tuple[int, ...] | None, max_pixels: int) -> list[Problem]:
    """Problems of one mask of an image of `size` (height, width), None if that cannot be decoded."""
    try:
        mask = decode_mask(path, max_pixels=max_pixels)
    except BadImage as error:
        return [Problem(error.path, error.what, error.mend)]
    problems = [_note(path, conversion) for conversion in mask.conversions]
    if size is not None and mask.region.shape != size:
        height, width = mask.region.shape
        what = f"the mask is {width} x {height} pixels, its image {size[1]} x {size[0]}"
        problems.append(Problem(path, what, "save the mask in the size of its image"))
    return problems


def _note(path: Path, conversion: str) -> Problem:
    return Problem(path, conversion, "nothing to do", "note")
