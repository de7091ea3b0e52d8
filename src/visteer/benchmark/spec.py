"""What a benchmark runs: a TOML file of data sets, models, approaches, seeds and annotation fractions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, get_args

import tomlkit

from visteer.data.readers import Layout
from visteer.errors import VisteerError
from visteer.steering import SteeringConfig
from visteer.steering.config import PRESETS, changed_settings
from visteer.study import StudySettings, is_steered

PUBLISHED_LOSS: Mapping[str, object] = {
    name: PRESETS["paper"][name]
    for name in ("method", "gamma", "gamma_schedule", "map_resolution", "empty_regions", "irrelevant")
}
"""The paper's loss alone, with the training of the other approaches."""

RECIPE: Mapping[str, object] = {"method": "attention-mse", "irrelevant": "transplant"}
"""What `visteer steer` does by itself where irrelevant regions are marked."""

APPROACHES: Mapping[str, Mapping[str, object]] = {
    "without": {"method": "none"},
    "abn": {"method": "abn"},
    "proposed": PUBLISHED_LOSS,
    "visteer": {**RECIPE, "irrelevant": "auto"},
}
"""Approaches that need no table in the file: settings over those of the benchmark. "auto" for `irrelevant` is
what `visteer steer` takes by itself: transplant where the training edits have marks of their own, else none."""

NumberT = TypeVar("NumberT", int, float)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_DATA_KEYS = {
    "name",
    "layout",
    "images",
    "masks",
    "irrelevant_masks",
    "classes",
    "image_size",
    "layer",
    "split_seed",
    "settings",
}


@dataclass(frozen=True)
class DataSpec:
    """A data set: its name in the tables, where it is, and settings of training on it.

    `split_seed` draws the split, the same for all cells.
    """

    name: str
    images: Path
    layout: Layout
    masks: Path | None = None
    irrelevant_masks: Path | None = None
    classes: tuple[str, ...] | None = None
    image_size: int = 224
    layer: str | None = None
    split_seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelSpec:
    """A model: its name in the tables, what `build_classifier` calls it, its weights, and settings of training it."""

    name: str
    model: str
    weights: str
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One training run of the grid."""

    data: str
    model: str
    approach: str
    fraction: float
    seed: int

    @property
    def name(self) -> str:
        """Its name in files and on the screen.

        Example:
            >>> Cell("BUSI", "resnet50", "proposed", 0.1, 3).name
            'BUSI--resnet50--proposed--f0.1--s3'
        """
        return f"{self.data}--{self.model}--{self.approach}--f{self.fraction:g}--s{self.seed}"


@dataclass(frozen=True)
class BenchmarkSpec:
    """A grid of runs. `approaches` maps each name to its settings; `settings` are those of every cell."""

    name: str
    data: tuple[DataSpec, ...]
    models: tuple[ModelSpec, ...]
    approaches: Mapping[str, Mapping[str, object]]
    seeds: tuple[int, ...] = (0,)
    fractions: tuple[float, ...] = (1.0,)
    settings: Mapping[str, object] = field(default_factory=dict)

    def cells(self) -> Iterator[Cell]:
        """Every cell, seed by seed, so that all of the first seed is done before the second begins.

        An approach that makes no use of edits is run at the largest fraction only.
        """
        largest = max(self.fractions)
        for seed, data, model, fraction, approach in itertools.product(
            self.seeds, self.data, self.models, self.fractions, self.approaches
        ):
            if fraction == largest or self.uses_edits(approach):
                yield Cell(data.name, model.name, approach, fraction, seed)

    def uses_edits(self, approach: str) -> bool:
        """Whether a run of `approach` depends on the annotation fraction."""
        return any(is_steered(self.config(cell)) for cell in self._any_cells(approach))

    def config(self, cell: Cell) -> SteeringConfig:
        """The settings of a cell; "auto" as transplant.

        Each of these goes over those before it: the preset, `settings` of the benchmark, of the model, of the data
        set, and the approach.

        Raises:
            ValueError, TypeError: they cannot be meant.
        """
        own = self.given(cell)
        if own.get("irrelevant") == "auto":
            own["irrelevant"] = "transplant"
        preset = str(own.pop("preset", "default"))
        return SteeringConfig.preset(preset, {**own, "seed": cell.seed})

    def changes(self, cell: Cell, then: Mapping[str, object]) -> dict[str, tuple[object, object]]:
        """The settings `then` of a run of `cell` that are not those of the file: name to (then, now).

        What the file leaves to the data does not count.
        """
        given = self.given(cell)
        by_data = {"target_layer", "select_by"} - set(given)
        if given.get("irrelevant") == "auto":
            by_data.add("irrelevant")
        now = self.config(cell).to_dict()
        return changed_settings(then, {name: now[name] for name in now if name not in by_data})

    def given(self, cell: Cell) -> dict[str, object]:
        """What the file says of the settings of a cell."""
        return {
            **self.settings,
            **self.model_named(cell.model).settings,
            **self.data_named(cell.data).settings,
            **self.approaches[cell.approach],
        }

    def study_settings(self, data: str, model: str) -> StudySettings:
        """The settings of the study that the cells of one data set and model share."""
        d, m = self.data_named(data), self.model_named(model)
        return StudySettings(
            images=d.images,
            layout=d.layout,
            masks=d.masks,
            irrelevant_masks=d.irrelevant_masks,
            classes=d.classes,
            model=m.model,
            weights=m.weights,
            layer=d.layer,
            image_size=d.image_size,
            seed=d.split_seed,
        )

    def data_named(self, name: str) -> DataSpec:
        """The data set of that name."""
        return next(entry for entry in self.data if entry.name == name)

    def model_named(self, name: str) -> ModelSpec:
        """The model of that name."""
        return next(entry for entry in self.models if entry.name == name)

    def _any_cells(self, approach: str) -> Iterator[Cell]:
        """A cell of `approach` for each data set and model."""
        for data, model in itertools.product(self.data, self.models):
            yield Cell(data.name, model.name, approach, max(self.fractions), self.seeds[0])


def read_spec(path: Path, data_root: Path | None = None) -> BenchmarkSpec:
    """Read a benchmark file. Relative paths of images count from `data_root`, by default from the file's folder.

    Raises:
        VisteerError: it is missing, is no TOML, or holds what cannot be meant.
    """
    try:
        tables = tomlkit.parse(path.read_text(encoding="utf-8-sig")).unwrap()
        return _parse(tables, data_root or path.parent, path.stem)
    except OSError as error:
        raise VisteerError(f"{path} cannot be read: {error.strerror}") from None
    except (tomlkit.exceptions.TOMLKitError, ValueError, TypeError, KeyError, OverflowError) as error:
        what = f"the entry {error} is missing" if isinstance(error, KeyError) else error
        raise VisteerError(f"{path}: {what}") from None


def named_text(path: Path) -> str:
    """The text of a benchmark file with its name in it, also where that is the file's own."""
    text = path.read_text(encoding="utf-8-sig")
    return text if "name" in tomlkit.parse(text) else f'name = "{path.stem}"\n{text}'


