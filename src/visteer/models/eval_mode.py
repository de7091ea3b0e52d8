"""Eval mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """`module` in eval mode; afterwards every module in it has its own flag again, whatever happens.

    Gradient flows as before.

    Example:
        >>> net = nn.Sequential(nn.Dropout(), nn.Linear(2, 2).eval())
        >>> with eval_mode(net):
        ...     net[0].training
        False
        >>> net[0].training, net[1].training
        (True, False)
    """
    training = [part for part in module.modules() if part.training]
    try:
        module.eval()
        yield
    finally:
        for part in training:
            part.training = True
