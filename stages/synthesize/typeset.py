"""Setting a paragraph: the largest size that fits a box, drawn, with the place of every line, word and character.

Pango breaks, orders and shapes the text; cairo draws it. A paragraph is laid out at one reference size and the drawing
is scaled: to try another size, the layout's width changes and not the font, which is several times faster since every
size of a font is a font of its own to Pango. A character here is a grapheme cluster, what a reader takes for one.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Literal

import cv2
import numpy as np
from fontTools.unicodedata import script

from dataengine.errors import SampleError
from dataengine.sample import Spans
from fonts import catalog
from fonts.catalog import Family
from stages.synthesize import pango
from stages.synthesize.pango import SCALE, ffi

_REFERENCE = 48.0  # pixels an em
_TRIES = 9  # halvings of the range of sizes, to within about 1 %
_CURSOR, _WORD_START = 1 << 4, 1 << 5  # bits of a PangoLogAttr
_ALIGN = {"start": 0, "center": 1, "end": 2, "justify": 0}
_UNSPACED = ("Hani", "Hira", "Kana", "Bopo", "Thai")  # scripts written without spaces between words


@dataclass(frozen=True)
class Style:
    """How a paragraph is set. `leading` is the distance of lines over the font's own, `tracking` in em."""

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

    def fit(
        self, text: str, language: str, style: Style, width: float, height: float, smallest: float, largest: float
    ) -> Setting:
        """The largest setting of `text` in a box of width × height pixels, its size within `smallest` and `largest`.

        Raises SampleError when a character cannot be written with the family, or when not even the smallest size fits.
        """
        text = clean(text)
        if missing := catalog.uncovered(style.family, text):
            codes = ", ".join(f"U+{ord(c):04X}" for c in missing[:8])
            raise SampleError(f"{style.family.name} cannot write {codes}")
        layout = self._layout(text, language, style)
        if not self._fits(layout, smallest, width, height):
            raise SampleError(f"{len(text)} characters do not fit {width:.0f}×{height:.0f} px at {smallest:.0f} px")
        low, high = np.log(smallest), np.log(largest)
        if self._fits(layout, largest, width, height):
            low = high
        for _ in range(_TRIES):
            if high - low < 0.01:
                break
            middle = (low + high) / 2
            if self._fits(layout, float(np.exp(middle)), width, height):
                low = middle
            else:
                high = middle
        size = float(np.exp(low))
        self._fits(layout, size, width, height)  # leaves the layout at the chosen width
        if self._lib.pango_layout_get_unknown_glyphs_count(layout):
            raise SampleError(f"{style.family.name} has no glyph for a part of the text")
        _, logical = self._extents(layout)
        scale = size / _REFERENCE / SCALE
        return Setting(text, language, style, layout, size, logical.width * scale, logical.height * scale)

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
        lib.pango_layout_set_attributes(layout, attributes)
        lib.pango_attr_list_unref(attributes)
        lib.pango_layout_set_wrap(layout, 0)  # between words
        lib.pango_layout_set_alignment(layout, _ALIGN[style.align])
        lib.pango_layout_set_justify(layout, int(style.align == "justify"))
        lib.pango_layout_set_line_spacing(layout, style.leading)
        encoded = text.encode()
        lib.pango_layout_set_text(layout, encoded, len(encoded))
        return layout

    def _extents(self, layout: Any) -> tuple[Any, Any]:
        ink, logical = ffi.new("PangoRectangle *"), ffi.new("PangoRectangle *")
        self._lib.pango_layout_get_extents(layout, ink, logical)
        return ink, logical

    def _fits(self, layout: Any, size: float, width: float, height: float) -> bool:
        """Lay out at the width that stands for the box at `size`; whether lines and their number stay inside."""
        scale = size / _REFERENCE
        available = int(width / scale * SCALE)
        self._lib.pango_layout_set_width(layout, available)
        _, logical = self._extents(layout)
        return logical.width <= available and logical.height * scale <= height * SCALE

    def draw(self, page: "Page", setting: Setting, x: float, y: float, colour: Sequence[int]) -> Geometry:
        """Draw with the upper left corner of the box at x, y. colour: red, green, blue, 0 to 255.

        Raises SampleError when the text reaches over the edge of the page.
        """
        lib = self._lib
        lib.cairo_save(page.cairo)
        lib.cairo_translate(page.cairo, x, y)
        lib.cairo_scale(page.cairo, setting.scale, setting.scale)
        lib.cairo_set_source_rgb(page.cairo, *(c / 255 for c in colour))
        lib.pango_cairo_show_layout(page.cairo, setting.layout)
        lib.cairo_restore(page.cairo)
        geometry = self._geometry(setting, x, y)
        corners = geometry.characters.quads.reshape(-1, 2)
        limits = np.array([page.width, page.height], np.float32)
        if corners.size and ((corners < 0).any() or (corners > limits).any()):
            raise SampleError("the text reaches over the edge of the page")
        return geometry

    def _geometry(self, setting: Setting, x: float, y: float) -> Geometry:
        clusters = self._clusters(setting)
        graphemes = _graphemes(setting.text, self._log_attributes(setting), clusters)
        offset = np.array([x, y, x, y])
        for g in graphemes:
            g.box = g.box * setting.scale + offset
        lines = _grouped(graphemes, lambda before, here: before.line != here.line)
        words = _grouped(graphemes, lambda before, here: here.starts_word or before.line != here.line)
        return Geometry(
            _spans([(_line_text(setting.text, line), line) for line in lines], by_line=True),
            _spans([("".join(g.text for g in word), word) for word in words]),
            _spans([(g.text, [g]) for g in graphemes]),
        )

    def _log_attributes(self, setting: Setting) -> np.ndarray:
        """Pango's log attributes, uint32 (characters + 1,)."""
        count = ffi.new("int *")
        found = self._lib.pango_layout_get_log_attrs_readonly(setting.layout, count)
        return np.frombuffer(ffi.buffer(found, count[0] * 4), np.uint32)

    def _clusters(self, setting: Setting) -> list["_Cluster"]:
        """Pango's clusters with their boxes in reference pixels, in visual order."""
        lib = self._lib
        iterator = ffi.gc(lib.pango_layout_get_iter(setting.layout), lib.pango_layout_iter_free)
        ink, logical = ffi.new("PangoRectangle *"), ffi.new("PangoRectangle *")
        found: list[_Cluster] = []
        line, current = -1, ffi.NULL
        while True:
            run = lib.pango_layout_iter_get_run_readonly(iterator)
            if run != ffi.NULL:
                here = lib.pango_layout_iter_get_line_readonly(iterator)
                if here != current:
                    line, current = line + 1, here
                lib.pango_layout_iter_get_cluster_extents(iterator, ink, logical)
                found.append(
                    _Cluster(
                        start=lib.pango_layout_iter_get_index(iterator),
                        line=line,
                        rtl=bool(run.item.analysis.level & 1),
                        logical=(logical.x, logical.y, logical.x + logical.width, logical.y + logical.height),
                        ink=(ink.x, ink.y, ink.x + ink.width, ink.y + ink.height),
                    )
                )
            if not lib.pango_layout_iter_next_cluster(iterator):
                return found


