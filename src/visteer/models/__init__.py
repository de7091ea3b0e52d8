"""Classifiers, their preprocessing, and where in them to look."""

from visteer.models.abn import AttentionBranchOutputs, build_abn, find_attention_branch
from visteer.models.build import Classifier, build_classifier
from visteer.models.preprocessing import Preprocessing
from visteer.models.target_layer import find_target_layer, get_layer

__all__ = [
    "AttentionBranchOutputs",
    "Classifier",
    "Preprocessing",
    "build_abn",
    "build_classifier",
    "find_attention_branch",
    "find_target_layer",
    "get_layer",
]
