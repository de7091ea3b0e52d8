"""One reader a data-set layout; each yields a Catalogue."""
