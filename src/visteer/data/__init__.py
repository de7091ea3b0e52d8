"""Images and labels: readers, checks, splits, the decoded cache, paired transforms and a generator."""
