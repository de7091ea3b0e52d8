"""See what an image classifier looks at, correct it by drawing, retrain it to look there, prove that it does.

The names below load on first use, so that `import visteer` costs nothing where PyTorch is not needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visteer.attribution import GradCAM, dead_maps, explain_images, normalize_maps
    from visteer.checkpoint import load_checkpoint, save_checkpoint
    from visteer.edits.map_edit import MapEdit
    from visteer.edits.store import EditStore
    from visteer.errors import VisteerError
    from visteer.evaluation import Comparison, EvaluationResult, compare, evaluate
    from visteer.models import (
        AttentionBranchOutputs,
        Classifier,
        build_abn,
        build_classifier,
        find_attention_branch,
        find_target_layer,
    )
    from visteer.steering import (
        SteeringConfig,
        SteeringDataset,
        SteeringRun,
        abn_map_loss,
        attention_mse_loss,
        cdep_loss,
        confidence_above_chance,
        counterexamples,
        dice_loss,
        distance_aware_loss,
        energy_loss,
        gradia_loss,
        hint_loss,
        map_l1_loss,
        ppce_loss,
        rbr_loss,
        res_g_loss,
        rrr_g_loss,
        rrr_loss,
        steer,
    )

__all__ = [
    "AttentionBranchOutputs",
    "Classifier",
    "Comparison",
    "EditStore",
    "EvaluationResult",
    "GradCAM",
    "MapEdit",
    "SteeringConfig",
    "SteeringDataset",
    "SteeringRun",
    "VisteerError",
    "abn_map_loss",
    "attention_mse_loss",
    "build_abn",
    "build_classifier",
    "cdep_loss",
    "compare",
    "confidence_above_chance",
    "counterexamples",
    "dead_maps",
    "dice_loss",
    "distance_aware_loss",
    "energy_loss",
    "evaluate",
    "explain_images",
    "find_attention_branch",
    "find_target_layer",
    "gradia_loss",
    "hint_loss",
    "load_checkpoint",
    "map_l1_loss",
    "normalize_maps",
    "ppce_loss",
    "rbr_loss",
    "res_g_loss",
    "rrr_g_loss",
    "rrr_loss",
    "save_checkpoint",
    "steer",
]

_HOMES = {
    "visteer.attribution": ("GradCAM", "dead_maps", "explain_images", "normalize_maps"),
    "visteer.checkpoint": ("load_checkpoint", "save_checkpoint"),
    "visteer.edits.map_edit": ("MapEdit",),
    "visteer.edits.store": ("EditStore",),
    "visteer.errors": ("VisteerError",),
    "visteer.evaluation": ("Comparison", "EvaluationResult", "compare", "evaluate"),
    "visteer.models": (
        "AttentionBranchOutputs",
        "Classifier",
        "build_abn",
        "build_classifier",
        "find_attention_branch",
        "find_target_layer",
    ),
    "visteer.steering": (
        "SteeringConfig",
        "SteeringDataset",
        "SteeringRun",
        "abn_map_loss",
        "attention_mse_loss",
        "cdep_loss",
        "confidence_above_chance",
        "counterexamples",
        "dice_loss",
        "distance_aware_loss",
        "energy_loss",
        "gradia_loss",
        "hint_loss",
        "map_l1_loss",
        "ppce_loss",
        "rbr_loss",
        "res_g_loss",
        "rrr_g_loss",
        "rrr_loss",
        "steer",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name from its home."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'visteer' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)
