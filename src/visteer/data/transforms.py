"""Random changes of a batch: image, target map and weight move together; light and noise touch the image only.

All geometry of an image is one 3 x 3 homography, so a batch is resampled once, on the device it lies on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class TransformConfig:
    """How strongly images are changed; 0 everywhere leaves them as they are.

    Attributes:
        flip, vertical_flip: probabilities of mirroring left-right and top-bottom.
        rotate: at most so many degrees either way.
        scale: zoom by a factor between 1 - scale and 1 + scale; above 1 it crops, below 1 it shows the surroundings.
        translate: shift by at most this share of the side, either way.
        perspective: move the vanishing line by at most this much (0.2 is strong).
        brightness: add at most this much, either way, to values in [0, 1].
        contrast: scale the distance from the image's mean by a factor between 1 - contrast and 1 + contrast.
        gamma: raise to a power between 1 / (1 + gamma) and 1 + gamma.
        blur: a Gaussian of at most this standard deviation, in pixels.
        noise: Gaussian noise of at most this standard deviation.

    Raises:
        ValueError: a value is negative, a probability above 1, or scale or contrast at or above 1.

    Example:
        >>> TransformConfig.preset("light").flip
        0.5
    """

    flip: float = 0.0
    vertical_flip: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    translate: float = 0.0
    perspective: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    blur: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{field.name} must be a number >= 0, got {value}")
        for name in ("flip", "vertical_flip"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is a probability, got {getattr(self, name)}")
        if self.perspective >= 0.5:
            raise ValueError(f"perspective must be below 0.5, got {self.perspective}")
        for name in ("scale", "contrast"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} must be below 1, got {getattr(self, name)}")

    @classmethod
    def preset(cls, name: str) -> TransformConfig:
        """A named strength: none, light, medical or strong.

        Raises:
            ValueError: no preset of that name.
        """
        if name not in PRESETS:
            raise ValueError(f"no transform preset {name!r}; there are {', '.join(PRESETS)}")
        return PRESETS[name]

    @property
    def moves(self) -> bool:
        """Whether any change is geometric."""
        names = ("flip", "vertical_flip", "rotate", "scale", "translate", "perspective")
        return any(getattr(self, name) for name in names)


PRESETS: Mapping[str, TransformConfig] = MappingProxyType(
    {
        "none": TransformConfig(),
        "light": TransformConfig(
            flip=0.5, rotate=10, scale=0.1, translate=0.05, brightness=0.1, contrast=0.1
        ),
        "medical": TransformConfig(
            flip=0.5,
            rotate=10,
            scale=0.15,
            translate=0.05,
            brightness=0.1,
            contrast=0.2,
            gamma=0.2,
            noise=0.02,
        ),
        "strong": TransformConfig(
            flip=0.5,
            rotate=25,
            scale=0.3,
            translate=0.1,
            perspective=0.1,
            brightness=0.2,
            contrast=0.3,
            gamma=0.3,
            blur=1.5,
            noise=0.05,
        ),
    }
)


@dataclass(frozen=True)
class TransformDraw:
    """The random parameters of a batch, one row an image, on the CPU. Index it to get those of a part.

    `homography` (N, 3, 3) float32 maps output to input positions in [-1, 1]; `tone` (N, 3) is brightness,
    contrast, gamma; `blur` (N,) a standard deviation in pixels; `noise` (N,) a standard deviation; `seed` (N,) int64.
    """

    homography: Tensor
    tone: Tensor
    blur: Tensor
    noise: Tensor
    seed: Tensor

    def __getitem__(self, part: slice | NDArray[np.int64] | Tensor) -> TransformDraw:
        """The parameters of the images `part`."""
        rows = torch.as_tensor(part) if isinstance(part, np.ndarray) else part
        return TransformDraw(*(getattr(self, field.name)[rows] for field in fields(self)))


class PairedTransform:
    """Changes images, target maps and weights of a batch alike.

    Drawing and applying are apart, so that several processes can draw for the whole batch and each apply its part.

    Example:
        >>> import torch
        >>> transform = PairedTransform(TransformConfig(flip=1.0))
        >>> draw = transform.draw(1, torch.Generator().manual_seed(0))
        >>> images = torch.tensor([[0.0, 1.0]]).expand(1, 3, 2, 2)
        >>> maps = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
        >>> images, targets, weights = transform.apply(images, maps, maps, draw)
        >>> targets
        tensor([[[1., 0.],
                 [1., 0.]]])
    """

    def __init__(self, config: TransformConfig) -> None:
        self.config = config

    def draw(self, count: int, generator: torch.Generator) -> TransformDraw:
        """The parameters of `count` images, uniform in their ranges. `generator` lies on the CPU."""
        config = self.config

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=generator)

        angle = torch.deg2rad(uniform(-config.rotate, config.rotate))
        zoom = 1 / uniform(1 - config.scale, 1 + config.scale)
        mirror_x = 1 - 2 * (uniform(0, 1) < config.flip).float()
        mirror_y = 1 - 2 * (uniform(0, 1) < config.vertical_flip).float()
        matrix = torch.eye(3).repeat(count, 1, 1)
        matrix[:, 0, 0] = zoom * angle.cos() * mirror_x
        matrix[:, 0, 1] = -zoom * angle.sin() * mirror_y
        matrix[:, 1, 0] = zoom * angle.sin() * mirror_x
        matrix[:, 1, 1] = zoom * angle.cos() * mirror_y
        for row in (0, 1):
            matrix[:, row, 2] = 2 * uniform(-config.translate, config.translate)
            matrix[:, 2, row] = uniform(-config.perspective, config.perspective)
        log_gamma = math.log1p(config.gamma)
        tone = torch.stack(
            [
                uniform(-config.brightness, config.brightness),
                uniform(1 - config.contrast, 1 + config.contrast),
                uniform(-log_gamma, log_gamma).exp(),
            ],
            dim=1,
        )
        return TransformDraw(
            homography=matrix,
            tone=tone,
            blur=uniform(0, config.blur),
            noise=uniform(0, config.noise),
            seed=torch.randint(2**62, (count,), generator=generator),
        )

    def apply(
        self, images: Tensor, targets: Tensor, weights: Tensor, draw: TransformDraw
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Apply the parameters `draw`; the numbers of an image depend on its own parameters alone.

        Where the picture ends, the image is continued by reflection, and the weight by 0: what was invented is
        unknown. Targets are moved weighted, so that a border next to unknown cells is not diluted by them.

        Arguments:
            images: (N, 3, H, W) float in [0, 1]. Results stay in that range.
            targets: (N, H, W) float in [0, 1]. weights: (N, H, W) float in [0, 1].
            draw: parameters of N images.

        Returns:
            Images, targets and weights of the same shapes; the same objects where nothing is to be done.

        Raises:
            ValueError: sizes do not fit together.
        """
        if images.shape[0] != len(draw.seed) or images.shape[2:] != targets.shape[1:]:
            raise ValueError(
                f"images {tuple(images.shape)}, targets {tuple(targets.shape)} and the parameters of "
                f"{len(draw.seed)} images do not fit"
            )
        if self.config.moves:
            grid = _sampling_grid(draw.homography.to(images.device), images.shape[2], images.shape[3])
            images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
            known = weights.flatten(1).any(1)
            if known.any():
                moved_targets, moved_weights = _move_edits(targets[known], weights[known], grid[known])
                targets = targets.index_copy(0, known.nonzero().squeeze(1), moved_targets)
                weights = weights.index_copy(0, known.nonzero().squeeze(1), moved_weights)
        return self._photometric(images, draw), targets, weights

    def _photometric(self, images: Tensor, draw: TransformDraw) -> Tensor:
        """Blur, tone and noise, each only where the settings ask for it."""
        config = self.config
        if config.blur:
            images = _blurred(images, draw.blur.to(images.device), config.blur)
        tone = draw.tone.to(images.device)[:, :, None, None, None]
        if config.gamma:
            images = images.clamp(0, 1).pow(tone[:, 2])
        if config.contrast:
            mean = images.mean(dim=(1, 2, 3), keepdim=True)
            images = mean + (images - mean) * tone[:, 1]
        if config.brightness:
            images = images + tone[:, 0]
        if config.noise:
            images = images + _noise(images, draw)
        return images.clamp(0, 1) if config != TransformConfig() else images


