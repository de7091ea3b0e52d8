"""Results as one offline HTML file. Computes no metric."""

from visteer.report.content import GalleryRow, ReportContent, RunReport
from visteer.report.images import before_after_picture, before_after_svg
from visteer.report.render import render_report

__all__ = [
    "GalleryRow",
    "ReportContent",
    "RunReport",
    "before_after_picture",
    "before_after_svg",
    "render_report",
]
