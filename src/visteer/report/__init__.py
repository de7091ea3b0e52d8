"""Results as one offline HTML file. Computes no metric."""

from visteer.report.content import ComparisonRow, GalleryRow, ReportContent, RunReport
from visteer.report.images import before_after_picture
from visteer.report.render import render_report

__all__ = [
    "ComparisonRow",
    "GalleryRow",
    "ReportContent",
    "RunReport",
    "before_after_picture",
    "render_report",
]
