"""The page that cairo draws on."""

from collections.abc import Sequence
from math import pi
from typing import Any

import cv2
import numpy as np

from stages.synthesize.typeset import pango
from stages.synthesize.typeset.fontmap import REFERENCE
from stages.synthesize.typeset.glyphs import Font, Glyphs
from stages.synthesize.typeset.marks import Mark
from stages.synthesize.typeset.pango import ffi
from stages.synthesize.typeset.style import Colour

_CAIRO_GLYPH = np.dtype([("index", np.uint64), ("x", np.float64), ("y", np.float64)])


_FINE = 34.0  # pixels an em: smaller type is placed finer than by whole pixels
_STEPS = 4  # of a pixel, along the line
_BEYOND = 3  # pixels that ink may reach over its line's box, as much as it is softened and moved


class Page:
    """A canvas that cairo draws on. pixels: uint8 (height, width, 3), RGB; taken as the background.

    cairo before 1.17.4 puts glyphs on whole pixels, which spoils the spacing of small type. It is therefore drawn four
    times as long along its lines, and reduced: every glyph stands within an eighth of a pixel of its place.
    """

    def __init__(self, pixels: np.ndarray) -> None:
        lib = pango.libraries()
        self.height, self.width = pixels.shape[:2]
        self._buffer = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGRA)
        data = ffi.from_buffer("unsigned char *", self._buffer, require_writable=True)
        surface = lib.cairo_image_surface_create_for_data(data, 1, self.width, self.height, 4 * self.width)
        self._surface = ffi.gc(surface, lib.cairo_surface_destroy)
        self._cairo = ffi.gc(lib.cairo_create(self._surface), lib.cairo_destroy)

    def draw(
        self,
        glyphs: Glyphs,
        matrix: np.ndarray,
        colours: Sequence[Colour],
        colour: np.ndarray,
        only: int | None = None,
    ) -> None:
        """Draw a paragraph's glyphs, or those of one character, by its row. matrix (2, 3): from its pixels to the
        page's; colour (n,): each glyph's of `colours`."""
        # Glyphs that are drawn in one call: of one font, colour, turn and scale.
        key = ((glyphs.font * len(colours) + colour) * 2 + glyphs.turned) * 4096 + np.round(glyphs.scale * 256)
        for group in np.unique(key):
            wanted = key == group if only is None else (key == group) & (glyphs.row == only)
            if not wanted.any():
                continue
            one = int(wanted.argmax())
            font, hue, turned = int(glyphs.font[one]), int(colour[one]), bool(glyphs.turned[one])
            scale = float(glyphs.scale[one])
            x, y = glyphs.origin[wanted].T / scale
            placed = np.empty(len(x), _CAIRO_GLYPH)
            placed["index"], placed["x"], placed["y"] = glyphs.index[wanted], *((-y, x) if turned else (x, y))
            em = REFERENCE * scale * float(np.hypot(*matrix[:, 0]))
            if em >= _FINE:
                self._begin(matrix, colours[hue])
                _show(self._cairo, placed, glyphs.fonts[font], scale, turned)
                pango.libraries().cairo_restore(self._cairo)
            else:
                places = glyphs.origin[wanted] @ matrix[:, :2].T + matrix[:, 2]
                inked = glyphs.lines.quads.reshape(-1, 2) @ matrix[:, :2].T + matrix[:, 2]
                low = np.maximum(places.min(axis=0) - 2.5 * em, inked.min(axis=0) - _BEYOND)
                high = np.minimum(places.max(axis=0) + 2.5 * em, inked.max(axis=0) + _BEYOND)
                self._draw_fine(placed, glyphs.fonts[font], scale, turned, matrix, colours[hue], (*low, *high))

    def _draw_fine(
        self,
        placed: np.ndarray,
        font: Font,
        scale: float,
        turned: bool,
        matrix: np.ndarray,
        colour: Colour,
        reach: tuple[float, float, float, float],
    ) -> None:
        """Draw small type by way of a mask that is longer along the line. reach: the left, top, right and bottom that
        its ink stays within, in pixels of the page."""
        lib = pango.libraries()
        left, top, right, bottom = reach
        left, top = max(0, int(left)), max(0, int(top))
        width, height = min(self.width, int(right)) - left, min(self.height, int(bottom)) - top
        if min(width, height) <= 0:
            return
        along = (1, _STEPS) if matrix[0, 0] == 0 else (_STEPS, 1)
        mask, surface = _mask(width * along[0], height * along[1])
        canvas = ffi.gc(lib.cairo_create(surface), lib.cairo_destroy)
        lib.cairo_scale(canvas, *map(float, along))
        lib.cairo_translate(canvas, -float(left), -float(top))
        lib.cairo_transform(canvas, _cairo_matrix(matrix))
        _show(canvas, placed, font, scale, turned)
        lib.cairo_surface_flush(surface)
        reduced, small = _mask(width, height)
        reduced[:, :width] = cv2.resize(mask[:, : width * along[0]], (width, height), interpolation=cv2.INTER_AREA)
        lib.cairo_set_source_rgb(self._cairo, *(c / 255 for c in colour))
        lib.cairo_mask_surface(self._cairo, small, float(left), float(top))

    def mark(self, marks: Sequence[Mark], matrix: np.ndarray, colour: Colour) -> None:
        """Draw marks, those without a colour of their own in `colour`."""
        lib = pango.libraries()
        for mark in marks:
            self._begin(matrix, mark.colour or colour)
            if mark.round:
                radius = (mark.right - mark.left) / 2
                lib.cairo_arc(self._cairo, mark.left + radius, mark.top + radius, radius, 0.0, 2 * pi)
            else:
                lib.cairo_rectangle(self._cairo, mark.left, mark.top, mark.right - mark.left, mark.bottom - mark.top)
            lib.cairo_fill(self._cairo)
            lib.cairo_restore(self._cairo)

    def _begin(self, matrix: np.ndarray, colour: Colour) -> None:
        lib = pango.libraries()
        lib.cairo_save(self._cairo)
        lib.cairo_transform(self._cairo, _cairo_matrix(matrix))
        lib.cairo_set_source_rgb(self._cairo, *(c / 255 for c in colour))

    def pixels(self) -> np.ndarray:
        """What has been drawn, uint8 (height, width, 3), RGB."""
        pango.libraries().cairo_surface_flush(self._surface)
        return cv2.cvtColor(self._buffer, cv2.COLOR_BGRA2RGB)


