"""The engine: runs, parts, schemas, Ray and DuckDB. It knows no particular stage."""

__version__ = "0.1.0"
