"""Classifiers by name: preprocessing, heads, every source of weights, and clear refusals."""

from __future__ import annotations

import builtins
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from visteer.checkpoint import save_checkpoint
from visteer.errors import VisteerError
from visteer.models.build import Classifier, build_classifier
from visteer.models.preprocessing import Preprocessing

# The ten classes of Imagenette and their ImageNet numbers.
IMAGENETTE = {
    "n01440764": 0,
    "n02102040": 217,
    "n02979186": 482,
    "n03000684": 491,
    "n03028079": 497,
    "n03394916": 566,
    "n03417042": 569,
    "n03425413": 571,
    "n03445777": 574,
    "n03888257": 701,
}
SMALL = "test_resnet"


def tiny(mean: float = 0.25, std: float = 0.5) -> Classifier:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return Classifier(net, "tiny", ("a", "b"), Preprocessing(8, (mean, mean, 0.125), (std, 0.25, std)))


def test_forward_normalises_channel_wise() -> None:
    model = tiny()
    images = torch.rand(2, 3, 8, 8)
    expected = torch.stack(
        [(images[:, 0] - 0.25) / 0.5, (images[:, 1] - 0.25) / 0.25, (images[:, 2] - 0.125) / 0.5], dim=1
    )
    assert torch.equal(model(images), model.backbone(expected))