def _sampling_grid(homography: Tensor, height: int, width: int) -> Tensor:
    """For each output pixel's centre the input position, (N, H, W, 2) in [-1, 1]."""
    device = homography.device
    x = (torch.arange(width, device=device) * 2 + 1) / width - 1
    y = (torch.arange(height, device=device) * 2 + 1) / height - 1
    column, row, last = (homography[:, :, i, None, None] for i in range(3))
    # Rows and columns are added by broadcasting: no (H * W, 3) table of points is multiplied.
    points = column * x[None, None, None, :] + row * y[None, None, :, None] + last
    return torch.stack((points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]), dim=-1)


def _move_edits(targets: Tensor, weights: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Targets and weights at the positions `grid`; zero from outside."""
    stack = torch.stack((targets * weights, weights), dim=1)
    moved = F.grid_sample(stack, grid, padding_mode="zeros", align_corners=False)
    weighted, moved_weights = moved[:, 0], moved[:, 1]
    known = moved_weights > 1e-6
    moved_targets = torch.where(known, weighted / torch.where(known, moved_weights, 1), 0)
    return moved_targets.clamp(0, 1), torch.where(known, moved_weights, 0)


def _blurred(images: Tensor, sigmas: Tensor, largest: float) -> Tensor:
    """Each image blurred by its own Gaussian, rows and columns one after the other; borders are reflected."""
    count, channels, height, width = images.shape
    radius = min(max(1, math.ceil(3 * largest)), height - 1, width - 1)
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    kernels = torch.exp(-(offsets**2) / (2 * sigmas.clamp_min(1e-3)[:, None] ** 2))
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0).to(images.dtype)
    flat = images.reshape(1, count * channels, height, width)
    flat = F.conv2d(
        F.pad(flat, (radius, radius, 0, 0), mode="reflect"),
        kernels[:, None, None, :],
        groups=count * channels,
    )
    flat = F.conv2d(
        F.pad(flat, (0, 0, radius, radius), mode="reflect"),
        kernels[:, None, :, None],
        groups=count * channels,
    )
    return flat.reshape(images.shape)


def _noise(images: Tensor, draw: TransformDraw) -> Tensor:
    """Gaussian noise an image, from its own seed, so that it does not matter which images stand beside it."""
    noise = torch.stack(
        [
            torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(seed))
            for seed in draw.seed.tolist()
        ]
    )
    return noise.to(images) * draw.noise.to(images)[:, None, None, None]
