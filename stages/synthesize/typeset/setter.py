"""Setting a paragraph: the largest size that fits a box, drawn, with the place of every line, word and character.

Pango breaks, orders and shapes the text; cairo draws it. A paragraph is laid out at one reference size and the drawing
is scaled: to try another size, the layout's width changes and not the font, which is several times faster since every
size of a font is a font of its own to Pango. A character here is a grapheme cluster, what a reader takes for one.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, log
from typing import Any, Literal

import numpy as np

from dataengine.errors import SampleError, StageError
from dataengine.sample import Spans
from fonts import catalog
from fonts.catalog import Family
from fonts.coverage import uncovered
from stages.synthesize.typeset import glyphs as glyphs_of
from stages.synthesize.typeset import pango
from stages.synthesize.typeset.canvas import Page
from stages.synthesize.typeset.glyphs import Font
from stages.synthesize.typeset.pango import SCALE, ffi

_REFERENCE = 48.0  # pixels an em
_TRIES = 14  # halvings of the range of sizes
_LOOSEST = 0.55  # em: a paragraph that would need wider gaps to be justified is set ragged
_SLIMMEST = 0.1  # em: no text has narrower characters than this on average
_TALLEST = 1.65  # em: some fonts ask for far more room between lines than their script needs
# What is kept on one line beyond Unicode's rules: a Korean word, unless the text is justified; a Thai mark of
# repetition or abbreviation with what it stands for; a Hindi full stop, often set after a space, with its sentence.
_WHOLE = {
    "hi": re.compile("\\S[ ]?[\u0964\u0965]"),
    "ko": re.compile(r"\S+"),
    "th": re.compile("\\S[ ]?[\u0e46\u0e2f]"),
}
_ALIGN = {"start": 0, "center": 1, "end": 2, "justify": 0}


@dataclass(frozen=True)
class Style:
    """How a paragraph is set. `leading` is the distance of lines over the font's own, `tracking` is in em."""

    family: Family
    weight: int
    align: Literal["start", "center", "end", "justify"] = "start"
    leading: float = 1.0
    tracking: float = 0.0


@dataclass(frozen=True)
class Setting:
    """A paragraph that has been laid out. `size` is pixels an em, `width` and `height` pixels of the box it takes."""

    text: str
    language: str
    style: Style
    layout: Any
    size: float
    width: float
    height: float
    left: float = 0.0  # from the edge of the box it was given to the layout's: centred text is set as narrow as it goes
    last_line: float = inf  # how wide its last line is, in em; infinite where it has but one

    @property
    def scale(self) -> float:
        return self.size / _REFERENCE


@dataclass(frozen=True)
class Geometry:
    """Where a drawn paragraph's lines, words and characters are, in reading order."""

    lines: Spans
    words: Spans
    characters: Spans


