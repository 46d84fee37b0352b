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
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from dataengine.sample import Spans
from fonts.coverage import is_invisible
from stages.synthesize.typeset import pango
from stages.synthesize.typeset.breaking import Breaks
from stages.synthesize.typeset.pango import SCALE, ffi

_PANGO_GLYPH = np.dtype([("glyph", "<u4"), ("width", "<i4"), ("x", "<i4"), ("y", "<i4"), ("flags", "<u4")])
_EMPTY = 0x0FFFFFFF  # Pango's glyph for what has no ink: a space, a joiner
SOFT_HYPHEN = "\u00ad"  # a line that was ended with a hyphen of the layout's own has one as its last character
_CENTRED = 1 << 0  # a bit of PangoAnalysis
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
        box, own = (self._ink.get(i) or self._measure(i) for i in (0, index))
        alike = any(box) and all(abs(a - b) < 1e-3 for a, b in zip(box, own, strict=True))
        self._missing[index] = found = alike and self._picture(index) == self._picture(0)
        return found

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
class Shaped:
    """Pango's glyphs of a layout's lines, in visual order within each. Per glyph, all (n,): `glyphs` as Pango has them,
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

    @cached_property
    def ink(self) -> np.ndarray:
        """Left, top, right, bottom of each glyph's ink about its origin, (n, 4)."""
        if len(self.fonts) == 1:
            return self.fonts[0].ink(self.glyphs["glyph"])
        boxes = np.empty((len(self.glyphs), 4))
        for place, font in enumerate(self.fonts):
            boxes[self.font == place] = font.ink(self.glyphs["glyph"][self.font == place])
        return boxes

    @cached_property
    def inked(self) -> np.ndarray:
        """Whether each glyph has any ink, (n,)."""
        return (self.ink[:, 2] > self.ink[:, 0]) & (self.ink[:, 3] > self.ink[:, 1])

    @cached_property
    def missing(self) -> np.ndarray:
        """Whether each glyph is its font's box for what it lacks, (n,)."""
        found = np.zeros(len(self.glyphs), bool)
        for place, font in enumerate(self.fonts):
            found[self.font == place] = font.missing(self.glyphs["glyph"][self.font == place])
        return found


@dataclass(frozen=True)
class Piece:
    """A layout, or some of its lines, within a paragraph. `first` is the byte of the paragraph's text that it begins
    with. Its upper left corner stands at x, y, its drawing is scaled by `scale`; `turned` is upright within vertical
    lines: a quarter turn to the left. `line` is the number of its first line among the paragraph's."""

    layout: Any
    first: int = 0
    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    turned: bool = False
    line: int = 0
    lines: tuple[int, int] | None = None
    shaped: Shaped | None = None


@dataclass(frozen=True)
class Source:
    """A paragraph to be read: its pieces, the text that they are of, and Pango's attributes of that text, as
    `attributes` gives them."""

    pieces: Sequence[Piece]
    text: str
    attributes: np.ndarray


@dataclass(frozen=True)
class Glyphs:
    """A set paragraph, in pixels of the reference size from its upper left corner. Per glyph that is drawn, all (n,):
    `font` its font's place in `fonts`, `index` its number, `origin` (n, 2), `scale`, whether it is `turned`, the
    `character` of the text that its cluster begins with, and `row`, the row of `characters` it belongs to. `reach`
    (n, 2) is where the pen is before and after it, `line` its line, `baseline` where that line's is."""

    fonts: Sequence[Font]
    font: np.ndarray
    index: np.ndarray
    origin: np.ndarray
    scale: np.ndarray
    turned: np.ndarray
    character: np.ndarray
    row: np.ndarray
    reach: np.ndarray
    line: np.ndarray
    baseline: np.ndarray
    lines: Spans
    words: Spans
    characters: Spans


