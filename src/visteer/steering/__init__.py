"""Training with edited maps."""
