"""Downloads from a local server that stops, lies and changes its mind; archives that want out."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from visteer.data import download as module
from visteer.data.download import download, download_instructions
from visteer.errors import VisteerError

NOISE = np.random.default_rng(0).bytes(1_500_000)
Member = tuple[tarfile.TarInfo, bytes]


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info, content


def tgz(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


HONEST = tgz(
    entry("imagenette2", kind=tarfile.DIRTYPE),
    entry("imagenette2/train/n01440764/a.JPEG", NOISE),
    entry("./imagenette2/val/n01440764/b.JPEG", b"b" * 512),
)


@dataclass
class Site:
    """What the server has and how it behaves; `asked` keeps the headers of every request."""

    body: bytes = HONEST
    validators: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    stop_after: int | None = None
    ranges: bool = True
    tell_length: bool = True
    redirect: str | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(dict(handler.headers))
        if handler.path != "/imagenette2.tgz":
            return handler.send_error(404)
        if self.redirect:
            handler.send_response(302)
            handler.send_header("Location", self.redirect)
            return handler.end_headers()
        start, wanted = 0, handler.headers.get("Range")
        if self.ranges and wanted and handler.headers.get("If-Range") in self.validators.values():
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(self.body):
                return handler.send_error(416)
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        if self.tell_length:
            handler.send_header("Content-Length", str(len(self.body) - start))
        for name, value in self.validators.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(self.body[start : self.stop_after])
        return None


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    it = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            it.answer(self)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        it.url = f"http://127.0.0.1:{server.server_port}/imagenette2.tgz"
        yield it
        server.shutdown()
        thread.join()


def fetch(site: Site, folder: Path, **more: object) -> Path:
    return download("imagenette", folder, url=site.url, **more)


def stop_halfway(site: Site, folder: Path) -> int:
    site.stop_after = 700_000
    with pytest.raises(VisteerError, match=r"stopped after 700,000 of .* run it again"):
        fetch(site, folder)
    site.stop_after = None
    return (folder / "imagenette2.tgz.partial").stat().st_size


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def check_result(folder: Path, body: bytes = HONEST) -> None:
    assert (folder / "imagenette2/train/n01440764/a.JPEG").read_bytes() == NOISE
    assert (folder / "imagenette2/val/n01440764/b.JPEG").read_bytes() == b"b" * 512
    assert names(folder) == ["imagenette2", "imagenette2.tgz.sha256"]
    digest = hashlib.sha256(body).hexdigest()
    assert (folder / "imagenette2.tgz.sha256").read_text() == f"{digest}  imagenette2.tgz\n"


def test_a_data_set_arrives_whole_with_progress_and_checksum_and_only_once(
    site: Site, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    folder = tmp_path / "new" / "folder"
    path = fetch(
        site,
        folder,
        sha256=hashlib.sha256(HONEST).hexdigest().upper(),
        progress=lambda done, total: told.append((done, total)),
    )
    assert path == folder / "imagenette2"
    check_result(folder)
    assert told[-1] == (len(HONEST), len(HONEST))
    assert told == sorted(told)
    assert len(told) > 3
    assert fetch(site, folder) == path
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "validators",
    [{"ETag": '"one"'}, {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}],
    ids=["etag", "date"],
)
def test_an_interrupted_transfer_goes_on(site: Site, tmp_path: Path, validators: dict[str, str]) -> None:
    site.validators = validators
    assert stop_halfway(site, tmp_path) == 700_000
    told = []
    fetch(site, tmp_path, progress=lambda done, total: told.append((done, total)))
    check_result(tmp_path)
    assert site.asked[1]["Range"] == "bytes=700000-"
    assert told[0][0] > 700_000
    assert told[-1] == (len(HONEST), len(HONEST))


def test_a_changed_file_starts_again(site: Site, tmp_path: Path) -> None:
    stop_halfway(site, tmp_path)
    site.body = gzip.compress(gzip.decompress(HONEST), 1, mtime=0)
    site.validators = {"ETag": '"two"'}
    fetch(site, tmp_path)
    assert site.asked[1]["If-Range"] == '"one"'
    check_result(tmp_path, site.body)


def test_a_server_without_ranges_sends_all_again(site: Site, tmp_path: Path) -> None:
    stop_halfway(site, tmp_path)
    site.ranges = False
    fetch(site, tmp_path)
    check_result(tmp_path)


@pytest.mark.parametrize("validators", [{}, {"ETag": 'W/"weak"'}], ids=["none", "weak"])
def test_without_proof_that_the_file_is_the_same_it_starts_again(
    site: Site, tmp_path: Path, validators: dict[str, str]
) -> None:
    site.validators = validators
    stop_halfway(site, tmp_path)
    fetch(site, tmp_path)
    assert "Range" not in site.asked[1]
    check_result(tmp_path)


def test_another_address_or_a_spoilt_note_starts_again(site: Site, tmp_path: Path) -> None:
    stop_halfway(site, tmp_path)
    (tmp_path / "imagenette2.tgz.partial.json").write_text("[]")
    fetch(site, tmp_path)
    assert "Range" not in site.asked[1]
    check_result(tmp_path)


def test_a_complete_partial_file_is_fetched_again(site: Site, tmp_path: Path) -> None:
    stop_halfway(site, tmp_path)
    (tmp_path / "imagenette2.tgz.partial").write_bytes(HONEST)
    fetch(site, tmp_path)
    assert len(site.asked) == 3
    check_result(tmp_path)


def test_a_server_that_tells_no_length(site: Site, tmp_path: Path) -> None:
    site.tell_length = False
    told = []
    fetch(site, tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(HONEST), 0)
    check_result(tmp_path)


def test_a_wrong_checksum_leaves_nothing(site: Site, tmp_path: Path) -> None:
    with pytest.raises(VisteerError, match="another checksum"):
        fetch(site, tmp_path, sha256="0" * 64)
    assert names(tmp_path) == []


def test_an_archive_that_lies_there_is_unpacked_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "imagenette2.tgz").write_bytes(HONEST)
    with pytest.raises(VisteerError, match="another checksum"):
        download("imagenette", tmp_path, url="http://127.0.0.1:9/", sha256="0" * 64)
    download("imagenette", tmp_path, url="http://127.0.0.1:9/")
    check_result(tmp_path)


def test_not_there_and_no_network(site: Site, tmp_path: Path) -> None:
    with pytest.raises(VisteerError, match=r"is not there \(404\)"):
        download("imagenette", tmp_path, url=site.url + "x")
    with pytest.raises(VisteerError, match="cannot be reached"):
        download("imagenette", tmp_path, url="http://127.0.0.1:9/imagenette2.tgz")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a.tgz", "imagenette2.tgz", "http://"])
def test_other_addresses_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(VisteerError, match=r"no http or https address|cannot be reached"):
        download("imagenette", tmp_path, url=url)


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_redirects_to_other_schemes_are_refused(site: Site, tmp_path: Path, place: str) -> None:
    site.redirect = place
    with pytest.raises(VisteerError, match=r"cannot be reached|answers 302"):
        fetch(site, tmp_path)
    assert names(tmp_path) == []


def test_https_is_not_left_for_http() -> None:
    asked = module.request.Request("https://example.org/a")
    with pytest.raises(module.URLError, match="redirects"):
        module._SafeRedirects().redirect_request(asked, io.BytesIO(), 302, "", {}, "http://example.org/a")


def test_a_silent_server_times_out(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    release = threading.Event()
    monkeypatch.setattr(site, "answer", lambda handler: release.wait(10), raising=False)
    try:
        with pytest.raises(VisteerError, match=r"cannot be reached \(timed out\)"):
            fetch(site, tmp_path)
    finally:
        release.set()


def test_too_little_room_is_told_before_anything_is_written(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(VisteerError, match=r"disk of .* is full .* 1,000 are free"):
        fetch(site, tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_fills_up_is_told(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**12))
    (tmp_path / "imagenette2.tgz.partial").symlink_to("/dev/full")
    with pytest.raises(VisteerError, match=r"disk of .* is full"):
        fetch(site, tmp_path)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VisteerError, match="cannot be written"):
        download("imagenette", tmp_path / "file" / "inside")


def huge_header() -> bytes:
    """A pax header that claims, and has, more bytes than any name needs."""
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, 2**25
    return gzip.compress(info.tobuf() + bytes(2**25), 1)


EVIL: dict[str, Callable[[], bytes]] = {
    "up": lambda: tgz(entry("imagenette2/../../out", b"x")),
    "absolute": lambda: tgz(entry("/tmp/visteer-out", b"x")),
    "backslash": lambda: tgz(entry("imagenette2\\..\\out", b"x")),
    "symlink": lambda: tgz(entry("imagenette2/a", kind=tarfile.SYMTYPE, link="/etc/passwd")),
    "hard link": lambda: tgz(entry("imagenette2/a", kind=tarfile.LNKTYPE, link="/etc/passwd")),
    "device": lambda: tgz(entry("imagenette2/a", kind=tarfile.CHRTYPE)),
    "pipe": lambda: tgz(entry("imagenette2/a", kind=tarfile.FIFOTYPE)),
    "elsewhere": lambda: tgz(entry("other/a", b"x")),
    "twice": lambda: tgz(entry("imagenette2/a", b"x"), entry("imagenette2/a", b"y")),
    "nothing": tgz,
    "a file as the folder": lambda: tgz(entry("imagenette2", b"x")),
    "huge header": huge_header,
}


@pytest.mark.parametrize("kind", EVIL)
def test_evil_archives_are_refused_and_leave_nothing_outside(site: Site, tmp_path: Path, kind: str) -> None:
    site.body = EVIL[kind]()
    folder = tmp_path / "inner"
    with pytest.raises(VisteerError, match=r"is not unpacked: .*; delete it"):
        fetch(site, folder)
    assert names(tmp_path) == ["inner"]
    assert names(folder) == ["imagenette2.tgz", "imagenette2.tgz.sha256"]
    assert not Path("/tmp/visteer-out").exists()


@pytest.mark.parametrize("cap", ["MAX_FILES", "MAX_BYTES"])
def test_too_many_files_or_bytes_are_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cap: str
) -> None:
    monkeypatch.setattr(module, cap, 2)
    with pytest.raises(VisteerError, match="holds more than"):
        fetch(site, tmp_path)
    assert not (tmp_path / "imagenette2").exists()


@pytest.mark.parametrize("body", [HONEST[:-5000], b"<html>no archive</html>", gzip.compress(b"no tar" * 200)])
def test_a_damaged_archive_is_told_and_leaves_no_data(site: Site, tmp_path: Path, body: bytes) -> None:
    site.body = body
    with pytest.raises(VisteerError, match=r"is damaged .*: delete it"):
        fetch(site, tmp_path)
    assert names(tmp_path) == ["imagenette2.tgz", "imagenette2.tgz.sha256"]


def test_sets_behind_a_login_say_what_to_fetch_and_where_to_put_it(tmp_path: Path) -> None:
    for name, parts in (
        ("busi", ["Dataset_BUSI_with_GT"]),
        ("isic", ["Skin cancer ISIC", "Part1_GroundTruth"]),
    ):
        text = download_instructions(name)
        assert "https://" in text
        assert all(part in text for part in parts)
        with pytest.raises(VisteerError, match="login"):
            download(name, tmp_path)
    with pytest.raises(ValueError, match="instructions"):
        download_instructions("imagenette")
    with pytest.raises(VisteerError, match="take one of imagenette, busi, isic"):
        download("cifar", tmp_path)
    assert names(tmp_path) == []
