"""Typesetting: text, a style and a box go in; a drawing comes out, and where each line, word and character is in it.

Pango lays out and cairo draws; only this room knows them.
"""

from stages.synthesize.typeset.canvas import Page
from stages.synthesize.typeset.fallback import main_script
from stages.synthesize.typeset.flow import Block, Frame, Story, flow
from stages.synthesize.typeset.glyphs import Glyphs
from stages.synthesize.typeset.setter import Geometry, Setting, Typesetter, clean
from stages.synthesize.typeset.style import Accent, Style

__all__ = [
    "Accent",
    "Block",
    "Frame",
    "Geometry",
    "Glyphs",
    "Page",
    "Setting",
    "Story",
    "Style",
    "Typesetter",
    "clean",
    "flow",
    "main_script",
]
