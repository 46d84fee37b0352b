"""The page that cairo draws on."""

from collections.abc import Sequence

import cv2
import numpy as np

from stages.synthesize.typeset import pango
from stages.synthesize.typeset.glyphs import Glyphs
from stages.synthesize.typeset.pango import ffi


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
        self, glyphs: Glyphs, x: float, y: float, scale: float, colour: Sequence[int], only: int | None = None
    ) -> None:
        """Draw a paragraph's glyphs, or those of one character, with the layout's upper left corner at x, y."""
        lib = pango.libraries()
        lib.cairo_save(self._cairo)
        lib.cairo_translate(self._cairo, x, y)
        lib.cairo_scale(self._cairo, scale, scale)
        lib.cairo_set_source_rgb(self._cairo, *(c / 255 for c in colour))
        for number, font in enumerate(glyphs.fonts):
            wanted = glyphs.font == number if only is None else (glyphs.font == number) & (glyphs.character == only)
            placed = np.ascontiguousarray(glyphs.placed[wanted])
            lib.cairo_set_scaled_font(self._cairo, font.scaled)
            lib.cairo_show_glyphs(self._cairo, ffi.from_buffer("cairo_glyph_t *", placed), len(placed))
        lib.cairo_restore(self._cairo)

    def pixels(self) -> np.ndarray:
        """What has been drawn, uint8 (height, width, 3), RGB."""
        pango.libraries().cairo_surface_flush(self._surface)
        return cv2.cvtColor(self._buffer, cv2.COLOR_BGRA2RGB)
