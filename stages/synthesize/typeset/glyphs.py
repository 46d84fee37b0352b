"""What Pango laid out, read into arrays: every glyph with its place, and the lines, words and characters it draws.

The glyphs read here are the ones that are drawn, so ink and boxes come from the same numbers. About 0.3 ms for a page
of 300 characters. A character is a grapheme cluster: what a reader takes for one. Where the font draws several as one
shape (a conjunct, a ligature, lam with alef) they cannot be told apart in the picture and stand together. A word lies
between two places where a line may break, without the spaces around it: a line is then made of whole words in every
script, Thai words are found by dictionary, and punctuation stays with the word that it may not be parted from.

A box is as wide as its glyphs' advances and ink together and as high as the ink of its whole line, so that the boxes
of a line are level, and those of two lines overlap only where their ink does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataengine.sample import Spans
from fonts.coverage import is_invisible
from stages.synthesize.typeset import pango
from stages.synthesize.typeset.breaking import Breaks
from stages.synthesize.typeset.pango import SCALE, ffi

_PANGO_GLYPH = np.dtype([("glyph", "<u4"), ("width", "<i4"), ("x", "<i4"), ("y", "<i4"), ("flags", "<u4")])
_CAIRO_GLYPH = np.dtype([("index", np.uint64), ("x", np.float64), ("y", np.float64)])
_EMPTY = 0x0FFFFFFF  # Pango's glyph for what has no ink: a space, a joiner
_LINE_BREAK, _WHITE, _CURSOR = 1 << 0, 1 << 3, 1 << 4  # bits of a PangoLogAttr


class Font:
    """A font at the layout's size, as cairo draws it. It remembers the ink of each glyph that it has met."""

    def __init__(self, pointer: Any) -> None:
        lib = pango.libraries()
        self.pointer = ffi.gc(lib.g_object_ref(pointer), lib.g_object_unref)
        self.file = pango.file_of(pointer)
        self.scaled = lib.pango_cairo_font_get_scaled_font(pointer)  # the font's own: lives as long as it
        self._ink: dict[int, tuple[float, float, float, float]] = {_EMPTY: (0, 0, 0, 0)}
        self._missing: dict[int, bool] = {0: True, _EMPTY: False}

    def ink(self, indices: np.ndarray) -> np.ndarray:
        """Left, top, right, bottom of each glyph's ink about its origin, float64 (n, 4); zeros where it is blank."""
        known = self._ink
        return np.array([known[i] if i in known else self._measure(i) for i in indices.tolist()], float)

    def _measure(self, index: int) -> tuple[float, float, float, float]:
        glyph, found = ffi.new("cairo_glyph_t *", (index, 0.0, 0.0)), ffi.new("cairo_text_extents_t *")
        pango.libraries().cairo_scaled_font_glyph_extents(self.scaled, glyph, 1, found)
        left, top = found.x_bearing, found.y_bearing
        self._ink[index] = box = (left, top, left + found.width, top + found.height)
        return box

    def missing(self, indices: np.ndarray) -> np.ndarray:
        """Whether each glyph is the font's box for what it lacks, or looks the same; bool (n,)."""
        known = self._missing
        return np.array([known[i] if i in known else self._compare(i) for i in indices.tolist()])

    def _compare(self, index: int) -> bool:
        sizes = self.ink(np.array([0, index]))
        alike = np.allclose(*sizes, atol=1e-3) and self._picture(index) == self._picture(0)
        self._missing[index] = alike and sizes[0].any()
        return self._missing[index]

    def _picture(self, index: int) -> bytes:
        """What the glyph looks like: the bytes of 128 × 128 grey pixels."""
        lib, pixels = pango.libraries(), bytearray(128 * 128)
        data = ffi.from_buffer("unsigned char *", pixels, require_writable=True)
        surface = ffi.gc(lib.cairo_image_surface_create_for_data(data, 2, 128, 128, 128), lib.cairo_surface_destroy)
        canvas = ffi.gc(lib.cairo_create(surface), lib.cairo_destroy)
        lib.cairo_set_scaled_font(canvas, self.scaled)
        lib.cairo_show_glyphs(canvas, ffi.new("cairo_glyph_t *", (index, 32.0, 80.0)), 1)
        lib.cairo_surface_flush(surface)
        return bytes(pixels)


@dataclass(frozen=True)
class Glyphs:
    """A laid-out paragraph, in pixels of the layout's own size from its upper left corner. Per glyph, all (n,):
    `font` its font's place in `fonts`, `placed` its number and origin as cairo's glyph struct, `character` the row of
    `characters` it belongs to, -1 for a space."""

    fonts: Sequence[Font]
    font: np.ndarray
    placed: np.ndarray
    character: np.ndarray
    lines: Spans
    words: Spans
    characters: Spans


