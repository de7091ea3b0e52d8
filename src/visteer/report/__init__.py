"""Results as one offline HTML file. Computes no metric."""
