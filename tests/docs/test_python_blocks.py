"""The Python code in the pages runs as it stands, block after block."""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import visteer
from tests.docs.markdown import PAGES, ROOT, Block, blocks, name_of, sections
from tests.docs.small_data import write_busi

Names = dict[str, object]


def names_of_the_readme() -> Names:
    torch.manual_seed(0)
    return {
        "visteer": visteer,
        "F": F,
        "model": visteer.build_classifier("resnet18", 2, weights="none", image_size=64),
        "images": torch.rand(4, 3, 64, 64),
        "labels": torch.tensor([0, 1, 0, 1]),
        "targets": torch.rand(4, 64, 64),
        "weights": torch.ones(4, 64, 64),
    }


def names_of_data() -> Names:
    write_busi(Path("data/busi/Dataset_BUSI_with_GT"), each=4)
    return {}


def names_of_edits() -> Names:
    Path("my-study").mkdir()
    lesion, ruler = np.zeros((2, 8, 8), dtype=bool)
    lesion[2:5, 2:5] = ruler[7] = True
    return {"lesion": lesion, "ruler": ruler}


# What a page takes for granted; every other page stands by itself.
GIVEN: dict[str, Callable[[], Names]] = {
    "README.md": names_of_the_readme,
    "docs/data.md": names_of_data,
    "docs/edits.md": names_of_edits,
}
# Written for a real run: fewer pictures do for a test.
SMALLER = {"docs/phantom.md": ('{"train": 300, "val": 80, "test": 200}', '{"train": 4, "val": 2, "test": 4}')}

WITH_CODE = [page for page in PAGES if blocks(page, "python", "pycon")]


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = name_of(page)
    names = {"__name__": "page", **(GIVEN[name]() if name in GIVEN else {})}
    long, short = SMALLER.get(name, ("", ""))
    assert long in page.read_text(encoding="utf-8")
    for block in blocks(page, "python", "pycon"):
        if block.reason is None:
            run_block(block, block.text.replace(long, short) if long else block.text, names, name)


def run_block(block: Block, text: str, names: Names, page: str) -> None:
    """Run one block in `names`; a session is compared with what it shows."""
    if block.kind == "python":
        exec(compile("\n" * (block.line - 1) + text, page, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(text, names, page, page, block.line - 1)
    runner, said = doctest.DocTestRunner(), []
    runner.run(test, out=said.append, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
    names.update(test.globs)


def test_a_reason_for_not_running_is_read(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: needs a GPU -->\n```python\n1 / 0\n```\n\n```python\n1\n```\n")
    assert [block.reason for block in blocks(page, "python")] == ["needs a GPU", None]


def test_a_session_that_shows_something_else_fails():
    with pytest.raises(AssertionError, match="Expected"):
        run_block(Block("pycon", ">>> 1 + 1\n3\n", 1, None), ">>> 1 + 1\n3\n", {}, "page")


def test_python_md_has_every_public_name_with_an_example():
    page = ROOT / "docs" / "python.md"
    named = sections(page, 3)
    assert set(named) == set(visteer.__all__)
    for name, text in named.items():
        assert re.search(rf"visteer\.{name}\b", text) or name == "Classifier", name
        assert "```pycon" in text, name
