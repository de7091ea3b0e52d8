"""The only place that makes maps."""
