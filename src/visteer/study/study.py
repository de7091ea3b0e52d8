"""The folder of a study: where its images are, how they are split, which edits and runs it has.

visteer.toml    what the study is about; written last, so that a folder with it is complete
samples.csv     every image: id, class, split, group of near-duplicates
cache/          the decoded images
visteer.db      the edits (any SQLAlchemy URL in visteer.toml)
maps/           what `explain` wrote
runs/<id>/      one folder a training run
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, get_args

import numpy as np
import tomlkit
from numpy.typing import NDArray
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from visteer.atomic import write_text
from visteer.data.image_cache import ImageCache, ImageRows
from visteer.data.readers import Layout, read_catalogue
from visteer.data.sample import Catalogue, Split
from visteer.edits.consensus import SOURCE as CONSENSUS
from visteer.edits.map_edit import MapEdit
from visteer.edits.store import EditStore
from visteer.errors import VisteerError
from visteer.lock import held
from visteer.models import Classifier, build_classifier
from visteer.steering import RunFolder, SteeringDataset
from visteer.steering.config import MAX_SEED

SPLITS: tuple[Split, ...] = get_args(Split)
FORMAT = 1
BYTES_A_PIXEL = 3
MAX_IMAGE_SIZE = 4096
EntryT = TypeVar("EntryT")
Unpainted = Literal["unknown", "irrelevant"]


@dataclass(frozen=True)
class StudySettings:
    """What visteer.toml holds.

    `unpainted` is what a cell means that nobody painted: unknown, which counts nowhere, or irrelevant, the paper's.
    `weights` is imagenet, offline, none or a path. `layer` is the dotted name of the layer whose maps the study is
    about, by default the last spatial stage. `database` is a SQLAlchemy URL, in which a relative SQLite path counts
    from the study's folder.
    """

    images: Path
    layout: Layout = "folder"
    masks: Path | None = None
    irrelevant_masks: Path | None = None
    classes: tuple[str, ...] | None = None
    model: str = "resnet50"
    weights: str = "imagenet"
    layer: str | None = None
    image_size: int = 224
    seed: int = 0
    unpainted: Unpainted = "unknown"
    database: str = "sqlite:///visteer.db"


@dataclass(frozen=True)
class StudySample:
    """One image of the study. `group` names its set of near-duplicates, which lie on one side of the split."""

    id: str
    label: int
    split: Split
    group: int


class Study:
    """An existing study. Opens nothing but visteer.toml and samples.csv until more is asked for.

    Raises:
        VisteerError: `folder` is not a study, or its files are damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = _read_settings(folder)
        self.class_names, self.samples = _read_samples(folder / "samples.csv")

    @classmethod
    def create(
        cls,
        folder: Path,
        settings: StudySettings,
        catalogue: Catalogue,
        splits: dict[str, Split],
        groups: dict[str, int],
        progress: Callable[[int, int], None] | None = None,
    ) -> Study:
        """Write a new study from a checked catalogue: its list of images, their decoded cache, its database.

        Raises:
            VisteerError: `folder` holds a study already, another process makes one there, it cannot be written, or
                the disk is too small.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise VisteerError(f"cannot make the study folder {folder}: {error.strerror}") from None
        with held(
            folder, f"another process makes a study in {folder}; wait for it, or choose another folder"
        ):
            if (folder / "visteer.toml").exists():
                raise VisteerError(f"{folder} holds a study already; choose another folder or delete it")
            _check_space(folder, len(catalogue.samples), settings.image_size)
            with EditStore(_database_url(folder, settings.database)):
                pass
            samples = [StudySample(s.id, s.label, splits[s.id], groups[s.id]) for s in catalogue.samples]
            write_text(folder / "samples.csv", _samples_csv(samples, catalogue.classes))
            ImageCache.build(catalogue.samples, folder / "cache", settings.image_size, progress)
            write_text(folder / "visteer.toml", _settings_toml(settings))
        return cls(folder)

    def catalogue(self) -> Catalogue:
        """The data set that the study was made from, read anew.

        Raises:
            VisteerError: it is not there any more.
        """
        settings = self.settings
        return read_catalogue(
            settings.layout,
            settings.images,
            masks=settings.masks,
            irrelevant_masks=settings.irrelevant_masks,
            classes=settings.classes,
        )

    def image_cache(self, progress: Callable[[int, int], None] | None = None) -> ImageCache:
        """The decoded images of the study; decoded anew where the cache was deleted or damaged.

        Raises:
            VisteerError: samples.csv does not fit the images, or an image is gone.
        """
        folder = self.folder / "cache"
        try:
            cache = ImageCache.open(folder)
            if cache.images.shape[1] != self.settings.image_size:
                raise VisteerError(f"{folder} holds images of another size")
        except VisteerError:
            sources = {sample.id: sample for sample in self.catalogue().samples}
            if missing := [name for name in self.ids() if name not in sources]:
                raise VisteerError(
                    f"{self.settings.images} has no image {missing[0]!r} any more ({len(missing)} missing); "
                    "put the images back, or make a new study"
                ) from None
            samples = [sources[name] for name in self.ids()]
            cache = ImageCache.build(samples, folder, self.settings.image_size, progress)
        if set(cache.ids) != set(self.ids()):
            raise VisteerError(
                f"{self.folder / 'samples.csv'} does not fit the {len(cache)} images of the study; "
                "restore it from a backup, or make a new study"
            )
        return cache

    def open_edits(self, *, create: bool = False) -> EditStore:
        """The store of edits; a context manager.

        Raises:
            VisteerError: the database cannot be opened, or its file is gone and `create` does not allow a new one.
        """
        url = _database_url(self.folder, self.settings.database)
        file = _database_file(url)
        if file is not None and not create and (not file.exists() or not file.stat().st_size):
            state = "empty" if file.exists() else "gone"
            raise VisteerError(
                f"{file} with the edits is {state}; restore it from a backup, or import the edits again"
            )
        return EditStore(url)

    def ids(self, split: Split | None = None) -> tuple[str, ...]:
        """The ids of the images of `split`, or of all."""
        return tuple(s.id for s in self.samples if split in (None, s.split))

    def groups(self, split: Split) -> NDArray[np.int64]:
        """The near-duplicate groups of the images of `split`, in the order of `ids`."""
        return np.array([s.group for s in self.samples if s.split == split], dtype=np.int64)

    def dataset(self, split: Split, *, edits: bool = True) -> SteeringDataset:
        """The decoded images of `split` with their labels and, unless `edits` is false, their latest edits.

        Raises:
            VisteerError: the split is empty.
        """
        cache = self.image_cache()
        row_of = {name: row for row, name in enumerate(cache.ids)}
        chosen = [s for s in self.samples if s.split == split]
        if not chosen:
            raise VisteerError(f"{self.folder}: the split {split!r} has no image")
        ids = [s.id for s in chosen]
        latest: dict[str, MapEdit] = {}
        if edits:
            with self.open_edits() as store:
                latest = {name: self.as_meant(edit) for name, edit in store.latest(ids).items()}
        images = ImageRows(cache.images, np.array([row_of[name] for name in ids]))
        return SteeringDataset(images, [s.label for s in chosen], self.class_names, ids, latest)

    def as_meant(self, edit: MapEdit) -> MapEdit:
        """The edit with what nobody painted taken as this study takes it; the stored one stays as it was drawn.

        A consensus stays as it is: it was made of edits read in this way, and its unknown cells are those on which
        people are split.
        """
        if self.settings.unpainted == "unknown" or edit.source == CONSENSUS:
            return edit
        return edit.with_unknown_as_irrelevant()

    def initial_model(self) -> Classifier:
        """The classifier that training starts from."""
        settings = self.settings
        return build_classifier(
            settings.model,
            len(self.class_names),
            weights=settings.weights,
            image_size=settings.image_size,
            class_names=self.class_names,
        )

    def run_folder(self, run: str) -> RunFolder:
        """The folder of the run `run`.

        Raises:
            VisteerError: there is no such run; the message names those there are.
        """
        if run not in self.runs():
            there = ", ".join(self.runs()) or "none yet (visteer train)"
            raise VisteerError(f"{self.folder} has no run {run!r}; there are: {there}")
        return RunFolder(self._runs / run)

    def runs(self) -> tuple[str, ...]:
        """The ids of all runs, oldest first. A folder that was reserved for a run not yet begun is none."""
        return tuple(sorted((path.parent.name for path in self._runs.glob("*/run.json")), key=_run_order))

    @contextmanager
    def reserved_run(self, kind: str) -> Iterator[str]:
        """Yield the id of a new run of `kind`, such as "plain-1": `kind` and the next free number of all runs.

        The folder is made at once, so that no other process takes the number. If it is still empty at the end, since
        no run was begun in it, it is deleted.
        """
        self._runs.mkdir(exist_ok=True)
        while True:
            number = max((_run_order(path.name)[0] for path in self._runs.iterdir()), default=0) + 1
            folder = self._runs / f"{kind}-{number}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            if len(list(self._runs.glob(f"*-{number}"))) == 1:
                break
            folder.rmdir()  # another process took the number for a run of another kind
        try:
            yield folder.name
        finally:
            with suppress(OSError):
                folder.rmdir()

    @property
    def _runs(self) -> Path:
        return self.folder / "runs"


def _run_order(run: str) -> tuple[int, str]:
    """Sort key of a run id: its number."""
    number = run.rpartition("-")[2]
    return (int(number) if number.isdecimal() else 0, run)


def _read_settings(folder: Path) -> StudySettings:
    """The settings in `folder`/visteer.toml."""
    path = folder / "visteer.toml"
    try:
        return _parse_settings(tomlkit.parse(path.read_text(encoding="utf-8")).unwrap())
    except (FileNotFoundError, NotADirectoryError):
        raise VisteerError(
            f"{folder} is not a study: it has no visteer.toml (make one: visteer init)"
        ) from None
    except (tomlkit.exceptions.TOMLKitError, ValueError) as error:
        raise VisteerError(f"{path} is damaged: {error}; mend it or restore it from a backup") from None
    except OSError as error:
        raise VisteerError(f"{path} cannot be read: {error.strerror}") from None


def _parse_settings(tables: Mapping[str, object]) -> StudySettings:
    """The settings in the tables of visteer.toml; a ValueError where one is missing or cannot be meant."""
    study, data, model = (_entry(tables, name, dict) for name in ("study", "data", "model"))
    if (found := _entry(study, "format", int)) != FORMAT:
        raise ValueError(f"it has format {found}, and this version reads format {FORMAT}")
    layout = _entry(data, "layout", str)
    if layout not in get_args(Layout):
        raise ValueError(f"layout must be one of {', '.join(get_args(Layout))}, not {layout!r}")
    classes = _entry(data, "classes", list) if "classes" in data else None
    return StudySettings(
        images=Path(_entry(data, "images", str)),
        layout=layout,  # type: ignore[arg-type]
        masks=Path(_entry(data, "masks", str)) if "masks" in data else None,
        irrelevant_masks=Path(_entry(data, "irrelevant_masks", str)) if "irrelevant_masks" in data else None,
        classes=tuple(str(name) for name in classes) if classes is not None else None,
        model=_entry(model, "name", str),
        weights=_entry(model, "weights", str),
        layer=_entry(model, "layer", str) if "layer" in model else None,
        image_size=_number(model, "image_size", 1, MAX_IMAGE_SIZE),
        seed=_number(study, "seed", 0, MAX_SEED),
        unpainted=_unpainted(study),
        database=_entry(study, "database", str),
    )


def _unpainted(study: Mapping[str, object]) -> Unpainted:
    """The entry `unpainted`, which older studies have not."""
    value = study.get("unpainted", "unknown")
    if value not in get_args(Unpainted):
        raise ValueError(f"unpainted must be one of {', '.join(get_args(Unpainted))}, not {value!r}")
    return value  # type: ignore[return-value]


def _entry(table: Mapping[str, object], name: str, kind: type[EntryT]) -> EntryT:
    """`table[name]`, which must be of `kind`."""
    value = table.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"the entry {name} is {'missing' if value is None else 'of the wrong kind'}")
    return value


def _number(table: Mapping[str, object], name: str, low: int, high: int) -> int:
    """`table[name]`, which must be a whole number from `low` to `high`."""
    value = _entry(table, name, int)
    if isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"the entry {name} must be a whole number from {low} to {high}, not {value}")
    return value


def _settings_toml(settings: StudySettings) -> str:
    """visteer.toml as text."""
    data: dict[str, object] = {"layout": settings.layout, "images": str(settings.images)}
    if settings.masks is not None:
        data["masks"] = str(settings.masks)
    if settings.irrelevant_masks is not None:
        data["irrelevant_masks"] = str(settings.irrelevant_masks)
    if settings.classes is not None:
        data["classes"] = list(settings.classes)
    model = {"name": settings.model, "weights": settings.weights, "image_size": settings.image_size}
    if settings.layer is not None:
        model["layer"] = settings.layer
    study = {"format": FORMAT, "seed": settings.seed, "database": settings.database}
    study["unpainted"] = settings.unpainted
    return tomlkit.dumps({"study": study, "data": data, "model": model})


def _samples_csv(samples: Sequence[StudySample], classes: Sequence[str]) -> str:
    """samples.csv as text. Classes without an image have a row of their own, so that their labels stay."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["id", "label", "class", "split", "group"])
    used = {sample.label for sample in samples}
    for label, name in enumerate(classes):
        if label not in used:
            writer.writerow(["", label, name, "", ""])
    for s in samples:
        writer.writerow([s.id, s.label, classes[s.label], s.split, s.group])
    return text.getvalue()


