"""What numbers and times depend on besides the data and the settings: versions and the machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import torch


def versions() -> dict[str, str]:
    """The versions that a run's numbers depend on."""
    names = ("visteer", "torch", "torchvision", "timm", "accelerate", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def machine() -> dict[str, str]:
    """The machine that a run's times depend on: system, cores, and the accelerator's name or "cpu".

    Example:
        >>> sorted(machine())
        ['cores', 'device', 'system']
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    device = "cpu" if accelerator is None else str(accelerator)
    if accelerator is not None and accelerator.type == "cuda":
        device = torch.cuda.get_device_name()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "device": device,
    }
