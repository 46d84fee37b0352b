"""The standard stages, each a small module: rows in, rows out."""
