"""Fetching a public data set: goes on where it stopped, checks what came, unpacks without trust."""

from __future__ import annotations

import errno
import gzip
import hashlib
import http.client
import json
import shutil
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from visteer.data.names import show_name
from visteer.errors import VisteerError

Progress = Callable[[int, int], None]

TIMEOUT = 30.0  # seconds without a byte
MAX_FILES = 100_000
MAX_BYTES = 20 * 2**30

_CHUNK = 2**18
_MAX_READ = 2**24


@dataclass(frozen=True)
class _Archive:
    """A public .tgz file at `url` that holds one folder, `top`."""

    url: str
    top: str


_ARCHIVES = {
    "imagenette": _Archive("https://s3.amazonaws.com/fast-ai-imageclas/imagenette2.tgz", "imagenette2")
}


def download(
    name: str,
    folder: Path,
    *,
    url: str | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Fetch the data set `name` into `folder`, unpack it, and return the path of its own folder.

    What is there already is not fetched again: a finished data set is returned as it is, a finished archive
    is unpacked, and an interrupted one (`.partial`) goes on where it stopped if the server says that the file
    is still the same, else starts again. The data set's folder appears only when it is complete; the archive
    is deleted then, and its SHA-256 stays beside the folder in `<archive>.sha256`.

    Arguments:
        name: "imagenette".
        folder: made if it is missing.
        url: http or https address of the archive, instead of the public one.
        sha256: what the archive must have, in hexadecimal digits; not checked if None.
        progress: called with (bytes here, all bytes); all is 0 while the server does not tell.

    Raises:
        VisteerError: `name` has no public address, no network, the file is not there, the transfer stopped,
            the disk is full, another checksum, or an archive that is damaged or not safe to unpack.
    """
    if name in _INSTRUCTIONS:
        raise VisteerError(
            f"{name} needs a login at its host: fetch it by hand as download_instructions({name!r}) says"
        )
    if name not in _ARCHIVES:
        known = ", ".join([*_ARCHIVES, *_INSTRUCTIONS])
        raise VisteerError(f"no data set is called {show_name(name)}: take one of {known}")
    source = _ARCHIVES[name]
    target = folder / source.top
    if target.is_dir():
        return target
    archive = folder / f"{source.top}.tgz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not archive.exists():
            _fetch(url or source.url, archive, sha256, progress)
        _record_digest(archive, sha256)
        _unpack(archive, source.top, target)
        archive.unlink()
    except OSError as error:
        raise _disk_error(folder, error) from error
    return target


def download_instructions(name: str) -> str:
    """Say what to fetch by hand and where to put it, for "busi" and "isic", whose hosts want a login.

    Raises:
        ValueError: another name.

    Example:
        >>> print(download_instructions("busi").splitlines()[0])
        1. Log in at https://www.kaggle.com/datasets/aryashah2k/breast-ultrasound-images-dataset
    """
    if name not in _INSTRUCTIONS:
        raise ValueError(f"there are instructions for {', '.join(_INSTRUCTIONS)}, not for {name!r}")
    return _INSTRUCTIONS[name]


_INSTRUCTIONS = {
    "busi": """\
1. Log in at https://www.kaggle.com/datasets/aryashah2k/breast-ultrasound-images-dataset
   (the authors' own page is https://scholar.cu.edu.eg/?q=afahmy/pages/dataset) and download the archive.
2. Unpack it into a folder of your choice, say data/busi. It must then hold
   data/busi/Dataset_BUSI_with_GT/{benign,malignant,normal}/, with the masks beside the images.
3. visteer init my-study --images data/busi --layout busi""",
    "isic": """\
1. Log in at https://www.kaggle.com/datasets/nodoubttome/skin-cancer9-classesisic and download the archive.
2. Unpack it into a folder of your choice, say data/isic. It must then hold
   data/isic/Skin cancer ISIC The International Skin Imaging Collaboration/{Train,Test}/<class>/.
3. For lesion masks, download "Training Data: Ground Truth, Part 1" of the 2017 challenge at
   https://challenge.isic-archive.com/data/#2017 and unpack it to
   data/isic/ISIC-2017_Training_Part1_GroundTruth/.
4. visteer init my-study --images data/isic --layout isic9""",
}


def _fetch(url: str, archive: Path, sha256: str | None, progress: Progress | None) -> None:
    """Bring `url` to `archive` by way of a .partial file that a later call can continue."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise VisteerError(f"{show_name(url)} is no http or https address: give one")
    partial = archive.with_name(archive.name + ".partial")
    origin = partial.with_name(partial.name + ".json")
    with _open_from(url, partial, origin) as response:
        start = _start(response, partial)
        if start == 0:
            _remember_origin(origin, url, response)
        with partial.open("r+b" if start else "wb") as file:
            file.seek(start)
            _copy(response, file, url, start, progress)
    digest = _digest(partial)
    if sha256 is not None and digest != sha256.lower():
        partial.unlink()
        origin.unlink(missing_ok=True)
        raise VisteerError(
            f"{show_name(url)} came with another checksum ({digest}, not {sha256}) and was deleted: "
            "fetch it again, or check the expected checksum"
        )
    partial.replace(archive)
    origin.unlink(missing_ok=True)


def _open_from(url: str, partial: Path, origin: Path) -> http.client.HTTPResponse:
    """Ask for what `partial` lacks if it can be continued, else for the whole file."""
    have, validator = _resumable(url, partial, origin)
    if not have:
        return _open(url, {})
    try:
        response = _open(url, {"Range": f"bytes={have}-", "If-Range": validator})
    except _NothingBeyond:
        return _open(url, {})
    if response.status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        response.close()
        return _open(url, {})
    return response


class _NothingBeyond(Exception):
    """The server has no bytes from the wanted position on (416)."""


def _open(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.UnknownHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        _SafeRedirects(),
    ):
        opener.add_handler(handler)
    asked = request.Request(url, headers={"User-Agent": "visteer", **headers})  # noqa: S310 - checked by _fetch
    where = show_name(url)
    try:
        response: http.client.HTTPResponse = opener.open(asked, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416 and headers:
            raise _NothingBeyond from None
        if error.code in {404, 410}:
            raise VisteerError(f"{where} is not there ({error.code}): give another address") from None
        raise VisteerError(f"{where} answers {error.code} {error.reason}: try again later") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error or type(error).__name__
        raise VisteerError(
            f"{where} cannot be reached ({reason}): check the network and the address"
        ) from None
    return response


class _SafeRedirects(request.HTTPRedirectHandler):
    """Follows redirects, but never from https to anything else."""

    def redirect_request(
        self,
        req: request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> request.Request | None:
        allowed = {"https"} if req.type == "https" else {"http", "https"}
        if urlsplit(newurl).scheme not in allowed:
            fp.close()
            raise URLError(f"it redirects to {show_name(newurl)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _resumable(url: str, partial: Path, origin: Path) -> tuple[int, str]:
    """Bytes of `partial` that may be kept, and the validator that proves it; (0, "") to start again."""
    try:
        known = json.loads(origin.read_text("utf-8"))
        if known["url"] == url and known["validator"]:
            return partial.stat().st_size, str(known["validator"])
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        pass
    return 0, ""


def _remember_origin(origin: Path, url: str, response: http.client.HTTPResponse) -> None:
    """Store what proves, later, that the file at `url` is still the same (RFC 9110, 13.1.5)."""
    etag = response.headers.get("ETag", "")
    # A weak ETag does not promise equal bytes.
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    origin.write_text(json.dumps({"url": url, "validator": validator}), "utf-8")


def _start(response: http.client.HTTPResponse, partial: Path) -> int:
    return partial.stat().st_size if response.status == 206 else 0


def _copy(
    response: http.client.HTTPResponse, file: BinaryIO, url: str, start: int, progress: Progress | None
) -> None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdigit() else 0
    free = shutil.disk_usage(Path(file.name).parent).free
    if total - start > free:
        raise OSError(errno.ENOSPC, f"{total - start:,} bytes are to come and {free:,} are free")
    done = start
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _stopped(url, done, total, str(error) or type(error).__name__) from None
        if not chunk:
            break
        file.write(chunk)
        file.flush()
        done += len(chunk)
        if progress is not None:
            progress(done, total)
    if done < total:
        raise _stopped(url, done, total, "the connection was closed")


def _stopped(url: str, done: int, total: int, why: str) -> VisteerError:
    of = f" of {total:,}" if total else ""
    return VisteerError(f"{show_name(url)} stopped after {done:,}{of} bytes ({why}): run it again to go on")


def _disk_error(folder: Path, error: OSError) -> VisteerError:
    where = show_name(folder)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return VisteerError(f"the disk of {where} is full ({error.strerror}): make room and run it again")
    return VisteerError(f"{where} cannot be written ({error.strerror or error}): check its rights")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record_digest(archive: Path, sha256: str | None) -> None:
    """Write the archive's digest beside it, in the form that `sha256sum --check` reads."""
    digest = _digest(archive)
    if sha256 is not None and digest != sha256.lower():
        raise VisteerError(f"{show_name(archive)} has another checksum ({digest}, not {sha256}): delete it")
    archive.with_name(archive.name + ".sha256").write_text(f"{digest}  {archive.name}\n", "utf-8")


def _unpack(archive: Path, top: str, target: Path) -> None:
    """Unpack the folder `top` of `archive` to `target`, which appears only when all of it is there."""
    unpacking = target.with_name(f".{top}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)
    unpacking.mkdir()
    try:
        with _BoundedGzip(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            _extract(tar, unpacking, top)
        if not (unpacking / top).is_dir():
            raise _Unsafe(f"it holds no folder {top}")
        (unpacking / top).replace(target)
    except _Unsafe as error:
        raise VisteerError(
            f"{show_name(archive)} is not unpacked: {error}; delete it, and fetch another"
        ) from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        what = f"is damaged ({error})"
        raise VisteerError(f"{show_name(archive)} {what}: delete it and run it again") from None
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


class _Unsafe(Exception):
    """Something in an archive that an honest data set does not hold."""


class _BoundedGzip(gzip.GzipFile):
    """A decompressed stream whose single reads are small, so that no forged header fills the memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _MAX_READ:
            raise _Unsafe(f"it has a header of {size} bytes")
        return super().read(size)


def _extract(tar: tarfile.TarFile, folder: Path, top: str) -> None:
    size = 0
    for count, member in enumerate(tar, 1):
        size += member.size
        if count > MAX_FILES or size > MAX_BYTES:
            raise _Unsafe(f"it holds more than {MAX_FILES:,} files or {MAX_BYTES:,} bytes")
        path = _member_path(member, folder, top)
        if path is None:
            continue
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        content = tar.extractfile(member)
        if content is None or path.exists():
            raise _Unsafe(f"it holds {show_name(member.name)} twice")
        with content, path.open("xb") as file:
            shutil.copyfileobj(content, file, _CHUNK)
        if path.stat().st_size != member.size:
            raise EOFError("cut off before its end")


def _member_path(member: tarfile.TarInfo, folder: Path, top: str) -> Path | None:
    """Where a file or folder of the archive goes; None for the archive's own root."""
    shown = show_name(member.name)
    if not (member.isdir() or member.isreg()) or member.issparse():
        raise _Unsafe(f"{shown} is a link, a device or another special file")
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or any(sign in member.name for sign in "\\:\0"):
        raise _Unsafe(f"{shown} points out of the folder")
    if name.parts and name.parts[0] != top:
        raise _Unsafe(f"{shown} does not lie in {top}")
    try:
        tarfile.data_filter(member, str(folder))
    except tarfile.FilterError:
        raise _Unsafe(f"{shown} points out of the folder") from None
    return folder / name if name.parts else None
