"""The network inside the wrappers of other libraries."""

from __future__ import annotations

from torch import nn


def unwrap_model(model: nn.Module) -> nn.Module:
    """The network inside `DistributedDataParallel`, `DataParallel` and `torch.compile`, in any order.

    They are known by their type: a module of the user's own with a child named `module` is no wrapper.

    Example:
        >>> import torch
        >>> net = torch.nn.Conv2d(3, 8, 3)
        >>> unwrap_model(torch.compile(net)) is net
        True
    """
    while True:
        if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            model = model.module
        elif isinstance(compiled_from := getattr(model, "_orig_mod", None), nn.Module):
            model = compiled_from
        else:
            return model
