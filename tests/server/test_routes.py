"""The study, the list, pictures and maps as the page gets them."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.server.serving import keys_of, put
from visteer.attribution.explain import METHODS
from visteer.study import explain_run


def test_the_study_says_what_the_page_needs_first(client, study):
    found = client.get("/api/study").json()
    assert found == {
        "name": "study",
        "classes": ["cat", "dog"],
        "image_size": 48,
        "runs": [{"id": "plain-1", "kind": "plain"}],
        "run": "plain-1",
        "author": "Ada",
        "unpainted": "unknown",
        "methods": [name for name in METHODS if name != "abn-attention"],
        "splits": ["train", "val", "test"],
        "authors": [],
        "count": len(study.samples),
    }


def test_a_study_without_a_run_can_be_edited_all_the_same(serve, made, tmp_path):
    import shutil
    from pathlib import Path

    from visteer.study import Study

    client = serve(served=Study(Path(shutil.copytree(made, tmp_path / "fresh"))))
    assert client.get("/api/study").json()["run"] is None
    listed = client.get("/api/images").json()
    assert listed["total"] == 40
    assert set(listed["counts"].values()) == {0}
    one = client.get("/api/images/0").json()
    assert (one["predicted"], one["right"], one["misalignment"], one["probabilities"]) == (
        None,
        None,
        None,
        [],
    )
    missing = client.get("/api/images/0/map")
    assert missing.status_code == 404
    assert "visteer train" in missing.json()["detail"]
    assert put(client, 0, 0).json() == {"revision": 1}
    assert client.get("/api/images/0").json()["state"] == "edited"


def test_an_item_says_what_the_run_thinks_of_the_image(client, study):
    explained = explain_run(study, "plain-1", "test")
    for row, name in enumerate(explained.ids):
        key = study.ids().index(name)
        item = client.get(f"/api/images/{key}").json()
        best = int(explained.probabilities[row].argmax())
        assert (item["id"], item["split"]) == (name, "test")
        assert item["label"] == explained.labels[row]
        assert item["class"] == study.class_names[item["label"]]
        assert item["predicted"] == study.class_names[best]
        assert item["confidence"] == pytest.approx(explained.probabilities[row, best])
        assert item["right"] == (best == item["label"])
        assert [p["class"] for p in item["probabilities"]] == ["cat", "dog"]
        assert [p["p"] for p in item["probabilities"]] == pytest.approx(explained.probabilities[row].tolist())
        assert (item["width"], item["height"]) == (48, 48)
        assert (item["state"], item["revision"], item["author"], item["verdict"]) == ("none", 0, None, None)


def test_a_prediction_that_no_file_has_is_computed(client, study):
    explained = explain_run(study, "plain-1", "train")
    key = study.ids().index(explained.ids[0])
    (listed,) = [i for i in client.get("/api/images?limit=200").json()["items"] if i["key"] == key]
    assert listed["predicted"] is None
    item = client.get(f"/api/images/{key}").json()
    assert item["confidence"] == pytest.approx(explained.probabilities[0].max(), abs=1e-5)
    assert item["predicted"] == study.class_names[int(explained.probabilities[0].argmax())]


@pytest.mark.parametrize("split", ["test", "train"])
def test_a_map_is_that_of_explain_from_the_file_or_computed(client, study, split):
    explained = explain_run(study, "plain-1", split)
    key = study.ids().index(explained.ids[0])
    answer = client.get(f"/api/images/{key}/map").json()
    values = np.frombuffer(base64.b64decode(answer["values"]), "<f4").reshape(
        answer["height"], answer["width"]
    )
    np.testing.assert_allclose(values, explained.maps[0], atol=1e-5)
    assert (answer["method"], answer["class"]) == ("grad-cam", study.samples[key].id.split("/")[0])
    assert answer["dead"] == explained.dead[0]


def test_the_map_of_another_class_and_method_is_another_map(client):
    true = client.get("/api/images/0/map").json()
    other = client.get("/api/images/0/map", params={"class_": "dog"}).json()
    pixels = client.get("/api/images/0/map", params={"method": "input-gradient"}).json()
    assert (true["class"], other["class"]) == ("cat", "dog")
    assert true["values"] != other["values"]
    assert (pixels["height"], pixels["width"]) == (48, 48)


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/api/images/40", 404, "there is no image 40; the study has 40"),
        ("/api/images/-1", 422, "an image is named by its number"),
        ("/api/images/0/map?run=no", 404, "no such finished run"),
        ("/api/images/0/map?run=../study", 404, "no such finished run"),
        ("/api/images/0/map?class_=cow", 422, "no such class"),
        ("/api/images/0/map?method=no", 422, "grad-cam, hirescam"),
        ("/api/images?limit=201", 422, "less than or equal to 200"),
        ("/api/images?sort=no", 422, "queue"),
        ("/api/images?class_=cow", 422, "no such class"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(client, path, code, said):
    answer = client.get(path)
    assert answer.status_code == code
    assert said in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_a_damaged_file_of_maps_is_computed_anew(serve, study):
    path = study.folder / "maps" / "plain-1-test.npz"
    whole = path.read_bytes()
    key = study.ids().index(study.ids("test")[0])
    client = serve()
    before = client.get(f"/api/images/{key}/map").json()
    path.write_bytes(whole[: len(whole) // 2])
    assert keys_of(client)
    again = client.get(f"/api/images/{key}/map")
    assert again.status_code == 200
    old, new = (np.frombuffer(base64.b64decode(a["values"]), "<f4") for a in (before, again.json()))
    np.testing.assert_allclose(old, new, atol=1e-5)


def test_no_damage_of_a_file_of_maps_is_a_failure_of_the_server(serve, study):
    path = study.folder / "maps" / "plain-1-test.npz"
    whole = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    key = study.ids().index(study.ids("test")[0])
    client = serve()
    rng = np.random.default_rng(0)
    directory = whole.index(b"PK\x01\x02")

    def damaged():
        for place in rng.integers(directory, len(whole), 60):
            yield whole[:place] + bytes([whole[place] ^ (1 << int(rng.integers(8)))]) + whole[place + 1 :]
        count = len(arrays["ids"])
        for change in (
            {"dead": np.zeros((count, 2), bool)},
            {"maps": np.zeros((count, 0, 0))},
            {"ids": np.array("a")},
        ):
            out = io.BytesIO()
            np.savez(out, **{**arrays, **change})
            yield out.getvalue()
        out = io.BytesIO()
        np.save(out, arrays["maps"])
        yield out.getvalue()

    for content in damaged():
        path.write_bytes(content)
        assert client.get("/api/images?limit=1").status_code == 200
        assert client.get(f"/api/images/{key}").status_code == 200
        assert client.get(f"/api/images/{key}/map").status_code == 200


def test_maps_that_are_written_later_are_seen(client, study):
    from visteer.study import save_explanation

    train = study.ids().index(study.ids("train")[0])
    assert client.get("/api/images?split=train&limit=1").json()["items"][0]["predicted"] is None
    save_explanation(study, explain_run(study, "plain-1", "train"))
    items = client.get("/api/images?split=train&limit=200").json()["items"]
    assert train in {item["key"] for item in items}
    assert all(item["predicted"] is not None for item in items)


def test_a_picture_is_the_original_upright_and_never_too_large(serve, study, pictures):
    path = pictures / "images" / study.samples[0].id
    kept = path.read_bytes()
    try:
        wide = Image.new("RGB", (6000, 600), (200, 10, 10))
        wide.paste((10, 10, 200), (0, 0, 3000, 600))
        exif = Image.Exif()
        exif[0x0112] = 6  # turn right to be upright: 600 wide, 6000 high, blue on top
        wide.save(path, exif=exif)
        client = serve()
        answer = client.get("/api/images/0/picture")
        with Image.open(io.BytesIO(answer.content)) as found:
            assert (found.format, found.size) == ("PNG", (410, 4096))
            assert found.getpixel((100, 10)) == (10, 10, 200)
            assert found.getpixel((100, 4000)) == (200, 10, 10)
        thumb = client.get("/api/images/0/picture?size=thumb")
        with Image.open(io.BytesIO(thumb.content)) as found:
            assert found.size == (16, 160)
        one = client.get("/api/images/0").json()
        assert (one["width"], one["height"]) == (410, 4096)
    finally:
        path.write_bytes(kept)


def test_a_picture_is_not_sent_twice(client):
    first = client.get("/api/images/0/picture")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, max-age=0, must-revalidate"
    again = client.get("/api/images/0/picture", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = client.get("/api/images/1/picture", headers={"If-None-Match": tag})
    assert (other.status_code, other.headers["etag"] != tag) == (200, True)


def test_a_picture_whose_file_is_gone_comes_from_the_cache(serve, study, tmp_path):
    toml = study.folder / "visteer.toml"
    text = toml.read_text()
    toml.write_text(text.replace(str(study.settings.images), str(tmp_path / "gone")))
    from visteer.study import Study

    client = serve(served=Study(study.folder))
    answer = client.get("/api/images/3/picture")
    with Image.open(io.BytesIO(answer.content)) as found:
        cache = study.image_cache()
        row = cache.ids.index(study.samples[3].id)
        np.testing.assert_array_equal(np.asarray(found), cache.images[row])


def test_the_page_and_its_assets(client):
    page = client.get("/")
    assert page.text.startswith("<!doctype html>")
    assert page.headers["cache-control"] == "no-store"
    script = client.get("/assets/app-1a2b.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert client.get("/assets/no.js").status_code == 404