def _show(canvas: Any, placed: np.ndarray, font: Font, scale: float, turned: bool) -> None:
    """Draw glyphs whose places are in pixels of their own scale and turn."""
    lib = pango.libraries()
    lib.cairo_scale(canvas, scale, scale)
    if turned:
        lib.cairo_rotate(canvas, -pi / 2)
    lib.cairo_set_scaled_font(canvas, font.scaled)
    lib.cairo_show_glyphs(canvas, ffi.from_buffer("cairo_glyph_t *", placed), len(placed))


def _mask(width: int, height: int) -> tuple[np.ndarray, Any]:
    """An empty mask, uint8 (height, width rounded up to four), and the cairo surface on it, which it must outlive."""
    pixels = np.zeros((height, -(-width // 4) * 4), np.uint8)
    data = ffi.from_buffer("unsigned char *", pixels, require_writable=True)
    surface = pango.libraries().cairo_image_surface_create_for_data(data, 2, width, height, pixels.shape[1])
    return pixels, ffi.gc(surface, pango.libraries().cairo_surface_destroy)


def _cairo_matrix(matrix: np.ndarray) -> Any:
    (xx, xy, x0), (yx, yy, y0) = matrix.tolist()
    return ffi.new("cairo_matrix_t *", (xx, yx, xy, yy, x0, y0))
