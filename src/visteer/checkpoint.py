"""Checkpoints and training states: the only place that saves weights.

A checkpoint is a safetensors file: tensors, and a JSON header that says which network they belong to. A
training state is a file of torch.save with tensors and plain values only. Neither runs code when it is read.
Each is written beside its place, synced to disk and then moved there: a crash leaves the old file or the new
one. `visteer.models.weights` reads tensors from files, for this module and for `build_classifier`.
"""

from __future__ import annotations

import io
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, overload

import safetensors.torch
import torch
from torch import nn

from visteer.atomic import write_bytes
from visteer.errors import VisteerError
from visteer.models.build import Classifier, create_backbone
from visteer.models.header import FORMAT, CheckpointHeader, ClassifierHeader
from visteer.models.weights import HEADER, WeightsFile, load_tensors, read_pickled, read_weights
from visteer.models.wrapping import unwrap_model

ModelT = TypeVar("ModelT", bound=nn.Module)

_STATE = "training state"
# Exactly these types: subclasses, such as NumPy's float64 of float, are not read back.
_MAPPINGS = (dict, OrderedDict, Counter)
_PLAIN = (torch.Tensor, nn.Parameter, torch.Size, bool, int, float, complex, str, bytes, type(None))


@dataclass(frozen=True)
class Checkpoint(Generic[ModelT]):
    """What `load_checkpoint` read: the model with its weights, and what was saved beside them."""

    model: ModelT
    extra: dict[str, Any]


def save_checkpoint(path: str | Path, model: nn.Module, extra: Mapping[str, Any] | None = None) -> None:
    """Write the weights of `model` to the safetensors file `path`, replacing it as a whole or not at all.

    A `Classifier` is written with its name, class names, preprocessing and origin, so that `load_checkpoint`
    can rebuild it. Tensors keep their dtypes; tied ones are written twice. DistributedDataParallel and
    torch.compile around the model leave no trace in the file.

    Arguments:
        path: ends in .safetensors; its folder exists.
        model: any module, on any device.
        extra: JSON values to keep beside the weights.

    Raises:
        TypeError, ValueError: `extra` is not JSON, or the path does not end in .safetensors.
        VisteerError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
        >>> save_checkpoint(path, nn.Linear(2, 1), {"epoch": 3})
        >>> load_checkpoint(path, nn.Linear(2, 1)).extra
        {'epoch': 3}
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"a checkpoint's name ends in .safetensors, got {path}")
    model = unwrap_model(model)
    described = None
    if isinstance(model, Classifier):
        described = ClassifierHeader(model.name, model.class_names, model.preprocessing, model.origin)
    header = CheckpointHeader(described, dict(extra or {}))
    # Cloned, since safetensors refuses tensors that share memory, such as tied weights.
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }
    _write(path, safetensors.torch.save(tensors, metadata={HEADER: header.to_json()}))


@overload
def load_checkpoint(path: str | Path, model: None = None) -> Checkpoint[Classifier]: ...
@overload
def load_checkpoint(path: str | Path, model: ModelT) -> Checkpoint[ModelT]: ...
def load_checkpoint(path: str | Path, model: nn.Module | None = None) -> Checkpoint[Any]:
    """The model in the file `path`: rebuilt, or its weights loaded into `model`.

    A rebuilt model is a `Classifier` on the CPU, in training mode, with the dtypes of the file; torch's
    random state is left as it was. A given `model` keeps its device, dtypes and mode, and after an error its
    weights too; DistributedDataParallel and torch.compile may wrap it.

    Raises:
        VisteerError: the file is missing, damaged, not a checkpoint, or of a newer visteer; it does not fit
            `model` (the line lists what differs); or, without `model`, its network cannot be rebuilt.

    Example:
        >>> import tempfile
        >>> from visteer.models import build_classifier
        >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
        >>> save_checkpoint(path, build_classifier("resnet18", 2, "none", 64, ["benign", "malignant"]))
        >>> load_checkpoint(path).model.class_names
        ('benign', 'malignant')
    """
    source = str(path)
    file = read_weights(path)
    if file.header is None:
        raise VisteerError(f"{source} is not a checkpoint of visteer: pass it to build_classifier as weights")
    described = file.header.classifier
    if model is None:
        if described is None:
            raise VisteerError(f"{source} does not name its network: load it into a model of that network")
        return Checkpoint(_rebuild(described, file, source), file.header.extra)
    inner = unwrap_model(model)
    if isinstance(inner, Classifier) and described is not None:
        _check_same_task(inner, described, source)
    load_tensors(inner, file.tensors, source)
    return Checkpoint(model, file.header.extra)


def save_training_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write `state` to the file `path`, replacing it as a whole or not at all.

    `state` may nest dicts, lists and tuples of tensors, numbers, strings, bytes, bools and None: the state
    dicts of optimizers and schedulers, epochs, scores, random states.

    Raises:
        TypeError: a value is of another type (the message says where), which could not be read back.
        VisteerError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "state.pt"
        >>> save_training_state(path, {"epoch": 3, "optimizer": {"momentum": torch.zeros(2)}})
        >>> load_training_state(path)
        {'epoch': 3, 'optimizer': {'momentum': tensor([0., 0.])}}
    """
    _check_plain(state, "state")
    buffer = io.BytesIO()
    torch.save({HEADER: _STATE, "format": FORMAT, "state": state}, buffer)
    _write(Path(path), buffer.getvalue())


