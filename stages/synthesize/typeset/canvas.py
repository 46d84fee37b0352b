"""The page that cairo draws on."""

from collections.abc import Sequence
from math import pi

import cv2
import numpy as np

from stages.synthesize.typeset import pango
from stages.synthesize.typeset.glyphs import Glyphs
from stages.synthesize.typeset.marks import Mark
from stages.synthesize.typeset.pango import ffi
from stages.synthesize.typeset.style import Colour

_CAIRO_GLYPH = np.dtype([("index", np.uint64), ("x", np.float64), ("y", np.float64)])


class Page:
    """A canvas that cairo draws on. pixels: uint8 (height, width, 3), RGB; taken as the background."""

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
        lib = pango.libraries()
        groups, group = np.unique(
            np.stack([glyphs.font, colour, glyphs.turned, np.round(glyphs.scale * 4096).astype(int)]),
            axis=1,
            return_inverse=True,
        )
        for number, (font, hue, turned, _) in enumerate(groups.T.tolist()):
            wanted = group == number if only is None else (group == number) & (glyphs.row == only)
            if not wanted.any():
                continue
            scale = float(glyphs.scale[wanted][0])
            x, y = glyphs.origin[wanted].T / scale
            placed = np.empty(len(x), _CAIRO_GLYPH)
            placed["index"], placed["x"], placed["y"] = glyphs.index[wanted], *((-y, x) if turned else (x, y))
            self._begin(matrix, colours[hue])
            lib.cairo_scale(self._cairo, scale, scale)
            if turned:
                lib.cairo_rotate(self._cairo, -pi / 2)
            lib.cairo_set_scaled_font(self._cairo, glyphs.fonts[font].scaled)
            lib.cairo_show_glyphs(self._cairo, ffi.from_buffer("cairo_glyph_t *", placed), len(placed))
            lib.cairo_restore(self._cairo)

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
        (xx, xy, x0), (yx, yy, y0) = matrix.tolist()
        lib.cairo_transform(self._cairo, ffi.new("cairo_matrix_t *", (xx, yx, xy, yy, x0, y0)))
        lib.cairo_set_source_rgb(self._cairo, *(c / 255 for c in colour))

    def pixels(self) -> np.ndarray:
        """What has been drawn, uint8 (height, width, 3), RGB."""
        pango.libraries().cairo_surface_flush(self._surface)
        return cv2.cvtColor(self._buffer, cv2.COLOR_BGRA2RGB)
