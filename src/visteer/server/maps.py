"""Maps and predictions for the page: from the files of `visteer explain`, else computed one at a time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from visteer.attribution import dead_maps, explain_images, normalize_maps
from visteer.attribution.methods import CHANNEL_WEIGHTS
from visteer.data.image_cache import ImageCache
from visteer.data.sample import Split
from visteer.errors import VisteerError
from visteer.models import Classifier
from visteer.study import Study, load_run, own_map_method, run_config

_FILES_KEPT = 6
_COMPUTED_KEPT = 512
Stamp = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ServedMap:
    """One map, (h, w) float32 normalised to [0, 1], and the run's probabilities (C,) float32 for the image."""

    values: NDArray[np.float32]
    dead: bool
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StoredMaps:
    """What `visteer explain` wrote for a split: maps of the true class, and predictions. `row_of` goes by image id.

    `instability` (n,) is NaN where the file is from before it was measured.
    """

    row_of: dict[str, int]
    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]
    dead: NDArray[np.bool_]
    instability: NDArray[np.float32]


class Maps:
    """The maps of a study. Any number of threads may ask; one computes at a time, with the last model kept loaded."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._files: OrderedDict[str, tuple[Stamp, StoredMaps | None]] = OrderedDict()
        self._files_lock = Lock()
        self._computed: OrderedDict[tuple[str, int, int, str], ServedMap] = OrderedDict()
        self._computing = Lock()
        self._model: tuple[str, Classifier] | None = None
        self._images: tuple[ImageCache, dict[str, int]] | None = None
        self._own_methods: dict[str, str] = {}

    def own_method(self, run: str) -> str:
        """How the run's maps are made unless another method is asked for; Grad-CAM where its settings are gone."""
        if run not in self._own_methods:
            try:
                self._own_methods[run] = own_map_method(self._study, run)
            except VisteerError:
                return "grad-cam"
        return self._own_methods[run]

    def stamp(self, run: str, split: Split, method: str | None = None) -> Stamp | None:
        """Changes when the file of these maps does; None where there is none."""
        return _stamp(self._path(run, split, method))

    def stored(self, run: str, split: Split, method: str | None = None) -> StoredMaps | None:
        """The maps in the file, read once as long as it does not change; None where it is missing or damaged."""
        path = self._path(run, split, method)
        stamp = _stamp(path)
        if stamp is None:
            return None
        with self._files_lock:
            known = self._files.get(path.name)
            if known is None or known[0] != stamp:
                known = (stamp, _read_maps(path, len(self._study.class_names)))
                self._files[path.name] = known
            self._files.move_to_end(path.name)
            while len(self._files) > _FILES_KEPT:
                self._files.popitem(last=False)
            return known[1]

    def of_image(self, run: str, key: int, label: int | None = None, method: str | None = None) -> ServedMap:
        """The map of the class `label`, by default the true one, for the image `key`.

        Raises:
            VisteerError: the run is not finished, or its files or the images are damaged.
        """
        sample = self._study.samples[key]
        method = method or self.own_method(run)
        label = sample.label if label is None else label
        if label == sample.label:
            stored = self.stored(run, sample.split, method)
            if stored is not None and sample.id in stored.row_of:
                row = stored.row_of[sample.id]
                return ServedMap(stored.maps[row], bool(stored.dead[row]), stored.probabilities[row])
        with self._computing:
            asked = (run, key, label, method)
            if asked not in self._computed:
                self._computed[asked] = self._compute(run, sample.id, label, method)
            self._computed.move_to_end(asked)
            while len(self._computed) > _COMPUTED_KEPT:
                self._computed.popitem(last=False)
            return self._computed[asked]

    def _compute(self, run: str, image_id: str, label: int, method: str) -> ServedMap:
        """Run the network once; the caller holds the lock."""
        if self._model is None or self._model[0] != run:
            self._model = (run, load_run(self._study, run))
        if self._images is None:
            cache = self._study.image_cache()
            self._images = (cache, {name: row for row, name in enumerate(cache.ids)})
        cache, row_of = self._images
        model = self._model[1]
        pixels = torch.from_numpy(np.array(cache.images[row_of[image_id]]))
        images = pixels.permute(2, 0, 1)[None].float().div(255)
        layer = run_config(self._study, run).target_layer if method in CHANNEL_WEIGHTS else None
        explained = explain_images(model, images, torch.tensor([label]), method=method, layer=layer)
        return ServedMap(
            normalize_maps(explained.maps)[0].float().numpy(),
            bool(dead_maps(explained.maps)[0]),
            explained.logits[0].float().softmax(0).numpy(),
        )

    def _path(self, run: str, split: Split, method: str | None) -> Path:
        name = f"{run}-{split}" + ("" if method in (None, self.own_method(run)) else f"-{method}")
        return self._study.folder / "maps" / f"{name}.npz"


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _read_maps(path: Path, classes: int) -> StoredMaps | None:
    """The arrays in `path`, if they fit together."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            ids = [str(name) for name in file["ids"].tolist()]
            probabilities = file["probabilities"].astype(np.float32)
            maps, dead = file["maps"].astype(np.float32), file["dead"].astype(bool)
            unknown = np.full(len(ids), np.nan)
            instability = file.get("instability", unknown).astype(np.float32)
    except Exception:
        return None
    count = len(ids)
    fits = probabilities.shape == (count, classes) and maps.ndim == 3 and maps.size > 0
    fits = fits and dead.ndim == instability.ndim == 1
    fits = fits and len(maps) == len(dead) == len(instability) == count
    if not fits or not (np.isfinite(maps).all() and np.isfinite(probabilities).all()):
        return None
    return StoredMaps({name: row for row, name in enumerate(ids)}, probabilities, maps, dead, instability)
