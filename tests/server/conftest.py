"""A small study with a run, served without a network; the maps of its training images are not computed yet."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.server.serving import BASE, TOKEN, open_client
from tests.study.conftest import made, pictures, settings  # noqa: F401
from visteer.server.app import create_app
from visteer.server.gate import allowed_hosts
from visteer.steering import SteeringConfig
from visteer.study import Study, explain_run, save_explanation, train_run

QUICK = {"epochs": 1, "augment": "none", "select_by": "accuracy", "batch_size": 16, "precision": "fp32"}


@pytest.fixture(scope="session")
def trained(made, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A study with the run plain-1, and its maps of the validation and test images."""
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("trained") / "study"))
    study = Study(folder)
    train_run(study, SteeringConfig.from_dict(QUICK))
    for split in ("val", "test"):
        save_explanation(study, explain_run(study, "plain-1", split, instability=True))
    return folder


@pytest.fixture
def study(trained: Path, tmp_path: Path) -> Study:
    """A copy that a test may change."""
    return Study(Path(shutil.copytree(trained, tmp_path / "study")))


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A built page."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "assets" / "app-1a2b.js").write_text("console.log(1)")
    return folder


@pytest.fixture
def serve(study: Study, static: Path) -> Iterator[Callable[..., TestClient]]:
    """`serve(author=...)`: a browser with a session at a server of its own on the study."""
    with ExitStack() as stack:

        def make(author: str = "Ada", served: Study | None = None, **named) -> TestClient:
            app = create_app(
                served or study, token=TOKEN, hosts=allowed_hosts(8765), author=author, static=static, **named
            )
            stack.callback(app.state.editor.store.close)
            return stack.enter_context(open_client(app))

        yield make


@pytest.fixture
def client(serve: Callable[..., TestClient]) -> TestClient:
    """A browser that has opened the link."""
    return serve()


@pytest.fixture
def stranger(client: TestClient) -> Iterator[TestClient]:
    """A browser at the same server that has not."""
    with TestClient(client.app, base_url=BASE, follow_redirects=False) as opened:
        yield opened
