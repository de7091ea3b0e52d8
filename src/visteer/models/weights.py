"""Reading tensors from files, without ever running what a file says."""

from __future__ import annotations

import pickle
import struct
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from visteer.errors import VisteerError
from visteer.models.header import CheckpointHeader

# The key of the header in the metadata of a safetensors file.
HEADER = "visteer"

# What torch.load raises on damaged files of every sort, beside pickle.UnpicklingError.
_DAMAGED = (
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    ImportError,
    OverflowError,
    MemoryError,
    struct.error,
)


@dataclass(frozen=True)
class WeightsFile:
    """The tensors of a file by name, on the CPU, and the header if visteer wrote it, else None."""

    tensors: dict[str, Tensor]
    header: CheckpointHeader | None = None


def read_weights(path: str | Path) -> WeightsFile:
    """The tensors of a `.safetensors` file, or of a `.pt` or `.pth` file with a state dict.

    A `.pt` or `.pth` file holds a state dict, `{"state_dict": ...}` or `{"model": ...}`, and is read by torch's
    restricted unpickler: a file that wants to run code is refused.

    Raises:
        VisteerError: the file is missing, damaged, of another kind, holds no state dict, wants to run code,
            or was written by a newer visteer.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix not in {".pt", ".pth"}:
        raise VisteerError(f"cannot read weights from {path}: the file must be .safetensors, .pt or .pth")
    content = read_pickled(path)
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content or not _is_state_dict(content):
        raise VisteerError(f'{path} holds no state dict: save model.state_dict() or {{"state_dict": ...}}')
    return WeightsFile(dict(content))


def read_pickled(path: Path) -> object:
    """The tensors and plain values of a file written by torch.save, on the CPU.

    Raises:
        VisteerError: the file is missing or damaged, or holds anything that only code could rebuild.
    """
    try:
        with warnings.catch_warnings():
            # What matters is whether the file can be read, and that is reported as an error.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise VisteerError(f"cannot read {path}: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error).lower():
            raise VisteerError(f"{path} is damaged or not a PyTorch file: {first_line(error)}") from error
        raise VisteerError(
            f"refused {path}: it is damaged, or holds more than tensors and plain values so that reading it "
            "could run code: save the state_dict() as .safetensors"
        ) from error
    except _DAMAGED as error:
        raise VisteerError(f"{path} is damaged or not a PyTorch file: {first_line(error)}") from error
    return content


def load_tensors(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: str,
    *,
    optional: Iterable[str] = (),
    keep_dtypes: bool = False,
) -> None:
    """Load `tensors` into `module`, all or, if anything does not fit, none.

    The values are copied into the module's own tensors, or, with `keep_dtypes`, `tensors` take their place.
    `optional` names may be missing, and so may BatchNorm's counters, which old files lack.

    Raises:
        VisteerError: names are missing or unknown, shapes differ, integers stand for floats, or a tensor is
            sparse, quantised, without values or has NaN in it; the line lists them after `source`.
    """
    expected = module.state_dict()
    optional = {*optional, *(name for name in expected if name.rpartition(".")[2] == "num_batches_tracked")}
    faults = {
        "missing": [name for name in expected if name not in tensors and name not in optional],
        "unknown": [name for name in tensors if name not in expected],
        "of another shape": [
            f"{name} {tuple(tensor.shape)} for {tuple(expected[name].shape)}"
            for name, tensor in tensors.items()
            if name in expected and tensor.shape != expected[name].shape
        ],
        "of another type": [
            f"{name} {tensor.dtype} for {expected[name].dtype}"
            for name, tensor in tensors.items()
            if name in expected and tensor.is_floating_point() != expected[name].is_floating_point()
        ],
        "not plain numbers": [
            name
            for name, tensor in tensors.items()
            if tensor.is_meta or tensor.is_quantized or tensor.layout != torch.strided
        ],
    }
    if any(faults.values()):
        parts = [f"{what}: {_some(names)}" for what, names in faults.items() if names]
        raise VisteerError(f"{source} does not fit {type(module).__name__}: {'; '.join(parts)}")
    # Only NaN: a buffer that masks may well be infinite.
    if broken := [n for n, t in tensors.items() if t.is_floating_point() and t.float().isnan().any()]:
        raise VisteerError(f"{source} has values that are no numbers (NaN) in {_some(broken)}")
    module.load_state_dict(tensors, strict=False, assign=keep_dtypes)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its kind where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _read_safetensors(path: Path) -> WeightsFile:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            # Copies, since the file's own tensors are mapped: they would change or vanish with the file.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        reason = error.strerror or first_line(error).removesuffix(f": {path}")
        raise VisteerError(f"cannot read {path}: {reason}") from error
    except SafetensorError as error:
        raise VisteerError(f"{path} is damaged or not a safetensors file: {first_line(error)}") from error
    if HEADER not in metadata:
        return WeightsFile(tensors)
    try:
        return WeightsFile(tensors, CheckpointHeader.from_json(metadata[HEADER]))
    except ValueError as error:
        raise VisteerError(f"{path} has a header that cannot be read: {first_line(error)}") from error


def _is_state_dict(content: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more
