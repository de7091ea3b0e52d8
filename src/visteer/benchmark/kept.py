"""The result of a single run with decoys or planted marks, kept in a file of its own and not computed again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from visteer.atomic import write_text
from visteer.errors import VisteerError
from visteer.steering.config import changed_settings

ACCURACIES = {
    "accuracy": "right where the decoys lie",
    "accuracy_clean": "right without any decoy",
    "accuracy_agreeing": "right where the decoys tell the class",
}
"""What a run with decoys or planted marks measures, and what it is."""


_ROOM = 16_384  # more than a result has


def kept_result(
    path: Path | None,
    config: Mapping[str, object],
    about: Mapping[str, object],
    run: Callable[[], dict[str, object]],
) -> dict[str, object]:
    """What `run` gives, kept as JSON at `path`; what is there already is read instead. None keeps nothing.

    Arguments:
        path: the file.
        config: the settings that the result's own "config" must have; it may have others beside them.
        about: entries that the result itself must have, such as its approach and seed.
        run: gives the result, with its accuracies.

    Raises:
        VisteerError: the file is damaged, was measured with other settings, or cannot be written; the error then has
            the result.
    """
    if path is None:
        return run()
    if not path.exists():
        # What cannot be kept is found out before it is measured, also where the disk is full.
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path.with_suffix(".begun"), " " * _ROOM)
        path.with_suffix(".begun").unlink()
        result = run()
        try:
            write_text(path, json.dumps(result, indent=1) + "\n")
        except OSError as error:
            raise VisteerError(
                f"{path} cannot be written ({error.strerror}); it would hold {json.dumps(result)}"
            ) from None
        return result
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        then: dict[str, object] = kept["config"]
        sound = isinstance(then, dict) and all(
            type(kept[name]) is float and 0 <= kept[name] <= 1 for name in ACCURACIES
        )
        others = {name: kept[name] for name in about if kept[name] != about[name]}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        sound = False
    if not sound:
        raise VisteerError(f"{path} is damaged; delete it, and it is measured again")
    for name, there in others.items():
        raise VisteerError(f"{path} is of {name} {there}, not {about[name]}; take another --out")
    for name, (before, now) in changed_settings(then, config).items():
        raise VisteerError(
            f"{path} was measured with {name} {before}, not {now}; delete it, or take another --out"
        )
    return kept


def _refuse(constant: str) -> None:
    """NaN and infinities are no JSON and no result."""
    raise ValueError(constant)
