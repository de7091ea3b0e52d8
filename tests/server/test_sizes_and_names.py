"""A hundred thousand images, and names that somebody made up to do harm."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.server.serving import keys_of, put, say
from visteer.edits.map_edit import MapEdit
from visteer.steering import RunFolder
from visteer.study import Study, StudySettings, make_study

COUNT = 100_000
HOSTILE_CLASSES = ["<img src=x onerror=alert(1)>", "'; DROP TABLE images; --"]
HOSTILE_FILES = [
    "<script>alert(1)<",
    'a" onload="alert(1)',
    "x%2f..%2f..%2fvisteer.db",
    "gpj.\u202eexe",
    "line\nend\r\nSet-Cookie: a=b",
    "{{7*7}}${7*7}",
    "größe 病変 \U0001f52c",
]


@pytest.fixture
def large(made: Path, tmp_path: Path) -> Study:
    """A study of 100,000 images of two classes, with a run and its maps; its pictures are not there."""
    folder = tmp_path / "large"
    folder.mkdir()
    shutil.copy(made / "visteer.toml", folder)
    rows = []
    for number in range(COUNT):
        label, split = number % 2, "train" if number % 4 else "test"
        name = ("cat", "dog")[label]
        rows.append(f"{name}/{number:06}.png,{label},{name},{split},{number}")
    (folder / "samples.csv").write_text("id,label,class,split,group\n" + "\n".join(rows) + "\n")
    study = Study(folder)
    run = RunFolder(folder / "runs" / "plain-1")
    run.start({})
    run.model_path.write_bytes(b"")
    rng = np.random.default_rng(0)
    (folder / "maps").mkdir()
    for split in ("train", "test"):
        ids = study.ids(split)
        probabilities = rng.dirichlet([1, 1], len(ids)).astype(np.float32)
        maps = rng.random((len(ids), 7, 7)).astype(np.float32)
        arrays = {
            "ids": np.array(ids),
            "labels": np.zeros(len(ids), np.int64),
            "probabilities": probabilities,
        }
        np.savez(folder / "maps" / f"plain-1-{split}.npz", maps=maps, dead=np.zeros(len(ids), bool), **arrays)
    with study.open_edits(create=True) as store:
        edit = MapEdit([[1, 0]], [[1, 1]], author="Eve")
        store.append_many(dict.fromkeys(study.ids("test")[:2000], edit))
    return study


def test_a_hundred_thousand_images_are_listed(serve, large, capsys):
    client = serve(served=large)
    start = time.perf_counter()
    first = client.get("/api/images", params={"limit": 200}).json()
    built = time.perf_counter()
    assert first["total"] == COUNT
    assert first["states"]["edited"] == 2000
    assert sum(first["counts"].values()) == COUNT
    assert first["counts"]["right_reasonable"] + first["counts"]["right_unreasonable"] > 0
    values = [item["misalignment"] for item in first["items"]]
    sorted_part = np.delete(values, np.arange(4, 200, 5))
    assert (np.diff(sorted_part) <= 0).all()
    again = time.perf_counter()
    found = client.get("/api/images", params={"search": "00999", "sort": "name", "class_": "dog"}).json()
    answered = time.perf_counter()
    expected = [n for n in range(COUNT) if n % 2 and "00999" in f"{n:06}"]
    assert [item["key"] for item in found["items"]] == expected
    last = client.get("/api/images", params={"offset": COUNT - 1, "sort": "confidence"}).json()
    assert len(last["items"]) == 1
    assert say(client, COUNT - 1, "reasonable").json()["state"] == "accepted"
    assert keys_of(client, state="accepted") == [COUNT - 1]
    with capsys.disabled():
        print(f" [first {built - start:.2f} s, then {1000 * (answered - again):.0f} ms]", end="")


@pytest.fixture
def hostile(tmp_path: Path) -> Study:
    """A study whose classes and files have names that do harm where they are not escaped."""
    images = tmp_path / "images"
    rng = np.random.default_rng(0)
    for name in HOSTILE_CLASSES:
        (images / name).mkdir(parents=True)
        for file in HOSTILE_FILES:
            blocks = rng.integers(0, 250, (4, 4, 3), dtype=np.uint8).repeat(6, 0).repeat(6, 1)
            Image.fromarray(blocks).save(images / name / f"{file}.png")
    folder = tmp_path / "hostile"
    make_study(folder, StudySettings(images=images, model="test_resnet", weights="none", image_size=24))
    return Study(folder)


def test_hostile_names_are_data_and_nothing_else(serve, hostile):
    author = 'Ada\r\nSet-Cookie: a=b <script>"'
    client = serve(author, served=hostile)
    assert client.get("/api/study").json()["classes"] == sorted(HOSTILE_CLASSES)
    items = client.get("/api/images?limit=200").json()["items"]
    assert {item["id"] for item in items} == {f"{c}/{f}.png" for c in HOSTILE_CLASSES for f in HOSTILE_FILES}
    for name in HOSTILE_CLASSES:
        found = client.get("/api/images", params={"class_": name, "limit": 200}).json()["items"]
        assert {item["class"] for item in found} == {name}
        assert len(found) == len(HOSTILE_FILES)
    for item in items:
        key = item["key"]
        one = client.get(f"/api/images/{key}")
        assert one.headers["content-type"] == "application/json"
        assert one.json()["id"] == item["id"]
        assert client.get(f"/api/images/{key}/picture").headers["content-type"] == "image/png"
        assert put(client, key, 0).status_code == 200
        edit = client.get(f"/api/images/{key}/edit")
        assert "set-cookie" not in edit.headers
        assert "<" not in edit.headers["x-visteer-author"]
        assert put(client, key, 0).json()["author"] == author
    wrong = client.get("/api/images/<script>alert(1)<")
    assert (wrong.status_code, wrong.headers["content-type"]) in {
        (404, "application/json"),
        (422, "application/json"),
    }
    assert "<script>" not in wrong.text
    wrong = client.get("/api/images", params={"sort": "<script>", "class_": "<script>", "run": "<script>"})
    assert "<script>" not in wrong.text
