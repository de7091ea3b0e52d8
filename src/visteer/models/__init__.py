"""Classifiers, their preprocessing, and where in them to look."""

from visteer.models.build import Classifier, build_classifier
from visteer.models.preprocessing import Preprocessing
from visteer.models.target_layer import find_target_layer, get_layer

__all__ = ["Classifier", "Preprocessing", "build_classifier", "find_target_layer", "get_layer"]
