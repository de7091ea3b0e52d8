"""Where in a network to look: the output of the last spatial stage.

The choice is a table by architecture family, read without a forward pass. The rule behind each line is: the
module whose output the global pooling consumes. It lies after the last BatchNorm, residual addition and
activation, so that in training too no statistics of other images enter between it and the logits, and with
global average pooling and one linear layer behind it Grad-CAM has a closed form. The last convolution by
module order is a different layer: it lies before its BatchNorm and its residual addition.

Three families need a reason of their own:

- VGG and AlexNet end in a max pooling and flatten, without global pooling. The layer is the last ReLU before
  that max pooling: the layer of the Grad-CAM paper, with a grid twice as fine (14 x 14 for VGG at 224 px).
  AlexNet so has a 3 x 3 grid at 64 px, where the pooled one is a single cell.
- torchvision's DenseNet applies the last ReLU as a function, in place, so no module has its output. The layer
  is `features`, whose last part is the BatchNorm `norm5`: the ReLU behind it only cuts negative values.
- timm's MobileNetV3 pools before its last 1 x 1 convolution, so the layer is `blocks`. (In MobileNetV4 a
  BatchNorm follows that convolution: the one case here where images of a batch mix behind the layer.)
"""

from __future__ import annotations

import difflib

import torch
from torch import Tensor, nn

from visteer.errors import VisteerError
from visteer.models.eval_mode import eval_mode

# The module that defines the class -> names in the network, the first that is there and does something.
_LAST_STAGE: dict[str, tuple[str, ...]] = {
    "timm.models.byobnet": ("final_conv", "stages"),
    "timm.models.convnext": ("norm_pre", "stages"),
    "timm.models.cspnet": ("stages",),
    "timm.models.densenet": ("features",),
    "timm.models.dla": ("level5",),
    "timm.models.dpn": ("features",),
    "timm.models.efficientnet": ("bn2", "blocks"),
    "timm.models.ghostnet": ("blocks",),
    "timm.models.hgnet": ("stages",),
    "timm.models.hrnet": ("final_layer",),
    "timm.models.inception_v3": ("Mixed_7c",),
    "timm.models.mobilenetv3": ("blocks",),
    "timm.models.nfnet": ("final_act",),
    "timm.models.regnet": ("final_conv", "s4"),
    "timm.models.resnet": ("layer4",),
    "timm.models.resnetv2": ("norm", "stages"),
    "timm.models.rexnet": ("features",),
    "timm.models.vgg": ("features",),
    "timm.models.vovnet": ("stages",),
    "timm.models.xception_aligned": ("act", "blocks"),
    "torchvision.models.alexnet": ("features",),
    "torchvision.models.convnext": ("features",),
    "torchvision.models.densenet": ("features",),
    "torchvision.models.efficientnet": ("features",),
    "torchvision.models.mobilenetv2": ("features",),
    "torchvision.models.mobilenetv3": ("features",),
    "torchvision.models.regnet": ("trunk_output",),
    "torchvision.models.resnet": ("layer4",),
    "torchvision.models.vgg": ("features",),
    "visteer.models.decoy_network": ("relu2",),
}

# Modules with one child of such a name add no stage: DistributedDataParallel, torch.compile, Classifier.
_WRAPPERS = ("module", "_orig_mod", "backbone")


def find_target_layer(model: nn.Module) -> str:
    """The dotted name in `model` of the module whose output is the last spatial stage, (N, K, h, w).

    Knows the ResNet, VGG, AlexNet, DenseNet, EfficientNet, MobileNet, ConvNeXt and RegNet families of timm
    and torchvision, some more of timm, and subclasses of these. Looks through `Classifier`,
    DistributedDataParallel and torch.compile. Reads the network's structure only: no forward pass.

    Raises:
        VisteerError: the architecture is not one of these, or has no such stage (transformers).

    Example:
        >>> import torchvision
        >>> find_target_layer(torchvision.models.resnet18())
        'layer4'
    """
    prefix, network = _unwrap(model)
    for name in _family(network):
        module = dict(network.named_modules()).get(name)
        if module is not None and not isinstance(module, nn.Identity):
            return prefix + name + _last_before_pooling(module)
    raise VisteerError(
        f"no last spatial stage is known for {type(network).__name__}: "
        'pass layer="..." with the dotted name of a module whose output is (N, K, h, w)'
    )


