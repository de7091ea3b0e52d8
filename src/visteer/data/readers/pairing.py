"""Masks find their images by name, never by their place in a list."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from visteer.data.names import show_name
from visteer.data.readers.draft import Found
from visteer.data.readers.listing import list_images
from visteer.data.sample import Problem
from visteer.errors import VisteerError

_SUFFIX = re.compile(r"_(?:mask|segmentation)(?:_\d+)?$", re.IGNORECASE)

Pairs = dict[str, tuple[Path, ...]]


def bare_stem(stem: str) -> str:
    """Strip what marks a mask from the name of a file.

    Example:
        >>> bare_stem("benign (4)_mask_1"), bare_stem("ISIC_0000002_Segmentation"), bare_stem("cat_1")
        ('benign (4)', 'ISIC_0000002', 'cat_1')
    """
    return _SUFFIX.sub("", stem)


def pair_mirror(
    found: Sequence[Found], folder: Path, problems: list[Problem], *, by_stem_alone: bool = False
) -> Pairs:
    """Pair the masks in `folder` with the images that have the same relative path or stem.

    Extensions may differ, and a mask may end in _mask, _mask_1 or _segmentation. Several masks of an image
    are all kept. A mask directly in `folder` is paired by its stem alone if only one image has it.
    With `by_stem_alone` every mask is, and images of one stem share it (ISIC: names are unique in the
    archive, but a picture can stand in several folders).

    Returns:
        Image id -> its masks, in the order of their names. Masks without an image, or with several, are
        reported, and so are images without a mask.

    Raises:
        VisteerError: there is no such folder.
    """
    at_path: dict[tuple[str, str], list[Found]] = defaultdict(list)
    at_stem: dict[str, list[Found]] = defaultdict(list)
    for item in found:
        place, _, name = item.id.rpartition("/")
        stem = Path(name).stem
        at_path[place, stem].append(item)
        at_stem[stem].append(item)
    pairs: dict[str, tuple[Path, ...]] = {}
    for mask in _all_images(folder, problems):
        place = mask.parent.relative_to(folder).as_posix()
        partners: list[Found] = []
        for stem in (mask.stem, bare_stem(mask.stem)):
            partners = partners or at_path.get((place, stem), [])
            if by_stem_alone or place == ".":
                partners = partners or at_stem.get(stem, [])
        if len(partners) > 1 and not by_stem_alone:
            partners = [item for item in partners if Path(item.id).name == mask.name] or partners
        if not partners:
            problems.append(Problem(mask, "is a mask without an image", "rename it like its image"))
        elif len(partners) > 1 and not by_stem_alone:
            names = ", ".join(show_name(item.id) for item in partners[:3])
            problems.append(Problem(mask, f"could be the mask of {names}", "put it at its image's path"))
        else:
            for item in partners:
                pairs[item.id] = (*pairs.get(item.id, ()), mask)
    return pairs


def note_unpaired(found: Sequence[Found], pairs: Pairs, folder: Path, problems: list[Problem]) -> None:
    """Note the images that have no mask in `folder`."""
    for item in found:
        if item.id not in pairs:
            what = f"has no mask in {show_name(folder)}"
            problems.append(Problem(item.image, what, "add its mask, or use it without", "note"))


def _all_images(folder: Path, problems: list[Problem]) -> list[Path]:
    if not folder.is_dir():
        raise VisteerError(f"there is no folder of masks {show_name(folder)}: check the path")
    images = []
    for place, inner, _ in os.walk(folder):
        inner.sort()
        found: list[Problem] = []
        images += list_images(Path(place), found)
        # Folders are walked into here, so that they are no problem.
        problems += [problem for problem in found if not problem.path.is_dir()]
    return images
