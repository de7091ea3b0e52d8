"""Names from files and people, made fit to be shown: nothing invisible, nothing endless."""

from __future__ import annotations

import unicodedata

# Joiners shape letters in Persian, Hindi and emoji, and change neither order nor lines.
_JOINERS = "\u200c\u200d"


def visible_text(text: str) -> str:
    r"""Write `text` with each control, direction, line-breaking or unencodable character spelled out.

    The answer can always be written as UTF-8, stands on one line and reads in the order of its characters.
    It is not yet escaped for HTML: the templates do that.

    Example:
        >>> visible_text("a\nb")
        'a‹U+000A›b'
        >>> visible_text("gpj.\u202eexe")
        'gpj.‹U+202E›exe'
    """
    return "".join(_visible(character) for character in text)


def shorten(text: str, limit: int = 48) -> str:
    """Cut `text` to at most `limit` characters; the middle gives way to an ellipsis.

    Example:
        >>> shorten("a-very-long-file-name.png", 12)
        'a-very-l…png'
    """
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 3
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"


def _visible(character: str) -> str:
    if (
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        and character not in _JOINERS
    ):
        return f"‹U+{ord(character):04X}›"
    return character