def _parse(tables: Mapping[str, object], root: Path, default_name: str) -> BenchmarkSpec:
    known = {"name", "data", "models", "approaches", "seeds", "fractions", "settings"}
    _refuse_unknown("the file", tables, known)
    chosen = tables["approaches"]
    if isinstance(chosen, list):
        if len(set(map(str, chosen))) < len(chosen):
            raise ValueError("approaches: one stands there twice")
        chosen = {str(name): {} for name in chosen}
    if not isinstance(chosen, dict):
        raise TypeError(f"approaches must be a list of names or a table, not {chosen!r}")
    if not chosen:
        raise ValueError(f"approaches must name at least one, such as {', '.join(APPROACHES)}")
    approaches = {}
    for name, own in _tables(chosen, "approaches").items():
        if not own and name not in APPROACHES:
            there = ", ".join(APPROACHES)
            raise ValueError(
                f"the approach {name!r} needs a table of settings; without one there are {there}"
            )
        approaches[_checked_name(name)] = {**APPROACHES.get(name, {}), **own}
    spec = BenchmarkSpec(
        name=_benchmark_name(tables, default_name),
        data=tuple(_data(entry, root) for entry in _list(tables["data"], "data")),
        models=tuple(_model(entry, root) for entry in _list(tables["models"], "models")),
        approaches=approaches,
        seeds=_numbers(tables.get("seeds", [0]), "seeds", int, 0, 2**31),
        fractions=_numbers(tables.get("fractions", [1.0]), "fractions", float, 0, 1),
        settings=_table(tables.get("settings", {}), "settings"),
    )
    for kind, names in (("data", [d.name for d in spec.data]), ("models", [m.name for m in spec.models])):
        if len({name.lower() for name in names}) < len(names):  # they name folders
            raise ValueError(f"two entries of {kind} have one name; give each its own")
    if min(spec.fractions) <= 0:
        raise ValueError("fractions must be above 0")
    cell_names: set[str] = set()
    for cell in spec.cells():
        if "seed" in spec.given(cell):
            raise ValueError("seed is no setting of a run here; write seeds = [...] at the top")
        try:
            spec.config(cell)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"settings of {cell.approach} on {cell.data} with {cell.model}: {error}"
            ) from None
        if cell.name in cell_names:
            raise ValueError(f"fractions: two of them are both called {cell.fraction:g}")
        cell_names.add(cell.name)
    return spec


