"""The description that the page's types are made from is that of the server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visteer.server.openapi import main, openapi_text

WRITTEN = Path(__file__).resolve().parents[2] / "frontend" / "openapi.json"


def test_the_written_description_is_current():
    if not WRITTEN.exists():
        pytest.skip("no frontend/openapi.json here (an installed copy)")
    assert json.loads(WRITTEN.read_text(encoding="utf-8")) == json.loads(openapi_text()), (
        "write it anew: python -m visteer.server.openapi"
    )


def test_the_served_description_is_the_written_one(client):
    served = client.get("/openapi.json").json()
    assert served["paths"] == json.loads(openapi_text())["paths"]


def test_it_is_written_where_it_is_asked_for(tmp_path, capsys):
    main([str(tmp_path / "new" / "openapi.json")])
    assert (tmp_path / "new" / "openapi.json").read_text(encoding="utf-8") == openapi_text()
    assert "openapi.json" in capsys.readouterr().out


def test_all_errors_that_a_route_can_give_are_described():
    for path, methods in json.loads(openapi_text())["paths"].items():
        for method, described in methods.items():
            codes = set(described["responses"])
            assert {"401", "422", "503"} <= codes, (method, path)
            assert method == "get" or "403" in codes
            assert "#/components/schemas/HTTPValidationError" not in json.dumps(described)
