"""The few calls of Pango, cairo and fontconfig that typesetting needs, and a font map that sees only given files.

Bound by cffi at run time against the system's libraries. Only `typeset` uses this module.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cffi

from dataengine.errors import StageError

SCALE = 1024  # Pango units a pixel
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "yi"})
_WEAK_LTR, _WEAK_RTL = 4, 5

_DECLARATIONS = """
typedef struct _cairo cairo_t;
typedef struct _surface cairo_surface_t;
typedef struct _options cairo_font_options_t;
typedef struct _scaled cairo_scaled_font_t;
typedef struct { unsigned long index; double x; double y; } cairo_glyph_t;
typedef struct { double x_bearing, y_bearing, width, height, x_advance, y_advance; } cairo_text_extents_t;
cairo_surface_t *cairo_image_surface_create_for_data(unsigned char *, int, int, int, int);
void cairo_surface_flush(cairo_surface_t *);
void cairo_surface_destroy(cairo_surface_t *);
cairo_t *cairo_create(cairo_surface_t *);
void cairo_destroy(cairo_t *);
void cairo_save(cairo_t *);
void cairo_restore(cairo_t *);
void cairo_translate(cairo_t *, double, double);
void cairo_scale(cairo_t *, double, double);
void cairo_rotate(cairo_t *, double);
typedef struct { double xx, yx, xy, yy, x0, y0; } cairo_matrix_t;
void cairo_transform(cairo_t *, const cairo_matrix_t *);
void cairo_rectangle(cairo_t *, double, double, double, double);
void cairo_arc(cairo_t *, double, double, double, double, double);
void cairo_new_sub_path(cairo_t *);
void cairo_set_source_rgb(cairo_t *, double, double, double);
void cairo_set_scaled_font(cairo_t *, const cairo_scaled_font_t *);
void cairo_show_glyphs(cairo_t *, const cairo_glyph_t *, int);
void cairo_fill(cairo_t *);
void cairo_scaled_font_glyph_extents(cairo_scaled_font_t *, const cairo_glyph_t *, int, cairo_text_extents_t *);
void cairo_mask_surface(cairo_t *, cairo_surface_t *, double, double);
cairo_font_options_t *cairo_font_options_create(void);
void cairo_font_options_destroy(cairo_font_options_t *);
void cairo_font_options_set_antialias(cairo_font_options_t *, int);
void cairo_font_options_set_hint_style(cairo_font_options_t *, int);
void cairo_font_options_set_hint_metrics(cairo_font_options_t *, int);

typedef struct _fcconfig FcConfig;
FcConfig *FcConfigCreate(void);
int FcConfigAppFontAddFile(FcConfig *, const unsigned char *);
typedef struct _fcpattern FcPattern;
int FcPatternGetString(const FcPattern *, const char *, int, const char **);

