"""The visteer command."""
