"""The only place that makes maps."""

from visteer.attribution.explain import Explanation, explain_images
from visteer.attribution.grad_cam import GradCAM
from visteer.attribution.grouped_convolution import fast_second_derivatives, has_grouped_convolution
from visteer.attribution.normalization import dead_maps, normalize_maps
from visteer.attribution.resizing import pool_edits, resize_maps
from visteer.attribution.stability import flip_instability

__all__ = [
    "Explanation",
    "GradCAM",
    "dead_maps",
    "explain_images",
    "fast_second_derivatives",
    "flip_instability",
    "has_grouped_convolution",
    "normalize_maps",
    "pool_edits",
    "resize_maps",
]