@dataclass(frozen=True)
class Shaped:
    """Pango's glyphs of all lines, in visual order within each. Per glyph, all (n,): `glyphs` as Pango has them,
    `starts` the byte of the text at which its cluster begins, `font` its font's place in `fonts`, `line`, and `level`,
    the depth of its embedding, odd from right to left. Per line: its left edge `x` and its `baseline`, in pixels."""

    fonts: list[Font]
    glyphs: np.ndarray
    starts: np.ndarray
    font: np.ndarray
    line: np.ndarray
    level: np.ndarray
    x: np.ndarray
    baseline: np.ndarray


def read(layout: Any, text: str, font_of: Callable[[Any], Font]) -> Glyphs:
    """The glyphs and boxes of a layout of `text`. `font_of` gives the Font of a PangoFont pointer."""
    shaped = shape(layout, font_of)
    glyphs, line = shaped.glyphs, shaped.line
    number, width = glyphs["glyph"], glyphs["width"] / SCALE
    # Where the pen stands at each glyph, where the glyph's origin is, and what its ink covers.
    pen = np.cumsum(width) - width
    begins = np.searchsorted(line, np.arange(len(shaped.x)))
    pen += (shaped.x - pen[begins])[line]
    x, y = pen + glyphs["x"] / SCALE, shaped.baseline[line] + glyphs["y"] / SCALE
    ink, inked = _ink(shaped)
    ink += np.stack([x, y, x, y], axis=1)
    tops, bottoms = np.full(len(begins), np.inf), np.full(len(begins), -np.inf)
    np.minimum.at(tops, line[inked], ink[inked, 1])
    np.maximum.at(bottoms, line[inked], ink[inked, 3])

    attributes = _attributes(layout)
    piece, first, last = _pieces(text, attributes, shaped.starts)
    boxes, line_of, rtl_of = np.empty((len(first), 4)), np.zeros(len(first), int), np.zeros(len(first), bool)
    line_of[piece], rtl_of[piece] = line, shaped.level % 2 == 1
    boxes[:] = np.inf, 0, -np.inf, 0
    np.minimum.at(boxes[:, 0], piece, np.where(inked, np.minimum(pen, ink[:, 0]), pen))
    np.maximum.at(boxes[:, 2], piece, np.where(inked, np.maximum(pen + width, ink[:, 2]), pen + width))
    boxes[:, 1], boxes[:, 3] = tops[line_of], bottoms[line_of]

    visible = np.array([not is_invisible(text[a:b]) for a, b in zip(first, last, strict=True)])
    row = np.where(visible, np.cumsum(visible) - 1, -1)
    first, last, boxes, line_of, rtl_of = (a[visible] for a in (first, last, boxes, line_of, rtl_of))
    word_of = np.cumsum(attributes[:-1] & _LINE_BREAK > 0)[first]
    rtl_text = np.full(len(first), shaped.level.min() > 0)
    drawn = number < _EMPTY
    placed = np.empty(int(drawn.sum()), _CAIRO_GLYPH)
    placed["index"], placed["x"], placed["y"] = number[drawn], x[drawn], y[drawn]
    return Glyphs(
        fonts=shaped.fonts,
        font=shaped.font[drawn],
        placed=placed,
        character=row[piece][drawn],
        lines=_spans(text, first, last, boxes, rtl_text, line_of),
        words=_spans(text, first, last, boxes, rtl_of, word_of),
        characters=_spans(text, first, last, boxes, rtl_of, np.arange(len(first))),
    )


def breaks(shaped: Shaped, layout: Any, text: str) -> Breaks:
    """Where a layout that has not been broken yet may be broken."""
    attributes = _attributes(layout)[:-1]
    character = _character_of_byte(text)[shaped.starts]
    advances = np.bincount(character, shaped.glyphs["width"], minlength=len(text)) / SCALE
    return Breaks.of(advances, attributes & _LINE_BREAK > 0, attributes & _WHITE > 0)


def undrawn(shaped: Shaped, layout: Any, text: str) -> list[str]:
    """The characters of a text, as a reader takes them, that nobody would see: their glyphs are blank, or one of them
    is the font's box for what it lacks."""
    piece, first, last = _pieces(text, _attributes(layout), shaped.starts)
    number = shaped.glyphs["glyph"]
    seen, missing = np.zeros(len(first), bool), np.zeros(len(number), bool)
    seen[piece[_ink(shaped)[1]]] = True
    for place, font in enumerate(shaped.fonts):
        missing[shaped.font == place] = font.missing(number[shaped.font == place])
    seen[piece[missing]] = False
    pieces = (text[a:b] for a, b in zip(first[~seen], last[~seen], strict=True))
    return [p for p in dict.fromkeys(pieces) if not is_invisible(p)]