def read(sources: Sequence[Source], font_of: Callable[[Any], Font]) -> list[Glyphs]:
    """The glyphs and boxes of paragraphs; `font_of` gives the Font of a PangoFont pointer.

    They are read as one text, so that twenty labels take little longer than one.
    """
    fonts: dict[Font, int] = {}
    pieces, parts, owners = [], [], []
    byte = 0
    for number, source in enumerate(sources):
        moved = [replace(p, first=p.first + byte, line=p.line + len(owners)) for p in source.pieces]
        placed = [_place(piece, font_of, fonts) for piece in moved]
        owners += [number] * (1 + max(int(part[4].max()) for part in placed) - len(owners))
        pieces, parts, byte = pieces + moved, parts + placed, byte + len(source.text.encode())
    text, owner = "".join(source.text for source in sources), np.array(owners)  # owner: of each line its paragraph
    attributes = np.concatenate([source.attributes[:-1] for source in sources])
    columns = list(parts[0]) if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]
    if any(piece.turned for piece in pieces):
        held = _held(pieces, parts)
        columns = [column[~held] for column in columns]
    font, index, starts, level, line, scale, turned, origin, ink, reach, baseline = columns
    inked = (ink[:, 2] > ink[:, 0]) & (ink[:, 3] > ink[:, 1])
    tops, bottoms = np.full(len(owner), np.inf), np.full(len(owner), -np.inf)
    np.minimum.at(tops, line[inked], ink[inked, 1])
    np.maximum.at(bottoms, line[inked], ink[inked, 3])

    piece, first, last = _pieces(text, attributes, starts)
    boxes, line_of, rtl_of = np.empty((len(first), 4)), np.zeros(len(first), int), np.zeros(len(first), bool)
    line_of[piece], rtl_of[piece] = line, level % 2 == 1
    boxes[:] = np.inf, np.inf, -np.inf, -np.inf
    # As high as the ink of the line; but what stands upright in vertical lines shares a place with its neighbours.
    own = turned & inked
    np.minimum.at(boxes[:, 0], piece, np.where(inked, np.minimum(reach[:, 0], ink[:, 0]), reach[:, 0]))
    np.maximum.at(boxes[:, 2], piece, np.where(inked, np.maximum(reach[:, 1], ink[:, 2]), reach[:, 1]))
    np.minimum.at(boxes[:, 1], piece, np.where(own, ink[:, 1], tops[line]))
    np.maximum.at(boxes[:, 3], piece, np.where(own, ink[:, 3], bottoms[line]))

    drawn = np.zeros(len(first), bool)
    drawn[piece[inked]] = True
    spans = list(zip(first.tolist(), last.tolist(), strict=True))
    visible = np.array([not is_invisible(text[a:b]) for a, b in spans])
    breaks = attributes & _LINE_BREAK > 0
    if SOFT_HYPHEN in text:
        visible |= drawn & np.array([text[a:b] == SOFT_HYPHEN for a, b in spans])
        # A word may be divided where a hyphen was set, and nowhere else that hyphens would have been allowed.
        breaks[1:] &= np.array([c != SOFT_HYPHEN for c in text[:-1]], bool)
    row = np.where(visible, np.cumsum(visible) - 1, -1)[piece]
    first, last, boxes, line_of, rtl_of = (a[visible] for a in (first, last, boxes, line_of, rtl_of))
    word_of = np.cumsum(breaks)[first] + line_of * (len(text) + 1)
    backwards = np.ones(len(sources), bool)  # paragraphs in which nothing runs from left to right
    backwards[owner[line[level == 0]]] = False
    owner_of = owner[line_of]
    lines, words, characters = (
        _spans(text, first, last, boxes, rtl, owner_of, len(sources), group)
        for rtl, group in ((backwards[owner_of], line_of), (rtl_of, word_of), (rtl_of, None))
    )
    shown = index < _EMPTY
    character = _character_of_byte(text)[starts]
    font, index, origin, scale, turned, character, row, reach, line, baseline = (
        a[shown] for a in (font, index, origin, scale, turned, character, row, reach, line, baseline)
    )
    found, rows, letters = [], 0, 0
    ends = np.searchsorted(owner[line], np.arange(len(sources) + 1)).tolist()
    for number, source in enumerate(sources):
        own = slice(ends[number], ends[number + 1])
        found.append(
            Glyphs(
                fonts=list(fonts),
                font=font[own],
                index=index[own],
                origin=origin[own],
                scale=scale[own],
                turned=turned[own],
                character=character[own] - letters,
                row=row[own] - rows,
                reach=reach[own],
                line=line[own] - owners.index(number),
                baseline=baseline[own],
                lines=lines[number],
                words=words[number],
                characters=characters[number],
            )
        )
        rows, letters = rows + len(characters[number].texts), letters + len(source.text)
    return found


