"""The versions of what decides how a text is set and drawn: libraries, and the contents of font files."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

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
    """The version of each library, and a digest of each family's files. Raises StageError for what is missing."""
    lib = pango.libraries()
    fontconfig = lib.FcGetVersion()
    return {
        "pango": ffi.string(lib.pango_version_string()).decode(),
        "cairo": ffi.string(lib.cairo_version_string()).decode(),
        "fontconfig": f"{fontconfig // 10000}.{fontconfig // 100 % 100}.{fontconfig % 100}",
        "harfbuzz": ffi.string(lib.hb_version_string()).decode(),  # Pango's own copy, as FreeType's is
        "freetype": _freetype(lib),
        **{f"font {family.name}": _digest(family.paths()) for family in families},
    }


def _freetype(lib: pango.Libraries) -> str:
    handle, numbers = ffi.new("void **"), [ffi.new("int *") for _ in range(3)]
    lib.FT_Init_FreeType(handle)
    lib.FT_Library_Version(handle[0], *numbers)
    lib.FT_Done_FreeType(handle[0])
    return ".".join(str(number[0]) for number in numbers)


@cache
def _digest(files: tuple[Path, ...]) -> str:
    """BLAKE2b-128 of files, 16 digits of it: 1 ms a megabyte."""
    state = hashlib.blake2b(digest_size=16)
    for file in files:
        state.update(file.read_bytes())
    return state.hexdigest()[:16]
