"""The routes, one module a subject."""

from visteer.server.routes import (
    comparing,
    consensus,
    edits,
    images,
    jobs,
    ratings,
    selection,
    study,
    verdicts,
)

API = (
    study.router,
    images.router,
    jobs.router,
    edits.router,
    consensus.router,
    verdicts.router,
    ratings.router,
    comparing.router,
    selection.router,
)
"""All routes under /api."""
