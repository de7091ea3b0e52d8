"""A blind rating of one run's map of one image."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from visteer.edits.map_edit import check_text

BEST, WORST = 1, 5


@dataclass(frozen=True)
class Rating:
    """How well the map of `run` fits one image: 1 (looks exactly where an expert looks) to 5 (somewhere else).

    The rater did not see which run it was. Never changed afterwards: a second rating is another one.

    Raises:
        ValueError: the value is not 1 to 5, the author is empty, the time has no zone, or a text cannot be stored.

    Example:
        >>> Rating("benign (1).png", "steered-2", author="Ada", value=2).value
        2
    """

    image_id: str
    run: str
    author: str
    value: int
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        """Refuse what cannot be meant or stored."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not BEST <= self.value <= WORST:
            raise ValueError(f"a rating is a whole number from {BEST} to {WORST}, not {self.value!r}")
        for name in ("image_id", "run", "author"):
            check_text(name, getattr(self, name))
        if not self.author.strip():
            raise ValueError("author must not be empty")
        if self.time.utcoffset() is None:
            raise ValueError(f"time must have a time zone, got {self.time.isoformat()}")
        object.__setattr__(self, "time", self.time.astimezone(UTC))
