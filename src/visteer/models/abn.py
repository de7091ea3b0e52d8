"""Attention branch networks: a classifier with a branch that predicts too, and whose map weighs what the rest sees.

With x the features before the last stage that halves the grid::

    a          = ReLU(BN(conv1x1(BN(copy of the last stage at stride 1 (x)))))      (N, C, h, w)
    logits_att = global average pool(conv1x1(a))                                    (N, C)
    M          = sigmoid(BN(conv3x3(a)))                                            (N, 1, h, w)
    logits_per = the rest of the network (x * M + x)                                (N, C)

Where the network is split. A ResNet splits before `layer4`, as in the paper: the map has 14 x 14 cells at 224 px. Any
other network splits before the last child of its stages that halves the grid, and the branch copies from there to the
end of the stages: in `tf_efficientnet_lite0` those are `blocks.5` and `blocks.6`, of the children of `blocks`, and its
`conv_head` stays outside. A stage is copied with its weights; in the copy every stride is 1, and an average pooling
that only halves the grid is left out. Where the copy still changes the size of the grid (ConvNeXt) or there is no such
child (VGG), the network is refused.
"""

from __future__ import annotations

import copy
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from visteer.errors import VisteerError
from visteer.models.eval_mode import eval_mode

if TYPE_CHECKING:
    from visteer.models.build import Classifier

ABN = "abn:"
"""Before the name of a classifier that has an attention branch, as in `abn:resnet50`."""

_LAST_STAGES = ("layer4", "s4")
_CONTAINERS = ("blocks", "stages", "features", "trunk_output")


