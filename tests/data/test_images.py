"""Every kind of file that a data set may hold, good and bad, and what reading makes of it."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from visteer.data.images import BadImage, decode_image, decode_mask, read_image, read_mask
from visteer.data.names import show_name

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def save(path: Path, array: np.ndarray, mode: str | None = None, **options: object) -> Path:
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_lossless_formats_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    options = {"lossless": True} if name == "a.webp" else {}
    decoded = decode_image(save(tmp_path / name, RGB, **options))
    assert np.array_equal(decoded.pixels, RGB)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.conversions == ()


def test_jpeg_and_single_gif_frames_are_read(tmp_path: Path) -> None:
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    assert np.abs(read_image(save(tmp_path / "a.jpg", flat)).astype(int) - flat).max() <= 3
    assert np.abs(read_image(save(tmp_path / "a.gif", flat)).astype(int) - flat).max() <= 3


def test_the_name_does_not_decide_the_format(tmp_path: Path) -> None:
    path = save(tmp_path / "really-a-png.png", RGB)
    assert np.array_equal(read_image(path.rename(tmp_path / "a.jpg")), RGB)


def test_sixteen_bit_grey_is_divided_by_257_and_rounded(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 25_700, 65_535 - 128, 65_535]], np.uint16)
    for name in ("a.png", "a.tif"):
        decoded = decode_image(save(tmp_path / name, values))
        expected = [round(int(v) / 257) for v in values[0]]
        assert decoded.pixels[0].tolist() == [[v, v, v] for v in expected]
        assert "16-bit" in decoded.conversions[0]


def test_sixteen_bit_colour_png_keeps_its_upper_bits(tmp_path: Path) -> None:
    values = np.array([[[0, 257, 65_535], [1_000, 40_000, 51_400]]], np.uint16)
    (tmp_path / "a.png").write_bytes(png(2, 1, 16, 2, b"\0" + values.astype(">u2").tobytes()))
    decoded = decode_image(tmp_path / "a.png")
    assert np.array_equal(decoded.pixels, (values >> 8).astype(np.uint8))
    assert decoded.conversions == ("16 bits a channel are cut to the upper 8",)


def test_cmyk_grey_and_palette_are_converted_and_said(tmp_path: Path) -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    cmyk = decode_image(save(tmp_path / "a.jpg", red, "CMYK"))
    assert np.abs(cmyk.pixels.astype(int) - red).max() <= 3
    assert cmyk.conversions == ("CMYK is converted to RGB",)
    grey = decode_image(save(tmp_path / "g.png", GREY))
    assert np.array_equal(grey.pixels, np.repeat(GREY[..., None], 3, axis=2))
    assert grey.conversions == ("grey is copied to RGB",)
    palette = decode_image(save(tmp_path / "p.png", red, "P"))
    assert np.array_equal(palette.pixels, red)
    assert palette.conversions == ("the palette is looked up as RGB",)
    bilevel = decode_image(save(tmp_path / "b.png", GREY > 127))
    assert np.array_equal(bilevel.pixels[..., 1], np.where(GREY > 127, 255, 0))


def test_transparent_pixels_are_laid_on_black_and_opaque_alpha_is_silent(tmp_path: Path) -> None:
    alpha = np.array([[0, 51, 255]], np.uint8)
    layers = np.dstack([np.full((1, 3, 3), 200, np.uint8), alpha])
    decoded = decode_image(save(tmp_path / "a.png", layers))
    assert decoded.pixels[0, :, 0].tolist() == [0, 40, 200]
    assert decoded.conversions == ("transparent pixels are laid on black",)
    layers[..., 3] = 255
    assert decode_image(save(tmp_path / "b.png", layers)).conversions == ()


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_turned_upright_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    # Blocks of 16, so that JPEG keeps them apart. Oracle: Pillow's own transposition names.
    upright = np.kron(np.array([[0, 90, 180], [255, 40, 130]], np.uint8), np.ones((16, 16), np.uint8))
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = Image.fromarray(upright).convert("RGB")
    stored = image.transpose(inverse[orientation]) if orientation > 1 else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(suffix, {})
    stored.save(tmp_path / f"a.{suffix}", exif=exif, **options)
    decoded = decode_image(tmp_path / f"a.{suffix}")
    assert decoded.pixels.shape == (32, 48, 3)
    assert np.abs(decoded.pixels[..., 0].astype(int) - upright).max() <= 6
    assert decoded.conversions == (
        ("turned upright as its EXIF orientation says",) if orientation > 1 else ()
    )
    mask = decode_mask(tmp_path / f"a.{suffix}")
    assert np.array_equal(mask.region, upright >= (128 if suffix == "jpg" else 1))


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def gigantic(suffix: str) -> bytes:
    """A small file whose header claims 50,000 x 50,000 pixels (WebP: 16,383 x 16,383)."""
    if suffix == "png":
        return png(50_000, 50_000, 8, 2, b"\0")
    if suffix == "gif":
        return b"GIF89a" + struct.pack("<HHBBB", 50_000, 50_000, 0, 0, 0) + b",\0\0\0\0\x01\0\x01\0\0\x02\0;"
    if suffix == "bmp":
        header = struct.pack("<IiiHHIIiiII", 40, 50_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header
    if suffix == "tif":
        tags = [(256, 50_000), (257, 50_000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 50_000)]
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*tags, (279, 10**9)])
        return b"II*\0" + struct.pack("<IH", 8, 9) + entries + struct.pack("<I", 0)
    if suffix == "webp":
        side = 16_382
        vp8l = b"\x2f" + struct.pack("<I", side | side << 14) + b"\0" * 8
        body = b"WEBPVP8L" + struct.pack("<I", len(vp8l)) + vp8l + b"\0"
        return b"RIFF" + struct.pack("<I", len(body)) + body
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "JPEG")
    data = bytearray(small.getvalue())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 50_000, 50_000)
    return bytes(data)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "gif", "webp"])
def test_gigantic_files_are_refused_before_decoding(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(gigantic(suffix))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("was decoded"))
    with pytest.raises(BadImage, match=r"limit of 100,000,000|too many pixels"):
        read_image(path)


def test_the_limit_is_the_callers_and_pillows_own_warning_stays_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.png", RGB)
    assert read_image(path, max_pixels=35).shape == (5, 7, 3)
    with pytest.raises(BadImage, match=r"7 x 5 pixels are more than the limit of 34"):
        read_image(path, max_pixels=34)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    for name in ("a.png", "b.tif", "c.webp", "d.gif"):
        assert read_image(save(tmp_path / name, RGB)).shape == (5, 7, 3)


def bad_files() -> dict[str, tuple[bytes, str]]:
    jpeg, good_png = io.BytesIO(), io.BytesIO()
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    noise.save(jpeg, "JPEG")
    noise.save(good_png, "PNG")
    animations = {}
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        frames = io.BytesIO()
        Image.new("RGB", (4, 4)).save(
            frames, kind, save_all=True, append_images=[Image.new("RGB", (4, 4), "red")]
        )
        animations[kind] = (frames.getvalue(), "several pictures")
    floats = io.BytesIO()
    Image.fromarray(np.ones((2, 2), np.float32)).save(floats, "TIFF")
    return {
        "empty": (b"", "empty"),
        "text": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no PNG"),
        "other-riff": (b"RIFF\0\0\0\0WAVEfmt ", "is no PNG"),
        "half a jpeg": (jpeg.getvalue()[:1500], "cut off"),
        "half a png": (good_png.getvalue()[:5000], "cut off"),
        "jpeg head": (jpeg.getvalue()[:10], "cut off|damaged"),
        "broken png": (good_png.getvalue().replace(b"IDAT", b"IDAT\xff\xff", 1), "damaged|cut off"),
        "float": (floats.getvalue(), "32-bit"),
        **animations,
    }


@pytest.mark.parametrize("kind", sorted(bad_files()))
def test_bad_files_are_one_clear_line(tmp_path: Path, kind: str) -> None:
    data, what = bad_files()[kind]
    path = tmp_path / "scan.png"
    path.write_bytes(data)
    for read in (read_image, read_mask):
        with pytest.raises(BadImage, match=what) as caught:
            read(path)
        message = str(caught.value)
        assert "scan.png" in message
        assert "\n" not in message
        assert message == f"{show_name(path)}: {caught.value.what}; {caught.value.mend}"


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for name, what in [("pipe.png", "not a regular file"), (".", "not a regular"), ("none.png", "not exist")]:
        with pytest.raises(BadImage, match=what):
            read_image(tmp_path / name)
    with pytest.raises(BadImage, match=r"does not exist|cannot be opened"):
        read_image(tmp_path / ("x" * 5000))


def test_hostile_names_are_shown_on_one_harmless_line(tmp_path: Path) -> None:
    name = "a\n\x1b[31m\u202egnp<script>\udc80.png"
    (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(BadImage) as caught:
        read_image(tmp_path / name)
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
    assert len(show_name("x" * 100_000)) <= 160


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    length=st.integers(8, 2000),
)
def test_damaged_bytes_never_raise_anything_else(
    tmp_path: Path, kind: str, changes: list[tuple[int, int]], length: int
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, kind)
    data = bytearray(buffer.getvalue()[:length])
    for position, value in changes:
        data[position % len(data)] = value
    (tmp_path / "a").write_bytes(data)
    for read in (read_image, read_mask):
        message = ""
        try:
            assert read(tmp_path / "a", max_pixels=1_000_000).size
        except BadImage as error:
            message = str(error)
        assert message == "" or message.isprintable()


def test_warning_filters_are_restored_after_threads(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", RGB)
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [read_image(path) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_masks_of_every_mode_give_the_same_region(tmp_path: Path, mode: str) -> None:
    region = GREY > 127
    path = save(tmp_path / "m.png", np.where(region, 255, 0).astype(np.uint8), mode)
    assert np.array_equal(read_mask(path), region)
    assert read_mask(path).dtype == np.bool_


def test_masks_count_any_colour_and_leave_transparent_pixels_out(tmp_path: Path) -> None:
    layers = np.zeros((1, 4, 4), np.uint8)
    layers[0] = [(0, 0, 1, 255), (0, 0, 0, 255), (255, 255, 255, 0), (0, 9, 0, 10)]
    assert read_mask(save(tmp_path / "a.png", layers))[0].tolist() == [True, False, False, True]
    layers[..., :3] = 0
    ink = decode_mask(save(tmp_path / "b.png", layers))
    assert ink.region[0].tolist() == [True, True, False, True]
    assert ink.conversions == ("the alpha channel is the mask",)
    wide = np.array([[0, 1, 65_535]], np.uint16)
    assert read_mask(save(tmp_path / "c.png", wide))[0].tolist() == [False, True, True]


def test_a_jpeg_mask_is_cut_at_half(tmp_path: Path) -> None:
    region = np.zeros((32, 32), bool)
    region[8:24, 8:24] = True
    decoded = decode_mask(save(tmp_path / "m.jpg", np.where(region, 255, 0).astype(np.uint8), quality=60))
    assert np.array_equal(decoded.region, region)
    assert "JPEG" in decoded.conversions[0]


@pytest.mark.real_data
def test_real_busi_masks_agree_with_their_modes(real_data: Path) -> None:
    folder = real_data / "busi" / "Dataset_BUSI_with_GT"
    by_mode: dict[str, Path] = {}
    for path in sorted(folder.rglob("*_mask*.png")):
        with Image.open(path) as image:
            by_mode.setdefault(image.mode, path)
    assert set(by_mode) >= {"1", "RGB", "RGBA"}
    for path in by_mode.values():
        with Image.open(path) as image:
            assert np.array_equal(read_mask(path), np.asarray(image.convert("L")) > 127)
