"""The settings of a training run: one frozen value that is stored with the run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, NoneType
from typing import Literal, get_args, get_type_hints

from visteer.data.transforms import TransformConfig
from visteer.steering.methods import METHODS

Method = Literal[
    "none",
    "attention-mse",
    "hint",
    "l1",
    "ppce",
    "energy",
    "dice",
    "distance-aware",
    "gradia",
    "res-g",
    "rrr-g",
    "rrr",
    "rbr",
    "cdep",
    "caipi",
    "abn",
    "abn-edit",
]
Irrelevant = Literal["none", "replace", "transplant"]
Ramp = Literal["constant", "linear"]
MAX_SEED = 2**63 - 1  # torch takes no more
MAX_COUNT = 10**9
MAX_NUMBER = 1e30  # float32 has 3e38


@dataclass(frozen=True)
class SteeringConfig:
    """How to train. The defaults suit fine-tuning a pretrained classifier on a small set.

    Attributes:
        method: what is added to the prediction loss, a name of `visteer.steering.METHODS`; "none" trains plainly.
        gamma: its factor; None takes the method's own, `METHODS[method].gamma`.
        gamma_schedule: "linear" from 0 to `gamma` over the run, so that the prediction is learned first and then
            moved; or "constant".
        map_resolution: for "attention-mse": compare on the "map"'s grid, or on the "image"'s as the paper does.
        constant_weights: keep Grad-CAM's channel weights constant in the loss (first order).
        attention_every: compute what the method adds in the first of every so many steps of an epoch only, with the
            sum of the gammas of all of them. A step without it costs what a plain one costs.
        weigh_by_confidence: multiply what the method adds for an image by `confidence_above_chance`, so that maps are
            moved where the prediction is right already and let go where it suffers.
        empty_regions: an edit that leaves nowhere to look (every cell irrelevant) either does not take part
            ("skip") or pulls the map to zero ("suppress", the paper's; it kills maps).
        irrelevant: what is done with regions marked irrelevant, so that the prediction stops depending on
            them: "none"; "replace" fills them with a random colour; "transplant" pastes those of marked
            images onto all images, the labels kept.
        target_layer: dotted name of the layer that the maps are made at; None finds the last spatial stage.
        epochs, batch_size: `batch_size` counts the images of one optimiser step over all processes. With 0 epochs the
            network is kept as it is, so that a classifier can be seen and measured before any training.
        accumulate: the number of parts in which a batch passes through the model, to save memory.
        optimizer, learning_rate, momentum, weight_decay: `momentum` is used by "sgd" only.
        schedule: the learning rate's course after `warmup_epochs` of linear rise: "constant", "cosine" to
            zero, or "step" (a tenth after each third of the run).
        class_weights: "balanced" weighs the prediction loss by the inverse class frequency.
        augment: the name of a preset of `visteer.data.transforms`.
        precision: "fp32" or "bf16" (autocast); "auto" takes bf16 where the device is faster with it.
        channels_last: lay out images and convolutions channels-last.
        freeze: dotted names of modules that are not trained (their BatchNorm statistics neither).
        select_by: the validation figures whose mean picks the kept epoch, joined by "+", such as "f2+epg".
            A figure that is a loss or a distance does not belong here: higher is better.
        patience: stop after so many epochs without a better score; None never stops early.
        seed: of everything random.

    Raises:
        ValueError: a value is out of range or not one of those named.
        TypeError: a value is of another type than its field.

    Example:
        >>> SteeringConfig(method="attention-mse").gamma, SteeringConfig(method="energy").gamma
        (20.0, 1.0)
        >>> SteeringConfig.preset("paper").optimizer
        'sgd'
    """

    method: Method = "none"
    gamma: float = None  # type: ignore[assignment]  # a number from here on: __post_init__
    gamma_schedule: Ramp = "linear"
    map_resolution: Literal["map", "image"] = "map"
    constant_weights: bool = False
    attention_every: int = 1
    weigh_by_confidence: bool = False
    empty_regions: Literal["skip", "suppress"] = "skip"
    irrelevant: Irrelevant = "none"
    target_layer: str | None = None
    epochs: int = 10
    batch_size: int = 16
    accumulate: int = 1
    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 1e-2
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    warmup_epochs: float = 0.5
    class_weights: Literal["none", "balanced"] = "balanced"
    augment: str = "light"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    channels_last: bool = False
    freeze: tuple[str, ...] = ()
    select_by: str = "balanced_accuracy"
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Take the method's own gamma where none is given, and refuse values that cannot be meant."""
        method = METHODS.get(str(self.method))
        if vars(self)["gamma"] is None and method is not None:
            object.__setattr__(self, "gamma", method.gamma)
        hints = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            allowed = get_args(hints[field.name])
            value = getattr(self, field.name)
            if allowed and isinstance(allowed[0], str) and value not in allowed:
                raise ValueError(f"{field.name} must be one of {', '.join(allowed)}, got {value!r}")
            if not (allowed and isinstance(allowed[0], str)) and not _is_of(value, hints[field.name]):
                raise TypeError(f"{field.name} must be {_in_words(hints[field.name])}, not {value!r}")
        for name in ("epochs", "batch_size", "accumulate", "attention_every", "patience"):
            value = getattr(self, name)
            least = 0 if name == "epochs" else 1
            if value is not None and not least <= value <= MAX_COUNT:
                raise ValueError(f"{name} must be from {least} to {MAX_COUNT:,}, got {_shown(value)}")
        for name in ("gamma", "learning_rate", "momentum", "weight_decay", "warmup_epochs"):
            if not 0 <= (value := getattr(self, name)) <= MAX_NUMBER:
                raise ValueError(f"{name} must be a number from 0 to {MAX_NUMBER:g}, got {_shown(value)}")
        TransformConfig.preset(self.augment)
        if not 0 <= self.seed <= MAX_SEED:
            raise ValueError(f"seed must be 0 or more and fit 63 bits, got {self.seed}")

    @classmethod
    def preset(cls, name: str, changes: Mapping[str, object] = MappingProxyType({})) -> SteeringConfig:
        """A named set of settings, with `changes`. "paper" is what the paper's code states.

        Its gamma is that of its method: `changes` that name another method have that method's own.

        Raises:
            ValueError: no preset of that name, or as `from_dict`.
            TypeError: as `from_dict`.

        Example:
            >>> SteeringConfig.preset("paper", {"method": "energy"}).gamma
            1.0
        """
        _check_mapping(changes)
        if name not in PRESETS:
            raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
        preset = dict(PRESETS[name])
        if changes.get("method", preset.get("method")) != preset.get("method"):
            preset.pop("gamma", None)
        return cls.from_dict({**preset, **changes})

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> SteeringConfig:
        """The settings from a mapping such as `to_dict` gives; lists become tuples.

        Raises:
            ValueError: a key is not a setting.
            TypeError: `values` is no mapping.
        """
        _check_mapping(values)
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"not a setting: {', '.join(unknown)}")
        plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return cls(**plain)  # type: ignore[arg-type]

    @classmethod
    def stored(cls, values: Mapping[str, object]) -> SteeringConfig:
        """The settings that `to_dict` gave in another version: one that is gone since may be there, if it was off.

        Raises:
            ValueError, TypeError: as `from_dict`.

        Example:
            >>> SteeringConfig.stored({"epochs": 3, "a_setting_of_before": False}).epochs
            3
        """
        return cls.from_dict(without_gone(values))

    def to_dict(self) -> dict[str, object]:
        """All settings as JSON-ready values."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }

    def learning_rate_at(self, epoch: float) -> float:
        """The learning rate after `epoch` epochs, a fraction being a part of one."""
        warmup = min(self.warmup_epochs, self.epochs / 2)
        if epoch < warmup:
            return self.learning_rate * (epoch + 1e-2) / (warmup + 1e-2)
        done = (epoch - warmup) / max(self.epochs - warmup, 0.5)
        factor = {
            "constant": 1.0,
            "cosine": 0.5 * (1 + math.cos(math.pi * done)),
            "step": 0.1 ** math.floor(min(done, 0.999) * 3),
        }[self.schedule]
        return self.learning_rate * factor

    def gamma_at(self, epoch: float) -> float:
        """The factor of the attention loss after `epoch` epochs."""
        return self.gamma if self.gamma_schedule == "constant" else self.gamma * epoch / max(self.epochs, 1)


def without_gone(values: Mapping[str, object]) -> dict[str, object]:
    """Stored settings without those that are gone since and were off.

    Raises:
        TypeError: `values` is no mapping.

    Example:
        >>> without_gone({"epochs": 3, "a_setting_of_before": False, "another": True})
        {'epochs': 3, 'another': True}
    """
    _check_mapping(values)
    known = {field.name for field in dataclasses.fields(SteeringConfig)}
    return {name: value for name, value in values.items() if name in known or value not in (False, None)}


def changed_settings(
    then: Mapping[str, object], now: Mapping[str, object]
) -> dict[str, tuple[object, object]]:
    """The settings `now` that are other than `then`: name to (then, now). One that was not there yet had its default.

    gamma is left out where the method of both adds no loss, and so are settings `then` that are gone if they were off.

    Raises:
        TypeError: `then` is no mapping.

    Example:
        >>> changed_settings({"gamma": 5.0, "method": "l1"}, {"gamma": 10.0, "method": "l1", "seed": 0})
        {'gamma': (5.0, 10.0)}
        >>> changed_settings({"gamma": 5.0}, {"gamma": 10.0, "method": "none"})
        {}
    """
    default, then = SteeringConfig().to_dict(), without_gone(then)
    before, method = {**default, **then}, {**default, **now}["method"]
    changed = {name: (before[name], value) for name, value in now.items() if before[name] != value}
    changed |= {name: (value, None) for name, value in then.items() if name not in default}
    if before["method"] == method and METHODS[str(method)].loss is None:
        changed.pop("gamma", None)
    return changed


def _shown(number: float) -> str:
    """A number for people; a whole one too long to write as its first digits."""
    text = str(number)
    return text if len(text) <= 20 else f"{text[:20]}..."


def _check_mapping(values: object) -> None:
    if not isinstance(values, Mapping):
        raise TypeError(f"settings must be a mapping, not {type(values).__name__}")


def _is_of(value: object, hint: object) -> bool:
    """Whether `value` may stand in a field with the type `hint`; a whole number may stand for any number."""
    kinds = get_args(hint) or (hint,)
    if Ellipsis in kinds:
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    if isinstance(value, bool):
        return bool in kinds
    return any(
        isinstance(value, (int, float) if kind is float else kind) for kind in kinds if isinstance(kind, type)
    )


def _in_words(hint: object) -> str:
    """The type `hint` of a field, for people."""
    if Ellipsis in get_args(hint):
        return "a list of texts"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", NoneType: "none"}
    return " or ".join(word for kind, word in words.items() if kind in (get_args(hint) or (hint,)))


PRESETS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "paper": {
        "method": "attention-mse",
        "gamma": 10.0,
        "gamma_schedule": "constant",
        "map_resolution": "image",
        "empty_regions": "suppress",
        "irrelevant": "none",
        "optimizer": "sgd",
        "learning_rate": 1e-3,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "constant",
        "warmup_epochs": 0.0,
        "batch_size": 32,
        "epochs": 100,
        "class_weights": "none",
    },
}
