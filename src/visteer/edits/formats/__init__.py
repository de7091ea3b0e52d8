"""Edits from and to files."""
