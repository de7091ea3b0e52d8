"""Nobody gets in without the link, and no other page can write; tried on every route that there is."""

from __future__ import annotations

import os
import stat

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from tests.server.serving import BASE, TOKEN, WRITE, edit_bytes, open_client, put
from visteer.server.app import create_app
from visteer.server.gate import COOKIE, HEADERS, MAX_JSON_BYTES, allowed_hosts
from visteer.server.sessions import SECONDS, Sessions, session_secret

FOREIGN = ["evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:8765.evil.example", ""]


def every_route(app) -> list[tuple[str, str]]:
    """(method, path) of all that the application answers, in and outside of its OpenAPI listing."""
    found = {
        (method.upper(), path.replace("{key}", "0").replace("{number}", "0"))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    pending = list(app.routes)
    while pending:
        route = pending.pop()
        if isinstance(route, Route | APIRoute):
            path = (
                route.path.replace("{key}", "0")
                .replace("{number}", "0")
                .replace("{name:path}", "app-1a2b.js")
            )
            found |= {(method, path) for method in route.methods}
        else:
            pending += getattr(getattr(route, "original_router", route), "routes", [])
    return sorted(found)


def test_every_route_without_a_session_is_refused(client, stranger):
    routes = every_route(client.app)
    paths = {path for _, path in routes}
    assert {"/", "/openapi.json", "/assets/app-1a2b.js", "/api/study", "/api/images/0/edit"} <= paths
    assert len(routes) >= 13
    unknown = [
        ("GET", "/no"),
        ("POST", "/api/no"),
        ("OPTIONS", "/api/study"),
        ("HEAD", "/"),
        ("GET", "/docs"),
    ]
    for method, path in [*routes, *unknown]:
        for cookie in (None, "", "x", "99999999999.00", f"{10**11}.{'0' * 64}", "é", "1." * 5000):
            headers = dict(WRITE)
            if cookie is not None:
                headers["Cookie"] = f"{COOKIE}={cookie}".encode("latin-1")  # type: ignore[assignment]
            answer = stranger.request(method, path, headers=headers, content=b"{}")
            assert answer.status_code == 401, (method, path, cookie)
            assert "visteer edit" in answer.text or method == "HEAD"
            assert "set-cookie" not in answer.headers


def test_every_route_with_a_session_is_there(client):
    for method, path in every_route(client.app):
        if method == "GET":
            query: dict[str, str] = {}
            if path.startswith("/api/ratings"):
                query = {"run": "plain-1", "split": "test"}
            if path.endswith("/comparison"):
                query = {"before": "plain-1", "after": "plain-1"}
            assert client.get(path, params=query).status_code in (200, 204), path


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_gets_nothing_not_even_with_a_session(client, host):
    for method, path in every_route(client.app):
        answer = client.request(method, path, headers={**WRITE, "Host": host}, content=b"{}")
        assert answer.status_code == 400, (method, path)
    assert client.get("/", params={"token": TOKEN}, headers={"Host": host}).status_code == 400
    assert client.get("/api/images/0/edit").status_code == 204


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
def test_the_names_of_this_machine_are_answered(client, host):
    cookie = f"{COOKIE}={client.cookies[COOKIE]}"
    assert client.get("/api/study", headers={"Host": host, "Cookie": cookie}).status_code == 200


def test_a_web_socket_is_refused(client):
    from starlette.websockets import WebSocketDisconnect

    for path in ("/", "/api/study", "/ws"):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(path):
            pass


WRITES = [
    ("PUT", "/api/images/0/edit", edit_bytes()),
    ("POST", "/api/images/0/verdict", b'{"verdict": "skip"}'),
    ("POST", "/api/images/0/restore", b'{"revision": 1, "based_on": 0}'),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Visteer": ""},
        {"X-Visteer": "2"},
        {"X-Visteer": "1", "Origin": "http://evil.example"},
        {"X-Visteer": "1", "Origin": "null"},
        {"X-Visteer": "1", "Origin": ""},
        {"X-Visteer": "1", "Origin": "http://127.0.0.1:8766"},
        {"X-Visteer": "1", "Origin": "http://127.0.0.1"},
        {"X-Visteer": "1", "Origin": "http://localhost:8765"},
        {"X-Visteer": "1", "Origin": f"{BASE}.evil.example"},
        {"X-Visteer": "1", "Origin": BASE, "Sec-Fetch-Site": "cross-site"},
        {"X-Visteer": "1", "Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_write_that_another_page_could_send_is_refused(client, method, path, body, headers):
    kind = "application/octet-stream" if method == "PUT" else "application/json"
    sent = {"If-Match": '"0"', "Content-Type": kind, **headers}
    assert client.request(method, path, content=body, headers=sent).status_code == 403
    assert client.get("/api/images/0").json()["state"] == "none"
    assert client.get("/api/images/0/edit").status_code == 204


def test_a_write_without_an_origin_is_one_of_a_program_and_passes(client):
    answer = client.put(
        "/api/images/0/edit", content=edit_bytes(), headers={"X-Visteer": "1", "If-Match": '"0"'}
    )
    assert answer.status_code == 200


def test_the_link_opens_a_session_and_a_wrong_one_does_not(client, stranger):
    for wrong in ("", "x", TOKEN + "x", TOKEN[:-1], "é", "\ud800".encode("utf-8", "surrogatepass")):
        answer = stranger.get("/", params={"token": wrong})
        assert answer.status_code == 401
        assert "link" in answer.text
        assert answer.headers["content-type"].startswith("text/html")
        assert "set-cookie" not in answer.headers
    assert stranger.get("/api/study", params={"token": TOKEN}).status_code == 401
    right = stranger.get("/", params={"token": TOKEN})
    assert (right.status_code, right.headers["location"]) == (303, "/")
    given = right.headers["set-cookie"].lower()
    assert given.startswith(f"{COOKIE}=")
    for part in ("httponly", "samesite=strict", "path=/", "max-age=43200"):
        assert part in given
    assert "domain" not in given
    assert stranger.get("/").text.startswith("<!doctype html>")
    assert client.get("/", params={"token": TOKEN}).status_code == 303  # stays valid while the server lives


def test_all_answers_have_the_headers(client, stranger):
    answers = [
        client.get("/"),
        client.get("/api/study"),
        client.get("/api/images/0/picture"),
        client.get("/assets/app-1a2b.js"),
        client.get("/no"),
        client.get("/api/images/x"),
        put(client, 0, 0),
        client.get("/", params={"token": TOKEN}),
        stranger.get("/"),
        stranger.get("/api/study"),
        stranger.get("/", headers={"Host": "evil.example"}),
    ]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, answer.url
    assert client.get("/api/study").headers["cache-control"] == "no-store"
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_a_bug_is_told_in_one_line_and_with_the_headers(client, monkeypatch):
    from fastapi.testclient import TestClient

    def break_down(*_: object) -> None:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(type(client.app.state.editor.catalogue), "item", break_down)
    with TestClient(client.app, base_url=BASE, raise_server_exceptions=False) as browser:
        browser.cookies = client.cookies
        answer = browser.get("/api/images/0")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    "key",
    [
        "..",
        "../../samples.csv",
        "..%2f..%2fvisteer.db",
        "%2e%2e%2fvisteer.toml",
        "..%5c..%5cvisteer.db",
        "%2fetc%2fpasswd",
        "C:%5cWindows",
        "%5c%5chost%5cshare",
        "0%00",
        "0%0a",
        "0.0",
        "1e1",
        "٣",
        "9" * 5000,
        "-0x1",
        "cat%2f00.png",
    ],
)
def test_an_image_has_a_number_and_no_path(client, key):
    for rest in ("", "/picture", "/map", "/edit", "/history"):
        answer = client.get(f"/api/images/{key}{rest}")
        assert answer.status_code in (404, 422), (key, rest)
    for tail in (f"%2e%2e%2f{key}", f"..%2f{key}", f"x%2f..%2f..%2f{key}", f"..%5c{key}", f"%2f{key}"):
        assert client.get(f"/assets/{tail}").status_code in (404, 422), tail


def test_a_link_among_the_assets_is_not_followed(serve, static, tmp_path):
    (tmp_path / "outside.js").write_text("secret")
    (static / "assets" / "link.js").symlink_to(tmp_path / "outside.js")
    (static / "assets" / "notes.txt").write_text("secret")
    client = serve()
    assert client.get("/assets/link.js").status_code == 404
    assert client.get("/assets/notes.txt").status_code == 404
    assert client.get("/assets/app-1a2b.js").status_code == 200


def test_long_bodies_are_refused_before_they_are_read(client):
    long = b'{"verdict": "skip", "comment": "' + b"a" * MAX_JSON_BYTES + b'"}'
    headers = {**WRITE, "Content-Type": "application/json"}
    assert client.post("/api/images/0/verdict", content=long, headers=headers).status_code == 413

    def in_parts():
        for start in range(0, len(long), 1000):
            yield long[start : start + 1000]

    assert client.post("/api/images/0/verdict", content=in_parts(), headers=headers).status_code == 413
    for length in ("-1", "1e9", "x", "9" * 30):
        refused = client.post(
            "/api/images/0/verdict", content=b"{}", headers={**headers, "Content-Length": length}
        )
        assert refused.status_code in (400, 413), length
    deep = b"[" * 20000
    assert client.post("/api/images/0/verdict", content=deep, headers=headers).status_code in (400, 422)


def test_a_body_that_comes_too_slowly_is_ended(client, monkeypatch):
    import anyio

    from visteer.server import gate

    monkeypatch.setattr(gate, "BODY_SECONDS", 0.05)
    answers = []

    async def work() -> None:
        async def receive():
            await anyio.sleep(0.04)
            return {"type": "http.request", "body": b"x", "more_body": True}

        async def send(message):
            if message["type"] == "http.response.start":
                answers.append(message["status"])

        cookie = f"{COOKIE}={client.cookies[COOKIE]}".encode()
        headers = [
            (b"host", b"127.0.0.1:8765"),
            (b"x-visteer", b"1"),
            (b"if-match", b'"0"'),
            (b"cookie", cookie),
        ]
        scope = {
            "type": "http",
            "method": "PUT",
            "path": "/api/images/0/edit",
            "query_string": b"",
            "headers": headers,
        }
        await client.app(scope, receive, send)

    anyio.run(work)
    assert answers == [408]


def test_a_session_ends_after_twelve_hours():
    clock = [1000.0]
    sessions = Sessions(TOKEN, b"secret", now=lambda: clock[0])
    session = sessions.new()
    assert SECONDS == 43200
    clock[0] += SECONDS - 1
    assert sessions.is_valid(session)
    clock[0] += 1
    assert not sessions.is_valid(session)
    expiry, _, signature = session.partition(".")
    assert not sessions.is_valid(f"{int(expiry) + 9999}.{signature}")
    assert not Sessions(TOKEN, b"another", now=lambda: 1000.0).is_valid(session)


def test_a_session_survives_the_server_but_not_a_new_secret(client, study, static):
    def serve_again():
        return create_app(study, token="another", hosts=allowed_hosts(8765), author="Ada", static=static)

    secret = study.folder / "editor.secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.stat().st_size == 32
    from fastapi.testclient import TestClient

    again = TestClient(serve_again(), base_url=BASE, cookies=client.cookies, follow_redirects=False)
    assert again.get("/api/study").status_code == 200
    assert again.get("/", params={"token": TOKEN}).status_code == 401  # the link of the server before
    again.app.state.editor.store.close()
    secret.unlink()
    fresh = TestClient(serve_again(), base_url=BASE, cookies=client.cookies, follow_redirects=False)
    assert fresh.get("/api/study").status_code == 401
    fresh.app.state.editor.store.close()


def test_a_secret_that_others_can_read_is_replaced(tmp_path):
    first = session_secret(tmp_path)
    assert session_secret(tmp_path) == first
    if os.name == "posix":
        (tmp_path / "editor.secret").chmod(0o644)
        assert session_secret(tmp_path) != first
    (tmp_path / "editor.secret").write_bytes(b"cut")
    (tmp_path / "editor.secret").chmod(0o600)
    assert len(session_secret(tmp_path)) == 32
    assert list(tmp_path.iterdir()) == [tmp_path / "editor.secret"]


def test_open_client_is_what_a_browser_does(client):
    with open_client(client.app) as other:
        assert other.get("/api/study").status_code == 200
