"""Content that cannot be shown is refused when it is made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.report.sample_report import make_content, make_gallery_row
from visteer.report import ReportContent


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((4, 4), np.uint8)}, "image must be"),
        ({"image": np.zeros((4, 4, 3))}, "image must be"),
        ({"weight": None}, "go together"),
        ({"target": np.zeros((2, 2))}, "target is"),
        ({"maps": (np.zeros(3), np.zeros((2, 2)))}, "maps must be"),
        ({"predictions": ("a",)}, "one entry a run"),
    ],
)
def test_gallery_rows_check_their_parts(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(make_gallery_row(0), **change)


def test_a_report_needs_runs():
    with pytest.raises(ValueError, match="at least one run"):
        ReportContent("empty", ())


def test_runs_share_their_classes():
    content = make_content()
    other = dataclasses.replace(content.runs[1].result, class_names=("x", "y", "z"))
    with pytest.raises(ValueError, match="same classes"):
        ReportContent("two", (content.runs[0], dataclasses.replace(content.runs[1], result=other)))


def test_gallery_rows_fit_the_runs():
    with pytest.raises(ValueError, match="has 3 maps for 2 runs"):
        dataclasses.replace(make_content(), gallery=(make_gallery_row(0, runs=3),))
