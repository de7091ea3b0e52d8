"""The study's pictures as PNG, never larger than what can be drawn on."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Semaphore

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visteer.data.images import BadImage, read_image
from visteer.edits.map_edit import MAX_SIDE
from visteer.errors import VisteerError
from visteer.study import Study

FULL_SIDE = MAX_SIDE
THUMB_SIDE = 160
_BYTES_KEPT = 128 * 2**20
_DECODING_AT_ONCE = 2


@dataclass(frozen=True)
class Picture:
    """A PNG with its size in pixels; `etag` is the start of its SHA-256."""

    png: bytes
    width: int
    height: int
    etag: str


class Pictures:
    """The pictures of a study, made at need and the last ones kept. Any number of threads may ask.

    Where the data set's own file is gone, the square picture in the study's cache stands for it.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._sources: dict[str, Path] | None = None
        self._lock = Lock()
        self._decoding = Semaphore(_DECODING_AT_ONCE)
        self._kept: OrderedDict[tuple[int, int], Picture] = OrderedDict()

    def of_image(self, key: int, longest: int = FULL_SIDE) -> Picture:
        """The image `key`, made smaller if a side is over `longest`, upright as the readers of data make it.

        Raises:
            VisteerError: neither the file nor the study's cache can be read.
        """
        asked = (key, longest)
        with self._lock:
            if asked in self._kept:
                self._kept.move_to_end(asked)
                return self._kept[asked]
        with self._decoding:
            picture = _encode(self._pixels(key), longest)
        with self._lock:
            self._kept[asked] = picture
            while sum(len(kept.png) for kept in self._kept.values()) > _BYTES_KEPT and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return picture

    def _pixels(self, key: int) -> NDArray[np.uint8]:
        name = self._study.samples[key].id
        source = self._source(name)
        if source is not None:
            try:
                return read_image(source)
            except BadImage:
                pass  # moved or damaged since: the cache has it
        cache = self._study.image_cache()
        return np.array(cache.images[cache.ids.index(name)])

    def _source(self, name: str) -> Path | None:
        """The file of an image; the data set is listed once."""
        with self._lock:
            if self._sources is None:
                try:
                    self._sources = {sample.id: sample.image for sample in self._study.catalogue().samples}
                except VisteerError:
                    self._sources = {}
            return self._sources.get(name)


def _encode(pixels: NDArray[np.uint8], longest: int) -> Picture:
    image = Image.fromarray(pixels)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)
    png = content.getvalue()
    return Picture(png, image.width, image.height, hashlib.sha256(png).hexdigest()[:32])