def _read_samples(path: Path) -> tuple[tuple[str, ...], tuple[StudySample, ...]]:
    """Class names in label order, and the samples."""
    names: dict[int, str] = {}
    samples = []
    line, mend = 0, "restore it from a backup, or make a new study"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                line = reader.line_num
                names[int(row["label"])] = row["class"]
                if row["id"]:
                    split = SPLITS[SPLITS.index(row["split"])]
                    samples.append(StudySample(row["id"], int(row["label"]), split, int(row["group"])))
    except OSError as error:
        raise VisteerError(f"{path} cannot be read: {error.strerror}; {mend}") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise VisteerError(f"{path} is damaged at line {line}; {mend}") from None
    if not samples or sorted(names) != list(range(len(names))) or len({s.id for s in samples}) < len(samples):
        raise VisteerError(f"{path} is damaged: rows are missing or double; {mend}")
    return tuple(names[label] for label in range(len(names))), tuple(samples)


def _check_space(folder: Path, images: int, size: int) -> None:
    """Refuse more decoded images than the disk of `folder` has room for."""
    needed, free = images * size * size * BYTES_A_PIXEL, shutil.disk_usage(folder).free
    if needed > free:
        raise VisteerError(
            f"{folder}: {images} decoded images of {size} px take {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB "
            "are free; choose a smaller --image-size or another disk"
        )


def _database_url(folder: Path, url: str) -> URL | str:
    """`url` with a relative SQLite path made to count from `folder`; what is no URL stays for `EditStore` to refuse."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return url
    if parsed.get_backend_name() != "sqlite":
        return parsed
    if parsed.database in (None, "", ":memory:"):
        raise VisteerError(
            f"the database {url} would be forgotten; give a file, such as sqlite:///visteer.db"
        )
    try:
        return parsed.set(database=str((folder / parsed.database).resolve()))
    except ValueError:  # a NUL
        raise VisteerError(
            f"the database {url!r} is no file name; give one, such as sqlite:///visteer.db"
        ) from None


def _database_file(url: URL | str) -> Path | None:
    """The file of a SQLite database."""
    if isinstance(url, str) or url.get_backend_name() != "sqlite" or url.database is None:
        return None
    return Path(url.database)
