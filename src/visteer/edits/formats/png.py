"""Edits as PNG files that any picture program opens, without loss.

An image's edit is two greyscale files: NAME.importance.png (16 bit: the target, 65535 = 1) and
NAME.trust.png (8 bit: the weight, 255 = 1, 0 = unknown). The importance file carries the rest as JSON in a
text chunk "visteer": image id, author, time, revision, source, comment, digests.

NAME is the image id, made safe for every file system; the id itself stands in the JSON.

Files from other programs are welcome. Their image is the one that the file is named after. Without a trust
file every cell is known, black ones as irrelevant; but where a file has transparency, it is the trust, so
what nobody painted on a transparent layer stays unknown. 8-bit, 1-bit and palette files are taken as they
are; a coloured cell is a mistake. A file whose pixels no longer match its own digest was painted on after
its export: it is taken as new, by the author who imports it.
"""

from __future__ import annotations

import hashlib
import json
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from visteer.edits.map_edit import MAX_SIDE, TARGET_STEPS, WEIGHT_STEPS, MapEdit, check_text
from visteer.edits.store import EditStore
from visteer.errors import VisteerError

IMPORTANCE = ".importance.png"
TRUST = ".trust.png"
TEXT_KEY = "visteer"
LONGEST_PART = 100  # bytes; file systems allow 255


@dataclass(frozen=True)
class BadFile:
    """A file that gives no edit, and why."""

    path: Path
    what: str


@dataclass(frozen=True)
class PngScan:
    """What a folder holds: edits by image id, sorted, and the files that give none."""

    edits: Mapping[str, MapEdit]
    bad: tuple[BadFile, ...]


def export_png(edits: EditStore | Mapping[str, MapEdit], folder: Path) -> dict[str, Path]:
    """Write the newest edit of every image.

    Arguments:
        edits: a store, or image id -> edit.
        folder: new or empty, so that no painted file is ever overwritten.

    Returns:
        image id -> the importance file. All files lie inside `folder`, whatever the ids.

    Raises:
        VisteerError: the folder is not empty, or a file cannot be written.

    Example:
        >>> import tempfile
        >>> edit = MapEdit([[1.0, 0.0]], [[1.0, 1.0]], author="Ada")
        >>> with tempfile.TemporaryDirectory() as name:
        ...     written = export_png({"benign/a (1).png": edit}, Path(name))
        ...     [str(path.relative_to(name)) for path in written.values()], import_png(Path(name)) == {
        ...         "benign/a (1).png": edit
        ...     }
        (['benign/a (1).png.importance.png'], True)
    """
    ids = edits.image_ids() if isinstance(edits, EditStore) else tuple(edits)
    written: dict[str, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise VisteerError(f"{folder} is not empty; name a new folder to export to")
        for image_id, name in _file_names(ids).items():
            edit = edits.latest([image_id])[image_id] if isinstance(edits, EditStore) else edits[image_id]
            written[image_id] = folder / (name + IMPORTANCE)
            written[image_id].parent.mkdir(parents=True, exist_ok=True)
            _write(edit, image_id, written[image_id], folder / (name + TRUST))
    except OSError as error:
        raise VisteerError(f"cannot export to {folder}: {error.strerror or error}") from error
    return written


def import_png(folder: Path, *, author: str = "PNG import") -> dict[str, MapEdit]:
    """Read all edits of a folder and the folders in it, or none if a file is bad.

    Arguments:
        folder: what `export_png` wrote, or NAME.importance.png files of another program.
        author: whom to name for files that do not name their author themselves.

    Returns:
        image id -> edit, sorted by id.

    Raises:
        VisteerError: there is no such folder, it holds no edit, or files are bad; all are named, with why.
    """
    scan = scan_png(folder, author=author)
    if scan.bad:
        listing = "; ".join(f"{bad.path}: {bad.what}" for bad in scan.bad)
        raise VisteerError(f"{len(scan.bad)} files in {folder} cannot be imported, so none was: {listing}")
    if not scan.edits:
        raise VisteerError(f"{folder} holds no edit: no file is named NAME{IMPORTANCE}")
    return dict(scan.edits)


def scan_png(folder: Path, *, author: str = "PNG import") -> PngScan:
    """Read what can be read of a folder, like `import_png`, and list what cannot.

    Raises:
        VisteerError: there is no such folder.
    """
    if not folder.is_dir():
        raise VisteerError(f"there is no folder {folder}")
    edits: dict[str, MapEdit] = {}
    sources: dict[str, Path] = {}
    bad: list[BadFile] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() != ".png" or path.is_dir():
            continue
        try:
            if path.name.endswith(TRUST):
                _check_partner(path)
                continue
            image_id, edit = _read(path, folder, author)
        except _BadPngError as error:
            bad.append(error.file)
            continue
        if image_id in edits:
            bad.append(
                BadFile(path, f"is an edit of {image_id!r}, and so is {sources[image_id]}; remove one")
            )
        else:
            edits[image_id], sources[image_id] = edit, path
    return PngScan(dict(sorted(edits.items())), tuple(bad))


class _BadPngError(Exception):
    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.file = BadFile(path, what)


@dataclass(frozen=True)
class _Picture:
    """(H, W) float64 grey and opacity in [0, 1], and the text of an export if there is one."""

    grey: NDArray[np.float64]
    opacity: NDArray[np.float64]
    text: str | None


def _file_names(image_ids: Iterable[str]) -> dict[str, str]:
    """Give every image id a relative path of its own, safe and distinct on every file system; sorted by id.

    An id that is safe as it is stays as it is. All others, and those that differ from another one only in
    case or Unicode form, get a part of the id's hash.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for image_id in sorted(image_ids):
        name = "/".join(_safe_part(part) for part in image_id.split("/"))
        if name != image_id or _key(name) in taken:
            name += "~" + hashlib.sha256(image_id.encode()).hexdigest()[:12]
        while _key(name) in taken:
            name += "_"
        taken.add(_key(name))
        names[image_id] = name
    return names


def _key(name: str) -> str:
    """Return what two names share when some file system takes them for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _safe_part(part: str) -> str:
    safe = "".join("_" if c in _UNSAFE or unicodedata.category(c)[0] == "C" else c for c in part)
    while len(safe.encode()) > LONGEST_PART:
        safe = safe[:-1]
    # Windows drops dots and spaces at the end, and takes "nul.png" for a device; "." and ".." are folders.
    if not safe or safe[-1] in ". " or safe.split(".")[0].strip().lower() in _DEVICES:
        safe = "_" + safe.rstrip(". ")
    # A folder must never have the name of a file that another id needs.
    return safe + "_" if safe.lower().endswith((IMPORTANCE, TRUST)) else safe


_UNSAFE = frozenset('<>:"|?*\\')
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)