def load_training_state(path: str | Path) -> dict[str, Any]:
    """The state that `save_training_state` wrote, its tensors on the CPU.

    Raises:
        VisteerError: the file is missing, damaged, not a training state, of another visteer, or wants to run
            code.
    """
    content = read_pickled(Path(path))
    if not isinstance(content, dict) or content.get(HEADER) != _STATE:
        raise VisteerError(f"{path} is not a training state of visteer: resume from the run that wrote one")
    if content.get("format") != FORMAT or not isinstance(content.get("state"), dict):
        raise VisteerError(f"{path} is a training state of another visteer: go on with the one that wrote it")
    state: dict[str, Any] = content["state"]
    return state


def _rebuild(described: ClassifierHeader, file: WeightsFile, source: str) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        backbone = create_backbone(described.name, len(described.class_names))
    try:
        model = Classifier(
            backbone, described.name, described.class_names, described.preprocessing, described.origin
        )
    except ValueError as error:
        raise VisteerError(f"{source} has a header that cannot be right: {error}") from error
    load_tensors(model, file.tensors, source, keep_dtypes=True)
    return model


def _check_same_task(model: Classifier, described: ClassifierHeader, source: str) -> None:
    """Refuse weights that fit in shape but belong to other classes or another normalisation."""
    if described.class_names != model.class_names:
        fault = f"classes {described.class_names} in the file, {model.class_names} in the model"
    elif described.preprocessing != model.preprocessing:
        fault = f"{described.preprocessing} in the file, {model.preprocessing} in the model"
    else:
        return
    raise VisteerError(f"{source} does not fit the model: {fault}")


def _check_plain(value: object, place: str) -> None:
    """Refuse what torch's restricted unpickler would refuse to read back."""
    if type(value) in _MAPPINGS:
        for key, item in cast(Mapping[object, object], value).items():
            _check_plain(key, f"a key of {place}")
            _check_plain(item, f"{place}[{key!r}]")
    elif type(value) in (list, tuple):
        for index, item in enumerate(cast(Sequence[object], value)):
            _check_plain(item, f"{place}[{index}]")
    elif type(value) not in _PLAIN:
        raise TypeError(
            f"{place} is of type {type(value).__module__}.{type(value).__qualname__}: a training state holds "
            "tensors, numbers, strings, bytes, bools, None, and dicts, lists and tuples of them"
        )


def _write(path: Path, content: bytes) -> None:
    """Write beside `path`, sync to disk, and move into place."""
    try:
        write_bytes(path, content)
    except OSError as error:
        raise VisteerError(
            f"cannot write {path}: {error.strerror or error}; mend that and try again"
        ) from error
