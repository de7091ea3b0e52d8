"""A study on disk, and the stages run on it."""
