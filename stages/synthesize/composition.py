"""Compositions: how the paragraphs of a page are arranged, as data.

A composition has a head, paragraphs below each other as large as their shares allow, and a story, whose paragraphs
share one type size and flow through columns. Every length is a share: of the page's width and height for margins, of
its shorter side for type sizes. To add one, add an entry and its name to the vocabularies of captions.
"""

from dataclasses import dataclass
from typing import Literal

from stages.synthesize.typeset.style import Align

# Languages whose scripts have initials: letters that stand apart, with capitals.
INITIALS = frozenset({"en", "de", "fr", "es", "pt", "it", "pl", "tr", "vi", "ru", "uk", "el"})
VERTICAL = frozenset({"ja", "zh-Hans", "zh-Hant"})
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he"})


@dataclass(frozen=True)
class Part:
    """One paragraph of a composition, or as many as `count` allows.

    `characters` is how long it is, in characters of Latin text. In a head `size` is the range of type sizes and
    `share` how much of the page's height it takes at most; in a story a heading is 1.25 times as large as the text.
    """

    unit: Literal["heading", "passage", "line", "word", "character"]
    characters: tuple[int, int]
    size: tuple[float, float] = (0.02, 0.2)
    share: float = 1.0
    count: tuple[int, int] = (1, 1)
    align: Align = "start"
    bold: bool = False
    leading: float = 1.15
    indent: float = 0.0
    drop: int = 0
    marker: Literal["bullet", "number"] | None = None
    accents: int = 0
    before: float = 0.0  # em above it, in a story


@dataclass(frozen=True)
class Composition:
    """A page between margins (left and right, top and bottom), its head `gap` apart, its story at type sizes `size`."""

    name: str  # as captions say it
    margins: tuple[float, float]
    head: tuple[Part, ...] = ()
    story: tuple[Part, ...] = ()
    size: tuple[float, float] = (0.026, 0.085)
    columns: int = 1
    anchor: Literal["top", "middle"] = "top"
    gap: float = 0.04
    rule: bool = False  # fine lines between the paragraphs of the head and the story, and between columns
    vertical: bool = False

    @property
    def passages(self) -> bool:
        """Whether it has running text."""
        return any(part.unit == "passage" for part in (*self.head, *self.story))

    def suits(self, language: str) -> bool:
        """Whether a language can be set so."""
        if self.vertical:
            return language in VERTICAL
        return language in INITIALS or not any(part.drop for part in self.story)


def _title(characters: tuple[int, int], size: tuple[float, float], share: float, align: Align = "start") -> Part:
    return Part("heading", characters, size, share, align=align, bold=True, leading=1.0)


def _prose(characters: tuple[int, int], align: Align = "start", **values: object) -> Part:
    return Part("passage", characters, align=align, **values)


STRING = Composition(
    "a single word",
    (0.04, 0.04),
    head=(Part("word", (1, 16), (0.3, 0.9), 1.0, align="center"),),
    anchor="middle",
)
"""A word that fills a picture of its own: what recipes with `strings` draw."""