def _write(edit: MapEdit, image_id: str, importance: Path, trust: Path) -> None:
    target, weight = edit.steps
    metadata = {
        "version": 1,
        "image": image_id,
        "author": edit.author,
        "time": edit.time.isoformat(),
        "revision": edit.revision,
        "source": edit.source,
        "comment": edit.comment,
        "map_digest": edit.map_digest,
        "digest": edit.digest,
    }
    info = PngInfo()
    info.add_text(TEXT_KEY, json.dumps(metadata))
    with importance.open("xb") as file:
        Image.fromarray(target).save(file, format="PNG", pnginfo=info)
    with trust.open("xb") as file:
        Image.fromarray(weight).save(file, format="PNG")


def _check_partner(trust: Path) -> None:
    importance = trust.name.removesuffix(TRUST) + IMPORTANCE
    if not trust.with_name(importance).exists():
        raise _BadPngError(trust, f"has no {importance} beside it")


def _read(path: Path, folder: Path, author: str) -> tuple[str, MapEdit]:
    if not path.name.endswith(IMPORTANCE):
        raise _BadPngError(path, f"is named neither NAME{IMPORTANCE} nor NAME{TRUST}; rename it")
    picture = _read_grey(path)
    weight = picture.opacity
    trust = path.with_name(path.name.removesuffix(IMPORTANCE) + TRUST)
    if trust.exists():
        weight = _read_grey(trust).grey
        if weight.shape != picture.grey.shape:
            raise _BadPngError(
                trust, f"is {_size(weight)} pixels, but {path.name} is {_size(picture.grey)}; make them equal"
            )
    drawn = MapEdit(picture.grey, weight, author=author, source="png")
    if picture.text is not None:
        return _with_metadata(path, drawn, picture.text)
    image_id = path.relative_to(folder).as_posix().removesuffix(IMPORTANCE)
    try:
        check_text("image id", image_id)
    except ValueError as error:
        raise _BadPngError(path, f"has a file name that is not UTF-8 ({error}); rename it") from error
    return image_id, drawn


def _with_metadata(path: Path, drawn: MapEdit, text: str) -> tuple[str, MapEdit]:
    """Return the image id and the edit as exported; as drawn anew where its pixels have changed since."""
    try:
        found = json.loads(text)
        exported = replace(
            drawn,
            author=found["author"],
            time=datetime.fromisoformat(found["time"]),
            revision=found["revision"],
            source=found["source"],
            comment=found["comment"],
            map_digest=found["map_digest"],
        )
        check_text("image id", found["image"])
        unchanged = found["digest"] == exported.digest
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _BadPngError(
            path, f"has damaged metadata ({type(error).__name__}: {error}); export it again"
        ) from error
    return found["image"], exported if unchanged else drawn


def _read_grey(path: Path) -> _Picture:
    if path.exists() and not path.is_file():  # a pipe would be waited for without end
        raise _BadPngError(path, "is no regular file; remove it")
    try:
        with path.open("rb") as file:
            _check_header(path, file.read(24))
        # The first opening checks all checksums, which decoding alone does not.
        with Image.open(path, formats=["PNG"]) as image:
            image.verify()
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            if getattr(image, "n_frames", 1) > 1:
                raise _BadPngError(path, "is animated; save it as a single picture")
            grey, opacity = _grey_and_opacity(path, image)
            return _Picture(grey, opacity, image.info.get(TEXT_KEY))
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        what = getattr(error, "strerror", None) or "is damaged or cut off"
        raise _BadPngError(path, f"cannot be read: {what}; copy or export it again") from error


def _check_header(path: Path, head: bytes) -> None:
    """Refuse what is no PNG, and the gigantic before anything is decoded."""
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        raise _BadPngError(path, "is empty or no PNG file; save it as PNG")
    width, height = struct.unpack(">II", head[16:24])
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise _BadPngError(path, f"is {width} x {height} pixels; make it at most {MAX_SIDE} x {MAX_SIDE}")


def _grey_and_opacity(path: Path, image: Image.Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.float64) / TARGET_STEPS
        return grey, np.ones_like(grey)
    rgba = np.asarray(image.convert("RGBA")).astype(np.float64) / WEIGHT_STEPS
    opacity = rgba[..., 3]
    if ((rgba[..., :3] != rgba[..., :1]).any(axis=2) & (opacity > 0)).any():
        raise _BadPngError(path, "has colours; save it as greyscale")
    return rgba[..., 0], opacity


def _size(values: NDArray[np.float64]) -> str:
    return f"{values.shape[1]} x {values.shape[0]}"
