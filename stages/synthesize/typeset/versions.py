"""The versions of what decides how a text is set and drawn: libraries and font files."""

from collections.abc import Sequence

from fonts.catalog import Family
from stages.synthesize.typeset import pango
from stages.synthesize.typeset.pango import ffi

ffi.cdef(
    """
    const char *pango_version_string(void);
    const char *cairo_version_string(void);
    int FcGetVersion(void);
    const char *hb_version_string(void);
    int FT_Init_FreeType(void **);
    int FT_Done_FreeType(void *);
    void FT_Library_Version(void *, int *, int *, int *);
    """
)


def versions(families: Sequence[Family]) -> dict[str, str]:
    """The version of each library, and the digests of each family's files. Raises StageError for a missing library."""
    lib = pango.libraries()
    fontconfig = lib.FcGetVersion()
    return {
        "pango": ffi.string(lib.pango_version_string()).decode(),
        "cairo": ffi.string(lib.cairo_version_string()).decode(),
        "fontconfig": f"{fontconfig // 10000}.{fontconfig // 100 % 100}.{fontconfig % 100}",
        "harfbuzz": ffi.string(lib.hb_version_string()).decode(),  # Pango's own copy, as FreeType's is
        "freetype": _freetype(lib),
        **{f"font {family.name}": " ".join(digest[:16] for digest in family.digests) for family in families},
    }


def _freetype(lib: pango.Libraries) -> str:
    handle, numbers = ffi.new("void **"), [ffi.new("int *") for _ in range(3)]
    lib.FT_Init_FreeType(handle)
    lib.FT_Library_Version(handle[0], *numbers)
    lib.FT_Done_FreeType(handle[0])
    return ".".join(str(number[0]) for number in numbers)