def get_layer(model: nn.Module, name: str) -> nn.Module:
    """The module `name`, a dotted name in `model` or in what `Classifier`, DDP or torch.compile wrap there.

    Raises:
        VisteerError: there is no such module; the line lists the nearest names.

    Example:
        >>> import torchvision
        >>> type(get_layer(torchvision.models.resnet18(), "layer4.1.bn2")).__name__
        'BatchNorm2d'
    """
    modules: dict[str, nn.Module] = dict(model.named_modules())
    prefix, _ = _unwrap(model)
    wrappers = prefix.split(".")[:-1]
    for depth in range(len(wrappers) + 1):
        found = modules.get(".".join([*wrappers[:depth], name])) if name else None
        if found is not None:
            return found
    names = {full.removeprefix(prefix): None for full in modules if full}
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.5) or list(names)[-5:]
    raise VisteerError(f"{type(model).__name__} has no layer {name!r}: did you mean {', '.join(near)}?")


def map_grid(model: nn.Module, layer: str, image_size: int) -> tuple[int, int]:
    """The rows and columns of cells that maps of `layer` have, found with one black image. No gradient flows.

    Arguments:
        model: takes float images (N, 3, S, S) in [0, 1].
        layer: dotted name, as for `get_layer`.
        image_size: S, pixels.

    Raises:
        VisteerError: there is no such module, or it gives no maps.

    Example:
        >>> import torchvision
        >>> map_grid(torchvision.models.resnet18(), "layer4", 64)
        (2, 2)
    """
    with torch.no_grad():
        black = next(model.parameters()).new_zeros(1, 3, image_size, image_size)
        output = layer_output(model, layer, black)
    return output.shape[2], output.shape[3]


def layer_output(model: nn.Module, layer: str, images: Tensor) -> Tensor:
    """What `layer` gives for `images`, (N, K, h, w), in eval mode; every module's flag is as before after it.

    Gradient flows as in the model, and not where the caller has switched it off.

    Raises:
        VisteerError: there is no such module, or its output has no height and width.

    Example:
        >>> import torchvision
        >>> layer_output(torchvision.models.resnet18(), "layer4", torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 512, 2, 2])
    """
    outputs: list[Tensor] = []

    def look(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            outputs.append(output)

    with eval_mode(model), get_layer(model, layer).register_forward_hook(look):
        model(images)
    if not outputs:
        raise VisteerError(
            f"{layer} gives no maps: take a layer that gives (images, channels, height, width)"
        )
    return outputs[-1]


def _unwrap(model: nn.Module) -> tuple[str, nn.Module]:
    """The network inside the wrappers, and the dotted prefix that leads there."""
    prefix = ""
    while not _family(model):
        children = dict(model.named_children())
        name = next(iter(children), "")
        if len(children) != 1 or name not in _WRAPPERS:
            break
        prefix, model = f"{prefix}{name}.", children[name]
    return prefix, model


def _family(network: nn.Module) -> tuple[str, ...]:
    for cls in type(network).__mro__:
        if cls.__module__ in _LAST_STAGE:
            return _LAST_STAGE[cls.__module__]
    return ()


def _last_before_pooling(module: nn.Module) -> str:
    """The rest of the name, ".29" say, if `module` is a sequence that ends in a max pooling; else ""."""
    if not isinstance(module, nn.Sequential):
        return ""
    names = [name for name, _ in module.named_children()]
    return f".{names[-2]}" if isinstance(module[-1], nn.MaxPool2d) else ""
