"""Setting a paragraph: the largest size that fits a box, drawn, with the place of every line, word and character.

Pango breaks, orders and shapes the text; cairo draws it. A paragraph is laid out at one reference size and the drawing
is scaled: to try another size, the layout's width changes and not the font, which is several times faster since every
size of a font is a font of its own to Pango. A character here is a grapheme cluster, what a reader takes for one.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, inf, log

import numpy as np

from dataengine.errors import SampleError, StageError
from dataengine.sample import Spans
from fonts.catalog import Family
from stages.synthesize.typeset import glyphs as glyphs_of
from stages.synthesize.typeset import kinsoku, marks
from stages.synthesize.typeset.canvas import Page
from stages.synthesize.typeset.fontmap import REFERENCE, FontMap
from stages.synthesize.typeset.glyphs import Glyphs, Piece, Source
from stages.synthesize.typeset.hyphens import hyphenated
from stages.synthesize.typeset.paragraph import Draft
from stages.synthesize.typeset.style import Accent, Colour, Style

_TRIES = 14  # halvings of the range of sizes
_SLIMMEST = 0.1  # em: no text has narrower characters than this on average


@dataclass(frozen=True)
class Setting:
    """A paragraph that has been laid out. `text` is what a reader reads, `size` is pixels an em, `width` and `height`
    pixels of the box it takes."""

    text: str
    language: str
    style: Style
    size: float
    width: float
    height: float
    draft: Draft
    pieces: tuple[Piece, ...]
    left: float = 0.0  # from the edge of the box it was given to the layout's: centred text is set as narrow as it goes
    last_line: float = inf  # how wide its last line is, in em; infinite where it has but one

    @property
    def scale(self) -> float:
        return self.size / REFERENCE


@dataclass(frozen=True)
class Geometry:
    """Where a drawn paragraph's lines, words and characters are, in reading order. A line that ends with a hyphen of
    the layout's own ends with U+00AD. `ruby` is where the readings beside the text are, with their texts."""

    lines: Spans
    words: Spans
    characters: Spans
    ruby: "Geometry | None" = None


class Typesetter:
    """Sets text with the families given, and with no other font of the machine.

    Words of a script that a paragraph's family lacks are set in another family of its language or of English.
    """

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = tuple(families)
        self._fonts = FontMap(families)
        self._others: dict[tuple[Family, str], list[Family]] = {}

    def draft(self, text: str, language: str, style: Style, accents: Sequence[Accent] = ()) -> Draft:
        """A paragraph prepared for any width. Raises SampleError when its characters cannot be written or seen."""
        text = clean(text)
        if style.hyphenate:
            text = hyphenated(text, language)
        return Draft(self._fonts, text, language, style, accents, self._lenders(style.family, language))

    def _lenders(self, family: Family, language: str) -> list[Family]:
        """The other families of a language, then those of English, of the family's own style first."""
        key = family, language
        if key not in self._others:
            known = [f for f in self._families if f != family and {language, "en"} & set(f.languages)]
            self._others[key] = sorted(known, key=lambda f: (language not in f.languages, f.style != family.style))
        return self._others[key]

    def fit(
        self,
        text: str,
        language: str,
        style: Style,
        width: float,
        height: float,
        smallest: float,
        largest: float,
        accents: Sequence[Accent] = (),
    ) -> Setting:
        """The largest setting of `text` in a box of width × height pixels, its size within `smallest` and `largest`.

        Raises SampleError when a character cannot be written with the family, or when not even the smallest size fits.
        """
        too_long = SampleError(f"{len(text)} characters do not fit {width:.0f}×{height:.0f} px at {smallest:.0f} px")
        # Seen without laying out a megabyte.
        if min(width, height) <= 0 or len(text) * _SLIMMEST * smallest**2 > width * height:
            raise too_long
        draft = self.draft(text, language, style, accents)
        if style.vertical:
            width, height = height, width

        def fits(size: float) -> bool:
            lines = draft.count(width * REFERENCE / size)
            return lines > 0 and draft.height(lines) * size / REFERENCE <= height

        size = largest_that(fits, smallest, largest)
        while size >= smallest:
            whole, scale = width * REFERENCE / size, size / REFERENCE
            for measure in (draft.breaks.narrowest(whole), whole) if style.align == "center" else (whole,):
                lines = draft.set(measure)
                if lines and lines.height * scale <= height:
                    left = (width - measure * scale) / 2
                    across, down = lines.width * scale, lines.height * scale
                    if style.vertical:
                        across, down = down, across
                    return Setting(
                        draft.content, language, style, size, across, down, draft, lines.pieces, left, lines.last_line
                    )
            size *= 0.99  # shaped anew at the ends of its lines, it takes a hair more than was foretold
        raise too_long

    def read(self, settings: Sequence[Setting]) -> list[Glyphs]:
        """The glyphs of settings, as `draw` takes them. Many labels are read at once in a fraction of the time."""
        sources = []
        for setting in settings:
            draft, pieces = setting.draft, setting.pieces
            upright = draft.upright(pieces) if draft.uprights else ()
            sources.append(Source((*pieces, *upright), draft.source, draft.attributes))
        return glyphs_of.read(sources, self._fonts.font)

    def draw(
        self,
        page: Page,
        setting: Setting,
        x: float,
        y: float,
        colour: Colour,
        glyphs: Glyphs | None = None,
        only: int | None = None,
    ) -> Geometry:
        """Draw with the upper left corner of the box at x, y. colour: red, green, blue, 0 to 255. `glyphs` are the
        setting's where they have been read.

        `only` draws one character, by its row, and leaves out the rest. Raises SampleError when the text reaches over
        the edge of the page, or a line begins or ends with a mark that may not stand there.
        """
        draft, glyphs = setting.draft, glyphs or self.read([setting])[0]
        self._check_fonts(glyphs, setting)
        matrix = _matrix(setting, x, y)
        ruby = draft.ruby(glyphs)
        vertical = setting.style.vertical
        if only is None:
            page.mark(marks.behind(glyphs, draft.accents, vertical), matrix, colour)
            page.mark(marks.beside(glyphs, draft.accents, vertical), matrix, colour)
            if ruby:
                page.draw(ruby, matrix, [colour], np.zeros(len(ruby.index), int))
        page.draw(glyphs, matrix, *_colours(glyphs, draft.accents, colour), only)
        kinsoku.check(glyphs.lines.texts)
        found = _geometry(glyphs, matrix, ruby and _geometry(ruby, matrix))
        for geometry in filter(None, (found, found.ruby)):
            corners = geometry.characters.quads.reshape(-1, 2)
            if corners.size and ((corners < 0).any() or (corners > [page.width, page.height]).any()):
                raise SampleError("the text reaches over the edge of the page")
        return found

    def _check_fonts(self, glyphs: Glyphs, setting: Setting) -> None:
        families = [setting.style.family, *(a.family for a in setting.draft.accents if a.family)]
        used = {glyphs.fonts[place].file for place in set(glyphs.font.tolist())}
        for strange in used.difference(*map(_files, families)):
            remedy = "its name in the catalogue must be the one that the font gives itself"
            raise StageError(f"{families[0].name} was drawn with {strange}, a file of another family", remedy)


