"""The schema's history, oldest first; a released file is never changed."""