def _data(entry: Mapping[str, object], root: Path) -> DataSpec:
    name = _checked_name(_text(entry, "name", "an entry of data"))
    _refuse_unknown(f"data {name}", entry, _DATA_KEYS)
    layout = entry.get("layout", "folder")
    if layout not in get_args(Layout):
        raise ValueError(f"data {name}: layout must be one of {', '.join(get_args(Layout))}")
    classes = entry.get("classes")
    if classes is not None and not (isinstance(classes, list) and all(isinstance(c, str) for c in classes)):
        raise TypeError(f"data {name}: classes must be a list of names")

    def path(key: str) -> Path | None:
        return (root / _text(entry, key, name)).resolve() if key in entry else None

    return DataSpec(
        name=name,
        images=(root / _text(entry, "images", name)).resolve(),
        layout=layout,  # type: ignore[arg-type]
        masks=path("masks"),
        irrelevant_masks=path("irrelevant_masks"),
        classes=None if classes is None else tuple(classes),
        image_size=_numbers([entry.get("image_size", 224)], f"data {name}: image_size", int, 16, 4096)[0],
        layer=_text(entry, "layer", name) if "layer" in entry else None,
        split_seed=_numbers([entry.get("split_seed", 0)], f"data {name}: split_seed", int, 0, 2**31)[0],
        settings=_table(entry.get("settings", {}), f"data {name}: settings"),
    )


def _model(entry: Mapping[str, object], root: Path) -> ModelSpec:
    name = _checked_name(_text(entry, "name", "an entry of models"))
    _refuse_unknown(f"model {name}", entry, {"name", "model", "weights", "settings"})
    weights = _text({"weights": "imagenet", **entry}, "weights", name)
    if weights not in ("imagenet", "offline", "none"):
        weights = str((root / weights).resolve())
    settings = _table(entry.get("settings", {}), f"model {name}: settings")
    return ModelSpec(name, _text({"model": name, **entry}, "model", name), weights, settings)


def _benchmark_name(tables: Mapping[str, object], default: str) -> str:
    """The name in the file, else that of the file."""
    if "name" in tables:
        return _checked_name(_text(tables, "name", "the file"))
    try:
        return _checked_name(default)
    except ValueError as error:
        raise ValueError(f'{error}; write name = "..." at the top of the file') from None


def _checked_name(name: str) -> str:
    """A name that can stand in a file name and in a table."""
    if not _NAME.fullmatch(name) or "--" in name:
        raise ValueError(f"{name!r} is no name: letters, digits, dots and single dashes, at most 60")
    return name


def _text(entry: Mapping[str, object], key: str, name: str) -> str:
    if key not in entry:
        raise ValueError(f"{name}: {key} is missing")
    if not isinstance(entry[key], str):
        raise TypeError(f"{name}: {key} must be a text in quotes, not {entry[key]!r}")
    return str(entry[key])


def _refuse_unknown(where: str, table: Mapping[str, object], known: set[str]) -> None:
    if unknown := sorted(set(table) - known):
        raise ValueError(f"{where}: not an entry: {unknown[0]}; there are {', '.join(sorted(known))}")


def _table(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be a table")
    return value


def _tables(value: object, name: str) -> Mapping[str, Mapping[str, object]]:
    return {key: _table(entry, f"{name}.{key}") for key, entry in _table(value, name).items()}


def _list(value: object, name: str) -> list[Mapping[str, object]]:
    if not isinstance(value, list) or not value:
        raise TypeError(f"{name} must be a list of tables with at least one entry")
    return [_table(entry, name) for entry in value]


def _numbers(value: object, name: str, kind: type[NumberT], low: float, high: float) -> tuple[NumberT, ...]:
    if not isinstance(value, list) or not value:
        raise TypeError(f"{name} must be a list with at least one number")
    for number in value:
        fits = isinstance(number, (int, float) if kind is float else int) and not isinstance(number, bool)
        if not fits or not low <= number <= high:
            raise ValueError(
                f"{name}: {number!r} is no {'whole ' if kind is int else ''}number in [{low}, {high}]"
            )
    if len(set(value)) < len(value):
        raise ValueError(f"{name}: a number stands there twice")
    return tuple(kind(number) for number in value)
