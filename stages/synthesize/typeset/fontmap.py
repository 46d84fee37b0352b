"""Fonts and layouts: the families given and no other font of the machine."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from fonts import catalog
from fonts.catalog import Family
from stages.synthesize.typeset import pango
from stages.synthesize.typeset.glyphs import Font, shape
from stages.synthesize.typeset.pango import SCALE, ffi

REFERENCE = 48.0  # pixels an em: what every layout is made at; drawing scales it
_WIDTHS = (50, 62.5, 75, 87.5, 100, 112.5, 125, 150, 200)  # percent: the nine that Pango names

# FreeType rounds the outlines of a variable font's default weight in two ways, by whether the face has been set to
# another weight since it was opened. A weight beside the default, too near to look different, is always set.
_VARIED = 1 / 128


class FontMap:
    """Makes layouts, one context a language and direction: a context that changed would undo the layouts made by it."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._lib = pango.libraries()
        self._map = pango.font_map(catalog.files_of(families))
        self._contexts: dict[tuple[str, bool], Any] = {}
        self._fonts: dict[int, Font] = {}
        self._pitches: dict[tuple, float] = {}

    def layout(
        self,
        encoded: bytes,
        language: str,
        family: Family,
        weight: int,
        stretch: int,
        attributes: Sequence[Any],
        vertical: bool = False,
    ) -> Any:
        """An unbroken layout of UTF-8 text. It takes the attributes over."""
        lib = self._lib
        key = language, vertical
        if key not in self._contexts:
            self._contexts[key] = pango.context(self._map, language, vertical)
        layout = ffi.gc(lib.pango_layout_new(self._contexts[key]), lib.g_object_unref)
        description = lib.pango_font_description_new()
        lib.pango_font_description_set_family(description, family.name.encode())
        lib.pango_font_description_set_weight(description, weight)
        lib.pango_font_description_set_variations(description, f"wght={weight + _VARIED}".encode())
        if stretch != 100:
            lib.pango_font_description_set_stretch(description, bisect_left(_WIDTHS, stretch))
        lib.pango_font_description_set_absolute_size(description, REFERENCE * SCALE)
        lib.pango_layout_set_font_description(layout, description)
        lib.pango_font_description_free(description)
        if attributes:
            found = lib.pango_attr_list_new()
            for attribute in attributes:
                lib.pango_attr_list_insert(found, attribute)
            lib.pango_layout_set_attributes(layout, found)
            lib.pango_attr_list_unref(found)
        lib.pango_layout_set_text(layout, encoded, len(encoded))
        return layout

    def pitch(self, language: str, family: Family, weight: int, stretch: int, vertical: bool) -> float:
        """From one baseline to the next, in pixels, as the font asks for: its gap between lines included."""
        key = language, family, weight, stretch, vertical
        if key not in self._pitches:
            layout = self.layout("x\u2028x".encode(), language, family, weight, stretch, [], vertical)
            self._lib.pango_layout_set_line_spacing(layout, 1.0)
            first, second = shape(layout, self.font).baseline
            self._pitches[key] = float(second - first)
        return self._pitches[key]

    def font(self, pointer: Any) -> Font:
        """The Font of a PangoFont pointer."""
        key = int(ffi.cast("uintptr_t", pointer))
        if key not in self._fonts:
            self._fonts[key] = Font(pointer)
        return self._fonts[key]
