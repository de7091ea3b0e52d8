"""An edit's raster on the wire: `VSE1`, width and height, targets, weights."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from visteer.edits.map_edit import MAX_SIDE, MapEdit

MAGIC = b"VSE1"
HEADER = struct.Struct("<4sII")
MAX_EDIT_BYTES = HEADER.size + 3 * MAX_SIDE**2
_GZIP = 31


class BadEditBytes(ValueError):
    """The bytes are no edit."""


class TooManyBytes(BadEditBytes):
    """The bytes are, or become, more than `MAX_EDIT_BYTES`."""


def encode_edit(edit: MapEdit) -> bytes:
    """The raster of `edit`: 12 bytes of header, then `MapEdit.steps` row by row, little-endian.

    Example:
        >>> encode_edit(MapEdit([[1, 0]], [[1, 0]], author="Ada")).hex()
        '565345310200000001000000ffff0000ff00'
    """
    target, weight = edit.steps
    height, width = edit.shape
    return HEADER.pack(MAGIC, width, height) + target.astype("<u2").tobytes() + weight.tobytes()


def decode_edit(content: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Undo `encode_edit`: (H, W) target and weight as in `MapEdit.steps`.

    Raises:
        BadEditBytes: another form, a side that is 0 or over 4096, or too few or too many bytes.

    Example:
        >>> target, weight = decode_edit(bytes.fromhex("565345310200000001000000ffff0000ff00"))
        >>> target.tolist(), weight.tolist()
        ([[65535, 0]], [[255, 0]])
    """
    if len(content) < HEADER.size or content[:4] != MAGIC:
        raise BadEditBytes("the body is no edit: it must start with VSE1, width and height")
    _, width, height = HEADER.unpack_from(content)
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise BadEditBytes(f"an edit needs sides from 1 to {MAX_SIDE}, not {width} x {height}")
    cells = width * height
    if len(content) != HEADER.size + 3 * cells:
        raise BadEditBytes(
            f"an edit of {width} x {height} cells has {HEADER.size + 3 * cells} bytes, not {len(content)}; "
            "send it again"
        )
    target = np.frombuffer(content, "<u2", cells, HEADER.size).reshape(height, width)
    weight = np.frombuffer(content, np.uint8, cells, HEADER.size + 2 * cells).reshape(height, width)
    return target.astype(np.uint16, copy=False), weight


def inflate(content: bytes, limit: int = MAX_EDIT_BYTES) -> bytes:
    """Undo gzip, never to more than `limit` bytes.

    Raises:
        TooManyBytes: there is more in it.
        BadEditBytes: it is no gzip, is cut off, or has something behind its end.
    """
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(content, limit + 1)
    except zlib.error:
        raise BadEditBytes("the body is no gzip; send it again") from None
    if len(plain) > limit:
        raise TooManyBytes(f"the body unpacks to more than {limit} bytes")
    if not stream.eof or stream.unused_data:
        raise BadEditBytes("the gzip body is cut off or has something behind its end; send it again")
    return plain
