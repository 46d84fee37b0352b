"""Complex rendering: slides, interfaces, posters and papers from templates that are data, not code."""

from stages.synthesize.complex.drawing import draw
from stages.synthesize.complex.template import Template, suiting, templates

__all__ = ["Template", "draw", "suiting", "templates"]
