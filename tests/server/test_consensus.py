"""Several people on one image: how far they agree, and a consensus as a new revision that overwrites nobody."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests.server.serving import WRITE, edit_bytes, put, say
from visteer.study import Study


@pytest.fixture
def two(serve, study: Study):
    """Ada and Eve; Ada has drawn the upper half, Eve the same but half as relevant."""
    ada, eve = serve("Ada"), serve("Eve")
    assert put(ada, 0, 0).status_code == 200
    assert put(eve, 0, 1, edit_bytes(value=32768)).status_code == 200
    return ada, eve


def consensus(client, method: str = "mean", based_on: int = 2):
    return client.post(
        "/api/images/0/consensus", json={"method": method, "based_on": based_on}, headers=WRITE
    )


def test_agreement_is_by_the_latest_edit_of_each(two):
    ada, eve = two
    found = ada.get("/api/images/0/agreement").json()
    assert found["annotators"] == [{"author": "Ada", "revision": 1}, {"author": "Eve", "revision": 2}]
    (pair,) = found["pairs"]
    assert pair["dice"] == pytest.approx(2 * 0.5 / 1.5, abs=1e-4)
    assert 0 < found["alpha"] < 1
    put(eve, 0, 2)
    found = eve.get("/api/images/0/agreement").json()
    assert (found["pairs"][0]["dice"], found["alpha"]) == (1, 1)


def test_nobody_and_one_alone_have_no_agreement(client):
    assert client.get("/api/images/0/agreement").json() == {
        "annotators": [],
        "pairs": [],
        "alpha": None,
        "left_out": 0,
    }
    put(client, 0, 0)
    found = client.get("/api/images/0/agreement").json()
    assert (len(found["annotators"]), found["pairs"], found["alpha"]) == (1, [], None)
    answer = consensus(client, based_on=1)
    assert answer.status_code == 409
    assert "two or more people" in answer.json()["detail"]


@pytest.mark.parametrize("method", ["mean", "vote"])
def test_a_consensus_is_a_new_revision_and_nobody_s_own(two, study, method):
    ada, _ = two
    assert consensus(ada, method).json() == {"revision": 3}
    with study.open_edits() as store:
        history = store.history(study.samples[0].id)
    assert [edit.author for edit in history] == ["Ada", "Eve", "Ada"]
    assert (history[2].source, history[2].comment) == ("consensus", f"{method} of Ada, Eve")
    assert history[2].target[0, 0] == pytest.approx(0.75 if method == "mean" else 1, abs=1e-3)
    assert len(ada.get("/api/images/0/agreement").json()["annotators"]) == 2
    assert ada.get("/api/images/0/agreement").json()["annotators"][0]["revision"] == 1


def test_a_consensus_made_of_something_old_is_a_conflict(two):
    ada, _ = two
    answer = consensus(ada, based_on=1)
    assert (answer.status_code, answer.json()["latest"], answer.json()["author"]) == (412, 2, "Eve")
    assert len(ada.get("/api/images/0/history").json()) == 2


@pytest.mark.parametrize("said", [{"method": "best", "based_on": 2}, {"method": "mean"}, {"based_on": 2}])
def test_what_cannot_be_meant_is_refused(two, said):
    assert two[0].post("/api/images/0/consensus", json=said, headers=WRITE).status_code == 422


def test_who_only_judged_is_named_also_after_somebody_else_drew(serve):
    assert say(serve("Bob"), 0, "unreasonable").status_code == 200
    put(serve("Ada"), 0, 0)
    assert serve("Eve").get("/api/study").json()["authors"] == ["Ada", "Bob"]


def test_agreement_takes_unpainted_cells_as_the_study_does(serve, study):
    ada, eve = serve("Ada"), serve("Eve")
    put(ada, 0, 0, half_painted(upper=True))
    put(eve, 0, 1, half_painted(upper=False))
    assert ada.get("/api/images/0/agreement").json()["pairs"][0]["dice"] is None
    path = study.folder / "visteer.toml"
    path.write_text(path.read_text("utf-8").replace('"unknown"', '"irrelevant"'), encoding="utf-8")
    strict = serve("Ada", Study(study.folder))
    assert strict.get("/api/images/0/agreement").json()["pairs"][0]["dice"] == 0


def test_where_people_are_split_a_consensus_stays_unknown_also_where_unpainted_means_irrelevant(serve, study):
    path = study.folder / "visteer.toml"
    path.write_text(path.read_text("utf-8").replace('"unknown"', '"irrelevant"'), encoding="utf-8")
    study = Study(study.folder)
    ada, eve = serve("Ada", study), serve("Eve", study)
    put(ada, 0, 0, half_painted(upper=True))
    put(eve, 0, 1, half_painted(upper=False))
    assert consensus(ada).json() == {"revision": 3}
    assert (
        ada.post("/api/images/0/restore", json={"revision": 3, "based_on": 3}, headers=WRITE).status_code
        == 200
    )
    name = study.samples[0].id
    with study.open_edits() as store:
        made, restored = store.history(name)[2:]
    for edit in (made, restored):
        assert edit.unknown.all()
        assert study.as_meant(edit).unknown.all()
    assert len(ada.get("/api/images/0/agreement").json()["annotators"]) == 2


def test_edits_beyond_the_limit_are_counted_and_not_hidden(two, monkeypatch):
    monkeypatch.setattr("visteer.server.routes.consensus.MAX_ANNOTATORS", 1)
    found = two[0].get("/api/images/0/agreement").json()
    assert (len(found["annotators"]), found["left_out"]) == (1, 1)


def half_painted(*, upper: bool) -> bytes:
    """One half relevant, the other unpainted."""
    there = np.zeros((6, 8), bool)
    there[:3] = upper
    there[3:] = not upper
    target, weight = there.astype("<u2") * 65535, there.astype(np.uint8) * 255
    return b"VSE1" + struct.pack("<II", 8, 6) + target.tobytes() + weight.tobytes()


def test_the_study_names_all_who_have_done_something(two):
    assert two[0].get("/api/study").json()["authors"] == ["Ada", "Eve"]
