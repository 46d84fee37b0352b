"""Which characters the map of a font claims, read once a file and process (0.2 s for a font of 45,000 characters).

A map can lie: whether what it claims can be seen, typesetting finds out when it has the glyph at hand.
"""

from functools import cache, lru_cache
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError

from dataengine.errors import StageError
from fonts.catalog import Family

_RESTRICTED = 0x0002  # OS/2 fsType: must not be embedded
# Characters that shape or join others and never have a glyph of their own: joiners, marks of direction, selectors.
_INVISIBLE = frozenset(
    code
    for first, last in [
        (0x00AD, 0x00AD),
        (0x034F, 0x034F),
        (0x061C, 0x061C),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x2060),
        (0x2066, 0x2069),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
        (0xE0100, 0xE01EF),
    ]
    for code in range(first, last + 1)
)


@lru_cache(maxsize=1 << 16)
def is_invisible(text: str) -> bool:
    """Whether a text is nothing but spaces, joiners, selectors and marks of direction."""
    return all(c.isspace() or ord(c) in _INVISIBLE for c in text)


def uncovered(family: Family, text: str) -> list[str]:
    """The characters of a text that some file of a family has no glyph for, each once, in order."""
    have = coverage(family)
    return [c for c in dict.fromkeys(text) if ord(c) not in have and not is_invisible(c)]


@cache
def coverage(family: Family) -> frozenset[int]:
    """The code points that every file of a family maps to a glyph other than .notdef. Raises StageError for a file
    that is no font."""
    return frozenset.intersection(*(_characters(path, family.face) for path in family.paths()))


def _characters(path: Path, face: int) -> frozenset[int]:
    try:
        with TTFont(path, fontNumber=face if path.suffix == ".ttc" else -1, lazy=True) as font:
            if font["OS/2"].fsType & _RESTRICTED:
                raise StageError(f"{path}: the font's own licence bits forbid embedding", "use another font")
            return frozenset(code for code, name in font.getBestCmap().items() if name != ".notdef")
    except (TTLibError, OSError, KeyError, AttributeError) as error:
        remedy = "reinstall the package that it comes from"
        raise StageError(f"{path}: not a font that can be read: {error}", remedy) from None
