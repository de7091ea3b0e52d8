"""The whole API under requests that nobody would write by hand: never a 5xx, and no answer that is not described."""

from __future__ import annotations

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.server.serving import BASE, WRITE, put
from visteer.server.openapi import openapi_text

SCHEMA = schemathesis.openapi.from_dict(json.loads(openapi_text()))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
BARE = ("/api/study", "/api/jobs")  # no parameter that could be wrong
PAIRS = [
    pytest.param(operation, mode, id=f"{operation.label} {mode}")
    for operation in OPERATIONS
    for mode in ("positive", "negative")
    if operation.path not in BARE or mode == "positive"
]
FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(("operation", "mode"), PAIRS)
def test_no_request_is_a_failure_of_the_server(client, operation, mode):
    put(client, 0, 0)
    described = {*operation.definition.raw["responses"], "404", "405"}
    wanted = schemathesis.GenerationMode(mode)

    @FEW
    @given(operation.as_strategy(generation_mode=wanted))
    def send(case: schemathesis.Case) -> None:
        if mode == "positive" and "key" in case.path_parameters:
            case.path_parameters["key"] %= 45  # 40 of them are there
        named = case.as_transport_kwargs(base_url=BASE)
        method, url = named.pop("method"), named.pop("url")
        if isinstance(named.get("data"), bytes | str):
            named["content"] = named.pop("data")
        headers = {**named.pop("headers"), **WRITE}
        kept = {
            name: value
            for name, value in named.items()
            if name in ("params", "json", "content", "data", "files")
        }
        answer = client.request(method, url, headers=headers, **kept)
        assert answer.status_code < 500, answer.text
        assert str(answer.status_code) in described, (answer.status_code, answer.text)

    send()


def test_all_routes_are_tried():
    assert len(OPERATIONS) == 22
