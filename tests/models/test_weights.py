"""Reading weights from files: every sort of file that a user may give, honest, damaged or hostile."""

from __future__ import annotations

import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from visteer.errors import VisteerError
from visteer.models.weights import load_tensors, read_weights

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}


class RunsCode:
    """Unpickled freely, this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_reads_what_was_saved(tmp_path: Path, name: str, dtype: torch.dtype) -> None:
    tensors = {"a": TENSORS["a"].to(dtype), "b": TENSORS["b"]}
    (save_file if name.endswith("safetensors") else torch.save)(tensors, tmp_path / name)
    file = read_weights(tmp_path / name)
    assert file.header is None
    assert list(file.tensors) == ["a", "b"]
    for key, tensor in tensors.items():
        assert file.tensors[key].dtype == tensor.dtype
        assert torch.equal(file.tensors[key], tensor)


def test_reads_a_nested_state_dict(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": TENSORS}, tmp_path / "w.pt")
    assert list(read_weights(tmp_path / "w.pt").tensors) == ["a", "b"]


@pytest.mark.parametrize("name", ["w.pt", "w.pth"])
@pytest.mark.parametrize("raw_pickle", [True, False])
def test_a_file_that_wants_to_run_code_is_refused_and_not_run(
    tmp_path: Path, name: str, raw_pickle: bool
) -> None:
    content = {"a": RunsCode(tmp_path / "owned")}
    if raw_pickle:
        (tmp_path / name).write_bytes(pickle.dumps(content))
    else:
        torch.save(content, tmp_path / name)
    with pytest.raises(VisteerError, match=r"refused .*could run code: save the state_dict") as caught:
        read_weights(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "owned").exists()


def test_a_whole_pickled_model_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "w.pt")
    with pytest.raises(VisteerError, match="refused"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize(
    "content", [{}, {"epoch": 3}, [1, 2], TENSORS["a"], {"a": "text"}, {1: TENSORS["a"]}]
)
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(VisteerError, match="holds no state dict"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_a_state_dict_may_stand_in_a_training_scripts_file(tmp_path: Path, key: str) -> None:
    torch.save({key: TENSORS, "epoch": 3}, tmp_path / "w.pt")
    assert set(read_weights(tmp_path / "w.pt").tensors) == set(TENSORS)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_missing_files_folders_and_other_kinds(tmp_path: Path, name: str) -> None:
    with pytest.raises(VisteerError, match=f"cannot read .*{name}: No such file[^/]*$"):
        read_weights(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(VisteerError, match=name):
        read_weights(tmp_path / name)
    with pytest.raises(VisteerError, match=r"w\.h5: the file must be \.safetensors, \.pt or \.pth"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_damage_anywhere_is_one_line_that_names_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    (save_file if name.endswith("safetensors") else torch.save)(TENSORS, path)
    whole = path.read_bytes()
    damaged = [whole[: len(whole) * part // 16] for part in range(16)]
    damaged += [b"\0" * len(whole), random.Random(0).randbytes(200), b"<html>not found</html>", b"\x80\x02."]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(VisteerError, match=name) as caught:
            read_weights(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_a_flipped_byte_is_read_or_refused_but_never_another_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    (save_file if name.endswith("safetensors") else torch.save)(TENSORS, path)
    whole = path.read_bytes()
    refused = 0
    for position in range(0, len(whole), max(1, len(whole) // 150)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            read_weights(path)
        except VisteerError:
            refused += 1
    assert refused


def test_load_tensors_lists_what_does_not_fit_and_changes_nothing() -> None:
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    with pytest.raises(VisteerError) as caught:
        load_tensors(module, {"weight": torch.zeros(3, 3), "scale": torch.zeros(1)}, "file.pt")
    assert str(caught.value) == (
        "file.pt does not fit Linear: missing: bias; unknown: scale; "
        "of another shape: weight (3, 3) for (2, 3)"
    )
    with pytest.raises(VisteerError, match=r"of another type: bias torch\.int64 for torch\.float32"):
        load_tensors(module, {"weight": torch.zeros(2, 3), "bias": torch.tensor([1, 2])}, "file.pt")
    assert torch.equal(module.weight, before)


@pytest.mark.parametrize("make", [Tensor.to_sparse, lambda tensor: tensor.to("meta")])
def test_tensors_that_hold_no_plain_numbers_are_refused(make: Callable[[Tensor], Tensor]) -> None:
    module = nn.Linear(2, 1)
    before = module.weight.clone()
    tensors = {"weight": make(torch.ones(1, 2)), "bias": torch.ones(1)}
    with pytest.raises(VisteerError, match=r"w\.pt does not fit Linear: not plain numbers: weight"):
        load_tensors(module, tensors, "w.pt")
    assert torch.equal(module.weight, before)


def test_weights_that_are_no_numbers_are_refused_and_infinite_masks_are_not() -> None:
    module = nn.Linear(2, 1)
    before = module.weight.clone()
    tensors = {"weight": torch.tensor([[0.0, torch.nan]]), "bias": torch.ones(1)}
    with pytest.raises(VisteerError, match=r"w\.pt has values that are no numbers \(NaN\) in weight$"):
        load_tensors(module, tensors, "w.pt")
    assert torch.equal(module.weight, before)
    module.register_buffer("mask", torch.zeros(1))
    load_tensors(
        module, {"weight": before, "bias": torch.ones(1), "mask": torch.tensor([-torch.inf])}, "w.pt"
    )


def test_long_lists_of_names_are_cut_with_their_number() -> None:
    with pytest.raises(VisteerError, match=r"unknown: k0, k1, k2, k3 and 6 more$"):
        load_tensors(nn.ReLU(), {f"k{i}": torch.zeros(1) for i in range(10)}, "file.pt")


def test_counters_of_old_files_may_be_missing() -> None:
    module = nn.BatchNorm2d(2)
    tensors = {name: t + 1 for name, t in module.state_dict().items() if name != "num_batches_tracked"}
    load_tensors(module, tensors, "file.pt")
    assert torch.equal(module.running_mean, torch.ones(2))
