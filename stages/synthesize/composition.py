"""Compositions: how the paragraphs of a page are arranged, as data.

A composition is a column of blocks. Every length is a share: of the page's width and height for margins, of the
page's shorter side for type sizes. To add one, add an entry; nothing else knows their names.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Block:
    """One paragraph's place. `share` is how much of the column's height it may take at most: body texts divide what the
    headings leave by their lengths. `size` is the type sizes allowed."""

    role: Literal["heading", "body"]
    share: float
    size: tuple[float, float]
    characters: tuple[int, int]  # of Latin text; scripts that say more with fewer get fewer
    align: Literal["start", "center", "justify"] = "start"
    bold: bool = False
    leading: float = 1.1


@dataclass(frozen=True)
class Composition:
    """A column of blocks between margins (left and right, top and bottom), `gap` apart, at the top or the middle."""

    name: str  # as captions say it
    blocks: tuple[Block, ...]
    margins: tuple[float, float]
    anchor: Literal["top", "middle"] = "top"
    gap: float = 0.04
    rule: bool = False  # a fine line between the blocks


COMPOSITIONS = (
    Composition(
        "a book page",
        (Block("body", 1.0, (0.025, 0.085), (180, 380), "justify", leading=1.15),),
        (0.11, 0.1),
    ),
    Composition(
        "a page with a headline",
        (
            Block("heading", 0.28, (0.06, 0.15), (8, 44), bold=True, leading=1.0),
            Block("body", 1.0, (0.026, 0.085), (120, 300), leading=1.15),
        ),
        (0.09, 0.09),
    ),
    Composition(
        "a centred poster",
        (Block("heading", 1.0, (0.07, 0.2), (6, 60), "center", bold=True, leading=1.0),),
        (0.08, 0.1),
        anchor="middle",
    ),
    Composition(
        "a page of two paragraphs",
        (
            Block("body", 1.0, (0.026, 0.085), (90, 200), "justify", leading=1.15),
            Block("body", 1.0, (0.026, 0.085), (90, 200), "justify", leading=1.15),
        ),
        (0.1, 0.1),
        gap=0.05,
    ),
    Composition(
        "a quotation card",
        (Block("body", 1.0, (0.04, 0.09), (40, 140), "center", leading=1.2),),
        (0.14, 0.16),
        anchor="middle",
    ),
    Composition(
        "a title page with a subtitle",
        (
            Block("heading", 0.5, (0.08, 0.17), (6, 36), "center", bold=True, leading=1.0),
            Block("body", 0.3, (0.036, 0.07), (24, 90), "center", leading=1.15),
        ),
        (0.1, 0.14),
        anchor="middle",
        gap=0.07,
        rule=True,
    ),
    Composition(
        "a notice in three parts",
        (
            Block("heading", 0.2, (0.055, 0.14), (6, 30), bold=True, leading=1.0),
            Block("body", 1.0, (0.026, 0.085), (70, 160), leading=1.15),
            Block("body", 1.0, (0.026, 0.085), (70, 160), leading=1.15),
        ),
        (0.1, 0.09),
        gap=0.06,
        rule=True,
    ),
)