def test_forward_keeps_dtype_and_memory_format_and_passes_the_gradient() -> None:
    model = tiny()
    seen = []
    model.backbone.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    images = torch.rand(2, 3, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
    model(images).sum().backward()
    assert seen[-1].is_contiguous(memory_format=torch.channels_last)
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    with torch.autocast("cpu", torch.bfloat16):
        assert model(images).dtype == torch.bfloat16
    for dtype in (torch.bfloat16, torch.float64):
        assert model.to(dtype)(images.detach().to(dtype)).dtype == dtype
        assert seen[-1].dtype == dtype


def test_forward_refuses_bytes_and_wrong_shapes() -> None:
    with pytest.raises(TypeError, match=r"floating point in \[0, 1\], got torch.uint8"):
        tiny()(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    for shape in ((3, 8, 8), (1, 1, 8, 8)):
        with pytest.raises(ValueError, match=r"must be \(N, 3, H, W\)"):
            tiny()(torch.zeros(shape))


def test_preprocessing_is_not_among_the_weights() -> None:
    assert set(tiny().state_dict()) == {f"backbone.{name}" for name in tiny().backbone.state_dict()}


def test_random_weights_and_defaults() -> None:
    model = build_classifier("tf_efficientnet_lite0", 3, "none", 96)
    assert model.class_names == ("0", "1", "2")
    assert model.preprocessing == Preprocessing(96, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert model.origin == "random weights"
    assert model.training
    assert model(torch.rand(2, 3, 96, 96)).shape == (2, 3)


def test_torchvision_by_prefix() -> None:
    model = build_classifier("torchvision:mobilenet_v3_small", 2, "none", 64, ["x", "y"])
    assert isinstance(model.backbone, torchvision.models.MobileNetV3)
    assert model.class_names == ("x", "y")
    assert model.preprocessing == Preprocessing(64, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_the_seed_fixes_the_fresh_head(tmp_path: Path) -> None:
    torch.save(timm.create_model(SMALL, num_classes=7).state_dict(), tmp_path / "w.pt")
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        heads.append(build_classifier(SMALL, 3, tmp_path / "w.pt", 64).backbone.fc.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.real_data
def test_offline_weights_know_real_pictures(real_data: Path) -> None:
    model = build_classifier("tf_efficientnet_lite0", 1000, "offline").eval()
    right = right_of_ten = 0
    for folder, label in IMAGENETTE.items():
        files = sorted((real_data / "imagenette" / "imagenette2" / "val" / folder).iterdir())
        files = files[:: len(files) // 10][:10]
        pictures = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
        assert pictures.shape == (10, 224, 224, 3)
        with torch.no_grad():
            logits = model(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
        right += int((logits.argmax(1) == label).sum())
        classes = torch.tensor(list(IMAGENETTE.values()))
        right_of_ten += int((classes[logits[:, classes].argmax(1)] == label).sum())
    assert right >= 70
    assert right_of_ten >= 97


def test_offline_weights_with_another_head() -> None:
    model = build_classifier("tf_efficientnet_lite0", 3, "offline", 64)
    assert model.origin.endswith("with a fresh head of 3 classes for 1000")
    assert model.preprocessing == Preprocessing(64, (127 / 255,) * 3, (128 / 255,) * 3)
    images = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close((images - model.mean) / model.std, (images * 255 - 127) / 128)


def test_offline_weights_of_another_network_and_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        VisteerError, match="offline weights exist for tf_efficientnet_lite0, not for test_resnet"
    ):
        build_classifier(SMALL, 2, "offline", 64)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VisteerError, match=r'pip install "visteer\[offline\]"'):
        build_classifier("tf_efficientnet_lite0", 2, "offline", 64)


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "pth"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module.backbone.", "backbone."])
def test_weights_from_a_file(tmp_path: Path, suffix: str, prefix: str) -> None:
    source = timm.create_model(SMALL, num_classes=3)
    tensors = {prefix + name: tensor for name, tensor in source.state_dict().items()}
    path = tmp_path / f"w.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(tensors, path)
    model = build_classifier(SMALL, 3, str(path), 64)
    assert_equal_states(model.backbone, source)
    assert model.origin == str(path)


def test_weights_from_a_nested_state_dict(tmp_path: Path) -> None:
    source = timm.create_model(SMALL, num_classes=3)
    torch.save({"epoch": 1, "state_dict": source.state_dict()}, tmp_path / "w.pt")
    assert_equal_states(build_classifier(SMALL, 3, tmp_path / "w.pt", 64).backbone, source)


def test_weights_from_a_checkpoint_bring_their_normalisation(tmp_path: Path) -> None:
    source = build_classifier(SMALL, 3, "none", 64)
    own = Preprocessing(64, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    save_checkpoint(tmp_path / "m.safetensors", Classifier(source.backbone, SMALL, ("a", "b", "c"), own))
    model = build_classifier(SMALL, 3, tmp_path / "m.safetensors", 96)
    assert_equal_states(model, source)
    assert model.preprocessing == Preprocessing(96, own.mean, own.std)


def test_a_head_of_another_class_count_stays_fresh_and_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = timm.create_model(SMALL, num_classes=7)
    torch.save(source.state_dict(), tmp_path / "w.pt")
    model = build_classifier(SMALL, 3, tmp_path / "w.pt", 64)
    assert model.origin == f"{tmp_path / 'w.pt'}, with a fresh head of 3 classes for 7"
    assert model.backbone.fc.weight.shape[0] == 3
    assert torch.equal(model.backbone.layer4[0].conv1.weight, source.layer4[0].conv1.weight)
    assert capsys.readouterr() == ("", "")


def test_weights_of_another_network_are_refused_with_their_names(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_convnext", num_classes=3).state_dict(), tmp_path / "w.pt")
    with pytest.raises(
        VisteerError, match=r"w\.pt does not fit ResNet: missing: conv1.* more; unknown: stem"
    ):
        build_classifier(SMALL, 3, tmp_path / "w.pt", 64)
    tensors = timm.create_model(SMALL, num_classes=3).state_dict()
    tensors["fc.weight"] = torch.zeros(3, 5)
    torch.save(tensors, tmp_path / "w.pt")
    with pytest.raises(VisteerError, match=r"of another shape: fc.weight \(3, 5\)"):
        build_classifier(SMALL, 3, tmp_path / "w.pt", 64)
    del tensors["fc.weight"]
    torch.save(tensors, tmp_path / "w.pt")
    with pytest.raises(VisteerError, match=r"missing: fc.weight$"):
        build_classifier(SMALL, 3, tmp_path / "w.pt", 64)


@pytest.mark.parametrize("num_classes", [1000, 4])
def test_imagenet_weights_from_timm(monkeypatch: pytest.MonkeyPatch, num_classes: int) -> None:
    source = timm.create_model(SMALL)
    asked = []

    def download(_model_id: str, *, weights_only: bool, cache_dir: None) -> dict[str, torch.Tensor]:
        asked.append(weights_only)
        return source.state_dict()

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", download)
    model = build_classifier(SMALL, num_classes, image_size=64)
    assert asked == [True]
    assert torch.equal(model.backbone.conv1[0].weight, source.conv1[0].weight)
    assert torch.equal(model.backbone.fc.weight, source.fc.weight) == (num_classes == 1000)
    assert model.origin.startswith("ImageNet weights timm/test_resnet")
    assert model.origin.endswith("with a fresh head of 4 classes for 1000") == (num_classes == 4)


def test_imagenet_weights_from_torchvision_are_read_without_pickled_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = torchvision.models.densenet121(weights=None)
    # The published file has the names of an old version.
    old = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.")
        if "denselayer" in name
        else name: tensor
        for name, tensor in source.state_dict().items()
    }
    asked = []

    def download(
        url: str, *, progress: bool, check_hash: bool, weights_only: bool
    ) -> dict[str, torch.Tensor]:
        asked.append((url.rpartition("/")[2], check_hash, weights_only))
        return old

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    model = build_classifier("torchvision:densenet121", 5, image_size=64)
    assert asked == [("densenet121-a639ec97.pth", True, True)]
    layer = "features.denseblock1.denselayer1.norm1.weight"
    assert torch.equal(model.backbone.get_parameter(layer), source.get_parameter(layer))
    assert "DenseNet121_Weights.IMAGENET1K_V1, with a fresh head of 5 classes for 1000" in model.origin


@pytest.mark.parametrize("name", [SMALL, "torchvision:mobilenet_v3_small"])
def test_a_failed_download_is_one_line_with_a_mend(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise builtins.ConnectionError("no route\nto host")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", fail)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(VisteerError) as caught:
        build_classifier(name, 2, image_size=64)
    assert str(caught.value) == (
        f"cannot get the ImageNet weights of {name} (no route): "
        "give --weights offline, none or the path of a file"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet5O", r"timm has no model 'resnet5O': did you mean resnet5"),
        ("hf-hub:someone/model", "timm has no model 'hf-hub:someone/model'"),
        ("resnet18.nosuchtag", "cannot build resnet18.nosuchtag: Invalid pretrained tag"),
        ("torchvision:resnet19", r"torchvision has no classifier 'resnet19': did you mean .*resnet1"),
        ("torchvision:fcn_resnet50", "torchvision has no classifier"),
        ("test_vit", "test_vit is not a convolutional network whose last spatial stage is known"),
    ],
)
def test_unknown_and_unfit_networks_are_refused(name: str, message: str) -> None:
    with pytest.raises(VisteerError, match=message):
        build_classifier(name, 2, "none", 64)


def test_an_image_size_that_the_network_cannot_take_is_refused() -> None:
    with pytest.raises(VisteerError, match=r"inception_v3 cannot take images of 32 x 32 px \(.*--image-size"):
        build_classifier("inception_v3", 2, "none", 32)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="num_classes must be 2 or more"):
        build_classifier(SMALL, 1, "none")
    with pytest.raises(ValueError, match="3, 2 names"):
        build_classifier(SMALL, 3, "none", class_names=["a", "b"])
    with pytest.raises(ValueError, match="distinct class names"):
        build_classifier(SMALL, 2, "none", 64, class_names=["a", "a"])
    with pytest.raises(ValueError, match="at least 1, got 0"):
        build_classifier(SMALL, 2, "none", image_size=0)


def assert_equal_states(a: nn.Module, b: nn.Module) -> None:
    assert a.state_dict().keys() == b.state_dict().keys()
    for name, tensor in a.state_dict().items():
        assert torch.equal(tensor, b.state_dict()[name]), name


def test_a_fresh_head_on_pretrained_features_starts_unsure():
    """Whatever the architecture's own initialisation, or fine-tuning would begin by unlearning a random head."""
    torch.manual_seed(0)
    model = build_classifier("tf_efficientnet_lite0", 3, weights="offline", image_size=64).eval()
    with torch.no_grad():
        logits = model(torch.rand((4, 3, 64, 64)))
    assert logits.abs().max() < 1
    assert logits.std(dim=1).min() > 0


def test_weights_without_a_head_get_a_fresh_one(tmp_path: Path) -> None:
    tensors = build_classifier("test_resnet", 7, "none", 64).backbone.state_dict()
    torch.save({key: value for key, value in tensors.items() if not key.startswith("fc.")}, tmp_path / "w.pt")
    model = build_classifier("test_resnet", 3, str(tmp_path / "w.pt"), 64)
    assert model.origin == f"{tmp_path / 'w.pt'}, with a fresh head of 3 classes, since it has none"
    assert torch.equal(model.backbone.state_dict()["conv1.0.weight"], tensors["conv1.0.weight"])
    assert model.backbone.fc.weight.abs().max() < 0.1


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    tensors = build_classifier("test_resnet", 3, "none", 64).backbone.state_dict()
    broken = torch.full_like(tensors["conv1.0.weight"], math.inf)
    torch.save({**tensors, "conv1.0.weight": broken}, tmp_path / "w.pt")
    with pytest.raises(VisteerError, match=r"w\.pt has values that are not finite in conv1\.0\.weight"):
        build_classifier("test_resnet", 3, str(tmp_path / "w.pt"), 64)
