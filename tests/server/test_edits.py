"""Saving: what is acknowledged is there, a conflict keeps both, a replay stores nothing twice."""

from __future__ import annotations

import gzip
import struct
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.serving import BASE, WRITE, edit_bytes, put
from visteer.edits.map_edit import MapEdit, from_steps
from visteer.server.edit_bytes import MAX_EDIT_BYTES, BadEditBytes, decode_edit, encode_edit

BIG = b"VSE1" + struct.pack("<II", 4096, 4096)


def test_an_image_without_an_edit(client):
    answer = client.get("/api/images/0/edit")
    assert (answer.status_code, answer.headers["etag"], answer.content) == (204, '"0"', b"")
    assert client.get("/api/images/0/history").json() == []
    assert client.get("/api/images/0/edit?revision=1").status_code == 404


def test_what_is_saved_comes_back_bit_by_bit_and_is_in_the_store(client, study):
    body = edit_bytes(12345, (5, 7), 77)
    saved = put(client, 0, 0, body, X_Visteer_Comment=quote("größer\nals gedacht"))
    assert (saved.status_code, saved.json(), saved.headers["etag"]) == (200, {"revision": 1}, '"1"')
    found = client.get("/api/images/0/edit")
    assert found.content == body
    assert found.headers["etag"] == '"1"'
    assert found.headers["x-visteer-author"] == "Ada"
    assert found.headers["x-visteer-source"] == "drawn"
    with study.open_edits() as store:
        edit = store.get(study.samples[0].id, 1)
    assert edit.comment == "größer\nals gedacht"
    assert edit.steps[0][0, 0] == 12345
    assert set(edit.steps[1].ravel()) == {77}
    assert found.headers["x-visteer-time"] == edit.time.isoformat()


def test_a_packed_body_is_the_same(client):
    body = edit_bytes(shape=(300, 200))
    assert put(client, 0, 0, gzip.compress(body), Content_Encoding="gzip").status_code == 200
    assert client.get("/api/images/0/edit").content == body


def test_a_conflict_keeps_both(serve):
    ada, eve = serve("Ada"), serve("Eve")
    first, second = edit_bytes(1), edit_bytes(2)
    assert put(ada, 0, 0, first).status_code == 200
    refused = put(eve, 0, 0, second)
    assert refused.status_code == 412
    assert refused.json()["latest"] == 1
    assert refused.json()["author"] == "Ada"
    assert "revision 1" in refused.json()["detail"]
    assert refused.headers["etag"] == '"1"'
    assert [entry["revision"] for entry in eve.get("/api/images/0/history").json()] == [1]
    assert put(eve, 0, 1, second).json() == {"revision": 2}
    assert eve.get("/api/images/0/edit?revision=1").content == first
    assert ada.get("/api/images/0/edit").content == second


def test_a_save_that_does_not_say_what_it_is_based_on_is_refused(client):
    missing = client.put("/api/images/0/edit", content=edit_bytes(), headers=WRITE)
    assert missing.status_code == 428
    assert "If-Match" in missing.json()["detail"]
    for bad in ("1", "*", 'W/"1"', '"1", "2"', '"-1"', '"x"', '"99999999999999"', '"٣"'.encode()):
        headers = {**WRITE, "If-Match": bad}
        assert client.put("/api/images/0/edit", content=edit_bytes(), headers=headers).status_code == 400, bad


def test_a_stroke_that_is_sent_again_gets_its_first_answer(client):
    name = str(uuid.uuid4())
    body = edit_bytes(7)
    assert put(client, 0, 0, body, X_Visteer_Stroke=name).json() == {"revision": 1}
    assert put(client, 0, 1, edit_bytes(8)).json() == {"revision": 2}
    again = put(client, 0, 0, body, X_Visteer_Stroke=name.upper())
    assert (again.status_code, again.json(), again.headers["etag"]) == (200, {"revision": 1}, '"1"')
    assert len(client.get("/api/images/0/history").json()) == 2
    other = put(client, 0, 2, edit_bytes(9), X_Visteer_Stroke=name)
    assert other.status_code == 409
    assert "send the edit under a new name" in other.json()["detail"]
    assert put(client, 1, 0, edit_bytes(9), X_Visteer_Stroke=name).json() == {"revision": 1}
    assert put(client, 0, 2, X_Visteer_Stroke="no-uuid").status_code == 400


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", {}, 400),
        (b"VSE1", {}, 400),
        (b"PNG1" + edit_bytes()[4:], {}, 400),
        (edit_bytes()[:-1], {}, 400),
        (edit_bytes() + b"\0", {}, 400),
        (b"VSE1" + struct.pack("<II", 0, 4), {}, 400),
        (b"VSE1" + struct.pack("<II", 2**32 - 1, 2**32 - 1), {}, 400),
        (b"VSE1" + struct.pack("<II", 4097, 1) + bytes(3 * 4097), {}, 400),
        (b"no gzip", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(edit_bytes())[:-3], {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(edit_bytes()) + b"more", {"Content-Encoding": "gzip"}, 400),
        (zlib.compress(edit_bytes()), {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(BIG + bytes(3 * 4096 * 4096 + 1)), {"Content-Encoding": "gzip"}, 413),
        (edit_bytes(), {"Content-Encoding": "br"}, 415),
        (edit_bytes(), {"Content-Encoding": "gzip, gzip"}, 415),
        (edit_bytes(), {"X-Visteer-Comment": "%ff"}, 400),
        (edit_bytes(), {"X-Visteer-Comment": "a%00"}, 400),
        (edit_bytes(), {"X-Visteer-Comment": "a" * 4001}, 400),
        (bytes(MAX_EDIT_BYTES + 1), {}, 413),
    ],
    ids=lambda value: str(value)[:30] if not isinstance(value, bytes) else f"{len(value)} bytes",
)
def test_a_body_that_is_no_edit_is_refused_and_nothing_stored(client, body, headers, code):
    answer = client.put("/api/images/0/edit", content=body, headers={**WRITE, "If-Match": '"0"', **headers})
    assert answer.status_code == code
    assert "\n" not in answer.json()["detail"]
    assert client.get("/api/images/0/edit").status_code == 204


