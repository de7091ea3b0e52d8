"""Figures with intervals: classification, maps, reliance."""
