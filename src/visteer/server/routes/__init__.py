"""The routes, one module a subject."""

from visteer.server.routes import comparing, edits, images, ratings, selection, study, verdicts

API = (
    study.router,
    images.router,
    edits.router,
    verdicts.router,
    ratings.router,
    comparing.router,
    selection.router,
)
"""All routes under /api."""
