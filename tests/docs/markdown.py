"""Reading Markdown pages: fenced blocks, sections, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]+?) -->\s*\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the number of its first line, and why it is not run, if so."""

    kind: str
    text: str
    line: int
    reason: str | None


def name_of(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *kinds: str) -> list[Block]:
    """The fenced blocks of `page` in the languages `kinds`, in order."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(m["kind"], m["text"], text.count("\n", 0, m.start("text")) + 1, m["reason"])
        for m in _BLOCK.finditer(text)
    ]
    return [block for block in found if block.kind in kinds]


def sections(page: Path, level: int) -> dict[str, str]:
    """Heading -> text up to the next heading of that level or above; fenced blocks hold no headings here."""
    mark = "#" * level
    parts = re.split(rf"^{mark} (.+)$", page.read_text(encoding="utf-8"), flags=re.M)
    above = re.compile(rf"^#{{1,{level - 1}}} ", re.M) if level > 1 else None
    found = {}
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        end = above.search(text) if above else None
        found[heading.strip()] = text[: end.start()] if end else text
    return found


def table_rows(text: str) -> list[list[str]]:
    """The cells of all table rows in `text` whose first cell is code."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines]


def shell_lines(text: str) -> list[str]:
    """The commands of a shell block: without comments, continued lines joined."""
    joined = text.replace("\\\n", " ")
    return [line.partition(" #")[0].strip() for line in joined.splitlines() if line.strip()]
