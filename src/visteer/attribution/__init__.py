"""The only place that makes maps."""

from visteer.attribution.explain import Explanation, explain_images
from visteer.attribution.grad_cam import GradCAM
from visteer.attribution.normalization import dead_maps, normalize_maps
from visteer.attribution.resizing import pool_edits, resize_maps
from visteer.attribution.stability import flip_instability

__all__ = [
    "Explanation",
    "GradCAM",
    "dead_maps",
    "explain_images",
    "flip_instability",
    "normalize_maps",
    "pool_edits",
    "resize_maps",
]
