"""Compositional rendering: text printed or written on simulated media, in a scene."""

from stages.synthesize.compositional.rendering import choices, draw

__all__ = ["choices", "draw"]
