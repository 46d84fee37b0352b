"""The font catalogue: which family writes which language, and where its files are.

`catalog.toml` names the families; their files come with Python packages. Nothing is ever taken from the fonts that a
machine happens to have.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from dataengine.errors import StageError

CATALOG = Path(__file__).with_name("catalog.toml")


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

    def paths(self) -> tuple[Path, ...]:
        """Where its files are. Raises StageError that names the package to install."""
        return _paths(self)


@cache
def _paths(family: Family) -> tuple[Path, ...]:
    try:
        installed = distribution(family.package)
    except PackageNotFoundError:
        raise StageError(f"the font {family.name} is missing", f"pip install {family.package}") from None
    found = tuple(Path(str(installed.locate_file(file))) for file in family.files)
    missing = [path for path in found if not path.is_file()]
    if missing:
        raise StageError(
            f"the font {family.name} is missing: {family.package} {installed.version} has no {missing[0].name}",
            f"pip install --force-reinstall {family.package}, at the version in constraints.txt",
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


def files_of(wanted: Iterable[Family]) -> Sequence[Path]:
    """The files of some families, each once, in order."""
    return list(dict.fromkeys(path for family in wanted for path in family.paths()))
