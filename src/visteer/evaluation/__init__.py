"""Figures with intervals: classification, maps, reliance."""

from visteer.evaluation.compare import ComparedFigure, Comparison, compare, compare_seeds
from visteer.evaluation.evaluate import evaluate
from visteer.evaluation.result import EvaluationResult, Figure, load_result, save_result

__all__ = [
    "ComparedFigure",
    "Comparison",
    "EvaluationResult",
    "Figure",
    "compare",
    "compare_seeds",
    "evaluate",
    "load_result",
    "save_result",
]