def _place(piece: Piece, font_of: Callable[[Any], Font], fonts: dict[Font, int]) -> tuple[np.ndarray, ...]:
    """A piece's glyphs as columns, their places in the paragraph's pixels; `fonts` numbers the fonts met."""
    shaped = piece.shaped or shape(piece.layout, font_of)
    width = shaped.glyphs["width"] / SCALE
    pen = np.cumsum(width) - width
    begins = np.searchsorted(shaped.line, np.arange(len(shaped.x)))
    pen += (shaped.x - pen[begins])[shaped.line]
    baseline = shaped.baseline[shaped.line]
    origin = np.stack([pen + shaped.glyphs["x"] / SCALE, baseline + shaped.glyphs["y"] / SCALE], axis=1)
    inks = shaped.ink + np.concatenate([origin, origin], axis=1)
    reach = np.stack([pen, pen + width], axis=1)
    number = np.array([fonts.setdefault(font, len(fonts)) for font in shaped.fonts])[shaped.font]
    line = shaped.line + piece.line - (piece.lines[0] if piece.lines else 0)
    wanted = slice(None)
    if piece.lines:
        wanted = (shaped.line >= piece.lines[0]) & (shaped.line < piece.lines[1])
    count = len(line)
    if piece.turned:  # (across, down) of the piece is (along, against) the lines' direction
        origin = np.stack([origin[:, 1], -origin[:, 0]], axis=1)
        inks = np.stack([inks[:, 1], -inks[:, 2], inks[:, 3], -inks[:, 0]], axis=1)
        reach = inks[:, [0, 2]]
        baseline = np.zeros(count)
    corner = np.array([piece.x, piece.y, piece.x, piece.y])
    columns = (
        number,
        shaped.glyphs["glyph"],
        shaped.starts + piece.first,
        shaped.level,
        line,
        np.full(count, piece.scale),
        np.full(count, piece.turned),
        origin * piece.scale + corner[:2],
        inks * piece.scale + corner,
        reach * piece.scale + piece.x,
        baseline * piece.scale + piece.y,
    )
    return tuple(column[wanted] for column in columns)


def _held(pieces: Sequence[Piece], parts: Sequence[tuple[np.ndarray, ...]]) -> np.ndarray:
    """Which of all pieces' glyphs only hold the place of what stands upright there."""
    upright = np.concatenate([part[2] for piece, part in zip(pieces, parts, strict=True) if piece.turned])
    return np.concatenate(
        [np.isin(part[2], upright) & (not piece.turned) for piece, part in zip(pieces, parts, strict=True)]
    )


def breaks(shaped: Shaped, attributes: np.ndarray, text: str, hyphen: float = 0.0) -> Breaks:
    """Where a layout that has not been broken yet may be broken. `hyphen`: pixels that one at a line's end takes."""
    character = _character_of_byte(text)[shaped.starts]
    advances = np.bincount(character, shaped.glyphs["width"], minlength=len(text)) / SCALE
    found = attributes[:-1]
    soft = {place: hyphen for place, c in enumerate(text) if c == SOFT_HYPHEN} if hyphen else {}
    return Breaks.of(advances.tolist(), (found & _LINE_BREAK > 0).tolist(), (found & _WHITE > 0).tolist(), soft)


def undrawn(shaped: Shaped, attributes: np.ndarray, text: str, held: Sequence[tuple[int, int]] = ()) -> list[str]:
    """The characters of a text, as a reader takes them, that nobody would see: their glyphs are blank, or one of them
    is the font's box for what it lacks. `held` are ranges of characters that are drawn by other means."""
    if not shaped.missing.any():  # most texts: all that is blank are whole clusters of spaces and joiners
        character = _character_of_byte(text)[shaped.starts]
        cuts, blank = [*np.unique(character).tolist(), len(text)], set(character[~shaped.inked].tolist())
        if all(is_invisible(text[a:b]) for a, b in pairwise(cuts) if a in blank):
            return []
    piece, first, last = _pieces(text, attributes[:-1], shaped.starts)
    seen = np.zeros(len(first), bool)
    seen[piece[shaped.inked]] = True
    seen[piece[shaped.missing]] = False
    for start, end in held:
        seen[(first >= start) & (first < end)] = True
    pieces = (text[a:b] for a, b in zip(first[~seen], last[~seen], strict=True))
    return [p for p in dict.fromkeys(pieces) if not is_invisible(p)]


def ink_height(shaped: Shaped) -> float:
    """From the highest to the lowest ink of an unbroken line, in pixels."""
    if not shaped.inked.any():
        return 0.0
    boxes, y = shaped.ink[shaped.inked], shaped.glyphs["y"][shaped.inked] / SCALE
    return float((boxes[:, 3] + y).max() - (boxes[:, 1] + y).min())


