"""Checkpoints and training states: exact round trips, whole files or none, and no code from a file."""

from __future__ import annotations

import json
import math
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from visteer.checkpoint import load_checkpoint, load_training_state, save_checkpoint, save_training_state
from visteer.errors import VisteerError
from visteer.models.build import Classifier, build_classifier
from visteer.models.preprocessing import Preprocessing

OWN = Preprocessing(48, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


class RunsCode:
    """Unpickled freely, this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    backbone = build_classifier("test_resnet", 2, "none", 48).backbone
    return Classifier(backbone, "test_resnet", ("benign", 'mal"ig\nnant é'), OWN, "random weights")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def test_a_classifier_is_rebuilt_from_its_file_alone(classifier: Classifier, path: Path) -> None:
    extra = {"epoch": 3, "score": 0.25, "history": [1, {"loss": None}]}
    save_checkpoint(path, classifier, extra)
    checkpoint = load_checkpoint(path)
    assert checkpoint.extra == extra
    model = checkpoint.model
    assert (model.name, model.class_names, model.preprocessing, model.origin) == (
        classifier.name,
        classifier.class_names,
        OWN,
        "random weights",
    )
    assert_equal_states(model, classifier)
    images = torch.rand(2, 3, 48, 48)
    assert torch.equal(model.eval()(images), classifier.eval()(images))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_torchvision_classifier_is_rebuilt(path: Path) -> None:
    classifier = build_classifier("torchvision:mobilenet_v3_small", 3, "none", 64)
    save_checkpoint(path, classifier)
    assert_equal_states(load_checkpoint(path).model, classifier)


def test_rebuilding_leaves_the_random_state_alone(classifier: Classifier, path: Path) -> None:
    save_checkpoint(path, classifier)
    before = torch.get_rng_state()
    load_checkpoint(path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_dtypes_come_back(classifier: Classifier, path: Path, dtype: torch.dtype) -> None:
    save_checkpoint(path, classifier.to(dtype))
    model = load_checkpoint(path).model
    assert model.backbone.fc.weight.dtype == dtype
    assert_equal_states(model, classifier)


def test_channels_last_and_tied_weights(path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 3, 3)
            self.b = nn.Conv2d(3, 3, 3)
            self.b.weight = self.a.weight

    saved, loaded = Tied().to(memory_format=torch.channels_last), Tied()
    save_checkpoint(path, saved)
    assert load_checkpoint(path, loaded).model is loaded
    assert_equal_states(loaded, saved)
    assert loaded.a.weight is loaded.b.weight


def test_wrappers_leave_no_trace(classifier: Classifier, path: Path) -> None:
    save_checkpoint(path, torch.compile(classifier))
    assert_equal_states(load_checkpoint(path).model, classifier)
    with torch.no_grad():
        classifier.backbone.fc.weight.add_(1)
    changed = classifier.backbone.fc.weight.clone()
    load_checkpoint(path, nn.DataParallel(classifier))
    assert torch.equal(classifier.backbone.fc.weight + 1, changed)


def test_a_module_of_ones_own_needs_that_module(path: Path) -> None:
    saved, loaded = nn.Linear(3, 2), nn.Linear(3, 2)
    save_checkpoint(path, saved)
    load_checkpoint(path, loaded)
    assert_equal_states(loaded, saved)
    with pytest.raises(VisteerError, match="does not name its network: load it into a model"):
        load_checkpoint(path)


def test_a_classifier_of_unknown_architecture_says_so(path: Path) -> None:
    model = Classifier(nn.Linear(3, 2), "my-net", ("a", "b"), OWN)
    save_checkpoint(path, model)
    assert load_checkpoint(path, model).model is model
    with pytest.raises(VisteerError, match="timm has no model 'my-net'"):
        load_checkpoint(path)


def test_weights_that_do_not_fit_are_listed_and_change_nothing(path: Path) -> None:
    save_checkpoint(path, nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)))
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(4, 1), nn.BatchNorm1d(1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(
        VisteerError, match=r"missing: 2\.weight.*of another shape: 1\.weight \(1, 2\) for \(1, 4\)"
    ):
        load_checkpoint(path, model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_other_classes_or_preprocessing_of_the_same_shape_are_refused(
    classifier: Classifier, path: Path
) -> None:
    save_checkpoint(path, classifier)
    with pytest.raises(VisteerError, match=r"does not fit the model: classes .* in the file, \('x', 'y'\)"):
        load_checkpoint(path, Classifier(classifier.backbone, "test_resnet", ("x", "y"), OWN))
    other = Preprocessing(48, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    with pytest.raises(VisteerError, match="does not fit the model: Preprocessing"):
        load_checkpoint(path, Classifier(classifier.backbone, "test_resnet", classifier.class_names, other))


def test_missing_foreign_and_damaged_files_are_one_line(classifier: Classifier, path: Path) -> None:
    with pytest.raises(VisteerError, match="No such file"):
        load_checkpoint(path)
    save_file(dict(classifier.state_dict()), path)
    with pytest.raises(VisteerError, match="is not a checkpoint of visteer"):
        load_checkpoint(path)
    save_checkpoint(path, classifier)
    whole = path.read_bytes()
    for content in (b"", whole[:7], whole[:500], whole[:-1], b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(VisteerError, match=r"model\.safetensors is damaged") as caught:
            load_checkpoint(path)
        assert "\n" not in str(caught.value)


GOOD: dict[str, Any] = {
    "name": "test_resnet",
    "class_names": ["a", "b"],
    "preprocessing": OWN.to_dict(),
    "origin": "",
}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{", "header that cannot be read"),
        ("[]", "header that cannot be read"),
        ("[" * 100_000, "header that cannot be read"),
        ("{}", "header that cannot be read"),
        (json.dumps({"format": 99, "extra": {}}), "format 99 is newer than 1: update visteer"),
        (json.dumps({"format": "1", "extra": {}}), "header that cannot be read"),
        (json.dumps({"format": 1, "extra": 3}), "header that cannot be read"),
        (json.dumps({"format": 1, "extra": {}, "classifier": 3}), "header that cannot be read"),
        (
            json.dumps({"format": 1, "extra": {}, "classifier": GOOD | {"name": 3}}),
            "header that cannot be read",
        ),
        (
            json.dumps({"format": 1, "extra": {}, "classifier": GOOD | {"preprocessing": {}}}),
            "image_size, mean",
        ),
        (
            json.dumps({"format": 1, "extra": {}, "classifier": GOOD | {"class_names": ["a", "a"]}}),
            "distinct",
        ),
        (
            json.dumps({"format": 1, "extra": {}, "classifier": GOOD | {"name": "hf-hub:x/y"}}),
            "no model 'hf-hub",
        ),
        (json.dumps({"format": 1, "extra": {}, "classifier": GOOD}), "does not fit Classifier: missing"),
    ],
)
def test_headers_that_lie(path: Path, header: str, message: str) -> None:
    save_file({"a": torch.zeros(1)}, path, metadata={"visteer": header})
    with pytest.raises(VisteerError, match=message):
        load_checkpoint(path)


def test_a_checkpoint_is_plain_safetensors(classifier: Classifier, path: Path) -> None:
    save_checkpoint(path, classifier)
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == set(classifier.state_dict())
        assert json.loads(file.metadata()["visteer"])["classifier"]["preprocessing"] == OWN.to_dict()


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("what", ["checkpoint", "state"])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, what: str
) -> None:
    path = tmp_path / "model.safetensors"

    def save(value: float) -> None:
        if what == "checkpoint":
            save_checkpoint(path, nn.Linear(2, 2), {"value": value})
        else:
            save_training_state(path, {"value": value})

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    save(1)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail) if step == "fsync" else patch.setattr(Path, "replace", fail)
        with pytest.raises(VisteerError, match=r"cannot write .*model\.safetensors: No space left on device"):
            save(2)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    save(2)
    assert path.read_bytes() != before


def test_the_file_is_synced_before_it_takes_its_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (events.append("fsync"), fsync(number))[1])
    monkeypatch.setattr(Path, "replace", lambda a, b: (events.append("replace"), replace(a, b))[1])
    save_checkpoint(path, nn.Linear(2, 2))
    assert events == ["fsync", "replace"]


def test_what_cannot_be_saved_is_refused(tmp_path: Path, path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.safetensors"):
        save_checkpoint(tmp_path / "model.pt", nn.Linear(2, 2))
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_checkpoint(path, nn.Linear(2, 2), {"a": torch.zeros(1)})
    with pytest.raises(VisteerError, match=r"cannot write .*: No such file or directory"):
        save_checkpoint(tmp_path / "none" / "model.safetensors", nn.Linear(2, 2))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_training_goes_on_from_a_state_as_if_never_interrupted(tmp_path: Path, optimizer: Any) -> None:
    def start() -> tuple[nn.Module, Any, Any]:
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        made = optimizer(model.parameters(), lr=0.1, weight_decay=0.01)
        return model, made, torch.optim.lr_scheduler.MultiStepLR(made, [2, 4], 0.5)

    def train(model: nn.Module, made: Any, scheduler: Any, steps: int) -> None:
        for _ in range(steps):
            made.zero_grad()
            model(torch.randn(4, 3)).square().mean().backward()
            made.step()
            scheduler.step()

    whole = start()
    train(*whole, steps=6)

    first = start()
    train(*first, steps=3)
    save_checkpoint(tmp_path / "model.safetensors", first[0])
    state = {
        "optimizer": first[1].state_dict(),
        "scheduler": first[2].state_dict(),
        "random": torch.get_rng_state(),
        "numpy": np.random.default_rng(1).bit_generator.state,
    }
    save_training_state(tmp_path / "state.pt", state)

    resumed = start()
    load_checkpoint(tmp_path / "model.safetensors", resumed[0])
    loaded = load_training_state(tmp_path / "state.pt")
    resumed[1].load_state_dict(loaded["optimizer"])
    resumed[2].load_state_dict(loaded["scheduler"])
    torch.set_rng_state(loaded["random"])
    train(*resumed, steps=3)
    assert_equal_states(resumed[0], whole[0])
    assert loaded["numpy"] == state["numpy"]


def test_plain_values_come_back_exactly(tmp_path: Path) -> None:
    state = {
        "numbers": [1, -(2**80), 0.1, math.inf, True, None, 1 + 2j],
        "texts": ("é\n", b"\x00\xff"),
        "tensors": OrderedDict(a=torch.ones(2, dtype=torch.bfloat16), b=torch.zeros((), dtype=torch.float16)),
        3: {"empty": {}},
    }
    save_training_state(tmp_path / "state.pt", state)
    loaded = load_training_state(tmp_path / "state.pt")
    tensors, expected = loaded.pop("tensors"), state.pop("tensors")
    assert loaded == state
    assert type(loaded["numbers"][4]) is bool
    for name, tensor in expected.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": {"b": [1, Path("x")]}}, r"state\['a'\]\['b'\]\[1\] is of type pathlib"),
        ({"score": np.float64(1.0)}, r"state\['score'\] is of type numpy\.float64"),
        ({"array": np.zeros(2)}, r"state\['array'\] is of type numpy\.ndarray"),
        ({Path("x"): 1}, "a key of state is of type pathlib"),
    ],
)
def test_what_could_not_be_read_back_is_refused_when_saving(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        save_training_state(tmp_path / "state.pt", value)
    assert not list(tmp_path.iterdir())


def test_a_state_that_wants_to_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    content = {"visteer": "training state", "format": 1, "state": {"a": RunsCode(tmp_path / "owned")}}
    torch.save(content, tmp_path / "state.pt")
    with pytest.raises(VisteerError, match=r"refused .*state\.pt.*could run code"):
        load_training_state(tmp_path / "state.pt")
    assert not (tmp_path / "owned").exists()


def test_missing_foreign_and_damaged_states_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    with pytest.raises(VisteerError, match=r"cannot read .*No such file"):
        load_training_state(path)
    for foreign in ({"a": 1}, [1], {"visteer": "something"}):
        torch.save(foreign, path)
        with pytest.raises(VisteerError, match="is not a training state of visteer"):
            load_training_state(path)
    for other in ({"format": 2, "state": {}}, {"format": 1, "state": 3}):
        torch.save({"visteer": "training state", **other}, path)
        with pytest.raises(VisteerError, match="of another visteer"):
            load_training_state(path)
    save_training_state(path, {"a": torch.zeros(100)})
    whole = path.read_bytes()
    for part in range(10):
        path.write_bytes(whole[: len(whole) * part // 10])
        with pytest.raises(VisteerError, match=r"state\.pt") as caught:
            load_training_state(path)
        assert "\n" not in str(caught.value)


def assert_equal_states(a: nn.Module, b: nn.Module) -> None:
    assert a.state_dict().keys() == b.state_dict().keys()
    for name, tensor in a.state_dict().items():
        assert tensor.dtype == b.state_dict()[name].dtype
        assert torch.equal(tensor, b.state_dict()[name]), name


def test_a_module_of_ones_own_that_holds_another_is_no_wrapper(tmp_path):
    """A child named `module` does not make a DistributedDataParallel: the outer weights are saved too."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 2)
            self.scale = nn.Parameter(torch.tensor(7.0))

    save_checkpoint(tmp_path / "a.safetensors", Scaled())
    fresh = Scaled()
    with torch.no_grad():
        fresh.scale.fill_(1)
    load_checkpoint(tmp_path / "a.safetensors", fresh)
    assert fresh.scale.item() == 7