typedef struct _fontmap PangoFontMap;
typedef struct _context PangoContext;
typedef struct _layout PangoLayout;
typedef struct _description PangoFontDescription;
typedef struct _attributes PangoAttrList;
typedef struct { const void *type; unsigned int start_index; unsigned int end_index; } PangoAttribute;
typedef struct _iter PangoLayoutIter;
typedef struct _language PangoLanguage;
typedef struct { int x; int y; int width; int height; } PangoRectangle;
typedef struct _node { void *data; struct _node *next; } GSList;
typedef struct { PangoLayout *layout; int start_index; int length; GSList *runs; unsigned int flags; } PangoLayoutLine;
typedef struct { void *shape; void *lang; void *font; unsigned char level, gravity, flags; } PangoAnalysis;
typedef struct { int offset; int length; int num_chars; PangoAnalysis analysis; } PangoItem;
typedef struct { int num_glyphs; void *glyphs; int *log_clusters; } PangoGlyphString;
typedef struct { PangoItem *item; PangoGlyphString *glyphs; int y_offset; int start_x; int end_x; } PangoGlyphItem;
void pango_glyph_string_extents(PangoGlyphString *, void *, PangoRectangle *, PangoRectangle *);
void *g_object_ref(void *);
void g_object_unref(void *);
void pango_fc_font_map_set_config(PangoFontMap *, FcConfig *);
PangoFontMap *pango_cairo_font_map_new_for_font_type(int);
void pango_cairo_font_map_set_resolution(PangoFontMap *, double);
PangoContext *pango_font_map_create_context(PangoFontMap *);
void pango_cairo_context_set_font_options(PangoContext *, const cairo_font_options_t *);
void pango_context_set_round_glyph_positions(PangoContext *, int);
void pango_context_set_language(PangoContext *, PangoLanguage *);
void pango_context_set_base_dir(PangoContext *, int);
void pango_context_set_base_gravity(PangoContext *, int);
void pango_context_set_gravity_hint(PangoContext *, int);
PangoLanguage *pango_language_from_string(const char *);
PangoLayout *pango_layout_new(PangoContext *);
void pango_layout_set_text(PangoLayout *, const char *, int);
void pango_layout_set_width(PangoLayout *, int);
void pango_layout_set_wrap(PangoLayout *, int);
void pango_layout_set_alignment(PangoLayout *, int);
void pango_layout_set_justify(PangoLayout *, int);
void pango_layout_set_indent(PangoLayout *, int);
void pango_layout_set_line_spacing(PangoLayout *, float);
void pango_layout_set_font_description(PangoLayout *, const PangoFontDescription *);
void pango_layout_set_attributes(PangoLayout *, PangoAttrList *);
void pango_layout_get_extents(PangoLayout *, PangoRectangle *, PangoRectangle *);
int pango_layout_get_line_count(PangoLayout *);
int pango_layout_get_baseline(PangoLayout *);
int pango_layout_get_justify(PangoLayout *);
int pango_layout_get_unknown_glyphs_count(PangoLayout *);
const void *pango_layout_get_log_attrs_readonly(PangoLayout *, int *);
PangoLayoutLine *pango_layout_get_line_readonly(PangoLayout *, int);
PangoLayoutIter *pango_layout_get_iter(PangoLayout *);
void pango_layout_iter_free(PangoLayoutIter *);
int pango_layout_iter_get_baseline(PangoLayoutIter *);
int pango_layout_iter_next_line(PangoLayoutIter *);
void pango_layout_iter_get_line_extents(PangoLayoutIter *, PangoRectangle *, PangoRectangle *);
PangoLayoutLine *pango_layout_iter_get_line_readonly(PangoLayoutIter *);
PangoFontDescription *pango_font_description_new(void);
void pango_font_description_free(PangoFontDescription *);
void pango_font_description_set_family(PangoFontDescription *, const char *);
void pango_font_description_set_weight(PangoFontDescription *, int);
void pango_font_description_set_stretch(PangoFontDescription *, int);
void pango_font_description_set_variations(PangoFontDescription *, const char *);
void pango_font_description_set_absolute_size(PangoFontDescription *, double);
PangoAttrList *pango_attr_list_new(void);
void pango_attr_list_unref(PangoAttrList *);
void pango_attr_list_insert(PangoAttrList *, PangoAttribute *);
PangoAttribute *pango_attr_fallback_new(int);
PangoAttribute *pango_attr_letter_spacing_new(int);
PangoAttribute *pango_attr_allow_breaks_new(int);
PangoAttribute *pango_attr_family_new(const char *);
PangoAttribute *pango_attr_weight_new(int);
PangoAttribute *pango_attr_scale_new(double);
PangoAttribute *pango_attr_font_features_new(const char *);
PangoAttribute *pango_attr_shape_new(const PangoRectangle *, const PangoRectangle *);
cairo_scaled_font_t *pango_cairo_font_get_scaled_font(void *);
FcPattern *pango_fc_font_get_pattern(void *);
"""

# Library, its names on Linux and macOS, and the Debian package that has it.
_LIBRARIES = {
    "gobject": (("libgobject-2.0.so.0", "libgobject-2.0.0.dylib"), "libglib2.0-0"),
    "fontconfig": (("libfontconfig.so.1", "libfontconfig.1.dylib"), "libfontconfig1"),
    "cairo": (("libcairo.so.2", "libcairo.2.dylib"), "libcairo2"),
    "pango": (("libpango-1.0.so.0", "libpango-1.0.0.dylib"), "libpango-1.0-0"),
    "pangoft2": (("libpangoft2-1.0.so.0", "libpangoft2-1.0.0.dylib"), "libpangoft2-1.0-0"),
    "pangocairo": (("libpangocairo-1.0.so.0", "libpangocairo-1.0.0.dylib"), "libpangocairo-1.0-0"),
}
_HOMEBREW = ("", "/opt/homebrew/lib/", "/usr/local/lib/")

ffi = cffi.FFI()
ffi.cdef(_DECLARATIONS)


class Libraries:
    """The functions of all libraries as attributes. Raises StageError that names what is missing."""

    def __init__(self) -> None:
        self._opened = [_open(name, *known) for name, known in _LIBRARIES.items()]

    def __getattr__(self, name: str) -> Any:
        for library in self._opened:
            try:
                found = getattr(library, name)
            except AttributeError:
                continue
            setattr(self, name, found)
            return found
        raise StageError(f"the system's Pango has no {name}", "it must be 1.50 or newer: upgrade libpango-1.0-0")


def _open(name: str, files: Sequence[str], debian: str) -> Any:
    for file in files:
        for folder in _HOMEBREW:
            try:
                return ffi.dlopen(folder + file)
            except OSError:
                continue
    raise StageError(f"the system library {name} is missing", f"apt-get install {debian}, or brew install pango")


@cache
def libraries() -> Libraries:
    return Libraries()


def font_map(files: Sequence[Path]) -> Any:
    """A PangoFontMap that knows the fonts in `files` and no others, at 72 dpi. It stays for as long as the process.

    Raises StageError for a file that is no font.
    """
    lib = libraries()
    config = lib.FcConfigCreate()
    for file in files:
        if not lib.FcConfigAppFontAddFile(config, str(file).encode()):
            raise StageError(f"{file}: not a font that can be read", "reinstall the package that it comes from")
    made = lib.pango_cairo_font_map_new_for_font_type(1)  # FreeType
    lib.pango_fc_font_map_set_config(made, config)
    lib.pango_cairo_font_map_set_resolution(made, 72.0)
    return made


def context(fonts: Any, language: str, vertical: bool) -> Any:
    """A PangoContext for a language: unhinted, positions unrounded. Vertical lines are set lying down, their upright
    characters turned to the left, and drawn with a quarter turn to the right."""
    lib = libraries()
    made = lib.pango_font_map_create_context(fonts)
    options = lib.cairo_font_options_create()
    lib.cairo_font_options_set_antialias(options, 2)  # grey
    lib.cairo_font_options_set_hint_style(options, 1)  # none
    lib.cairo_font_options_set_hint_metrics(options, 1)  # off
    lib.pango_cairo_context_set_font_options(made, options)
    lib.cairo_font_options_destroy(options)
    lib.pango_context_set_round_glyph_positions(made, 0)
    lib.pango_context_set_language(made, lib.pango_language_from_string(language.encode()))
    # What has no letters, such as a number, is read as the language is.
    lib.pango_context_set_base_dir(made, _WEAK_RTL if language in RIGHT_TO_LEFT else _WEAK_LTR)
    if vertical:
        lib.pango_context_set_base_gravity(made, 1)  # east
        lib.pango_context_set_gravity_hint(made, 0)  # natural: Latin words lie on their side
    return made


def file_of(font: Any) -> str:
    """The path of the file that a PangoFont was loaded from."""
    lib = libraries()
    value = ffi.new("char **")
    lib.FcPatternGetString(lib.pango_fc_font_get_pattern(font), b"file", 0, ffi.cast("const char **", value))
    return ffi.string(value[0]).decode()
