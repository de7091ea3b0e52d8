"""What a checkpoint says about itself: JSON in the metadata of the safetensors file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from visteer.models.preprocessing import Preprocessing

FORMAT = 1


@dataclass(frozen=True)
class ClassifierHeader:
    """What a `Classifier` is beside its tensors; the fields are those of `Classifier`."""

    name: str
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    origin: str


@dataclass(frozen=True)
class CheckpointHeader:
    """The header of a checkpoint: its classifier (None for any other module), and extra JSON values.

    Example:
        >>> header = CheckpointHeader(None, {"epoch": 3})
        >>> CheckpointHeader.from_json(header.to_json()) == header
        True
    """

    classifier: ClassifierHeader | None
    extra: dict[str, Any]

    def to_json(self) -> str:
        """One JSON object with the number of the format.

        Raises:
            TypeError, ValueError: `extra` is not JSON.
        """
        values: dict[str, Any] = {"format": FORMAT, "extra": self.extra}
        if self.classifier is not None:
            values["classifier"] = {
                "name": self.classifier.name,
                "class_names": self.classifier.class_names,
                "preprocessing": self.classifier.preprocessing.to_dict(),
                "origin": self.classifier.origin,
            }
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> CheckpointHeader:
        """Read what `to_json` wrote.

        Raises:
            ValueError: `text` is damaged, or in a newer format.
        """
        try:
            values = json.loads(text)
            if values["format"] > FORMAT:
                raise ValueError(f"format {values['format']} is newer than {FORMAT}: update visteer")
            described = values.get("classifier")
            classifier = None if described is None else _classifier(described)
            return cls(classifier, dict(values["extra"]))
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


def _classifier(values: dict[str, Any]) -> ClassifierHeader:
    name, names, origin = values["name"], values["class_names"], values["origin"]
    if not isinstance(names, list) or not all(isinstance(text, str) for text in (name, origin, *names)):
        raise ValueError("names must be texts")
    return ClassifierHeader(name, tuple(names), Preprocessing.from_dict(values["preprocessing"]), origin)
