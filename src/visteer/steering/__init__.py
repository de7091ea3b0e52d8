"""Training with edited maps."""

from visteer.steering.attention_losses import attention_mse_loss
from visteer.steering.config import PRESETS, SteeringConfig
from visteer.steering.dataset import SteeringBatch, SteeringDataset
from visteer.steering.run_folder import RunFolder
from visteer.steering.steer import SteeringRun, steer

__all__ = [
    "PRESETS",
    "RunFolder",
    "SteeringBatch",
    "SteeringConfig",
    "SteeringDataset",
    "SteeringRun",
    "attention_mse_loss",
    "steer",
]
