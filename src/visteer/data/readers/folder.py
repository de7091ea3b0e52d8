"""Any data set with one folder a class: root/<class>/<image> or root/{train,val,test}/<class>/<image>."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from visteer.data.names import show_name
from visteer.data.readers.draft import Draft, Found, part_splits
from visteer.data.readers.listing import class_folders, list_folder, list_images, note_others
from visteer.data.readers.pairing import bare_stem
from visteer.data.sample import Problem, Split

_PARTS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


def read_folder(root: Path, exclude: Collection[Path] = ()) -> Draft:
    """Read the class folders below `root`; `exclude` names folders in it that hold masks."""
    problems: list[Problem] = []
    excluded = {folder.resolve() for folder in exclude}
    folders, files = list_folder(root, problems)
    folders = [folder for folder in folders if folder.resolve() not in excluded]
    note_others(files, problems)
    parts = {folder: _PARTS[folder.name.lower()] for folder in folders if _is_part(folder)}
    if not parts:
        draft = Draft(root, tuple(folder.name for folder in folders), problems=problems)
        for folder in folders:
            _read_class(draft, folder, None)
        return draft

    for folder in sorted(set(folders) - set(parts)):
        mend = "move it into train, val or test, or leave it out"
        problems.append(Problem(folder, "lies beside train, val and test and is not read", mend))
    splits = part_splits(parts.values())
    teaching = [folder for folder, part in parts.items() if part == "train"] or list(parts)
    known = sorted({item.name for folder in teaching for item in list_folder(folder, [])[0]})
    draft = Draft(root, tuple(known), problems=problems)
    for folder, part in parts.items():
        for inner in class_folders(folder, known, problems):
            _read_class(draft, inner, splits[part])
    return draft


def _is_part(folder: Path) -> bool:
    """Tell whether a folder is a split: it is called like one and holds folders, not only images."""
    return folder.name.lower() in _PARTS and any(item.is_dir() for item in folder.iterdir())


def _read_class(draft: Draft, folder: Path, split: Split | None) -> None:
    images = list_images(folder, draft.problems)
    stems = {image.stem: image for image in images}
    for image in images:
        bare = bare_stem(image.stem)
        if bare != image.stem and bare in stems:
            what = f"looks like a mask of {show_name(stems[bare].name)} and is not read as an image"
            mend = "put masks in a folder of their own that mirrors the images"
            draft.problems.append(Problem(image, what, mend))
            continue
        name = image.relative_to(draft.root).as_posix()
        draft.found.append(Found(name, image, folder.name, split))
    if not images:
        draft.problems.append(Problem(folder, "holds no image", "fill it, or leave it out", "note"))