class Page:
    """A canvas that cairo draws on. pixels: uint8 (height, width, 3), RGB; taken as the background."""

    def __init__(self, pixels: np.ndarray) -> None:
        lib = pango.libraries()
        self.height, self.width = pixels.shape[:2]
        self._buffer = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGRA)
        data = ffi.from_buffer("unsigned char *", self._buffer, require_writable=True)
        surface = lib.cairo_image_surface_create_for_data(data, 1, self.width, self.height, 4 * self.width)
        self._surface = ffi.gc(surface, lib.cairo_surface_destroy)
        self.cairo = ffi.gc(lib.cairo_create(self._surface), lib.cairo_destroy)

    def pixels(self) -> np.ndarray:
        """What has been drawn, uint8 (height, width, 3), RGB."""
        pango.libraries().cairo_surface_flush(self._surface)
        return cv2.cvtColor(self._buffer, cv2.COLOR_BGRA2RGB)


@dataclass(frozen=True)
class _Cluster:
    """A shaped cluster: its first byte, its line, and its boxes (left, top, right, bottom) in Pango units."""

    start: int
    line: int
    rtl: bool
    logical: tuple[int, int, int, int]
    ink: tuple[int, int, int, int]


@dataclass
class _Grapheme:
    """What a reader takes for one character. box: left, top, right, bottom."""

    text: str
    start: int  # of its first character, in characters
    line: int
    rtl: bool
    box: np.ndarray
    starts_word: bool


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


