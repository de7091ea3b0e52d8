"""Images and masks from files that nobody vouches for.

A file is judged by its first bytes, not by its name. Its size is checked before anything is decoded.
Whatever cannot be read faithfully raises `BadImage`; whatever is converted on the way is told in words.
"""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from visteer.data.names import show_name
from visteer.errors import VisteerError

MAX_PIXELS = 100_000_000
EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif"},
)


class BadImage(VisteerError):
    """A file that cannot be used as an image or a mask: `path`, `what` is wrong and how to `mend` it."""

    def __init__(self, path: Path, what: str, mend: str) -> None:
        super().__init__(f"{show_name(path)}: {what}; {mend}")
        self.path = path
        self.what = what
        self.mend = mend


@dataclass(frozen=True)
class DecodedImage:
    """`pixels` (H, W, 3) uint8 RGB, upright; `conversions` say in words what was changed to get there."""

    pixels: NDArray[np.uint8]
    conversions: tuple[str, ...]


@dataclass(frozen=True)
class DecodedMask:
    """`region` (H, W) bool, upright, true inside; `conversions` as in `DecodedImage`."""

    region: NDArray[np.bool_]
    conversions: tuple[str, ...]


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read the picture in `path` as (H, W, 3) uint8 RGB, as `decode_image` makes it.

    Raises:
        BadImage: the file cannot be read faithfully; the message names it and the mend.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (4, 2), 7).save(Path(folder) / "grey.png")
        ...     pixels = read_image(Path(folder) / "grey.png")
        >>> pixels.shape, pixels[0, 0].tolist()
        ((2, 4, 3), [7, 7, 7])
    """
    return decode_image(path, max_pixels=max_pixels).pixels


def read_mask(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.bool_]:
    """Read the region drawn in `path` as (H, W) bool, as `decode_mask` makes it.

    Raises:
        BadImage: the file cannot be read faithfully; the message names it and the mend.
    """
    return decode_mask(path, max_pixels=max_pixels).region


def decode_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Read PNG, JPEG, BMP, TIFF, WebP or a single GIF frame, turned upright by its EXIF orientation.

    Grey is copied into three channels, a palette is looked up, CMYK becomes RGB, transparent pixels are laid
    on black. 16-bit grey v becomes round(v / 257). 16 bits a colour channel keep their upper 8 bits.

    Raises:
        BadImage: no regular file, empty, another format, more than `max_pixels` (found before decoding),
            several pictures in one file, 32-bit numbers, or damaged.
    """
    with _open_image(path, max_pixels) as stored:
        pixels, conversions = _rgb(stored, path)
        orientation, turn = _upright(stored)
    if orientation:
        conversions.append(orientation)
    return DecodedImage(np.ascontiguousarray(turn(pixels)), tuple(conversions))


def decode_mask(path: Path, *, max_pixels: int = MAX_PIXELS) -> DecodedMask:
    """Read a mask: every pixel that is not black is inside.

    A colour counts when any channel is above 0; palettes are looked up first. Fully transparent pixels are
    outside. Where all colours are black and only the alpha channel varies, the alpha channel is the mask.
    JPEG blurs the borders of a mask, so there a pixel is inside from half of full brightness (128) on.

    Raises:
        BadImage: as for `decode_image`.
    """
    with _open_image(path, max_pixels) as stored:
        region, conversions = _region(stored.image, path)
        orientation, turn = _upright(stored)
    if orientation:
        conversions.append(orientation)
    return DecodedMask(np.ascontiguousarray(turn(region)), tuple(conversions))


# First bytes -> decoder. Only these run: a file never reaches another decoder of Pillow's.
_Decoder = Callable[[BinaryIO, str], ImageFile.ImageFile]
_DECODERS: tuple[tuple[bytes, _Decoder], ...] = (
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"\xff\xd8\xff", JpegImageFile),
    (b"BM", BmpImageFile),
    (b"II*\0", TiffImageFile),
    (b"MM\0*", TiffImageFile),
    (b"II+\0", TiffImageFile),
    (b"MM\0+", TiffImageFile),
    (b"RIFF", WebPImageFile),
    (b"GIF87a", GifImageFile),
    (b"GIF89a", GifImageFile),
)

# What Pillow's decoders raise on damaged files.
_DAMAGE = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
)

_ORIENTATION = 0x0112
_Turn = Callable[[NDArray[np.generic]], NDArray[np.generic]]
_RESAVE = "save it again as PNG, or leave it out"


@dataclass(frozen=True)
class _Stored:
    """A decoded Pillow image, not yet converted, and what must be asked before decoding."""

    image: ImageFile.ImageFile
    sixteen_bit_colour: bool
    turned_by_pillow: bool


@contextmanager
def _open_image(path: Path, max_pixels: int) -> Iterator[_Stored]:
    """Decode the file, open while the context lasts; every failure on the way comes out as BadImage."""
    with _QUIET, _open_file(path) as file:
        try:
            image = _decoder(file, path)(file, "")
            _check_size(image, path, max_pixels)
            if getattr(image, "is_animated", False):
                raise BadImage(path, "holds several pictures (animation or pages)", "keep one of them")
            sixteen = any("16" in str(tile[3]) for tile in image.tile)
            orientation = image.tag_v2.get(_ORIENTATION, 1) if isinstance(image, TiffImageFile) else 1
            image.load()
        except (Image.DecompressionBombError, MemoryError):
            raise BadImage(path, "has too many pixels to be decoded", "make it smaller") from None
        except _DAMAGE as error:
            raise _damaged(path, error) from None
        yield _Stored(image, sixteen, orientation in _TURNS)


