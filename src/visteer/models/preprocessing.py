"""What happens to an image in [0, 1] before a network sees it: a property of the model, stored with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Preprocessing:
    """The side of the square input in pixels, and the channel-wise normalisation `(image - mean) / std`.

    `mean` and `std` are in the order R, G, B and hold for images in [0, 1].

    Raises:
        TypeError: `image_size` is not an integer.
        ValueError: `image_size` < 1, not three finite numbers a channel, or a `std` that is not above 0.

    Example:
        >>> preprocessing = Preprocessing(224, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
        >>> Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing
        True
    """

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Hold the channels as three floats, and refuse what cannot be applied."""
        if not isinstance(self.image_size, int) or isinstance(self.image_size, bool):
            raise TypeError(f"image_size must be an integer, got {self.image_size!r}")
        if self.image_size < 1:
            raise ValueError(f"image_size must be at least 1, got {self.image_size}")
        object.__setattr__(self, "mean", _three_floats("mean", self.mean))
        object.__setattr__(self, "std", _three_floats("std", self.std))
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0 in each channel, got {self.std}")

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values; `from_dict` reads them back without loss."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that `to_dict` wrote.

        Raises:
            TypeError, ValueError: a field is missing, unknown, or does not fit.
        """
        if not isinstance(values, Mapping) or set(values) != {"image_size", "mean", "std"}:
            raise ValueError(f"preprocessing needs image_size, mean and std, got {values!r}")
        return cls(values["image_size"], values["mean"], values["std"])


def _three_floats(name: str, values: Sequence[float]) -> tuple[float, float, float]:
    try:
        r, g, b = (float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be three numbers, got {values!r}") from error
    if not all(math.isfinite(value) for value in (r, g, b)):
        raise ValueError(f"{name} must be finite, got {values!r}")
    return r, g, b
