"""The font catalogue: which family writes which language, where its files are, and which characters it has.

`catalog.toml` names the families; their files come with Python packages. Nothing is ever taken from the fonts that a
machine happens to have.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from fontTools.ttLib import TTFont

from dataengine.errors import StageError

CATALOG = Path(__file__).with_name("catalog.toml")

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


@dataclass(frozen=True)
class Family:
    """A typeface family. `face` is the index within a collection; `style` is what captions call it."""

    name: str
    package: str
    files: tuple[str, ...]
    languages: tuple[str, ...]
    weights: tuple[int, ...]
    style: str
    licence: str
    face: int = 0

    def paths(self) -> list[Path]:
        """Where its files are. Raises StageError that names the package to install."""
        try:
            installed = distribution(self.package)
        except PackageNotFoundError:
            raise StageError(f"the font {self.name} is missing", f"pip install {self.package}") from None
        found = [Path(str(installed.locate_file(file))) for file in self.files]
        missing = [path for path in found if not path.is_file()]
        if missing:
            version = installed.version
            raise StageError(
                f"the font {self.name} is missing: {self.package} {version} has no {missing[0].name}",
                f"pip install --force-reinstall {self.package}, at the version in constraints.txt",
            )
        return found


@cache
def families() -> tuple[Family, ...]:
    """Every family of the catalogue, in its order."""
    with CATALOG.open("rb") as file:
        entries = tomllib.load(file)["family"]
    return tuple(Family(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}) for entry in entries)


def for_language(language: str) -> tuple[Family, ...]:
    """The families that write a language. Raises StageError when there is none."""
    found = tuple(family for family in families() if language in family.languages)
    if not found:
        known = ", ".join(sorted({lang for family in families() for lang in family.languages}))
        raise StageError(
            f"no font of the catalogue writes {language!r}", f"add a family to {CATALOG.name}; it has {known}"
        )
    return found


@cache
def coverage(family: Family) -> frozenset[int]:
    """The code points that every file of a family maps to a glyph other than .notdef."""
    maps = []
    for path in family.paths():
        with TTFont(path, fontNumber=family.face if path.suffix == ".ttc" else -1, lazy=True) as font:
            maps.append(frozenset(code for code, glyph in font.getBestCmap().items() if glyph != ".notdef"))
    return frozenset.intersection(*maps)


def uncovered(family: Family, text: str) -> list[str]:
    """The characters of a text that a family cannot write, each once, in order; joiners and selectors need no glyph."""
    have = coverage(family)
    return list(dict.fromkeys(c for c in text if ord(c) not in have and ord(c) not in _INVISIBLE and c not in "\n\t"))


def is_invisible(text: str) -> bool:
    """Whether a text is nothing but spaces, joiners, selectors and marks of direction."""
    return all(c.isspace() or ord(c) in _INVISIBLE for c in text)


def files_of(wanted: Iterable[Family]) -> Sequence[Path]:
    """The files of some families, each once, in order."""
    return list(dict.fromkeys(path for family in wanted for path in family.paths()))
