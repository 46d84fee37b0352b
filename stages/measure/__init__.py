"""Signals: what is measured on every image, once."""
