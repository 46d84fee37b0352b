"""Complex rendering: slides, interfaces, posters and papers from templates that are data, not code."""

from stages.synthesize.complex.drawing import draw
from stages.synthesize.complex.library import suiting, templates
from stages.synthesize.complex.template import Template

__all__ = ["Template", "draw", "suiting", "templates"]