@cache
def _files(family: Family) -> frozenset[str]:
    return frozenset(str(path) for path in family.paths())


def _matrix(setting: Setting, x: float, y: float) -> np.ndarray:
    """From a paragraph's pixels to the page's, (2, 3): scaled, and a quarter turn to the right for vertical lines."""
    scale, left = setting.scale, setting.left
    if setting.style.vertical:
        return np.array([[0, -scale, x + setting.width], [scale, 0, y + left]])
    return np.array([[scale, 0, x + left], [0, scale, y]])


def _geometry(glyphs: Glyphs, matrix: np.ndarray, ruby: Geometry | None = None) -> Geometry:
    spans = (glyphs.lines, glyphs.words, glyphs.characters)
    corners = np.concatenate([s.quads for s in spans]).reshape(-1, 2) @ matrix[:, :2].T + matrix[:, 2]
    quads = np.split(corners.astype(np.float32).reshape(-1, 8), np.cumsum([len(s.texts) for s in spans])[:-1])
    return Geometry(*(Spans(s.texts, q) for s, q in zip(spans, quads, strict=True)), ruby)


def _colours(glyphs: Glyphs, accents: Sequence[Accent], colour: Colour) -> tuple[list[Colour], np.ndarray]:
    """The colours in use, and which of them each glyph has."""
    colours, which = [colour], np.zeros(len(glyphs.index), int)
    for accent in accents:
        if accent.colour:
            which[(glyphs.character >= accent.start) & (glyphs.character < accent.end)] = len(colours)
            colours.append(accent.colour)
    return colours, which


def largest_that(fits: Callable[[float], bool], smallest: float, largest: float) -> float:
    """The largest value that fits, where everything smaller does too; `smallest` when none is known to."""
    if fits(largest):
        return largest
    low, high = log(smallest), log(largest)
    for _ in range(_TRIES):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(exp(middle)) else (low, middle)
    return exp(low)


def clean(text: str) -> str:
    """The text as it will be read: NFC, single spaces. Raises SampleError for what no reader could see or spell."""
    for c in text:
        category = unicodedata.category(c)
        if category in ("Cs", "Cn", "Co") or (category == "Cc" and c not in "\n\t\r"):
            raise SampleError(f"the text holds U+{ord(c):04X}, which is no character to be written")
    cleaned = " ".join(unicodedata.normalize("NFC", text).split())
    if not cleaned:
        raise SampleError("the text is empty")
    return cleaned
