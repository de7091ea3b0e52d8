"""What lies in a folder: images, folders, and everything else by name."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from visteer.data.images import EXTENSIONS
from visteer.data.names import show_name
from visteer.data.sample import Problem
from visteer.errors import VisteerError

_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def list_folder(folder: Path, problems: list[Problem]) -> tuple[list[Path], list[Path]]:
    """List the folders and the files in `folder`, each sorted by name.

    Hidden files and what file managers leave behind become notes; unreadable names become errors.
    """
    folders: list[Path] = []
    files: list[Path] = []
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        reason = error.strerror or "unknown reason"
        problems.append(Problem(folder, f"cannot be listed ({reason})", "check the rights of the folder"))
        return [], []
    for entry in entries:
        if not _is_unicode(entry.name):
            problems.append(Problem(entry, "its name is not valid UTF-8", "rename it"))
        elif entry.name.startswith(".") or entry.name.lower() in _LITTER:
            problems.append(Problem(entry, "is hidden or litter and is not read", "nothing to do", "note"))
        else:
            (folders if entry.is_dir() else files).append(entry)
    return folders, files


def list_images(folder: Path, problems: list[Problem]) -> list[Path]:
    """List the image files in `folder`, told by extension; what else lies there becomes an error."""
    folders, files = list_folder(folder, problems)
    for inner in folders:
        problems.append(
            Problem(inner, "is a folder among images and is not read", "move its images up, or leave it out")
        )
    images = [file for file in files if file.suffix.lower() in EXTENSIONS]
    for other in sorted(set(files) - set(images)):
        problems.append(
            Problem(other, "has no extension of an image that can be read", "save it as PNG, or leave it out")
        )
    return images


def note_others(paths: Iterable[Path], problems: list[Problem]) -> None:
    """Note the files that lie where the layout has none."""
    for path in paths:
        problems.append(Problem(path, "is not part of the layout and is not read", "nothing to do", "note"))


def class_folders(part: Path, known: Collection[str], problems: list[Problem]) -> list[Path]:
    """List the folders in `part` that are called like a `known` class; the other ones are reported."""
    folders, files = list_folder(part, problems)
    note_others(files, problems)
    for folder in folders:
        if folder.name not in known:
            mend = f"rename it to one of {', '.join(show_name(name) for name in known)}, or leave it out"
            problems.append(Problem(folder, "unknown class: it is not read", mend))
    return [folder for folder in folders if folder.name in known]


def inner_folder(root: Path, fits: Callable[[Path], bool]) -> Path | None:
    """Return `root` itself or the one folder in it that `fits`: data sets are given either way.

    Raises:
        VisteerError: several folders fit, and taking one would leave the others out unseen.
    """
    if fits(root):
        return root
    fitting = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and fits(folder)]
    if len(fitting) > 1:
        names = ", ".join(show_name(folder.name) for folder in fitting)
        raise VisteerError(
            f"{show_name(root)} holds several folders of this layout ({names}): name one of them"
        )
    return fitting[0] if fitting else None


def read_table(
    path: Path, columns: Sequence[str], problems: list[Problem]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the `columns` of each row of a CSV file; what cannot be read is reported."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                problems.append(
                    Problem(path, f"has no column {', '.join(missing)}", "fetch the original table again")
                )
                return
            for row in reader:
                values = {name: row[name] for name in columns}
                if any(value is None for value in values.values()):
                    line = f"line {reader.line_num} has too few columns"
                    problems.append(Problem(path, line, "mend or delete the line"))
                    continue
                yield reader.line_num, values
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())[:80]
        problems.append(Problem(path, f"is no readable CSV table ({reason})", "fetch the table again"))


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
