"""Many runs side by side: grids of data sets, models, approaches and seeds, and tasks with a known truth."""
