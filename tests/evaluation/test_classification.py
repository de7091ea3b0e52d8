from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_auroc

from tests.oracles import paper_classification as paper
from visteer.evaluation.bootstrap import resample_counts
from visteer.evaluation.classification import (
    CLASSIFICATION_FIGURES,
    classification_resamples,
    classification_values,
    confusion_matrix,
    per_class_values,
)


def random_case(seed, n=40, classes=3, ties=True):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), n)
    if ties:  # multiples of 1/8, exact in single precision
        eighths = rng.multinomial(8, np.ones(classes) / classes, n)
        probabilities = eighths / 8
    return rng.integers(0, classes, n), probabilities


@given(st.integers(0, 10_000), st.integers(1, 25), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_values_are_those_of_the_definitions(seed, n, classes):
    """Few images and many classes: most cases miss a class in the truth, the predictions or both."""
    labels, probabilities = random_case(seed, n, classes)
    predicted = probabilities.argmax(axis=1)
    values = classification_values(labels, probabilities)
    assert values["accuracy"] == pytest.approx((predicted == labels).mean())
    recalls = paper.sensitivities(labels, predicted, classes)
    assert values["balanced_accuracy"] == pytest.approx(paper.mean_of_defined(recalls))
    assert values["auc"] == pytest.approx(paper.macro_auc(labels, probabilities), nan_ok=True)
    assert values["f2"] == pytest.approx(paper.macro_f2(labels, predicted, classes))
    each = per_class_values(labels, probabilities)
    assert each["sensitivity"] == pytest.approx(recalls, nan_ok=True)
    assert each["specificity"] == pytest.approx(paper.specificities(labels, predicted, classes), nan_ok=True)


@given(st.integers(0, 10_000), st.integers(1, 25), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_resamples_equal_torchmetrics_on_the_drawn_images(seed, n, classes):
    labels, probabilities = random_case(seed, n, classes)
    counts = resample_counts(n, 3, seed)
    resampled = classification_resamples(labels, probabilities, counts.astype(float))
    for row, multiplicities in enumerate(counts):
        drawn = np.repeat(np.arange(n), multiplicities)
        values = classification_values(labels[drawn], probabilities[drawn])
        each = per_class_values(labels[drawn], probabilities[drawn])
        for name in CLASSIFICATION_FIGURES:
            assert resampled[name][row] == pytest.approx(values[name], abs=2e-6, nan_ok=True), name
        for name in ("sensitivity", "specificity"):
            assert resampled[name][row] == pytest.approx(each[name], abs=1e-6, nan_ok=True), name


def test_calibration_error_is_that_of_the_definition():
    labels, probabilities = random_case(5, n=300, ties=False)
    expected = paper.calibration_error(labels, probabilities, bins=15)
    assert classification_values(labels, probabilities)["ece"] == pytest.approx(expected, abs=1e-6)


def test_auc_equals_the_macro_auc_of_torchmetrics_when_all_classes_occur():
    labels, probabilities = random_case(1, n=200, classes=4)
    expected = multiclass_auroc(torch.tensor(probabilities), torch.tensor(labels), 4, average="macro")
    assert classification_values(labels, probabilities)["auc"] == pytest.approx(float(expected), abs=1e-6)


def test_missing_classes_are_left_out():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.9, 0.0], [0.2, 0.7, 0.1]])
    values = classification_values(labels, probabilities)
    assert values["balanced_accuracy"] == pytest.approx(0.75)
    # class 2 is predicted once and never true: F2 is (5/9, 1, 0) on average
    assert values["f2"] == pytest.approx((5 / 9 + 1 + 0) / 3)
    each = per_class_values(labels, probabilities)
    assert np.isnan(each["sensitivity"][2])
    assert each["specificity"][2] == pytest.approx(0.75)


def test_one_image():
    values = classification_values(np.array([1]), np.array([[0.25, 0.75]]))
    assert values["accuracy"] == values["balanced_accuracy"] == values["f2"] == 1
    assert np.isnan(values["auc"])
    assert values["ece"] == pytest.approx(0.25)


def test_confusion_counts():
    labels, probabilities = random_case(0, n=30)
    matrix = confusion_matrix(labels, probabilities)
    assert matrix.sum() == 30
    predicted = probabilities.argmax(axis=1)
    assert matrix[2, 1] == ((labels == 2) & (predicted == 1)).sum()


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [[1.0, 0.0]], "expected"),
        ([], np.zeros((0, 2)), "expected"),
        ([0], [[1.0]], "at least 2 classes"),
        ([2], [[0.5, 0.5]], "labels must lie"),
        ([0], [[np.nan, 0.5]], "finite"),
        ([0], [[1.5, -0.5]], "finite"),
    ],
)
def test_wrong_arguments(labels, probabilities, message):
    labels = np.array(labels, np.int64)
    with pytest.raises(ValueError, match=message):
        classification_values(labels, np.array(probabilities))
    with pytest.raises(ValueError, match=message):
        classification_resamples(labels, np.array(probabilities), np.ones((1, len(labels))))


def test_weights_must_fit():
    with pytest.raises(ValueError, match="weights must be"):
        classification_resamples(np.array([0]), np.array([[0.5, 0.5]]), np.ones((1, 2)))
