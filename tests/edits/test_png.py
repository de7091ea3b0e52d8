"""PNG export and import: nothing is lost, nothing leaves the folder, every bad file is named."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from visteer.edits.formats.png import export_png, import_png, scan_png
from visteer.edits.map_edit import MapEdit, from_steps
from visteer.edits.store import EditStore
from visteer.errors import VisteerError

MakeEdit = Callable[..., MapEdit]

HOSTILE = [
    "../../evil.png",
    "/etc/passwd",
    "a/../../b.png",
    "..",
    ".",
    "/",
    "//",
    "a//b.png",
    "C:\\Windows\\a.png",
    "nul.png",
    "CON",
    "a.",
    "a ",
    "a",
    "A",
    "a/b",
    "a.importance.png",
    "a.importance.png/b.png",
    "a.trust.png/b.png",
    "A.TRUST.PNG",
    "new\nline\t.png",
    "\x1b[31mred.png",
    "é.png",
    "e\u0301.png",
    "straße.png",
    "STRASSE.png",
    "\u202egnp.exe",
    "画像 [1] (2) 'x' \"y\" <z> | ? * $(rm -rf) `x` %s {}.png",
    "x" * 300 + ".png",
    "x" * 301 + ".png",
    "é" * 300,
    "~",
    "-rf",
    ".hidden",
]


def check_round_trip(edits: dict[str, MapEdit], folder: Path) -> None:
    written = export_png(edits, folder)
    inside = folder.resolve()
    assert list(written) == sorted(edits)
    assert len({str(path).lower() for path in written.values()}) == len(edits)
    for path in written.values():
        assert path.resolve().is_relative_to(inside)
        assert path.is_file()
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 2 * len(edits)
    assert import_png(folder) == edits


def test_export_and_import_lose_nothing(tmp_path: Path, make_edit: MakeEdit) -> None:
    edits = {
        "benign/benign (1).png": make_edit(1),
        "plain.jpg": replace(make_edit(2, "Zoë", (1, 9)), map_digest=None, revision=7),
        "large.png": make_edit(3, shape=(257, 130)),
    }
    check_round_trip(edits, tmp_path / "out")
    assert (tmp_path / "out/benign/benign (1).png.trust.png").is_file()
    with Image.open(tmp_path / "out/plain.jpg.importance.png") as target:
        assert target.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(target), edits["plain.jpg"].steps[0])
    with Image.open(tmp_path / "out/plain.jpg.trust.png") as weight:
        assert weight.mode == "L"
        np.testing.assert_array_equal(np.asarray(weight), edits["plain.jpg"].steps[1])


def test_every_step_survives(tmp_path: Path) -> None:
    target = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    edit = MapEdit(*from_steps(target, target.astype(np.uint8)), author="Ada")
    check_round_trip({"a.png": edit}, tmp_path)


def test_a_store_is_exported_with_its_newest_revisions(tmp_path: Path, make_edit: MakeEdit) -> None:
    with EditStore("sqlite://") as store:
        store.append_many({name: make_edit(1) for name in ("a.png", "b.png")})
        store.append("a.png", make_edit(2))
        export_png(store, tmp_path / "out")
        assert import_png(tmp_path / "out") == store.latest()


def test_hostile_ids_stay_inside_and_apart(tmp_path: Path) -> None:
    edits = {name: MapEdit([[0.5]], [[1]], author="Ada", comment=name) for name in HOSTILE}
    check_round_trip(edits, tmp_path / "out" / "deep")
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "deep"]
    for path in (tmp_path / "out").rglob("*"):
        assert path.name.isprintable()


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
path_like = st.lists(st.sampled_from(["..", ".", "", "a", "A", "b.png", " ", "nul", "~"]), min_size=1).map(
    "/".join
)


@settings(max_examples=40)
@given(st.sets((text | path_like).filter(bool), min_size=1, max_size=6))
@example({"a/b", "a"})
def test_any_ids_round_trip(ids: set[str]) -> None:
    with TemporaryDirectory() as name:
        edits = {image: MapEdit([[0.25, 1]], [[1, 0]], author=image + "!", comment=image) for image in ids}
        check_round_trip(edits, Path(name))


def test_ids_keep_their_file_names_when_they_can(tmp_path: Path) -> None:
    edit = MapEdit([[1]], [[1]], author="Ada")
    names = ["malignant/malignant (3).png", "val/n01440764/x.JPEG", "Größe 1 [a].png"]
    written = export_png(dict.fromkeys(names, edit), tmp_path)
    assert {name: str(path.relative_to(tmp_path)) for name, path in written.items()} == {
        name: name + ".importance.png" for name in names
    }


def test_painted_files_are_never_overwritten(tmp_path: Path, make_edit: MakeEdit) -> None:
    export_png({"a.png": make_edit()}, tmp_path)
    with pytest.raises(VisteerError, match="is not empty; name a new folder"):
        export_png({"b.png": make_edit()}, tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(VisteerError, match="cannot export to"):
        export_png({"b.png": make_edit()}, tmp_path / "file")
    assert list(import_png(tmp_path)) == ["a.png"]


def save(path: Path, values: object, mode: str | None = None, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values))
    (image if mode is None else image.convert(mode)).save(path, **options)


def test_a_picture_of_another_program(tmp_path: Path) -> None:
    """Without a trust file every cell is known: black is irrelevant."""
    save(tmp_path / "benign/a (1).png.importance.png", np.array([[0, 51, 255]], np.uint8))
    ((image_id, edit),) = import_png(tmp_path, author="Eve").items()
    assert image_id == "benign/a (1).png"
    assert edit.irrelevant.tolist() == [[True, False, False]]
    np.testing.assert_allclose(edit.target, [[0, 0.2, 1]], rtol=1e-6)
    assert edit.weight.min() == 1
    assert (edit.author, edit.source, edit.revision) == ("Eve", "png", 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_every_grey_mode_is_read(tmp_path: Path, mode: str) -> None:
    values = np.array([[0, 255, 255], [0, 0, 255]], np.uint8)
    if mode == "I;16":
        save(tmp_path / "a.importance.png", values.astype(np.uint16) * 257)
    else:
        save(tmp_path / "a.importance.png", values, mode)
    with Image.open(tmp_path / "a.importance.png") as image:
        assert image.mode == mode
    edit = import_png(tmp_path)["a"]
    assert edit.relevant.tolist() == (values > 0).tolist()
    assert not edit.unknown.any()


def test_transparency_is_trust(tmp_path: Path) -> None:
    cells = np.array([[[255, 255, 255, 255], [0, 0, 0, 255], [9, 200, 3, 0], [255, 255, 255, 51]]], np.uint8)
    save(tmp_path / "a.importance.png", cells)
    edit = import_png(tmp_path)["a"]
    np.testing.assert_allclose(edit.weight, [[1, 1, 0, 0.2]], rtol=1e-6)
    assert edit.relevant.tolist() == [[True, False, False, True]]
    assert edit.irrelevant.tolist() == [[False, True, False, False]]
    # A trust file says more than transparency.
    save(tmp_path / "a.trust.png", np.array([[0, 0, 255, 255]], np.uint8))
    assert import_png(tmp_path)["a"].weight.tolist() == [[0, 0, 1, 1]]


def test_an_export_that_was_painted_on_has_a_new_author(tmp_path: Path, make_edit: MakeEdit) -> None:
    written = export_png({"../x.png": make_edit(1, "Ada")}, tmp_path)
    path = written["../x.png"]
    with Image.open(path) as image:
        info = PngInfo()
        info.add_text("visteer", image.info["visteer"])
        cells = np.asarray(image).copy()
    cells[0, 0] ^= 1
    Image.fromarray(cells).save(path, pnginfo=info)
    edit = import_png(tmp_path, author="Eve")["../x.png"]
    assert (edit.author, edit.source, edit.revision, edit.comment) == ("Eve", "png", 0, "")
    np.testing.assert_array_equal(edit.steps[0], cells)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def with_text(folder: Path, change: dict[str, object] | str, edit: MapEdit) -> None:
    (path,) = export_png({"m": edit}, folder / "one").values()
    with Image.open(path) as image:
        found = json.loads(image.info["visteer"])
        image.load()
        info = PngInfo()
        info.add_text("visteer", change if isinstance(change, str) else json.dumps(found | change))
        image.save(folder / "meta.importance.png", pnginfo=info)
    for old in (folder / "one").iterdir():
        old.unlink()


def test_every_bad_file_is_named_at_once(tmp_path: Path, make_edit: MakeEdit) -> None:
    good = np.full((3, 4), 200, np.uint8)
    save(tmp_path / "good.importance.png", good)
    save(tmp_path / "short.importance.png", good)
    save(tmp_path / "short.trust.png", good[:2])
    save(tmp_path / "pair.importance.png", good)
    (tmp_path / "pair.trust.png").write_bytes(b"")
    save(tmp_path / "colour.importance.png", np.full((2, 2, 3), [255, 0, 0], np.uint8))
    save(tmp_path / "alone.trust.png", good)
    save(tmp_path / "sub/stray.png", good)
    (tmp_path / "empty.importance.png").write_bytes(b"")
    (tmp_path / "text.importance.png").write_text("hello " * 20)
    (tmp_path / "huge.importance.png").write_bytes(png_header(100_000, 100_000))
    (tmp_path / "bare.importance.png").write_bytes(png_header(4, 4))
    (tmp_path / "gone.importance.png").symlink_to(tmp_path / "nowhere")
    whole = (tmp_path / "good.importance.png").read_bytes()
    (tmp_path / "cut.importance.png").write_bytes(whole[:-20])
    frames = [Image.fromarray(good), Image.fromarray(good // 2)]
    frames[0].save(tmp_path / "film.importance.png", save_all=True, append_images=frames[1:])
    with_text(tmp_path, {"time": "yesterday"}, make_edit())
    (tmp_path / "notes.txt").write_text("not a picture, not a problem")

    scan = scan_png(tmp_path)
    assert list(scan.edits) == ["good"]
    found = {bad.path.relative_to(tmp_path).as_posix(): bad.what for bad in scan.bad}
    expected = {
        "short.trust.png": "is 4 x 2 pixels, but short.importance.png is 4 x 3",
        "pair.trust.png": "empty or no PNG",
        "colour.importance.png": "has colours",
        "alone.trust.png": "has no alone.importance.png beside it",
        "sub/stray.png": "is named neither",
        "empty.importance.png": "empty or no PNG",
        "text.importance.png": "empty or no PNG",
        "huge.importance.png": "100000 x 100000 pixels; make it at most 4096 x 4096",
        "bare.importance.png": "damaged or cut off",
        "gone.importance.png": "No such file",
        "cut.importance.png": "damaged or cut off",
        "film.importance.png": "is animated",
        "meta.importance.png": "damaged metadata",
    }
    assert found.keys() == expected.keys()
    for name, words in expected.items():
        assert words in found[name]
    with pytest.raises(VisteerError) as caught:
        import_png(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{len(expected)} files in {tmp_path} cannot be imported")
    assert all(name in str(caught.value) for name in expected)


@pytest.mark.parametrize(
    "change",
    [
        "junk",
        "[]",
        "[" * 100_000,
        {"author": ""},
        {"author": 3},
        {"image": None},
        {"image": "a\0b"},
        {"time": "2026-01-01T00:00:00"},
        {"time": 5},
        {"time": "9999-12-31T23:59:59-23:59"},
        {"revision": -1},
        {"revision": "1"},
    ],
)
def test_damaged_metadata(tmp_path: Path, make_edit: MakeEdit, change: dict[str, object] | str) -> None:
    with_text(tmp_path, change, make_edit())
    (bad,) = scan_png(tmp_path).bad
    assert bad.path.name == "meta.importance.png"
    assert "damaged metadata" in bad.what
    assert len(bad.what) < 400


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["a.importance.png", "b.trust.png"])
def test_a_pipe_is_named_and_not_waited_for(tmp_path: Path, make_edit: MakeEdit, name: str) -> None:
    export_png({"b": make_edit()}, tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    (bad,) = scan_png(tmp_path).bad
    assert (bad.path.name, bad.what) == (name, "is no regular file; remove it")


def test_one_image_in_two_files(tmp_path: Path, make_edit: MakeEdit) -> None:
    export_png({"a.png": make_edit()}, tmp_path / "first")
    export_png({"a.png": make_edit()}, tmp_path / "second")
    with pytest.raises(VisteerError, match=r"second/a\.png.*is an edit of 'a\.png', and so is .*first"):
        import_png(tmp_path)


def test_folders_without_edits(tmp_path: Path) -> None:
    with pytest.raises(VisteerError, match="there is no folder"):
        import_png(tmp_path / "none")
    with pytest.raises(VisteerError, match="holds no edit"):
        import_png(tmp_path)


def test_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.importance.png")
    save(tmp_path / "x.importance.png", np.zeros((2, 2), np.uint8))
    try:
        (tmp_path / "x.importance.png").rename(path)
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    assert "not UTF-8" in scan_png(tmp_path).bad[0].what


@given(st.data())
def test_flipped_bytes_never_pass_for_the_export(data: st.DataObject) -> None:
    """Whatever one wrong byte does, the file is refused, or says truly what its pixels say."""
    edit = MapEdit(np.linspace(0, 1, 20).reshape(4, 5), np.ones((4, 5)), author="Ada", comment="c")
    with TemporaryDirectory() as name:
        (path,) = export_png({"a.png": edit}, Path(name)).values()
        content = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        scan = scan_png(Path(name))
        assert len(scan.bad) + len(scan.edits) == 1
        for found in scan.edits.values():
            np.testing.assert_array_equal(found.target, edit.target)
