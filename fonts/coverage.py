"""Which characters a family can draw: it has a glyph for them, and the glyph is neither blank nor the font's box for
what it lacks.

A font's character map can lie, so the outline of every character that is met is looked at, once a font and process
(0.1 ms; reading the map of a font of 45,000 characters takes 0.2 s).
"""

from functools import cache, lru_cache
from pathlib import Path

from fontTools.pens.recordingPen import RecordingPen
from fontTools.ttLib import TTFont, TTLibError

from dataengine.errors import StageError
from fonts.catalog import Family

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


def is_invisible(text: str) -> bool:
    """Whether a text is nothing but spaces, joiners, selectors and marks of direction."""
    return all(c.isspace() or ord(c) in _INVISIBLE for c in text)


def uncovered(family: Family, text: str) -> list[str]:
    """The characters of a text that some file of a family cannot draw, each once, in order."""
    return [c for c in dict.fromkeys(text) if not is_invisible(c) and not _draws(family, c)]


def coverage(family: Family) -> frozenset[int]:
    """The code points that every file of a family maps to a glyph other than .notdef."""
    return frozenset.intersection(*(_Face.open(path, family.face).characters for path in family.paths()))


@cache
def _draws(family: Family, character: str) -> bool:
    return all(_Face.open(path, family.face).draws(character) for path in family.paths())


class _Face:
    """One font file, read only as far as it is asked."""

    def __init__(self, path: Path, face: int) -> None:
        try:
            self._font = TTFont(path, fontNumber=face if path.suffix == ".ttc" else -1, lazy=True)
            self._names = {code: name for code, name in self._font.getBestCmap().items() if name != ".notdef"}
            self._shapes = self._font.getGlyphSet()
            self._missing = self._outline(".notdef")
        except (TTLibError, OSError, KeyError, AttributeError) as error:
            remedy = "reinstall the package that it comes from"
            raise StageError(f"{path}: not a font that can be read: {error}", remedy) from None
        self.characters = frozenset(self._names)

    @staticmethod
    @lru_cache(maxsize=64)
    def open(path: Path, face: int) -> "_Face":
        return _Face(path, face)

    def draws(self, character: str) -> bool:
        name = self._names.get(ord(character))
        return name is not None and self._outline(name) not in ([], self._missing)

    def _outline(self, name: str) -> list[tuple]:
        pen = RecordingPen()
        self._shapes[name].draw(pen)
        return pen.value
