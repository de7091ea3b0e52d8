"""Names that would hide, reorder or overflow are made fit to be shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visteer.report.safe_text import shorten, visible_text

ANY_CHARACTER = st.characters()  # lone surrogates too: file names that are no UTF-8 carry them


@given(st.text(ANY_CHARACTER))
def test_visible_text_can_be_written_and_hides_nothing(text):
    shown = visible_text(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in shown)
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff\u200b"
    )


@pytest.mark.parametrize("text", ["benign", "Größe 3 µm", "黒色腫", "می\u200cخواهم", "<b>&amp;", "🙂"])
def test_ordinary_names_stay_as_they_are(text):
    assert visible_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x00\t\n", "‹U+0000›‹U+0009›‹U+000A›"),
        ("a\u202eb", "a‹U+202E›b"),
        ("\x7f\x85", "‹U+007F›‹U+0085›"),
        ("\udcff", "‹U+DCFF›"),
        ("\U000e0041", "‹U+E0041›"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text, shown):
    assert visible_text(text) == shown


@given(st.text(), st.integers(4, 60))
def test_shorten_keeps_both_ends(text, limit):
    short = shorten(text, limit)
    assert len(short) <= limit
    if len(text) > limit:
        head, _, tail = short.partition("…") if "…" not in text else (text[0], "", text[-1])
        assert text.startswith(head)
        assert text.endswith(tail)
    else:
        assert short == text
