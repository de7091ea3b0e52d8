"""Verdicts, and what the list makes of them and of edits."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests.server.serving import WRITE, edit_bytes, keys_of, put, say
from visteer.edits.map_edit import MapEdit
from visteer.edits.store import StoreFailure
from visteer.server.messages import MAX_COMMENT
from visteer.server.misalignment import edit_misalignment, guessed_misalignment
from visteer.study import Study, explain_run


@pytest.fixture
def row(study: Study) -> int:
    """The place in the test split of an image whose map is not dead."""
    with np.load(study.folder / "maps" / "plain-1-test.npz") as file:
        assert not file["dead"].all()
        return int(np.flatnonzero(~file["dead"])[0])


@pytest.fixture
def key(study: Study, row: int) -> int:
    """The key of that image."""
    return study.ids().index(study.ids("test")[row])


def test_each_verdict_makes_its_state(client, key):
    expected = {
        "skip": ("skipped", None),
        "unreasonable": ("none", False),
        "reasonable": ("accepted", True),
    }
    for verdict, (state, reasonable) in expected.items():
        answer = say(client, key, verdict, run="plain-1", comment=f"so: {verdict}")
        assert answer.status_code == 200
        item = client.get(f"/api/images/{key}").json()
        assert (item["state"], item["reasonable"]) == (state, reasonable)
        assert (item["verdict"], item["comment"], item["author"]) == (verdict, f"so: {verdict}", "Ada")
        assert {name: item[name] for name in answer.json()} == answer.json()
    assert client.get(f"/api/images/{key}/history").json() == []


def test_a_skip_does_not_take_a_judgement_back(client, key):
    say(client, key, "reasonable")
    say(client, key, "skip")
    item = client.get(f"/api/images/{key}").json()
    assert (item["state"], item["reasonable"]) == ("skipped", True)


def test_nothing_saves_an_edit_that_is_irrelevant_everywhere(client, key, study):
    put(client, key, 0)
    assert say(client, key, "nothing", comment="healthy").json()["revision"] == 2
    item = client.get(f"/api/images/{key}").json()
    assert (item["state"], item["revision"], item["verdict"]) == ("nothing", 2, "nothing")
    content = client.get(f"/api/images/{key}/edit").content
    assert content == b"VSE1" + struct.pack("<II", 48, 48) + bytes(2 * 48 * 48) + b"\xff" * 48 * 48
    entry = client.get(f"/api/images/{key}/history").json()[0]
    assert (entry["has_relevant"], entry["source"], entry["comment"]) == (False, "nothing", "healthy")


def test_the_state_is_by_the_latest_act_of_anybody(serve, key):
    ada, eve = serve("Ada"), serve("Eve")

    def state() -> tuple[str, str]:
        item = ada.get(f"/api/images/{key}").json()
        return item["state"], item["author"]

    put(ada, key, 0)
    assert state() == ("edited", "Ada")
    say(eve, key, "reasonable")
    assert state() == ("accepted", "Eve")
    put(eve, key, 1)
    assert state() == ("edited", "Eve")
    say(ada, key, "nothing")
    assert state() == ("nothing", "Ada")
    say(eve, key, "skip")
    assert state() == ("skipped", "Eve")
    say(ada, key, "unreasonable")
    assert state() == ("edited", "Ada")


def test_all_can_be_judged_and_judged_again(client, study):
    for verdict in ("unreasonable", "reasonable"):
        for key in range(len(study.samples)):
            assert say(client, key, verdict).status_code == 200
    assert keys_of(client, state="none") == []
    assert client.get("/api/images").json()["states"]["accepted"] == len(study.samples)
    with study.open_edits() as store:
        assert len(store.verdict_notes()) == 2 * len(study.samples)


def test_misalignment_is_a_guess_first_and_measured_once_there_is_an_edit(client, key, row, study):
    explained = explain_run(study, "plain-1", "test", instability=True)
    item = client.get(f"/api/images/{key}").json()
    guess = guessed_misalignment(explained.maps, explained.probabilities.max(axis=1), explained.instability)[
        row
    ]
    assert item["misalignment"] == pytest.approx(float(guess), abs=1e-5)
    assert item["reasonable"] is None
    put(client, key, 0)
    target = np.zeros((6, 8))
    target[:3] = 1
    value = edit_misalignment(explained.maps[row], MapEdit(target, np.ones((6, 8)), author="Ada"))
    item = client.get(f"/api/images/{key}").json()
    assert item["misalignment"] == pytest.approx(value, abs=1e-5)
    assert item["reasonable"] == (value < 0.5)
    put(client, key, 1, edit_bytes(0))  # nothing relevant any more
    item = client.get(f"/api/images/{key}").json()
    assert item["misalignment"] == pytest.approx(float(guess), abs=1e-5)
    assert item["reasonable"] is None


def test_an_edit_that_is_the_map_makes_it_reasonable_unless_the_expert_says_otherwise(
    client, key, row, study
):
    values = explain_run(study, "plain-1", "test").maps[row]
    height, width = values.shape
    steps = np.rint(values.astype(np.float64) * 65535).astype("<u2")
    put(client, key, 0, b"VSE1" + struct.pack("<II", width, height) + steps.tobytes() + b"\xff" * values.size)
    item = client.get(f"/api/images/{key}").json()
    assert item["misalignment"] == pytest.approx(0, abs=1e-3)
    assert item["reasonable"] is True
    say(client, key, "unreasonable")
    assert client.get(f"/api/images/{key}").json()["reasonable"] is False


def test_the_list_follows_at_once(serve, study, key):
    ada, eve = serve("Ada"), serve("Eve")
    before = ada.get("/api/images").json()
    assert before["states"] == {"none": 40, "edited": 0, "accepted": 0, "nothing": 0, "skipped": 0}
    predicted = len(study.ids("test")) + len(study.ids("val"))
    assert sum(before["counts"].values()) == predicted
    right = client_right(ada, key)
    say(eve, key, "reasonable")
    group = f"{'right' if right else 'wrong'}_reasonable"
    assert keys_of(ada, group=group) == [key]
    assert keys_of(ada, state="accepted", author="Eve") == [key]
    assert keys_of(ada, author="Ada") == []
    assert keys_of(ada, author="nobody") == []
    after = ada.get("/api/images", params={"group": group}).json()
    assert after["total"] == after["counts"][group] == 1
    assert sum(after["counts"].values()) == predicted


def client_right(client, key: int) -> bool:
    found = client.get(f"/api/images/{key}").json()["right"]
    assert found is not None
    return bool(found)


def test_what_another_program_stores_is_seen(client, key, study):
    assert keys_of(client, state="edited") == []
    with study.open_edits() as store:
        store.append(study.samples[key].id, MapEdit([[1.0]], [[1.0]], author="import"))
        store.append("an image of another study", MapEdit([[1.0]], [[1.0]], author="import"))
    assert keys_of(client, state="edited", author="import") == [key]


def test_a_verdict_holds_for_the_run_that_was_seen(client, key):
    say(client, key, "reasonable")
    catalogue = client.app.state.editor.catalogue
    assert catalogue.item("plain-1", key).reasonable is True
    assert catalogue.item("another", key).reasonable is None


def test_parts_of_the_list_join_to_the_whole(client):
    whole = keys_of(client, sort="queue", seed=5)
    parts = [keys_of(client, sort="queue", seed=5, offset=start, limit=7) for start in range(0, 49, 7)]
    assert [key for part in parts for key in part] == whole
    assert sorted(whole) == list(range(40))
    assert keys_of(client, offset=10**9) == []


def test_classes_and_splits_filter(client, study):
    dogs = keys_of(client, class_="dog", split="test")
    assert {study.samples[key].id for key in dogs} == {i for i in study.ids("test") if i.startswith("dog")}
    found = keys_of(client, search="DOG/0")
    assert {study.samples[key].id for key in found} == {f"dog/0{number}.png" for number in range(10)}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verdict": "maybe"},
        {"verdict": "skip", "more": 1},
        {"verdict": "skip", "comment": "a" * (MAX_COMMENT + 1)},
        {"verdict": "skip", "comment": "a\0"},
        {"verdict": "skip", "comment": 1},
        {"verdict": "skip", "author": "Eve"},
        [],
        None,
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_verdict_that_cannot_be_meant_is_refused(client, body):
    answer = client.post("/api/images/0/verdict", json=body, headers=WRITE)
    assert answer.status_code == 422
    assert "\n" not in answer.json()["detail"]
    assert client.get("/api/images/0").json()["verdict"] is None


def test_a_lone_surrogate_is_refused(client):
    content = rb'{"verdict": "skip", "comment": "\ud800"}'
    headers = {**WRITE, "Content-Type": "application/json"}
    assert client.post("/api/images/0/verdict", content=content, headers=headers).status_code == 422
    assert say(client, 0, "skip", run="no-9").status_code == 404


def test_a_store_that_fails_for_a_moment_leaves_no_wrong_figure(client, key, row, study, monkeypatch):
    client.get("/api/images")
    put(client, key, 0)
    store = client.app.state.editor.store
    monkeypatch.setattr(store, "latest", lambda ids: (_ for _ in ()).throw(StoreFailure("busy")))
    assert client.get(f"/api/images/{key}").status_code == 503
    monkeypatch.undo()
    item = client.get(f"/api/images/{key}").json()
    target = np.zeros((6, 8))
    target[:3] = 1
    maps = explain_run(study, "plain-1", "test").maps
    value = edit_misalignment(maps[row], MapEdit(target, np.ones((6, 8)), author="Ada"))
    assert item["misalignment"] == pytest.approx(value, abs=1e-5)
    assert item["state"] == "edited"