def _ink(shaped: Shaped) -> tuple[np.ndarray, np.ndarray]:
    """Each glyph's ink about its origin, (n, 4), and whether it has any, (n,)."""
    ink = np.empty((len(shaped.glyphs), 4))
    for place, font in enumerate(shaped.fonts):
        ink[shaped.font == place] = font.ink(shaped.glyphs["glyph"][shaped.font == place])
    return ink, (ink[:, 2] > ink[:, 0]) & (ink[:, 3] > ink[:, 1])


def shape(layout: Any, font_of: Callable[[Any], Font]) -> Shaped:
    """Walk the runs once and copy out their arrays: Japanese has a run for every change of script."""
    lib = pango.libraries()
    iterator = ffi.gc(lib.pango_layout_get_iter(layout), lib.pango_layout_iter_free)
    logical = ffi.new("PangoRectangle *")
    fonts: dict[Font, int] = {}
    glyphs, starts, edges = [], [], []
    runs: list[tuple[int, int, int, int, int]] = []  # glyphs, first byte, font, line, level
    while True:
        lib.pango_layout_iter_get_line_extents(iterator, ffi.NULL, logical)
        edges.append((logical.x, lib.pango_layout_iter_get_baseline(iterator)))
        node = lib.pango_layout_iter_get_line_readonly(iterator).runs
        while node != ffi.NULL:
            run = ffi.cast("PangoGlyphItem *", node.data)
            item, string = run.item, run.glyphs
            count = string.num_glyphs
            glyphs.append(ffi.buffer(string.glyphs, count * _PANGO_GLYPH.itemsize)[:])
            starts.append(ffi.buffer(string.log_clusters, count * 4)[:])
            font = fonts.setdefault(font_of(item.analysis.font), len(fonts))
            runs.append((count, item.offset, font, len(edges) - 1, item.analysis.level))
            node = node.next
        if not lib.pango_layout_iter_next_line(iterator):
            break
    counts, offsets, *others = np.array(runs).T
    font, line, level = (np.repeat(a, counts) for a in others)
    x, baseline = np.array(edges).T / SCALE
    return Shaped(
        fonts=list(fonts),
        glyphs=np.frombuffer(b"".join(glyphs), _PANGO_GLYPH),
        starts=np.frombuffer(b"".join(starts), np.int32) + np.repeat(offsets, counts),
        font=font,
        line=line,
        level=level,
        x=x,
        baseline=baseline,
    )


def _pieces(text: str, attributes: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut the text where both a grapheme and a glyph cluster begin.

    starts: the byte of each glyph's cluster (n,). Returns the piece of each glyph (n,), and where each piece begins and
    ends in characters (m,).
    """
    character = _character_of_byte(text)[starts]
    cuts = np.zeros(len(text), bool)
    cuts[character] = True
    cuts &= attributes[:-1] & _CURSOR > 0
    cuts[0] = True
    first = np.flatnonzero(cuts)
    return (np.cumsum(cuts) - 1)[character], first, np.append(first[1:], len(text))


def _character_of_byte(text: str) -> np.ndarray:
    """Which character of a text each byte of its UTF-8 is of."""
    return np.cumsum((np.frombuffer(text.encode(), np.uint8) & 0xC0) != 0x80) - 1


def _attributes(layout: Any) -> np.ndarray:
    """Pango's log attributes, uint32 (characters + 1,)."""
    count = ffi.new("int *")
    found = pango.libraries().pango_layout_get_log_attrs_readonly(layout, count)
    return np.frombuffer(ffi.buffer(found, count[0] * 4), np.uint32)


def _spans(
    text: str, first: np.ndarray, last: np.ndarray, boxes: np.ndarray, rtl: np.ndarray, group: np.ndarray
) -> Spans:
    """One span for each run of equal `group`: its text, and the quadrilateral around its boxes, clockwise from the
    corner where reading starts. All (m,) and in reading order; boxes (m, 4)."""
    if not len(group):
        return Spans([], np.empty((0, 8), np.float32))
    begins = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    ends = np.append(begins[1:], len(group)) - 1
    left, top = np.minimum.reduceat(boxes[:, :2], begins).T
    right, bottom = np.maximum.reduceat(boxes[:, 2:], begins).T
    quads = np.stack([left, top, right, top, right, bottom, left, bottom], axis=1)
    mirrored = rtl[begins]
    quads[mirrored] = np.roll(quads[mirrored], -2, axis=1)  # begin at the upper right
    return Spans([text[first[a] : last[b]] for a, b in zip(begins, ends, strict=True)], quads.astype(np.float32))
