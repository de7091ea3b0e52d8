"""benchmarks/ablation.py: each part that it leaves out is really left out."""

from __future__ import annotations

import importlib.util
from importlib import import_module

import numpy as np
import pytest
import torch

from tests.docs.markdown import ROOT
from visteer.edits.map_edit import MapEdit
from visteer.models import build_classifier
from visteer.models.decoy_network import DECOY_NETWORK
from visteer.steering import SteeringConfig, SteeringDataset, irrelevant, steer

_SPEC = importlib.util.spec_from_file_location("ablation", ROOT / "benchmarks" / "ablation.py")
script = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(script)


def transplanted_loss() -> float:
    """The loss of one epoch with half of the images marked, in corners; the same in every call."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, 28, 28, 3), dtype=np.uint8)
    edits = {}
    for row in range(32):
        top, left = (24 * corner for corner in divmod(row % 4, 2))
        mark = np.zeros((28, 28), np.uint8)
        mark[top : top + 4, left : left + 4] = 1
        edits[str(row)] = MapEdit(np.zeros_like(mark), mark, author="test")
    data = SteeringDataset(images, [0, 1] * 32, ["a", "b"], edits=edits)
    torch.manual_seed(0)
    model = build_classifier(DECOY_NETWORK, 2, weights="none", image_size=28)
    config = SteeringConfig(method="none", irrelevant="transplant", epochs=1, batch_size=16)
    return float(steer(model, data, config).history[0]["prediction_loss"])


@pytest.mark.parametrize("part", list(script.PARTS))
def test_training_without_a_part_is_another_training(part, monkeypatch):
    loop = import_module("visteer.steering.steer")
    patched = [(irrelevant, "_cover_own_marks"), (irrelevant, "CLEAN_SHARE"), (loop, "draw_donors")]
    for module, name in [*patched, (loop, "draw_contents")]:
        monkeypatch.setattr(module, name, getattr(module, name))  # put back after the test
    whole = transplanted_loss()
    assert transplanted_loss() == whole
    script.PARTS[part]()
    assert transplanted_loss() != whole
