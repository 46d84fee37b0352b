"""Marks that accents leave beside their glyphs: lines under or through them, what highlights them, emphasis dots."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stages.synthesize.typeset.fontmap import REFERENCE
from stages.synthesize.typeset.glyphs import Glyphs
from stages.synthesize.typeset.style import Accent, Colour

_THICKNESS = 0.06  # em
_MARGIN = 0.08  # em that a highlight reaches over its text
# Top of a line from the baseline down, in em; in vertical lines the baseline runs through the middle of the characters
# and what stands above it is on the right.
_UNDER, _UNDER_VERTICAL = 0.14, -0.62
_THROUGH, _THROUGH_VERTICAL = -0.32, -0.03
_HIGHLIGHT, _HIGHLIGHT_VERTICAL = (-0.92, 0.26), (-0.56, 0.56)
_DOT, _DOT_VERTICAL, _RADIUS = -1.02, -0.66, 0.07


@dataclass(frozen=True)
class Mark:
    """A rectangle, or the circle in it, in the paragraph's pixels; without a colour it takes the text's."""

    left: float
    top: float
    right: float
    bottom: float
    colour: Colour | None = None
    round: bool = False


def behind(glyphs: Glyphs, accents: Sequence[Accent], vertical: bool) -> list[Mark]:
    """What is drawn before the text."""
    return [
        Mark(
            left - 0.08 * REFERENCE, baseline + top * em, right + 0.08 * REFERENCE, baseline + bottom * em, a.highlight
        )
        for a in accents
        if a.highlight
        for left, right, baseline, em in _stretches(glyphs, a)
        for top, bottom in [_HIGHLIGHT_VERTICAL if vertical else _HIGHLIGHT]
    ]


def beside(glyphs: Glyphs, accents: Sequence[Accent], vertical: bool) -> list[Mark]:
    """What is drawn with the text, in its colour."""
    found = []
    for accent in accents:
        if accent.line:
            top = {
                "under": (_UNDER, _UNDER_VERTICAL)[vertical],
                "through": (_THROUGH, _THROUGH_VERTICAL)[vertical],
            }[accent.line]
            found += [
                Mark(left, baseline + top * em, right, baseline + (top + _THICKNESS) * em, accent.colour)
                for left, right, baseline, em in _stretches(glyphs, accent)
            ]
        if accent.dots:
            found += list(_dots(glyphs, accent, _DOT_VERTICAL if vertical else _DOT))
    return found


def _stretches(glyphs: Glyphs, accent: Accent) -> Iterator[tuple[float, float, float, float]]:
    """Left, right, baseline and em of the accent on each line that it stands on."""
    inside = (glyphs.character >= accent.start) & (glyphs.character < accent.end)
    for line in np.unique(glyphs.line[inside]):
        here = inside & (glyphs.line == line)
        left, right = glyphs.reach[here, 0].min(), glyphs.reach[here, 1].max()
        yield float(left), float(right), float(glyphs.baseline[here][0]), REFERENCE * accent.size


def _dots(glyphs: Glyphs, accent: Accent, height: float) -> Iterator[Mark]:
    inside = (glyphs.character >= accent.start) & (glyphs.character < accent.end)
    for row in np.unique(glyphs.row[inside & (glyphs.row >= 0)]):
        here = glyphs.row == row
        x = (glyphs.reach[here, 0].min() + glyphs.reach[here, 1].max()) / 2
        y, radius = glyphs.baseline[here][0] + height * REFERENCE * accent.size, _RADIUS * REFERENCE * accent.size
        yield Mark(float(x - radius), float(y - radius), float(x + radius), float(y + radius), accent.colour, True)
