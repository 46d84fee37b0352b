"""Thin adapters to models and libraries: load weights, take arrays, give arrays."""
