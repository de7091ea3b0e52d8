"""What an expert says about where a classifier looks in one image, without drawing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args

from visteer.edits.map_edit import check_text

VerdictKind = Literal["reasonable", "unreasonable", "nothing", "skip"]


@dataclass(frozen=True)
class Verdict:
    """One judgement of one image; never changed afterwards.

    Arguments:
        kind: "reasonable" (the map is right as it is), "unreasonable", "nothing" (the image has no relevant region)
            or "skip" (no opinion).
        author: who said it, not empty.
        run: the run whose map was seen, if any.
        comment: free text.
        time: when, with a time zone; kept in UTC.
        revision: the image's latest edit when it was said, 0 for none; the store sets it. So a verdict is the latest
            act on its image if no newer revision is there, whatever the clocks say.

    Raises:
        ValueError: the kind is unknown, the author empty, the time has no zone, or a text cannot be stored.

    Example:
        >>> Verdict("reasonable", author="Ada", run="plain-1").kind
        'reasonable'
    """

    kind: VerdictKind
    author: str
    run: str | None = None
    comment: str = ""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    revision: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant or stored."""
        if self.kind not in get_args(VerdictKind):
            raise ValueError(f"a verdict is one of {', '.join(get_args(VerdictKind))}, not {self.kind!r}")
        check_text("author", self.author)
        check_text("comment", self.comment)
        if self.run is not None:
            check_text("run", self.run)
        if not self.author.strip():
            raise ValueError("author must not be empty")
        if self.time.utcoffset() is None:
            raise ValueError(f"time must have a time zone, got {self.time.isoformat()}")
        object.__setattr__(self, "time", self.time.astimezone(UTC))
