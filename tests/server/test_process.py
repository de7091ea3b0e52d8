"""A real server process: killed right after an answer, stopped by Ctrl-C, asked for a port that is taken."""

from __future__ import annotations

import signal
import socket
import sys

import httpx
import pytest

from tests.cli.command_line import call
from tests.server.process import browser, running
from tests.server.serving import edit_bytes
from visteer.server.serving import OWN_PORTS, listen_at_own_port

NOT_WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@NOT_WINDOWS
def test_what_is_acknowledged_is_there_after_a_kill_and_the_session_goes_on(study, static):
    body = edit_bytes(321, (400, 300))
    with running(static, study.folder, "--author", "Ada") as (process, url):
        with browser(url) as ada:
            assert ada.get(url).status_code == 303
            saved = ada.put("/api/images/3/edit", content=body, headers={"If-Match": '"0"'})
            process.kill()
            assert saved.json() == {"revision": 1}
            cookies = ada.cookies
        assert process.wait() == -signal.SIGKILL
    with running(static, study.folder) as (_, again), browser(again, cookies) as ada:
        assert again != url
        assert again.partition("/?")[0] == url.partition("/?")[0]  # where the browser keeps its journal
        assert ada.get(url).status_code == 401  # its token was that of the server before
        found = ada.get("/api/images/3/edit")
        assert (found.status_code, found.content, found.headers["etag"]) == (200, body, '"1"')
        assert found.headers["x-visteer-author"] == "Ada"


@NOT_WINDOWS
def test_ctrl_c_stops_it_quietly(study, static):
    with running(static, study.folder) as (process, url), browser(url) as ada:
        assert ada.get(url).status_code == 303
        assert ada.get("/api/study").json()["count"] == 40
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert out == ""
        assert "Traceback" not in err
        assert url.rpartition("=")[2] not in err  # no log has the token


@NOT_WINDOWS
def test_a_slow_or_broken_request_does_not_stop_the_others(study, static):
    with running(static, study.folder) as (_, url), browser(url) as ada:
        ada.get(url)
        host, _, port = url.partition("/?")[0].removeprefix("http://").rpartition(":")
        with (
            socket.create_connection((host, int(port))) as slow,
            socket.create_connection((host, int(port))) as odd,
        ):
            slow.sendall(b"PUT /api/images/0/edit HTTP/1.1\r\nHost: x\r\n")
            odd.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
            assert odd.recv(100).startswith(b"HTTP/1.1 400")
            assert ada.get("/api/study").status_code == 200
            upgrade = {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Host": "evil.example",
            }
            assert httpx.get(f"http://{host}:{port}/", headers=upgrade, trust_env=False).status_code == 400


def test_a_study_s_own_port_is_its_own_and_a_second_server_takes_another(tmp_path):
    ports = []
    for secret in (b"a", b"a", b"b"):
        with (
            listen_at_own_port("127.0.0.1", secret) as first,
            listen_at_own_port("127.0.0.1", secret) as second,
        ):
            ports.append(first.getsockname()[1])
            assert second.getsockname()[1] != ports[-1]
    assert ports[0] == ports[1] != ports[2]
    assert set(ports) <= set(OWN_PORTS)


def test_a_port_that_is_taken_is_one_line(study, static, monkeypatch):
    monkeypatch.setattr("visteer.cli.edit.STATIC", static)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = call("edit", study.folder, "--port", port, "--no-browser")
        assert f"port {port} is taken; choose another by --port" in said.error


def test_what_cannot_be_served_is_one_line(study, static, tmp_path, monkeypatch):
    monkeypatch.setattr("visteer.cli.edit.STATIC", tmp_path / "empty")
    assert "page is not built: reinstall visteer" in call("edit", study.folder).error
    assert "reinstall visteer" in call("edit", study.folder).error
    monkeypatch.setattr("visteer.cli.edit.STATIC", static)
    assert "is not a study" in call("edit", tmp_path / "no").error
    assert "has no run 'no'; there are: plain-1" in call("edit", study.folder, "--run", "no").error
    assert "has no run '../study'" in call("edit", study.folder, "--run", "../study").error
    assert "there is no host 'no.invalid'" in call("edit", study.folder, "--host", "no.invalid").error
    assert "--port" in call("edit", study.folder, "--port", 70000).misuse
    assert "--author must not be empty" in call("edit", study.folder, "--author", " ").misuse
    (study.folder / "visteer.db").write_bytes(b"no database at all, but long enough to be read as one")
    assert "is damaged or is no SQLite database" in call("edit", study.folder).error
    for rest in study.folder.glob("visteer.db*"):
        rest.unlink()
    assert "with the edits is gone; restore it from a backup" in call("edit", study.folder).error
    assert not list(study.folder.glob("visteer.db*"))  # no new one hides the loss