def shape(layout: Any, font_of: Callable[[Any], Font]) -> Shaped:
    """Walk the runs once and copy out their arrays: Japanese has a run for every change of script."""
    lib = pango.libraries()
    iterator = ffi.gc(lib.pango_layout_get_iter(layout), lib.pango_layout_iter_free)
    logical = ffi.new("PangoRectangle *")
    fonts: dict[Font, int] = {}
    glyphs, starts, edges = [], [], []
    runs: list[tuple[int, int, int, int, int, int]] = []  # glyphs, first byte, font, line, level, rise of the baseline
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
            rise = run.y_offset
            if item.analysis.flags & _CENTRED:  # in vertical lines all stand in the middle, also what lies on its side
                lib.pango_glyph_string_extents(string, item.analysis.font, ffi.NULL, logical)
                rise += logical.y + logical.height // 2
            runs.append((count, item.offset, font, len(edges) - 1, item.analysis.level, rise))
            node = node.next
        if not lib.pango_layout_iter_next_line(iterator):
            break
    counts, offsets, *others = np.array(runs).T
    font, line, level, rise = (np.repeat(a, counts) for a in others)
    x, baseline = np.array(edges).T / SCALE
    placed = np.frombuffer(b"".join(glyphs), _PANGO_GLYPH).copy()
    placed["y"] -= rise.astype(np.int32)
    return Shaped(
        fonts=list(fonts),
        glyphs=placed,
        starts=np.frombuffer(b"".join(starts), np.int32) + np.repeat(offsets, counts),
        font=font,
        line=line,
        level=level,
        x=x,
        baseline=baseline,
    )


def _pieces(text: str, attributes: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut the text where both a grapheme and a glyph cluster begin.

    attributes: of each character; starts: the byte of each glyph's cluster (n,). Returns the piece of each glyph (n,),
    and where each piece begins and ends in characters (m,).
    """
    character = _character_of_byte(text)[starts]
    cuts = np.zeros(len(text), bool)
    cuts[character] = True
    cuts &= attributes & _CURSOR > 0
    cuts[0] = True
    first = np.flatnonzero(cuts)
    return (np.cumsum(cuts) - 1)[character], first, np.append(first[1:], len(text))


def _character_of_byte(text: str) -> np.ndarray:
    """Which character of a text each byte of its UTF-8 is of."""
    return np.cumsum((np.frombuffer(text.encode(), np.uint8) & 0xC0) != 0x80) - 1


def attributes(layout: Any) -> np.ndarray:
    """Pango's log attributes, uint32 (characters + 1,)."""
    count = ffi.new("int *")
    found = pango.libraries().pango_layout_get_log_attrs_readonly(layout, count)
    return np.frombuffer(ffi.buffer(found, count[0] * 4)[:], np.uint32)  # a copy: the layout may go


def _spans(
    text: str,
    first: np.ndarray,
    last: np.ndarray,
    boxes: np.ndarray,
    rtl: np.ndarray,
    owner: np.ndarray,
    count: int,
    group: np.ndarray | None = None,
) -> list[Spans]:
    """One span for each run of equal `group`, or for each box: its text, and the quadrilateral around its boxes,
    clockwise from the corner where reading starts. One Spans for each of `count` owners. All (m,) and in reading order;
    boxes (m, 4)."""
    if group is not None and len(group):
        begins = np.concatenate([[0], np.flatnonzero(group[1:] != group[:-1]) + 1])
        ends = np.concatenate([begins[1:], [len(group)]]) - 1
        low, high = np.minimum.reduceat(boxes[:, :2], begins), np.maximum.reduceat(boxes[:, 2:], begins)
        first, last, rtl, owner = first[begins], last[ends], rtl[begins], owner[begins]
        boxes = np.concatenate([low, high], axis=1)
    quads = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].astype(np.float32)
    if rtl.any():
        quads[rtl] = quads[rtl][:, [2, 3, 4, 5, 6, 7, 0, 1]]  # begin at the upper right
    texts = [text[a:b].strip() for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    if SOFT_HYPHEN in text:  # one that was set ends its line; the others are places where one could have been
        texts = [t[:-1].replace(SOFT_HYPHEN, "") + t[-1] for t in texts]
    ends = np.searchsorted(owner, np.arange(count + 1)).tolist()
    return [Spans(texts[a:b], quads[a:b]) for a, b in pairwise(ends)]