def _graphemes(text: str, attributes: np.ndarray, clusters: Sequence[_Cluster]) -> list[_Grapheme]:
    """The visible graphemes in logical order, each with its share of the cluster that draws it.

    A ligature's box is divided evenly among its graphemes; a grapheme of several clusters gets all their boxes. Boxes
    hold both the advance and the ink, so that marks and swashes lie inside.
    """
    starts = [i for i in range(len(text)) if attributes[i] & _CURSOR]
    offsets = np.concatenate([[0], np.cumsum([len(c.encode()) for c in text])])
    of_byte = {int(offsets[start]): number for number, start in enumerate(starts)}
    ordered = sorted(clusters, key=lambda c: c.start)
    ends = [c.start for c in ordered[1:]] + [int(offsets[-1])]
    boxes: dict[int, tuple[np.ndarray, _Cluster]] = {}
    current = -1
    for cluster, end in zip(ordered, ends, strict=True):
        inside = [of_byte[b] for b in range(cluster.start, max(end, cluster.start + 1)) if b in of_byte]
        shares = _shares(cluster, max(1, len(inside)))
        if not inside and current >= 0:
            inside = [current]
        for number, box in zip(inside, shares, strict=True):
            before = boxes.get(number)
            boxes[number] = (_union([before[0], box]) if before else box, before[1] if before else cluster)
            current = number
    found = []
    word_pending = True
    for number, (start, end) in enumerate(pairwise([*starts, len(text)])):
        piece = text[start:end]
        if piece.isspace():
            word_pending = True
            continue
        if number not in boxes or catalog.is_invisible(piece):
            continue
        box, cluster = boxes[number]
        starts_word = word_pending or bool(attributes[start] & _WORD_START and _unspaced(piece))
        found.append(_Grapheme(piece, start, cluster.line, cluster.rtl, box, starts_word))
        word_pending = False
    return found


def _shares(cluster: _Cluster, count: int) -> list[np.ndarray]:
    """The cluster's box in reference pixels, cut into `count` equal ones in reading order."""
    left, top, right, bottom = np.array(cluster.logical) / SCALE
    ink = np.array(cluster.ink) / SCALE
    has_ink = ink[2] > ink[0] and ink[3] > ink[1]
    edges = np.linspace(right, left, count + 1) if cluster.rtl else np.linspace(left, right, count + 1)
    shares = [np.array([min(a, b), top, max(a, b), bottom]) for a, b in pairwise(edges)]
    if has_ink and count == 1:
        return [_union([shares[0], ink])]
    if has_ink:
        for share in shares:
            share[1], share[3] = min(share[1], ink[1]), max(share[3], ink[3])
        first, last = (-1, 0) if cluster.rtl else (0, -1)
        shares[first][0], shares[last][2] = min(shares[first][0], ink[0]), max(shares[last][2], ink[2])
    return shares


@cache
def _unspaced(grapheme: str) -> bool:
    """Whether it belongs to a script that is written without spaces, where words have to be found by their meaning."""
    return script(grapheme[0]) in _UNSPACED


def _union(boxes: Sequence[np.ndarray]) -> np.ndarray:
    stacked = np.stack(boxes)
    return np.concatenate([stacked[:, :2].min(axis=0), stacked[:, 2:].max(axis=0)])


def _grouped(graphemes: Sequence[_Grapheme], starts: Any) -> list[list[_Grapheme]]:
    groups: list[list[_Grapheme]] = []
    for g in graphemes:
        if not groups or starts(groups[-1][-1], g):
            groups.append([])
        groups[-1].append(g)
    return groups


def _line_text(text: str, line: Sequence[_Grapheme]) -> str:
    return text[line[0].start : line[-1].start + len(line[-1].text)]


def _spans(groups: Sequence[tuple[str, Sequence[_Grapheme]]], by_line: bool = False) -> Spans:
    """Texts with the quadrilaterals around their graphemes: clockwise from the corner where reading starts."""
    quads = np.empty((len(groups), 8), np.float32)
    for row, (_, members) in enumerate(groups):
        left, top, right, bottom = _union([g.box for g in members])
        rtl = members[0].rtl if not by_line else sum(g.rtl for g in members) * 2 > len(members)
        corners = [left, top, right, top, right, bottom, left, bottom]
        quads[row] = corners[2:] + corners[:2] if rtl else corners
    return Spans([text for text, _ in groups], quads)
