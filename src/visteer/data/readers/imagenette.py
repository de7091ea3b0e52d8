"""Imagenette2, ten classes of ImageNet (Howard, fastai/imagenette), with optional ILSVRC 2012 boxes."""

from __future__ import annotations

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
from visteer.data.sample import Box, Problem, Split

CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}

_PARTS: dict[str, Split] = {"train": "train", "val": "val"}
_TABLE = "noisy_imagenette.csv"  # labels with noise, published with the images and not used
_COLUMNS = ("path", "orig_width", "orig_height", "xmin", "ymin", "xmax", "ymax")


def read_imagenette(root: Path) -> Draft | None:
    """Read `imagenette2/{train,val}/<wnid>/*.JPEG`; None if it is not there. val is the test split.

    Boxes come from `boxes*.csv` beside or in the folder: one line a box, in pixels of the original picture.
    """
    inner = inner_folder(root, lambda folder: any((folder / part).is_dir() for part in _PARTS))
    if inner is None:
        return None
    problems: list[Problem] = []
    folders, files = list_folder(inner, problems)
    tables = sorted({*inner.glob("boxes*.csv"), *inner.parent.glob("boxes*.csv")})
    parts = [folder for folder in folders if folder.name in _PARTS]
    others = [item for item in files if item not in tables and item.name != _TABLE]
    note_others([*others, *(folder for folder in folders if folder not in parts)], problems)
    splits = part_splits(_PARTS[part.name] for part in parts)
    boxes = _read_boxes(tables, problems)
    found: list[Found] = []
    for part in parts:
        for folder in class_folders(part, CLASSES, problems):
            for image in list_images(folder, problems):
                name = image.relative_to(inner).as_posix()
                own = tuple(boxes.pop(name, ())) or None
                split = splits[_PARTS[part.name]]
                found.append(Found(name, image, CLASSES[folder.name], split, boxes=own))
    for table in tables if boxes else ():
        what = f"{len(boxes)} boxed images are not here, such as {show_name(next(iter(boxes)))}"
        problems.append(Problem(table, what, "nothing to do", "note"))
    present = {item.class_name for item in found}
    return Draft(inner, tuple(name for name in CLASSES.values() if name in present), found, problems)


def _read_boxes(tables: list[Path], problems: list[Problem]) -> dict[str, list[Box]]:
    """Image path -> its boxes, as fractions of the picture."""
    boxes: dict[str, list[Box]] = {}
    for table in tables:
        for line, row in read_table(table, _COLUMNS, problems):
            try:
                boxes.setdefault(row["path"], []).append(_box(row))
            except (ValueError, ZeroDivisionError):
                what = f"line {line}: the box of {show_name(row['path'])} is empty or no box"
                problems.append(Problem(table, what, "mend or delete the line"))
    return boxes


def _box(row: dict[str, str]) -> Box:
    left, right = (min(max(float(row[x]) / float(row["orig_width"]), 0), 1) for x in ("xmin", "xmax"))
    top, bottom = (min(max(float(row[y]) / float(row["orig_height"]), 0), 1) for y in ("ymin", "ymax"))
    return Box(left, top, right, bottom)
