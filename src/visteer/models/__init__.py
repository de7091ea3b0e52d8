"""Classifiers, their preprocessing, and where in them to look."""
