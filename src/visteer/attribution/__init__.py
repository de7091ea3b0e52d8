"""The only place that makes maps."""

from visteer.attribution.grad_cam import GradCAM
from visteer.attribution.normalization import dead_maps, normalize_maps
from visteer.attribution.resizing import pool_edits, resize_maps

__all__ = ["GradCAM", "dead_maps", "normalize_maps", "pool_edits", "resize_maps"]
