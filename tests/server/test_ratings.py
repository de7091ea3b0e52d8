"""Blind rating: the run is never told, the order stays, all ratings are kept, the latest counts."""

from __future__ import annotations

import shutil

import pytest

from tests.server.serving import WRITE
from visteer.study import Study

RUNS = ["plain-1", "plain-2"]


@pytest.fixture
def study(study: Study) -> Study:
    """The study with a second run."""
    shutil.copytree(study.folder / "runs" / "plain-1", study.folder / "runs" / "plain-2")
    return study


def asked(**more: object) -> dict[str, object]:
    return {"run": RUNS, "split": "test", **more}


def rate(client, number: int, value: object, **more: object):
    return client.post(
        f"/api/ratings/trials/{number}", params=asked(**more), json={"value": value}, headers=WRITE
    )


def test_every_map_of_every_image_comes_once_and_no_answer_names_a_run(client, study):
    total = client.get("/api/ratings", params=asked()).json()["total"]
    assert total == 2 * len(study.ids("test"))
    keys = []
    for number in range(total):
        answer = client.get(f"/api/ratings/trials/{number}", params=asked())
        assert "plain" not in answer.text
        keys.append(answer.json()["key"])
    assert keys[::2] == keys[1::2]  # the maps of an image follow each other
    assert sorted(keys[::2]) == sorted(study.ids().index(name) for name in study.ids("test"))
    assert keys[::2] != sorted(keys[::2])
    assert "plain" not in client.get("/api/ratings/trials/0/map", params=asked()).text


def test_the_order_stays_for_a_rater_and_differs_between_raters(serve):
    def order(client) -> list[int]:
        return [client.get(f"/api/ratings/trials/{n}", params=asked()).json()["key"] for n in range(8)]

    assert order(serve("Ada")) == order(serve("Ada"))
    assert order(serve("Ada")) != order(serve("Eve"))


def test_which_run_comes_first_is_random(client, study):
    """Rate the first map of every image 1 and the second 5: neither run gets all of either."""
    total = client.get("/api/ratings", params=asked()).json()["total"]
    for number in range(total):
        assert rate(client, number, 1 if number % 2 == 0 else 5).status_code == 200
    with study.open_edits() as store:
        firsts = {rating.run for rating in store.ratings() if rating.value == 1}
    assert firsts == set(RUNS)


def test_a_rating_is_kept_and_counted_and_the_latest_is_the_one(client, study):
    assert client.get("/api/ratings", params=asked()).json()["next"] == 0
    assert rate(client, 0, 4).json() == {"number": 0, "value": 4}
    assert rate(client, 0, 2).json() == {"number": 0, "value": 2}
    standing = client.get("/api/ratings", params=asked()).json()
    assert (standing["rated"], standing["next"]) == (1, 1)
    assert client.get("/api/ratings/trials/0", params=asked()).json()["value"] == 2
    with study.open_edits() as store:
        assert [rating.value for rating in store.ratings()] == [4, 2]


def test_when_all_is_rated_nothing_is_next_and_all_can_be_rated_again(client):
    total = client.get("/api/ratings", params=asked()).json()["total"]
    for number in range(total):
        rate(client, number, 3)
    assert client.get("/api/ratings", params=asked()).json() == {"total": total, "rated": total, "next": None}
    assert rate(client, 0, 1).status_code == 200


def test_the_results_are_means_over_images_with_the_raters_agreement(serve, study):
    ada, eve = serve("Ada"), serve("Eve")
    total = ada.get("/api/ratings", params=asked()).json()["total"]
    for client in (ada, eve):
        for number in range(total):
            key = client.get(f"/api/ratings/trials/{number}", params=asked()).json()["key"]
            rate(client, number, 1 + key % 5)
    for result in ada.get("/api/ratings/results", params=asked()).json():
        values = [1 + study.ids().index(name) % 5 for name in study.ids("test")]
        assert result["mean"] == pytest.approx(sum(values) / len(values))
        assert result["low"] <= result["mean"] <= result["high"]
        assert (result["images"], result["raters"], result["alpha"]) == (len(values), 2, 1)
    assert [r["run"] for r in ada.get("/api/ratings/results", params=asked()).json()] == RUNS
    (unrated,) = ada.get("/api/ratings/results", params={"run": ["plain-1"], "split": "val"}).json()
    assert unrated == {
        "run": "plain-1",
        "images": 0,
        "raters": 0,
        "mean": None,
        "low": None,
        "high": None,
        "alpha": None,
    }


@pytest.mark.parametrize("value", [0, 6, -1, 2.5, "3", None, True])
def test_another_value_is_refused_and_nothing_is_stored(client, study, value):
    assert rate(client, 0, value).status_code == 422
    with study.open_edits() as store:
        assert store.ratings() == ()


def test_what_is_not_there_is_404_and_what_cannot_be_meant_is_422(client):
    total = client.get("/api/ratings", params=asked()).json()["total"]
    assert client.get(f"/api/ratings/trials/{total}", params=asked()).status_code == 404
    assert rate(client, total, 3).status_code == 404
    for where in ("/api/ratings", "/api/ratings/results", "/api/ratings/trials/0"):
        assert client.get(where, params=asked(run=["plain-1", "no-3"])).status_code == 404
        assert client.get(where, params={"split": "test"}).status_code == 422
        assert client.get(where, params=asked(split="other")).status_code == 422
        assert client.get(where, params=asked(run=["plain-1"] * 9)).status_code == 422


def test_a_stranger_rates_nothing(stranger, study):
    assert stranger.get("/api/ratings", params=asked()).status_code == 401
    assert rate(stranger, 0, 3).status_code == 401
    with study.open_edits() as store:
        assert store.ratings() == ()
