"""One small study taken through the whole flow, once a session; tests that damage it take a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.cli.command_line import Call, call

SIZE = 48


@dataclass(frozen=True)
class Flow:
    """The study's folder, the phantom's, the folder of exported edits, and every call by name."""

    study: Path
    phantom: Path
    edits: Path
    calls: dict[str, Call]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small nets train fastest on one thread, and always to the same weights."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 80 generated pictures with masks and marks."""
    folder = tmp_path_factory.mktemp("data") / "phantom"
    words = ("--train", 40, "--val", 16, "--test", 24, "--image-size", SIZE, "--json")
    assert call("data", "phantom", folder, *words).json["images"] == str(folder / "images")
    return folder


@pytest.fixture(scope="session")
def flow(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """The flow that the README shows, every step with --json."""
    root = tmp_path_factory.mktemp("flow")
    study, edits = root / "study", root / "edits"
    calls = {
        "init": call("init", study, *init_options(phantom), "--json"),
        "train": call("train", study, "--epochs", 1, "--json"),
        "explain": call("explain", study, "--json"),
        "import": call(
            "import", study, "--format", "masks", "--fraction", 0.5, "--outside", "unknown", "--json"
        ),
        "steer": call("steer", study, "--epochs", 2, "--gamma", 5, "--json"),
        "evaluate": call("evaluate", study, "--run", "steered-2", "--json"),
        "compare": call("compare", study, "plain-1", "steered-2", "--json"),
        "report": call("report", study, "--json"),
        "export": call("export", study, "--out", edits, "--json"),
        "import again": call("import", study, "--format", "png", "--from", edits, "--json"),
        "doctor": call("doctor", "--json"),
    }
    return Flow(study, phantom, edits, calls)


@pytest.fixture
def study(flow: Flow, tmp_path: Path) -> Path:
    """A copy of the finished study that a test may damage."""
    return Path(shutil.copytree(flow.study, tmp_path / "study"))


@pytest.fixture
def init(phantom: Path, tmp_path: Path) -> Callable[..., Call]:
    """Calls `visteer init tmp_path/new` on the phantom, with further words."""
    return lambda *words: call("init", tmp_path / "new", *init_options(phantom), *words)


def init_options(phantom: Path) -> tuple[object, ...]:
    """What `visteer init` needs for a small study of the phantom."""
    masks = ("--masks", phantom / "masks", "--irrelevant-masks", phantom / "marks")
    return ("--images", phantom / "images", *masks, *SMALL_MODEL)


SMALL_MODEL = ("--model", "test_resnet", "--weights", "none", "--image-size", SIZE)
