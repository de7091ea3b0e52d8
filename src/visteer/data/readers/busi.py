"""Breast Ultrasound Images (BUSI): Al-Dhabyani et al., Data in Brief 28 (2020) 104863."""

from __future__ import annotations

import re
from pathlib import Path

from visteer.data.readers.draft import Draft, Found
from visteer.data.readers.listing import class_folders, inner_folder, list_images
from visteer.data.sample import Problem

CLASSES = ("benign", "malignant", "normal")

_MASK = re.compile(r"(?P<image>.*)_mask(?:_\d+)?")


def read_busi(root: Path) -> Draft | None:
    """Read `Dataset_BUSI_with_GT` with its masks, which lie beside the images; None if it is not there.

    The region of an image is the union of `NAME_mask.png`, `NAME_mask_1.png`, ...
    """
    inner = inner_folder(root, lambda folder: any((folder / name).is_dir() for name in CLASSES))
    if inner is None:
        return None
    problems: list[Problem] = []
    known = class_folders(inner, CLASSES, problems)
    draft = Draft(inner, tuple(folder.name for folder in known), problems=problems)
    for folder in known:
        _read_class(draft, folder)
    return draft


def _read_class(draft: Draft, folder: Path) -> None:
    images: dict[str, Path] = {}
    masks: dict[str, list[Path]] = {}
    for path in list_images(folder, draft.problems):
        match = _MASK.fullmatch(path.stem)
        if match:
            masks.setdefault(match["image"], []).append(path)
        elif path.stem in images:
            draft.problems.append(Problem(path, "shares its name with another image", "rename one of them"))
        else:
            images[path.stem] = path
    for stem, image in images.items():
        own = masks.pop(stem, None)
        if own is None:
            draft.problems.append(Problem(image, "has no mask", "add its mask, or use it without", "note"))
        name = image.relative_to(draft.root).as_posix()
        draft.found.append(Found(name, image, folder.name, masks=tuple(own) if own else None))
    for orphans in masks.values():
        for mask in orphans:
            draft.problems.append(Problem(mask, "is a mask without an image", "rename it like its image"))