def test_a_body_without_a_length_is_stopped_when_it_gets_too_long(client):
    sent = 0

    def endless():
        nonlocal sent
        while sent < 4 * MAX_EDIT_BYTES:
            sent += 2**20
            yield bytes(2**20)

    headers = {**WRITE, "If-Match": '"0"'}
    assert client.put("/api/images/0/edit", content=endless(), headers=headers).status_code == 413


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_coding_loses_nothing(height, width, seed):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 65536, (height, width), dtype=np.uint16)
    weight = rng.integers(0, 256, (height, width), dtype=np.uint8)
    edit = MapEdit(*from_steps(target, weight), author="Ada")
    coded = encode_edit(edit)
    assert coded == b"VSE1" + struct.pack("<II", width, height) + target.tobytes() + weight.tobytes()
    assert MapEdit.of_steps(*decode_edit(coded), author="Ada").digest == edit.digest


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(content):
    try:
        decode_edit(content)
    except BadEditBytes:
        return


def test_two_experts_at_once_lose_nothing(serve):
    """Each takes the latest edit, adds to it and saves; who is late does so again."""
    names = ("Ada", "Eve", "Zoë")
    browsers = {name: serve(name) for name in names}
    start = Barrier(len(names))
    saved: list[tuple[str, int]] = []

    def work(name: str) -> None:
        browser = browsers[name]
        start.wait()
        for number in range(5):
            while True:
                latest = browser.get("/api/images/0/edit").headers["etag"].strip('"')
                answer = put(browser, 0, int(latest), edit_bytes(100 * names.index(name) + number + 1))
                if answer.status_code == 200:
                    saved.append((name, answer.json()["revision"]))
                    break
                assert answer.status_code == 412

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(work, names))
    history = browsers["Ada"].get("/api/images/0/history").json()
    assert sorted(revision for _, revision in saved) == list(range(1, 16))
    assert {(entry["author"], entry["revision"]) for entry in history} == set(saved)


def test_the_history_is_newest_first_and_says_who_and_what(serve):
    ada, eve = serve("Ada"), serve("Zoë <b>")
    put(ada, 0, 0, X_Visteer_Comment="first")
    put(eve, 0, 1, edit_bytes(0))
    history = eve.get("/api/images/0/history").json()
    assert [(e["revision"], e["author"], e["comment"], e["has_relevant"]) for e in history] == [
        (2, "Zoë <b>", "", False),
        (1, "Ada", "first", True),
    ]
    assert eve.get("/api/images/0/edit").headers["x-visteer-author"] == quote("Zoë <b>", safe=" ")


def test_restoring_appends_a_copy(serve):
    ada, eve = serve("Ada"), serve("Eve")
    put(ada, 0, 0, edit_bytes(1))
    put(ada, 0, 1, edit_bytes(2))
    wanted = {"revision": 1, "based_on": 2}
    answer = eve.post("/api/images/0/restore", json=wanted, headers=WRITE)
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, {"revision": 3}, '"3"')
    assert eve.get("/api/images/0/edit").content == edit_bytes(1)
    newest = eve.get("/api/images/0/history").json()[0]
    assert (newest["author"], newest["source"], newest["comment"]) == ("Eve", "restored", "revision 1 by Ada")
    late = ada.post("/api/images/0/restore", json=wanted, headers=WRITE)
    assert (late.status_code, late.json()["latest"], late.json()["author"]) == (412, 3, "Eve")
    gone = ada.post("/api/images/0/restore", json={"revision": 9, "based_on": 3}, headers=WRITE)
    assert gone.status_code == 404
    for bad in ({"revision": 0, "based_on": 0}, {"revision": 2**40, "based_on": 0}, {"revision": 1}, [], "x"):
        assert ada.post("/api/images/0/restore", json=bad, headers=WRITE).status_code == 422, bad


def test_a_database_that_fails_is_not_acknowledged(client, study):
    from sqlalchemy import create_engine, text

    engine = create_engine(f"sqlite:///{study.folder / 'visteer.db'}")
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TRIGGER no BEFORE INSERT ON edit_revisions BEGIN SELECT RAISE(ABORT, 'full'); END")
        )
    engine.dispose()
    answer = put(client, 0, 0)
    assert answer.status_code == 503
    assert "full" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "5"
    assert client.get("/api/images/0/edit", headers={"Origin": BASE}).status_code == 204