class AttentionBranch(nn.Module):
    """The attention branch: features (N, K, h, w) to logits (N, C) and a map (N, 1, h, w) in (0, 1).

    Arguments:
        stage: the copy of the last stage, at stride 1; gives `channels` channels on the grid of the features.

    Source: Fukui et al., "Attention branch network", CVPR 2019, sections 3.1 and 3.2.

    Example:
        >>> branch = AttentionBranch(nn.Conv2d(4, 8, 3, padding=1), 8, 3)
        >>> logits, maps = branch(torch.rand(2, 4, 7, 7))
        >>> logits.shape, maps.shape
        (torch.Size([2, 3]), torch.Size([2, 1, 7, 7]))
    """

    def __init__(self, stage: nn.Module, channels: int, num_classes: int) -> None:
        super().__init__()
        self.stage = stage
        self.stage_norm = nn.BatchNorm2d(channels)
        self.squeeze = nn.Conv2d(channels, num_classes, 1, bias=False)
        self.squeeze_norm = nn.BatchNorm2d(num_classes)
        self.classify = nn.Conv2d(num_classes, num_classes, 1)
        self.locate = nn.Conv2d(num_classes, 1, 3, padding=1, bias=False)
        self.locate_norm = nn.BatchNorm2d(1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and map of `features`; gradient flows."""
        evidence = self.squeeze_norm(self.squeeze(self.stage_norm(self.stage(features)))).relu()
        logits = self.classify(evidence).mean(dim=(2, 3))
        return logits, self.locate_norm(self.locate(evidence)).sigmoid()


class AttendedStage(nn.Module):
    """A stage that sees x * M + x in place of x, with the map M of its attention branch.

    Source: Fukui et al. 2019, the residual attention mechanism, equation 2.

    Example:
        >>> branch = AttentionBranch(nn.Identity(), 4, 3)
        >>> AttendedStage(branch, nn.MaxPool2d(2))(torch.rand(2, 4, 8, 8)).shape
        torch.Size([2, 4, 4, 4])
    """

    def __init__(self, branch: AttentionBranch, stage: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.stage = stage

    def forward(self, features: Tensor) -> Tensor:
        """What the stage gives for the attended features."""
        _, maps = self.branch(features)
        attended: Tensor = self.stage(features * maps + features)
        return attended


class AttentionBranchOutputs:
    """Reads what the attention branch gives in the caller's own forward passes, as `GradCAM` reads maps.

    A context manager; one hook sits on the branch while it is open. `logits` (N, C) and `maps` (N, h, w) are those of
    the latest forward pass, with their graph.

    Raises:
        VisteerError: the model has no attention branch.

    Example:
        >>> from visteer.models import build_classifier
        >>> model = build_classifier("abn:resnet18", 2, "none", 64)
        >>> with AttentionBranchOutputs(model) as seen:
        ...     logits = model(torch.rand(3, 3, 64, 64))
        >>> seen.logits.shape, seen.maps.shape
        (torch.Size([3, 2]), torch.Size([3, 4, 4]))
    """

    logits: Tensor
    maps: Tensor

    def __init__(self, model: nn.Module) -> None:
        branch = find_attention_branch(model)
        if branch is None:
            raise VisteerError(f"{type(model).__name__} has no attention branch: build one with build_abn")
        self._branch = branch
        self._handle: RemovableHandle | None = None

    def __enter__(self) -> Self:
        self._handle = self._branch.register_forward_hook(self._read)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _read(self, _module: nn.Module, _inputs: object, output: tuple[Tensor, Tensor]) -> None:
        self.logits, self.maps = output[0], output[1].squeeze(1)


def build_abn(classifier: Classifier) -> Classifier:
    """An attention branch network made of a copy of `classifier`; its logits are those of the perception branch.

    The new layers are initialised from torch's global random state: seed it first. The name gets the prefix `abn:`, by
    which `build_classifier` and a checkpoint know it. A classifier that has a branch already is copied.

    Raises:
        VisteerError: the network cannot be split (see the module).

    Example:
        >>> from visteer.models import build_classifier
        >>> model = build_abn(build_classifier("resnet18", 2, "none", 64))
        >>> model.name, model(torch.rand(1, 3, 64, 64)).shape
        ('abn:resnet18', torch.Size([1, 2]))
    """
    model = copy.deepcopy(classifier)
    if find_attention_branch(model) is None:
        add_attention_branch(
            model.backbone, classifier.name, len(model.class_names), model.preprocessing.image_size
        )
        model.name = f"{ABN}{classifier.name}"
    return model


def find_attention_branch(model: nn.Module) -> AttentionBranch | None:
    """The attention branch in `model`, or None.

    Example:
        >>> find_attention_branch(nn.Conv2d(3, 4, 3)) is None
        True
    """
    return next((module for module in model.modules() if isinstance(module, AttentionBranch)), None)


def add_attention_branch(backbone: nn.Module, name: str, num_classes: int, image_size: int = 224) -> None:
    """Give the network `backbone` an attention branch, in place; `name` is for the error.

    Raises:
        VisteerError: the network cannot be split (see the module).

    Example:
        >>> import torchvision
        >>> network = torchvision.models.resnet18(num_classes=3)
        >>> add_attention_branch(network, "resnet18", 3, 64)
        >>> type(network.layer4).__name__
        'AttendedStage'
    """
    refused = f"{name} cannot have an attention branch: take a ResNet or tf_efficientnet_lite0, say"
    split, copied = _split(backbone)
    if not split:
        raise VisteerError(f"{refused} (its last stage is not known)")
    copies = [copy.deepcopy(backbone.get_submodule(part)) for part in copied]
    stage = _at_stride_one(copies[0] if len(copies) == 1 else nn.Sequential(*copies))
    features = _features_before(backbone, split, image_size)
    channels = _channels(stage, features)
    if channels is None:
        raise VisteerError(f"{refused} (at stride 1 its last stage changes the size of the grid)")
    branch = AttentionBranch(stage, channels, num_classes).to(features.device)
    parent, _, child = split.rpartition(".")
    attended = AttendedStage(branch, backbone.get_submodule(split))
    setattr(backbone.get_submodule(parent), child, attended)


def _split(backbone: nn.Module) -> tuple[str, list[str]]:
    """The dotted name of the stage to attend to, and of the parts that the branch copies; "" where there is none."""
    children = dict(backbone.named_children())
    for name in _LAST_STAGES:
        if name in children:
            return name, [name]
    for name in _CONTAINERS:
        if isinstance(container := children.get(name), nn.Sequential):
            stages = list(container.named_children())
            halving = [i for i, (_, stage) in enumerate(stages) if _halves(stage)]
            if halving and any(True for _ in stages[halving[-1]][1].parameters()):
                parts = [f"{name}.{child}" for child, _ in stages[halving[-1] :]]
                return parts[0], parts
    return "", []


def _halves(stage: nn.Module) -> bool:
    return any(_stride(module) > 1 for module in stage.modules())


def _stride(module: nn.Module) -> int:
    if not isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        return 1
    return max(module.stride) if isinstance(module.stride, tuple) else module.stride


def _at_stride_one(module: nn.Module) -> nn.Module:
    """`module`, changed in place, or what stands in its place, so that it keeps the size of the grid."""
    if isinstance(module, nn.AvgPool2d) and module.kernel_size == module.stride:
        return nn.Identity()
    if isinstance(module, nn.Conv2d):
        module.stride = (1, 1)
    elif isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
        module.stride = 1
    for name, child in module.named_children():
        setattr(module, name, _at_stride_one(child))
    return module


def _channels(stage: nn.Module, features: Tensor) -> int | None:
    """The channels that `stage` gives, or None if it cannot keep the size of the grid of `features`."""
    try:
        with torch.no_grad(), eval_mode(stage):
            found = stage(features)
    except RuntimeError:
        return None
    return found.shape[1] if found.shape[2:] == features.shape[2:] else None


def _features_before(backbone: nn.Module, split: str, image_size: int) -> Tensor:
    """What reaches the module `split` for one black image, by one pass in eval mode."""
    seen: list[Tensor] = []
    handle = backbone.get_submodule(split).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    device = next(backbone.parameters()).device
    with torch.no_grad(), handle, eval_mode(backbone):
        backbone(torch.zeros(1, 3, image_size, image_size, device=device))
    return seen[-1]
