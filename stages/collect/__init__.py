"""Sources of samples that exist already: folders and tables."""
