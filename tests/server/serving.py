"""What the tests of the server share: a browser, and edits as bytes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.testclient import TestClient

TOKEN = "the-token-of-these-tests-and-of-no-other"
BASE = "http://127.0.0.1:8765"
WRITE = {"X-Visteer": "1", "Origin": BASE}


def open_client(app: FastAPI) -> TestClient:
    """A browser that has opened the link of `app`."""
    client = TestClient(app, base_url=BASE, follow_redirects=False)
    answer = client.get("/", params={"token": TOKEN})
    assert answer.status_code == 303
    return client


def edit_bytes(value: int = 65535, shape: tuple[int, int] = (6, 8), weight: int = 255) -> bytes:
    """An edit with `value` in its upper half and 0 below, everywhere known; written out by hand."""
    height, width = shape
    target = np.zeros(shape, "<u2")
    target[: height // 2] = value
    return b"VSE1" + struct.pack("<II", width, height) + target.tobytes() + bytes([weight]) * (height * width)


def put(client: TestClient, key: int, based_on: int, body: bytes | None = None, **headers: str) -> Any:
    """Save an edit."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = edit_bytes() if body is None else body
    return client.put(
        f"/api/images/{key}/edit", content=content, headers={**WRITE, "If-Match": f'"{based_on}"', **named}
    )


def say(client: TestClient, key: int, verdict: str, **more: object) -> Any:
    """Post a verdict."""
    return client.post(f"/api/images/{key}/verdict", json={"verdict": verdict, **more}, headers=WRITE)


def keys_of(client: TestClient, **query: object) -> list[int]:
    """The keys that the list gives, in order."""
    answer = client.get("/api/images", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    return [item["key"] for item in answer.json()["items"]]