class Typesetter:
    """Sets text with the families given, and with no other font of the machine."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._lib = pango.libraries()
        self._context = pango.context_with(catalog.files_of(families))
        self._fonts: dict[int, Font] = {}

    def fit(
        self, text: str, language: str, style: Style, width: float, height: float, smallest: float, largest: float
    ) -> Setting:
        """The largest setting of `text` in a box of width × height pixels, its size within `smallest` and `largest`.

        Raises SampleError when a character cannot be written with the family, or when not even the smallest size fits.
        """
        too_long = SampleError(f"{len(text)} characters do not fit {width:.0f}×{height:.0f} px at {smallest:.0f} px")
        if len(text) * _SLIMMEST * smallest**2 > width * height:  # seen without laying out a megabyte
            raise too_long
        text = clean(text)
        if missing := uncovered(style.family, text):
            raise SampleError(f"{style.family.name} cannot write {_codes(missing)}")
        layout = self._layout(text, language, style)
        if self._lib.pango_layout_get_unknown_glyphs_count(layout):
            raise SampleError(f"{style.family.name} has no glyph for a part of the text")
        shaped = glyphs_of.shape(layout, self._font)
        if missing := glyphs_of.undrawn(shaped, layout, text):
            raise SampleError(f"{style.family.name} has only a blank or a box for {_codes(missing)}")
        breaks = glyphs_of.breaks(shaped, layout, text)
        one_line = self._extents(layout).height / SCALE
        spacing = style.leading * min(1, _TALLEST * _REFERENCE / one_line)
        self._lib.pango_layout_set_line_spacing(layout, spacing)

        def fits(size: float) -> bool:
            lines = len(breaks.lines(width * _REFERENCE / size))
            return lines > 0 and one_line * (1 + (lines - 1) * spacing) * size / _REFERENCE <= height

        size = _largest(fits, smallest, largest)
        while size >= smallest:
            whole = width * _REFERENCE / size
            if style.align == "justify":
                self._lib.pango_layout_set_justify(layout, breaks.loosest(whole) <= _LOOSEST * _REFERENCE)
            for measure in (breaks.narrowest(whole), whole) if style.align == "center" else (whole,):
                if self._take(layout, measure, height * _REFERENCE / size):
                    left = (width - measure * size / _REFERENCE) / 2
                    logical, scale = self._extents(layout), size / _REFERENCE / SCALE
                    last = breaks.last_line(measure) / _REFERENCE
                    return Setting(
                        text, language, style, layout, size, logical.width * scale, logical.height * scale, left, last
                    )
            size *= 0.99  # shaped anew at the ends of its lines, it takes a hair more than was foretold
        raise too_long

    def _layout(self, text: str, language: str, style: Style) -> Any:
        lib = self._lib
        lib.pango_context_set_language(self._context, lib.pango_language_from_string(language.encode()))
        layout = ffi.gc(lib.pango_layout_new(self._context), lib.g_object_unref)
        description = lib.pango_font_description_new()
        lib.pango_font_description_set_family(description, style.family.name.encode())
        lib.pango_font_description_set_weight(description, style.weight)
        lib.pango_font_description_set_absolute_size(description, _REFERENCE * SCALE)
        lib.pango_layout_set_font_description(layout, description)
        lib.pango_font_description_free(description)
        attributes = lib.pango_attr_list_new()
        lib.pango_attr_list_insert(attributes, lib.pango_attr_fallback_new(0))
        if style.tracking:
            spacing = round(style.tracking * _REFERENCE * SCALE)
            lib.pango_attr_list_insert(attributes, lib.pango_attr_letter_spacing_new(spacing))
        for start, end in _unbroken(text, language, style.align):
            attribute = lib.pango_attr_allow_breaks_new(0)
            attribute.start_index, attribute.end_index = start, end
            lib.pango_attr_list_insert(attributes, attribute)
        lib.pango_layout_set_attributes(layout, attributes)
        lib.pango_attr_list_unref(attributes)
        lib.pango_layout_set_wrap(layout, 0)  # between words
        lib.pango_layout_set_alignment(layout, _ALIGN[style.align])
        lib.pango_layout_set_justify(layout, int(style.align == "justify"))
        encoded = text.encode()
        lib.pango_layout_set_text(layout, encoded, len(encoded))
        return layout

    def _extents(self, layout: Any) -> Any:
        logical = ffi.new("PangoRectangle *")
        self._lib.pango_layout_get_extents(layout, ffi.NULL, logical)
        return logical

    def _take(self, layout: Any, width: float, height: float) -> bool:
        """Lay out at a width in reference pixels; whether the lines stay within it and their number within `height`."""
        available = ceil(width * SCALE)
        self._lib.pango_layout_set_width(layout, available)
        logical = self._extents(layout)
        return logical.width <= available and logical.height <= height * SCALE

    def draw(
        self,
        page: Page,
        setting: Setting,
        x: float,
        y: float,
        colour: Sequence[int],
        only: int | None = None,
    ) -> Geometry:
        """Draw with the upper left corner of the box at x, y. colour: red, green, blue, 0 to 255.

        `only` draws one character, by its row, and leaves out the rest. Raises SampleError when the text reaches over
        the edge of the page.
        """
        glyphs = glyphs_of.read(setting.layout, setting.text, self._font)
        family = setting.style.family
        for strange in {font.file for font in glyphs.fonts} - {str(path) for path in family.paths()}:
            remedy = "its name in the catalogue must be the one that the font gives itself"
            raise StageError(f"{family.name} was drawn with {strange}, a file of another family", remedy)
        x += setting.left
        page.draw(glyphs, x, y, setting.scale, colour, only)
        place = np.tile([x, y], 4)
        lines, words, characters = (
            Spans(spans.texts, (spans.quads * setting.scale + place).astype(np.float32))
            for spans in (glyphs.lines, glyphs.words, glyphs.characters)
        )
        corners = characters.quads.reshape(-1, 2)
        if corners.size and ((corners < 0).any() or (corners > [page.width, page.height]).any()):
            raise SampleError("the text reaches over the edge of the page")
        return Geometry(lines, words, characters)

    def _font(self, pointer: Any) -> Font:
        key = int(ffi.cast("uintptr_t", pointer))
        if key not in self._fonts:
            self._fonts[key] = Font(pointer)
        return self._fonts[key]


def _codes(missing: Sequence[str]) -> str:
    """The code points of the first few of some characters."""
    return ", ".join("+".join(f"U+{ord(c):04X}" for c in characters) for characters in missing[:8])


def _unbroken(text: str, language: str, align: str) -> Iterator[tuple[int, int]]:
    """The ranges of bytes within which no line may end."""
    if language not in _WHOLE or (language == "ko" and align == "justify"):
        return
    place, byte = 0, 0
    for match in _WHOLE[language].finditer(text):
        start = byte + len(text[place : match.start()].encode())
        place, byte = match.end(), start + len(match.group().encode())
        yield start, byte


def _largest(fits: Callable[[float], bool], smallest: float, largest: float) -> float:
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
