"""How a paragraph is set, as data. All lengths are in em of the paragraph's type size."""

from dataclasses import dataclass
from typing import Literal

from fonts.catalog import Family

Colour = tuple[int, int, int]
Align = Literal["start", "center", "end", "justify"]


@dataclass(frozen=True)
class Style:
    """The style of a whole paragraph.

    `leading` is the distance of lines over the font's own; `stretch` the width in percent, where the family has that
    axis; `features` are OpenType features as CSS writes them, such as `smcp, onum`. `indent` moves the first line,
    `hang` all lines, and `marker` (a bullet, a number) stands in that space. `drop` is how many lines high the first
    letter is. `hyphenate` lets words be divided where the language's patterns allow. `vertical` is for Chinese and
    Japanese: lines run downwards, from right to left.
    """

    family: Family
    weight: int
    align: Align = "start"
    leading: float = 1.0
    tracking: float = 0.0
    stretch: int = 100
    features: str = ""
    indent: float = 0.0
    hang: float = 0.0
    marker: str = ""
    drop: int = 0
    hyphenate: bool = False
    vertical: bool = False

    def __post_init__(self) -> None:
        if self.drop and (self.marker or self.indent or self.hang or self.vertical or self.align == "center"):
            raise ValueError("a drop cap goes with plain horizontal paragraphs: no marker, indent or centring")
        if self.marker and not self.hang:
            raise ValueError("a marker needs room to hang in: give `hang`")


@dataclass(frozen=True)
class Accent:
    """A stretch of a paragraph that looks different. `start` and `end` count characters of its clean text.

    `size` is relative to the paragraph's; `line` is drawn under or through it; `dots` are East Asian emphasis marks;
    `highlight` is a colour behind it; `ruby` its reading in small type above (beside it in vertical lines).
    """

    start: int
    end: int
    weight: int | None = None
    family: Family | None = None
    size: float = 1.0
    colour: Colour | None = None
    line: Literal["under", "through"] | None = None
    highlight: Colour | None = None
    dots: bool = False
    ruby: str | None = None
