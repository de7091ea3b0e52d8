"""The description of the API that the page's types are made from: `python -m visteer.server.openapi`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from visteer.atomic import write_text
from visteer.server.routes import API

DEFAULT = Path("frontend") / "openapi.json"


def openapi_text() -> str:
    """The OpenAPI description of all routes under /api, as JSON; needs no study."""
    app = FastAPI(title="Visteer editor", version="1", generate_unique_id_function=lambda route: route.name)
    for router in API:
        app.include_router(router)
    described = get_openapi(title=app.title, version=app.version, routes=app.routes)
    return json.dumps(described, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> None:
    """Write the description to the path given, by default frontend/openapi.json."""
    path = Path(arguments[0]) if arguments else DEFAULT
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, openapi_text())
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