def _open_file(path: Path) -> BinaryIO:
    try:
        if not path.is_file():
            missing = "is not a regular file" if path.exists() else "does not exist"
            raise BadImage(path, missing, "check the name")
        return path.open("rb")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadImage(path, f"cannot be opened ({why})", "check its name and its rights") from None


def _decoder(file: BinaryIO, path: Path) -> _Decoder:
    start = file.read(16)
    file.seek(0)
    if not start:
        raise BadImage(path, "the file is empty (0 bytes)", "fetch it again, or leave it out")
    for magic, decoder in _DECODERS:
        if start.startswith(magic) and (magic != b"RIFF" or start[8:12] == b"WEBP"):
            return decoder
    raise BadImage(path, "is no PNG, JPEG, BMP, TIFF, WebP or GIF", _RESAVE)


def _check_size(image: Image.Image, path: Path, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        what = f"{width} x {height} pixels are more than the limit of {max_pixels:,}"
        raise BadImage(path, what, "make it smaller, or raise the limit")
    if width * height == 0:
        raise BadImage(path, "has no pixels", "leave it out")


def _damaged(path: Path, error: BaseException) -> BadImage:
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return BadImage(path, "is cut off before its end", "fetch it again, or leave it out")
    reason = show_name(" ".join(str(error).split())[:80] or type(error).__name__)
    return BadImage(path, f"is damaged ({reason[1:-1]})", _RESAVE)


class _QuietPillow:
    """Silences Pillow's warnings while any thread decodes, and restores the filters after the last one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0

    def __enter__(self) -> None:
        with self.lock:
            if self.users == 0:
                self.saved = warnings.catch_warnings()
                self.saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self.users += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.saved.__exit__(None, None, None)


_QUIET = _QuietPillow()


def _rgb(stored: _Stored, path: Path) -> tuple[NDArray[np.uint8], list[str]]:
    """(H, W, 3) uint8 as stored, and the conversions it took."""
    image, conversions = stored.image, []
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        grey = ((wide + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2), ["16-bit grey is scaled to 8-bit and copied to RGB"]
    if image.mode in {"I", "F"}:
        what = "holds 32-bit numbers, whose black and white are not known"
        raise BadImage(path, what, "save it with 8 or 16 bits a channel")
    if stored.sixteen_bit_colour:
        conversions.append("16 bits a channel are cut to the upper 8")
    if image.mode in {"1", "L", "LA", "La"}:
        conversions.append("grey is copied to RGB")
    elif image.mode in {"P", "PA"}:
        conversions.append("the palette is looked up as RGB")
    elif image.mode not in {"RGB", "RGBA", "RGBX", "RGBa"}:
        conversions.append(f"{image.mode} is converted to RGB")
    if not image.has_transparency_data:
        return np.asarray(_converted(image, "RGB", path)), conversions
    layers = np.asarray(_converted(image, "RGBA", path))
    alpha = layers[..., 3:].astype(np.uint16)
    if alpha.min(initial=255) < 255:
        conversions.append("transparent pixels are laid on black")
    return ((layers[..., :3] * alpha + 127) // 255).astype(np.uint8), conversions


def _region(image: ImageFile.ImageFile, path: Path) -> tuple[NDArray[np.bool_], list[str]]:
    """(H, W) bool as stored, and the conversions it took."""
    if image.mode == "F":
        raise BadImage(path, "holds 32-bit fractions", "save the mask with 8 bits, 0 outside and 255 inside")
    if image.mode == "1" or image.mode.startswith("I"):
        return np.asarray(image).astype(bool), []
    if isinstance(image, JpegImageFile):
        brightness = np.asarray(_converted(image, "L", path))
        return brightness >= 128, ["a JPEG mask is cut at half of full brightness"]
    if not image.has_transparency_data:
        colours = np.asarray(_converted(image, "RGB", path))
        return colours.max(axis=2) > 0, []
    layers = np.asarray(_converted(image, "RGBA", path))
    inside, alpha = layers[..., :3].max(axis=2) > 0, layers[..., 3]
    if not inside.any() and alpha.min(initial=255) != alpha.max(initial=0):
        return alpha != 0, ["the alpha channel is the mask"]
    return inside & (alpha != 0), []


def _converted(image: Image.Image, mode: str, path: Path) -> Image.Image:
    try:
        return image.convert(mode)
    except _DAMAGE:
        what = f"its colours ({image.mode}) cannot be converted"
        raise BadImage(path, what, "save it again as RGB") from None


def _upright(stored: _Stored) -> tuple[str, _Turn]:
    """Return what EXIF says about the orientation, in words, and the turn that makes an array upright.

    Pillow turns TIFF files itself while decoding, and then drops the tag.
    """
    try:
        orientation = stored.image.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return "the EXIF data cannot be read, so the picture is not turned", _as_stored
    turn = _TURNS.get(orientation, _as_stored)
    turned = stored.turned_by_pillow or turn is not _as_stored
    return "turned upright as its EXIF orientation says" if turned else "", turn


def _as_stored(array: NDArray[np.generic]) -> NDArray[np.generic]:
    return array


# EXIF 2.32, tag 0x0112: how the stored rows and columns lie, hence what makes them upright.
_TURNS: dict[int, _Turn] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}
