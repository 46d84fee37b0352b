"""The font catalogue: which family writes which language, and where its files come from.

`catalog.toml` names the families. Their files come with Python packages (`pip:`), with npm or Debian packages that
`python -m fonts.fetch` unpacks into the cache (`npm:`, `deb:`), or lie in a folder (`folder:`). Each is pinned by the
digest of its bytes, so neither the fonts of a machine nor another version of a package ever change what is drawn.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from dataengine.config import cache_folder, suggest
from dataengine.errors import StageError

CATALOG = Path(__file__).with_name("catalog.toml")
# SPDX names of licences under which a font may be embedded in pictures and passed on.
LICENCES = frozenset(
    {"OFL-1.1", "Apache-2.0", "MIT", "CC0-1.0", "UFL-1.0", "IPA", "Arphic-1999", "LicenseRef-public-domain"}
)
SOURCES = ("pip", "npm", "deb", "folder")


@dataclass(frozen=True)
class Family:
    """A typeface family. `style` is what captions call it; `weights` and `widths` (percent) are those sampled; `face`
    is the index within a collection. `files` are relative to their source, `digests` theirs (BLAKE2b-128, hex)."""

    name: str
    style: str
    languages: tuple[str, ...]
    weights: tuple[int, ...]
    licence: str
    source: str
    files: tuple[str, ...]
    digests: tuple[str, ...]
    widths: tuple[int, ...] = (100,)
    face: int = 0

    def paths(self) -> tuple[Path, ...]:
        """Where its files are. Raises StageError that says how to get what is missing, or which file has changed."""
        return _paths(self)


@cache
def _paths(family: Family) -> tuple[Path, ...]:
    folder = folder_of(family.source)
    if folder is None:
        raise StageError(f"the font {family.name} is missing", how_to_get(family.source))
    found = tuple(folder / file for file in family.files)
    for path, digest in zip(found, family.digests, strict=True):
        if not path.is_file():
            raise StageError(f"the font {family.name} is missing: {path} is not there", how_to_get(family.source))
        if (own := digest_of(path)) != digest:
            raise StageError(
                f"the font {family.name} has changed: {path.name} has the digest {own}, the catalogue says {digest}",
                f"{how_to_get(family.source)}, at the version that the catalogue was made with",
            )
    return found


def folder_of(source: str) -> Path | None:
    """The folder that a source's files are relative to; None where nothing of it is installed."""
    kind, _, name = source.partition(":")
    if kind == "pip":
        try:
            return Path(str(distribution(name).locate_file("")))
        except PackageNotFoundError:
            return None
    folder = Path(name).expanduser() if kind == "folder" else cache_folder("fonts") / name.replace("/", "-")
    return folder if folder.is_dir() else None


def how_to_get(source: str) -> str:
    kind, _, name = source.partition(":")
    return {"pip": f"pip install {name}", "folder": f"put its files into {name}"}.get(kind, "python -m fonts.fetch")


@cache
def digest_of(path: Path) -> str:
    """BLAKE2b-128 hex digest of a file, once a process: 1 ms a megabyte."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


@cache
def families() -> tuple[Family, ...]:
    """Every family of the catalogue, in its order."""
    return load(CATALOG)


def load(path: Path) -> tuple[Family, ...]:
    """The families of a catalogue file. Raises StageError that names the family and the key at fault."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("family", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StageError(f"{path}: not a font catalogue: {error}", "docs/fonts.md shows one") from None
    return tuple(_family(entry, path) for entry in entries)


def _family(entry: dict, path: Path) -> Family:
    name = entry.get("name", "a family without a name")
    known = {f.name for f in fields(Family)} - {"digests"}
    if unknown := sorted(set(entry) - known):
        raise StageError(f"{path}: {name}: unknown key {unknown[0]}{suggest(unknown[0], sorted(known))}", "mend it")
    if missing := sorted(known - {"face", "widths"} - set(entry)):
        raise StageError(f"{path}: {name}: {missing[0]} is missing", "docs/fonts.md shows a family")
    if entry["licence"] not in LICENCES:
        raise StageError(
            f"{path}: {name}: the licence {entry['licence']!r} is not known to allow embedding",
            f"use a font under one of {', '.join(sorted(LICENCES))}",
        )
    if entry["source"].partition(":")[0] not in SOURCES:
        raise StageError(f"{path}: {name}: source {entry['source']!r}", f"begin it with one of {', '.join(SOURCES)}")
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    files = given.pop("files")
    return Family(**given, files=tuple(files), digests=tuple(files.values()))


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
