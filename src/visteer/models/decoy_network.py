"""The small network of the decoy benchmarks: two convolutions and two linear layers for 28 x 28 grey images."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

DECOY_NETWORK = "decoy-network"
"""Its name for `build_classifier`, with weights "none" and image_size 28."""


class DecoyNetwork(nn.Sequential):
    """The network of the XIL typology (Friedrich et al. 2023): takes (N, 3, 28, 28), gives logits (N, C).

    ::

        conv 5x5 to 20, ReLU, max pool 2, conv 5x5 to 50, ReLU, max pool 2, linear to 256, ReLU, linear to C

    It was made for one channel: `grey`, a fixed 1 x 1 convolution, takes the first of three equal ones, so that
    gradients with respect to the image have the size that they have in a network of one channel. `Classifier` scales
    its input to 0..255, as the typology does; the weights are PyTorch's usual random ones. Its last spatial stage,
    `relu2`, has 8 x 8 cells.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> DecoyNetwork(10)(torch.zeros(2, 3, 28, 28)).shape
        torch.Size([2, 10])
    """

    # As timm's networks say it: values in [0, 1] become 0..255.
    pretrained_cfg = {"mean": (0.0, 0.0, 0.0), "std": (1 / 255, 1 / 255, 1 / 255)}  # noqa: RUF012

    def __init__(self, num_classes: int) -> None:
        layers: list[tuple[str, nn.Module]] = [
            ("grey", nn.Conv2d(3, 1, 1, bias=False)),
            ("conv1", nn.Conv2d(1, 20, 5)),
            ("relu1", nn.ReLU()),
            ("pool1", nn.MaxPool2d(2)),
            ("conv2", nn.Conv2d(20, 50, 5)),
            ("relu2", nn.ReLU()),
            ("pool2", nn.MaxPool2d(2)),
            ("flatten", nn.Flatten()),
            ("linear1", nn.Linear(800, 256)),
            ("relu3", nn.ReLU()),
            ("linear2", nn.Linear(256, num_classes)),
        ]
        super().__init__(OrderedDict(layers))
        grey = self.get_parameter("grey.weight")
        grey.requires_grad_(False)
        grey.copy_(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1))
