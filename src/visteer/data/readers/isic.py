"""Skin lesions of the ISIC archive: the nine-class set, and the ISIC 2017 challenge (arXiv:1710.05006)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from visteer.data.names import show_name
from visteer.data.readers.draft import Draft, Found, part_splits
from visteer.data.readers.listing import (
    class_folders,
    inner_folder,
    list_folder,
    list_images,
    note_others,
    read_table,
)
from visteer.data.readers.pairing import Pairs, pair_mirror
from visteer.data.sample import Problem, Split

NINE_CLASSES = (
    "actinic keratosis",
    "basal cell carcinoma",
    "dermatofibroma",
    "melanoma",
    "nevus",
    "pigmented benign keratosis",
    "seborrheic keratosis",
    "squamous cell carcinoma",
    "vascular lesion",
)
CHALLENGE_CLASSES = ("melanoma", "nevus", "seborrheic keratosis")

_NINE_PARTS: dict[str, Split] = {"Train": "train", "Test": "test"}
_CHALLENGE_FOLDER = re.compile(r"ISIC-2017_(Training|Validation|Test)(?:_v2)?_Data")
_CHALLENGE_PARTS: dict[str, Split] = {"Training": "train", "Validation": "val", "Test": "test"}
# Lesion masks are part 1 of the challenges of 2016 and 2017, and task 1 of 2018.
_MASK_FOLDER = re.compile(r"(?:Part1|Task1).*GroundTruth", re.IGNORECASE)
_YEAR = re.compile(r"20\d\d")


def read_isic9(root: Path) -> Draft | None:
    """Read `{Train,Test}/<class>/ISIC_*.jpg`; None if it is not there. Masks come from `pair_isic`."""
    inner = inner_folder(root, lambda folder: any((folder / part).is_dir() for part in _NINE_PARTS))
    if inner is None:
        return None
    problems: list[Problem] = []
    folders, files = list_folder(inner, problems)
    parts = [folder for folder in folders if folder.name in _NINE_PARTS]
    others = [item for item in folders if item not in parts and not _MASK_FOLDER.search(item.name)]
    note_others([*files, *others], problems)
    splits = part_splits(_NINE_PARTS[part.name] for part in parts)
    found: list[Found] = []
    for part in parts:
        split = splits[_NINE_PARTS[part.name]]
        for folder in class_folders(part, NINE_CLASSES, problems):
            for image in list_images(folder, problems):
                found.append(Found(image.relative_to(inner).as_posix(), image, folder.name, split))
    present = {item.class_name for item in found}
    return Draft(inner, tuple(name for name in NINE_CLASSES if name in present), found, problems)


def read_isic2017(root: Path) -> Draft | None:
    """Read `ISIC-2017_*_Data` with its table of diagnoses; None if it is not there.

    An image with neither column set is a nevus. `root` is the download folder, or one of its data folders.
    """
    if _CHALLENGE_FOLDER.fullmatch(root.name):
        parts, place = [root], root.parent
    else:
        parts = [item for item in sorted(root.iterdir()) if _CHALLENGE_FOLDER.fullmatch(item.name)]
        place = root
    if not parts:
        return None
    draft = Draft(place, CHALLENGE_CLASSES)
    names = {part: _challenge_part(part) for part in parts}
    splits = part_splits(_CHALLENGE_PARTS[name] for name in names.values())
    for part, name in names.items():
        _read_challenge_part(draft, part, splits[_CHALLENGE_PARTS[name]])
    return draft


def pair_isic(draft: Draft, masks: Path | None) -> Pairs:
    """Pair the challenges' lesion masks with the images of the same name; images without one are no problem.

    `masks` is one folder of masks or holds several; None looks beside and in the data set. Where two
    challenges give a mask of the same image, the later challenge's is taken.
    """
    places = [masks] if masks else [draft.root.parent, draft.root]
    folders = [
        item
        for place in places
        if place.is_dir()
        for item in sorted(place.iterdir())
        if item.is_dir() and _MASK_FOLDER.search(item.name)
    ]
    folders.sort(key=lambda folder: max(_YEAR.findall(folder.name), default=""), reverse=True)
    if masks and not folders:
        folders = [masks]
    pairs: Pairs = {}
    for folder in folders:
        reported: list[Problem] = []
        for name, own in pair_mirror(draft.found, folder, reported, by_stem_alone=True).items():
            pairs.setdefault(name, own)
        orphans = [problem for problem in reported if "without an image" in problem.what]
        draft.problems += [problem for problem in reported if problem not in orphans]
        _note_unused(folder, "masks", [problem.path.name for problem in orphans], draft.problems)
    return pairs


def _read_challenge_part(draft: Draft, part: Path, split: Split | None) -> None:
    table = draft.root / part.name.replace("_Data", "_Part3_GroundTruth.csv")
    labels = _diagnoses(table, draft.problems)
    for image in list_images(part, draft.problems):
        if image.stem.endswith("_superpixels"):
            continue
        class_name = labels.pop(image.stem, None)
        if class_name is None:
            what = f"has no diagnosis in {show_name(table.name)}"
            draft.problems.append(Problem(image, what, "add its line, or leave the image out"))
        else:
            name = image.relative_to(draft.root).as_posix()
            draft.found.append(Found(name, image, class_name, split))
    _note_unused(table, "diagnoses", sorted(labels), draft.problems)


def _diagnoses(table: Path, problems: list[Problem]) -> dict[str, str]:
    """Image stem -> class name."""
    names = {("1", "0"): "melanoma", ("0", "1"): "seborrheic keratosis", ("0", "0"): "nevus"}
    labels = {}
    for line, row in read_table(table, ("image_id", "melanoma", "seborrheic_keratosis"), problems):
        key = tuple(row[column].strip().removesuffix(".0") for column in ("melanoma", "seborrheic_keratosis"))
        name = names.get((key[0], key[1]))
        if name is None:
            what = f"line {line}: the diagnosis of {show_name(row['image_id'])} is not one of 0/0, 1/0, 0/1"
            problems.append(Problem(table, what, "mend or delete the line"))
        else:
            labels[row["image_id"]] = name
    return labels


def _note_unused(path: Path, what: str, names: Sequence[str], problems: list[Problem]) -> None:
    """Note what has no image here, in one line: the challenges hold more images than a copy may."""
    if names:
        shown = ", ".join(show_name(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
        problems.append(
            Problem(path, f"{len(names)} {what} have no image here: {shown}", "nothing to do", "note")
        )


def _challenge_part(folder: Path) -> str:
    match = _CHALLENGE_FOLDER.fullmatch(folder.name)
    return match[1] if match else ""
