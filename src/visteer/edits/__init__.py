"""Edited maps and the store that never loses one. No torch in here."""
