"""Training with edited maps."""

from visteer.steering.attention_losses import attention_mse_loss, confidence_above_chance
from visteer.steering.config import PRESETS, SteeringConfig
from visteer.steering.contextual_decomposition import cdep_loss
from visteer.steering.counterexamples import counterexamples
from visteer.steering.dataset import SteeringBatch, SteeringDataset
from visteer.steering.input_gradient_losses import rbr_loss, rrr_loss
from visteer.steering.methods import METHODS, SteeringMethod
from visteer.steering.peer_losses import (
    abn_map_loss,
    dice_loss,
    distance_aware_loss,
    energy_loss,
    gradia_loss,
    hint_loss,
    map_l1_loss,
    ppce_loss,
    res_g_loss,
    rrr_g_loss,
)
from visteer.steering.run_folder import RunFolder
from visteer.steering.steer import SteeringRun, steer

__all__ = [
    "METHODS",
    "PRESETS",
    "RunFolder",
    "SteeringBatch",
    "SteeringConfig",
    "SteeringDataset",
    "SteeringMethod",
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
]
