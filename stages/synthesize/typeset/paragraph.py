"""A paragraph before and after its width is known: layouts prepared once, then broken into lines at a width.

Everything here is in pixels of the reference size and in the direction of the lines: a vertical paragraph lies on its
side until it is drawn.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil, inf
from typing import Any

import numpy as np
import regex

from dataengine.errors import SampleError
from fonts.catalog import Family
from fonts.coverage import uncovered
from stages.synthesize.typeset import glyphs as glyphs_of
from stages.synthesize.typeset import pango
from stages.synthesize.typeset.fallback import borrowed
from stages.synthesize.typeset.fontmap import REFERENCE, FontMap
from stages.synthesize.typeset.glyphs import SOFT_HYPHEN, Glyphs, Piece, Source
from stages.synthesize.typeset.pango import SCALE, ffi
from stages.synthesize.typeset.style import Accent, Style

_LOOSEST = 0.55  # em: a paragraph that would need wider gaps to be justified is set ragged
_TALLEST = 1.65  # em: some fonts ask for far more room between lines than their script needs
_LOWEST = {"ja": 1.3, "zh-Hans": 1.3, "zh-Hant": 1.3}  # em: some fonts' ideographs would touch those of the next line
_CLEAR = 0.9  # of what the ink of all characters takes in height: marks above and below hardly ever meet
_RUBY = 0.5  # em: the size of ruby
_RUBY_PITCH = 1.75  # em: lines that have ruby between them are at least so far apart
_CAP_GAP = 0.06  # em of the drop cap between it and the text
_MARKER_GAP = 0.45  # em between a marker and the text
# What is kept on one line beyond Unicode's rules: a Korean word, unless the text is justified; a Thai mark of
# repetition or abbreviation with what it stands for; a Hindi or Bengali full stop, often set after a space, with its
# sentence; French marks after their space.
_WHOLE = {
    "bn": re.compile("\\S[ ]?[\u0964\u0965]"),
    "fr": re.compile("\\S [?!:;\u00bb]|\u00ab \\S"),
    "hi": re.compile("\\S[ ]?[\u0964\u0965]"),
    "ko": re.compile(r"\S+"),
    "th": re.compile("\\S[ ]?[\u0e46\u0e2f]"),
}
_ALIGN = {"start": 0, "center": 1, "end": 2, "justify": 0}
_UPRIGHT = re.compile("(?<![0-9A-Za-z.,])(?:[0-9]{1,2}|[!?]{2})(?![0-9A-Za-z.,])")
_CAP = regex.compile(r"[^\p{L}\p{N}\s]*\p{L}\p{M}*")  # a letter with its marks, and the quotation mark before it


@dataclass(frozen=True)
class Upright:
    """Digits that stand upright within vertical lines: bytes `first` to `last` of the text, set by themselves."""

    first: int
    last: int
    layout: Any


@dataclass(frozen=True)
class Lines:
    """A paragraph broken into lines: its pieces, the width and height that they take, how many lines they are, and how
    wide the last one is, in em, infinite where it is the only one."""

    pieces: tuple[Piece, ...]
    width: float
    height: float
    count: int
    last_line: float


class Draft:
    """A paragraph whose width is not known yet. `others` are families that words of other scripts may be set in.

    Raises SampleError when its fonts cannot write it.
    """

    def __init__(
        self,
        fonts: FontMap,
        text: str,
        language: str,
        style: Style,
        accents: Sequence[Accent],
        others: Sequence[Family] = (),
    ) -> None:
        self._lib, self._fonts = pango.libraries(), fonts
        self.text, self.language, self.style = text, language, style
        self.accents = _in_source(text, accents)
        self.head = f"{style.marker} " if style.marker else ""
        if style.drop and (cap := _CAP.match(text)):
            self.head = cap.group()
        elif style.drop:
            raise SampleError("the text does not begin with a letter that could be a drop cap")
        self.source = text if style.drop else self.head + text
        by = len(self.head)
        if by and not style.drop:
            self.accents = tuple(replace(a, start=a.start + by, end=a.end + by) for a in self.accents)
        # The head is set by itself, in the paragraph's own family.
        lent = borrowed(self.source[len(self.head) :], style.family, others)
        self.accents += tuple(
            b
            for b in (replace(a, start=a.start + by, end=a.end + by) for a in lent)
            if not any(a.family and a.start < b.end and b.start < a.end for a in self.accents)
        )
        self._check_coverage()
        whole = self._layout(0)
        self.attributes = attributes = glyphs_of.attributes(whole)
        shaped = self._shaped(whole, attributes, self.source)
        self.rtl = bool(shaped.level.min() > 0)
        self.body = len(self.head.encode())
        self.layout = self._layout(self.body) if self.head else whole
        body = self.source[len(self.head) :]
        if self.head:
            attributes = glyphs_of.attributes(self.layout)
            shaped = self._shaped(self.layout, attributes, body)
        self.breaks = glyphs_of.breaks(shaped, attributes, body, self._hyphen() if SOFT_HYPHEN in text else 0.0)
        extents = self._extents(self.layout)
        self.line, self._whole = extents.height / SCALE, (shaped, extents.width / SCALE)
        largest = max([a.size for a in self.accents], default=1.0)
        natural = largest * fonts.pitch(language, style.family, style.weight, style.stretch, style.vertical)
        em = largest * REFERENCE
        wanted = style.leading * min(max(natural, _LOWEST.get(language, 0.0) * em), _TALLEST * em)
        self.spacing = max(wanted, _CLEAR * glyphs_of.ink_height(shaped)) / natural
        self.above = 0.0
        if any(a.ruby for a in self.accents):
            self.spacing = max(self.spacing, _RUBY_PITCH * REFERENCE / natural)
            self.above = 0.35 * REFERENCE
        self.pitch = natural * self.spacing  # from one baseline to the next
        self.uprights = tuple(self._uprights()) if style.vertical else ()
        self._prepare(self.layout)

    def _check_coverage(self) -> None:
        style = self.style
        written_otherwise = np.zeros(len(self.source), bool)
        for accent in self.accents:
            if accent.family:
                written_otherwise[accent.start : accent.end] = True
                _refuse(accent.family.name, uncovered(accent.family, self.source[accent.start : accent.end]))
            if accent.ruby:
                _refuse(style.family.name, uncovered(style.family, accent.ruby))
        own = "".join(c for c, other in zip(self.source, written_otherwise, strict=True) if not other)
        _refuse(style.family.name, uncovered(style.family, own))

    def _shaped(self, layout: Any, attributes: np.ndarray, text: str) -> glyphs_of.Shaped:
        """The glyphs of an unbroken layout of a text. Raises SampleError when a character of it could not be seen."""
        name = self.style.family.name
        if self._lib.pango_layout_get_unknown_glyphs_count(layout):
            raise SampleError(f"{name} has no glyph for a part of the text")
        shaped = glyphs_of.shape(layout, self._fonts.font)
        held = [match.span() for match in _UPRIGHT.finditer(text)] if self.style.vertical else []
        if missing := glyphs_of.undrawn(shaped, attributes, text, held):
            raise SampleError(f"{name} has only a blank or a box for {codes(missing)}")
        return shaped

    def _layout(self, first: int) -> Any:
        """A layout of the text from a byte on."""
        style, lib = self.style, self._lib
        encoded = self.source.encode()[first:]
        text = encoded.decode()
        begin = len(self.source) - len(text)
        offsets = [0, *accumulate(len(c.encode()) for c in text)]
        attributes = [_ranged(lib.pango_attr_fallback_new(0))]
        if style.tracking:
            attributes.append(_ranged(lib.pango_attr_letter_spacing_new(round(style.tracking * REFERENCE * SCALE))))
        if style.features:
            attributes.append(_ranged(lib.pango_attr_font_features_new(style.features.encode())))
        for start, end in _unbroken(text, self.language, style.align):
            attributes.append(_ranged(lib.pango_attr_allow_breaks_new(0), offsets[start], offsets[end]))
        for accent in self.accents:
            if accent.end > begin:
                start, end = offsets[max(0, accent.start - begin)], offsets[accent.end - begin]
                attributes += [_ranged(a, start, end) for a in self._attributes_of(accent)]
        if style.vertical:
            em = round(REFERENCE * SCALE)
            for match in _UPRIGHT.finditer(text):
                for place in range(*match.span()):  # the first one holds the place of all
                    box = ffi.new("PangoRectangle *", (0, -em // 2, em if place == match.start() else 0, em))
                    attributes.append(_ranged(lib.pango_attr_shape_new(box, box), offsets[place], offsets[place] + 1))
                attributes.append(
                    _ranged(lib.pango_attr_allow_breaks_new(0), offsets[match.start()], offsets[match.end()])
                )
        return self._fonts.layout(
            encoded, self.language, style.family, style.weight, style.stretch, attributes, style.vertical
        )

    def _attributes_of(self, accent: Accent) -> Iterator[Any]:
        lib = self._lib
        if accent.weight:
            yield lib.pango_attr_weight_new(accent.weight)
        if accent.family:
            yield lib.pango_attr_family_new(accent.family.name.encode())
        if accent.size != 1:
            yield lib.pango_attr_scale_new(accent.size)
        if accent.ruby:
            yield lib.pango_attr_allow_breaks_new(0)
            count = accent.end - accent.start
            wider = _RUBY * len(accent.ruby) - count  # em that the reading is wider than what it stands above
            if wider > 0:
                yield lib.pango_attr_letter_spacing_new(round(wider / count * REFERENCE * SCALE))

    def _hyphen(self) -> float:
        style = self.style
        layout = self._fonts.layout("\u2010".encode(), self.language, style.family, style.weight, style.stretch, [])
        return self._extents(layout).width / SCALE

    def _uprights(self) -> Iterator[Upright]:
        style = self.style
        for match in _UPRIGHT.finditer(self.source):
            first, last = (len(self.source[:place].encode()) for place in match.span())
            text = match.group().encode()
            yield Upright(
                first, last, self._fonts.layout(text, self.language, style.family, style.weight, style.stretch, [])
            )

    def _prepare(self, layout: Any) -> None:
        lib, style = self._lib, self.style
        lib.pango_layout_set_wrap(layout, 0)  # between words
        align = _ALIGN[style.align]
        # Pango changes sides for a paragraph that runs against its language, and for no other.
        mirrored = self.language in pango.RIGHT_TO_LEFT and align != 1
        lib.pango_layout_set_alignment(layout, 2 - align if mirrored else align)
        lib.pango_layout_set_line_spacing(layout, self.spacing)
        lib.pango_layout_set_indent(layout, round(style.indent * REFERENCE * SCALE))

    def _extents(self, layout: Any) -> Any:
        logical = ffi.new("PangoRectangle *")
        self._lib.pango_layout_get_extents(layout, ffi.NULL, logical)
        return logical

    @property
    def content(self) -> str:
        """What a reader reads."""
        return self.source.replace(SOFT_HYPHEN, "")

    def baselines(self, piece: Piece) -> np.ndarray:
        """Where the baselines of a piece's lines are below its top, (lines,)."""
        return glyphs_of.shape(piece.layout, self._fonts.font).baseline

    def count(self, width: float) -> int:
        """How many lines the paragraph will have at a width; 0 where it cannot be set so."""
        lines = len(self.breaks.lines(width - self._hang, self._indents))
        return lines if lines > self.style.drop else 0

    def last_line(self, width: float) -> float:
        """How wide the last of several lines will be, in em; infinite where there is but one."""
        return self.breaks.last_line(width - self._hang, self._indents) / REFERENCE

    def height(self, lines: int) -> float:
        """How high so many lines are."""
        return self.above + self.line + (lines - 1) * self.pitch

    @property
    def _hang(self) -> float:
        return self.style.hang * REFERENCE

    @property
    def _indents(self) -> tuple[float, ...]:
        if self.style.drop:
            return (self._cap()[1],) * self.style.drop
        return (self.style.indent * REFERENCE,) if self.style.indent else ()

    def _cap(self) -> tuple[float, float]:
        """How many times larger the drop cap is, and how wide with the gap after it."""
        if not hasattr(self, "_cap_size"):
            ink = self._cap_ink()
            scale = 1 + (self.style.drop - 1) * self.pitch / -ink[1]
            self._cap_size = scale, (ink[2] - min(0.0, ink[0]) + _CAP_GAP * REFERENCE) * scale
        return self._cap_size

    def _cap_ink(self) -> np.ndarray:
        """Left, top, right, bottom of the drop cap's ink about its origin."""
        shaped = glyphs_of.shape(self._head_layout(), self._fonts.font)
        pen = np.cumsum(shaped.glyphs["width"]) / SCALE - shaped.glyphs["width"] / SCALE
        ink = shaped.ink[shaped.inked]
        ink[:, ::2] += (pen + shaped.glyphs["x"] / SCALE)[shaped.inked, None]
        return np.array([*ink[:, :2].min(axis=0), *ink[:, 2:].max(axis=0)])

    def _head_layout(self) -> Any:
        if not hasattr(self, "_head"):
            style = self.style
            text = (self.head if style.drop else style.marker).encode()
            features = [_ranged(self._lib.pango_attr_fallback_new(0))]
            self._head = self._fonts.layout(text, self.language, style.family, style.weight, style.stretch, features)
        return self._head

    def even(self, width: float) -> bool:
        """Whether the paragraph can be justified at a width without gaps that are too wide."""
        return self.breaks.loosest(width - self._hang, self._indents) <= _LOOSEST * REFERENCE

    def in_one_line(self) -> Lines:
        """A paragraph without head in one line, as it was shaped when it was drafted: nothing is laid out."""
        shaped, width = self._whole
        return Lines((Piece(self.layout, shaped=shaped),), width, self.line, 1, inf)

    def set(self, width: float, justify: bool = True) -> Lines | None:
        """The paragraph at a width; None where a line reaches over it. There may be a line more than foretold. A style
        that asks for justified lines gets them with `justify`, and where they come out even."""
        style = self.style
        room = width - self._hang
        if style.align == "justify":
            self._lib.pango_layout_set_justify(self.layout, justify and self.even(width))
        last = self.last_line(width)
        if style.drop:
            return self._set_with_cap(width, last)
        taken = self._take(self.layout, room)
        if taken is None:
            return None
        x = 0.0 if self.rtl else self._hang
        pieces = [Piece(self.layout, self.body, x, self.above)]
        if style.marker:
            head = self._head_layout()
            wide = self._extents(head).width / SCALE
            gap = _MARKER_GAP * REFERENCE
            at = width - self._hang + gap if self.rtl else self._hang - gap - wide
            down = self._baseline(self.layout) - self._baseline(head)
            pieces.insert(0, Piece(head, 0, at, self.above + down))
        return Lines(tuple(pieces), taken[0] + self._hang, self.above + taken[1], taken[2], last)

    def _set_with_cap(self, width: float, last: float) -> Lines | None:
        """The lines beside the drop cap, and those below it from where they end."""
        drop = self.style.drop
        scale, wide = self._cap()
        if self._take(self.layout, width - wide) is None or self._lib.pango_layout_get_line_count(self.layout) <= drop:
            return None
        rest = self.body + self._lib.pango_layout_get_line_readonly(self.layout, drop).start_index
        below = self._layout(rest)
        self._prepare(below)
        self._lib.pango_layout_set_justify(below, self._lib.pango_layout_get_justify(self.layout))
        taken = self._take(below, width)
        if taken is None:
            return None
        baseline = self._baseline(self.layout) + (drop - 1) * self.pitch
        cap = self._head_layout()
        x = 0.0 if self.rtl else wide
        left = max(0.0, -self._cap_ink()[0]) * scale
        pieces = (
            Piece(cap, 0, width - wide + left if self.rtl else left, baseline - self._baseline(cap) * scale, scale),
            Piece(self.layout, self.body, x, 0.0, line=1, lines=(0, drop)),
            Piece(below, rest, 0.0, drop * self.pitch, line=drop + 1),
        )
        return Lines(pieces, width, drop * self.pitch + taken[1], drop + taken[2], last)

    def _take(self, layout: Any, width: float) -> tuple[float, float, int] | None:
        """Lay out at a width: what it takes across and down, and its lines; None where one reaches over the width."""
        available = ceil(width * SCALE)
        self._lib.pango_layout_set_width(layout, available)
        logical = self._extents(layout)
        if logical.width > available:
            return None
        return logical.width / SCALE, logical.height / SCALE, self._lib.pango_layout_get_line_count(layout)

    def _baseline(self, layout: Any) -> float:
        return self._lib.pango_layout_get_baseline(layout) / SCALE

    def ruby(self, glyphs: Glyphs) -> Glyphs | None:
        """The readings of a set paragraph, each above what it reads; None where it has none."""
        readings = [a for a in self.accents if a.ruby]
        if not readings:
            return None
        joined = "".join(a.ruby for a in readings)
        style, fonts = self.style, self._fonts

        def layout(text: str) -> Any:
            return fonts.layout(
                text.encode(), self.language, style.family, style.weight, style.stretch, [], style.vertical
            )

        pieces, first = [], 0
        for number, accent in enumerate(readings):
            base = (glyphs.character >= accent.start) & (glyphs.character < accent.end)
            left, right = glyphs.reach[base, 0].min(), glyphs.reach[base, 1].max()
            made = layout(accent.ruby)
            extents = self._extents(made)
            # The foot of the reading stands on the top of the em square: 0.88 em above the baseline, or half an em
            # beside the middle of a vertical line.
            top = glyphs.baseline[base][0] - (0.5 if style.vertical else 0.88) * REFERENCE
            foot = self._baseline(made) + (0.5 if style.vertical else 0.12) * REFERENCE
            x = (left + right - extents.width / SCALE * _RUBY) / 2
            pieces.append(Piece(made, first, x, top - foot * _RUBY, _RUBY, line=number))
            first += len(accent.ruby.encode())
        return glyphs_of.read([Source(pieces, joined, glyphs_of.attributes(layout(joined)))], fonts.font)[0]

    def upright(self, glyphs: Sequence[Piece]) -> list[Piece]:
        """The pieces that stand upright within vertical lines, each in the place that is held for it."""
        placed = []
        for piece in glyphs:
            shaped = glyphs_of.shape(piece.layout, self._fonts.font)
            pen = np.cumsum(shaped.glyphs["width"]) / SCALE - shaped.glyphs["width"] / SCALE
            begins = np.searchsorted(shaped.line, np.arange(len(shaped.x)))
            pen += (shaped.x - pen[begins])[shaped.line]
            for upright in self.uprights:
                for glyph in np.flatnonzero(shaped.starts + piece.first == upright.first)[:1]:
                    line = int(shaped.line[glyph])
                    if piece.lines and not piece.lines[0] <= line < piece.lines[1]:
                        continue
                    inner = glyphs_of.shape(upright.layout, self._fonts.font)
                    wide = self._extents(upright.layout).width / SCALE
                    scale = min(1.0, 0.96 * REFERENCE / wide)
                    down = self._baseline(upright.layout) + (inner.ink[:, 1].min() + inner.ink[:, 3].max()) / 2
                    x = piece.x + pen[glyph] + REFERENCE / 2 - down * scale
                    y = piece.y + shaped.baseline[line] + wide / 2 * scale
                    number = line + piece.line - (piece.lines[0] if piece.lines else 0)
                    placed.append(Piece(upright.layout, upright.first, x, y, scale, True, number))
        return placed


def codes(missing: Sequence[str]) -> str:
    """The code points of the first few of some characters."""
    return ", ".join("+".join(f"U+{ord(c):04X}" for c in characters) for characters in missing[:8])


def _refuse(name: str, missing: Sequence[str]) -> None:
    if missing:
        raise SampleError(f"{name} cannot write {codes(missing)}")


def _ranged(attribute: Any, start: int = 0, end: int = 0xFFFFFFFF) -> Any:
    attribute.start_index, attribute.end_index = int(start), int(end)
    return attribute


def _in_source(text: str, accents: Sequence[Accent]) -> tuple[Accent, ...]:
    """Accents that count characters without soft hyphens, counted with them."""
    if SOFT_HYPHEN not in text or not accents:
        return tuple(accents)
    places = [i for i, c in enumerate(text) if c != SOFT_HYPHEN] + [len(text)]
    return tuple(replace(a, start=places[a.start], end=places[a.end - 1] + 1) for a in accents)


def _unbroken(text: str, language: str, align: str) -> Iterator[tuple[int, int]]:
    """The ranges of characters within which no line may end."""
    if language in _WHOLE and not (language == "ko" and align == "justify"):
        yield from (match.span() for match in _WHOLE[language].finditer(text))