COMPOSITIONS = (
    Composition(
        "a book page",
        (0.11, 0.1),
        story=(_prose((180, 380), "justify"),),
    ),
    Composition(
        "a page with a headline",
        (0.09, 0.09),
        head=(_title((8, 44), (0.06, 0.15), 0.28),),
        story=(_prose((120, 300)),),
    ),
    Composition(
        "a centred poster",
        (0.08, 0.1),
        head=(_title((6, 60), (0.07, 0.2), 1.0, "center"),),
        anchor="middle",
    ),
    Composition(
        "a page of two paragraphs",
        (0.1, 0.1),
        story=(_prose((90, 200), "justify"), _prose((90, 200), "justify", before=0.9)),
    ),
    Composition(
        "a quotation card",
        (0.14, 0.16),
        story=(Part("passage", (40, 140), align="center", leading=1.2),),
        size=(0.04, 0.09),
        anchor="middle",
    ),
    Composition(
        "a title page with a subtitle",
        (0.1, 0.14),
        head=(
            _title((6, 36), (0.08, 0.17), 0.5, "center"),
            Part("passage", (24, 90), (0.036, 0.07), 0.3, align="center"),
        ),
        anchor="middle",
        gap=0.07,
        rule=True,
    ),
    Composition(
        "a notice in three parts",
        (0.1, 0.09),
        head=(_title((6, 30), (0.055, 0.14), 0.2),),
        story=(_prose((70, 160)), _prose((70, 160), before=1.0)),
        gap=0.06,
        rule=True,
    ),
    Composition(
        "a page with a drop cap",
        (0.12, 0.1),
        story=(_prose((180, 360), "justify", drop=3),),
        size=(0.026, 0.07),
    ),
    Composition(
        "a page in two columns",
        (0.07, 0.08),
        head=(_title((8, 40), (0.05, 0.11), 0.2),),
        story=(_prose((120, 220), "justify"), _prose((120, 220), "justify", indent=1.2, count=(1, 3))),
        size=(0.02, 0.05),
        columns=2,
    ),
    Composition(
        "a newspaper page in three columns",
        (0.05, 0.06),
        head=(
            _title((10, 36), (0.06, 0.13), 0.18, "center"),
            Part("passage", (40, 90), (0.026, 0.04), 0.1, align="center"),
        ),
        story=(
            _prose((140, 240), "justify", indent=1.0, count=(2, 3)),
            Part("heading", (8, 26), bold=True, leading=1.0, before=0.8),
            _prose((140, 240), "justify", indent=1.0, count=(1, 3)),
        ),
        size=(0.016, 0.046),
        columns=3,
        gap=0.025,
        rule=True,
    ),
    Composition(
        "a numbered list",
        (0.1, 0.1),
        head=(_title((8, 34), (0.055, 0.12), 0.2),),
        story=(_prose((30, 90), marker="number", before=0.5, count=(3, 6)),),
        size=(0.026, 0.06),
    ),
    Composition(
        "a bulleted list",
        (0.1, 0.1),
        head=(_title((8, 34), (0.055, 0.12), 0.2),),
        story=(_prose((24, 80), marker="bullet", before=0.5, count=(3, 6)),),
        size=(0.028, 0.065),
    ),
    Composition(
        "a page with marked passages",
        (0.11, 0.1),
        head=(_title((8, 40), (0.05, 0.11), 0.2),),
        story=(_prose((90, 200), accents=3), _prose((90, 180), accents=3, before=0.8)),
        size=(0.026, 0.07),
    ),
    Composition(
        "a chapter with subheadings",
        (0.1, 0.08),
        head=(_title((6, 30), (0.06, 0.12), 0.16),),
        story=(
            Part("heading", (8, 34), bold=True, leading=1.0),
            _prose((90, 180), "justify"),
            Part("heading", (8, 34), bold=True, leading=1.0, before=1.0),
            _prose((90, 180), "justify"),
        ),
        size=(0.024, 0.06),
    ),
    Composition(
        "a page in vertical lines",
        (0.09, 0.08),
        story=(
            Part("heading", (6, 24), bold=True, leading=1.0),
            _prose((140, 300), "justify", leading=1.25, before=0.8),
        ),
        size=(0.026, 0.08),
        vertical=True,
    ),
    Composition(
        "a verse in vertical lines",
        (0.16, 0.14),
        story=(_prose((24, 80), leading=1.4),),
        size=(0.05, 0.12),
        anchor="middle",
        vertical=True,
    ),
    Composition(
        "a single line",
        (0.07, 0.1),
        head=(Part("line", (12, 48), (0.04, 0.14), 0.2, align="center"),),
        anchor="middle",
    ),
    Composition(
        "a single word",
        (0.1, 0.2),
        head=(Part("word", (2, 16), (0.08, 0.36), 0.5, align="center", bold=True),),
        anchor="middle",
    ),
    Composition(
        "a single character",
        (0.2, 0.2),
        head=(Part("character", (1, 1), (0.2, 0.56), 1.0, align="center"),),
        anchor="middle",
    ),
)
