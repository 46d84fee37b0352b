"""The characters that each language is written with, by Unicode's CLDR: what a font must have to serve it.

`exemplars.json` holds them (CLDR 48.2, Unicode-3.0 licence) and is made anew, for a language more or another version,
by

    python -m fonts.exemplars cldr-misc-full@48.2.0

which needs npm and the network. Nothing is fetched at run time.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from dataengine.errors import StageError

DATA = Path(__file__).with_name("exemplars.json")
LANGUAGES = (  # in CLDR's names
    *("ar", "bn", "de", "el", "en", "es", "fa", "fr", "he", "hi", "it", "ja", "ko", "pl", "pt", "ru", "ta", "th"),
    *("tr", "uk", "vi", "zh-Hans", "zh-Hant"),
)
_ESCAPES = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})|\\x\{([0-9A-Fa-f]+)\}|\\(.)")
_ITEMS = re.compile(r"\{([^}]*)\}|(\S)-(\S)|(\S)", re.DOTALL)
_SIGNS = frozenset(".,:;!?()-")  # every language that is printed has these


@cache
def letters(language: str) -> frozenset[str]:
    """The letters of a language, small and capital, its digits, and the commonest signs of its punctuation.

    Raises StageError for a language that has none here.
    """
    known = _data()["languages"]
    if language not in known:
        raise StageError(f"no exemplar characters of {language!r}", f"add it to {__name__} and run that module")
    small = known[language]
    # Capitals of what has one; the dotless and dotted i of Turkish stand among its letters.
    capitals = (c.upper() for c in small if len(c.upper()) == 1)
    return frozenset(small) | frozenset(capitals) | frozenset("0123456789") | _SIGNS


@cache
def _data() -> dict:
    return json.loads(DATA.read_text(encoding="utf-8"))


def parse(pattern: str) -> list[str]:
    """The characters of a Unicode set such as `[a á b-d {ch} \\u200C]`, each once, in order; of sequences the parts."""
    inner = pattern.strip()[1:-1]
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        code = match.group(1) or match.group(2) or match.group(3)
        held.append(chr(int(code, 16)) if code else match.group(4))
        return chr(0xF0000 + len(held) - 1)

    found: list[str] = []
    for match in _ITEMS.finditer(_ESCAPES.sub(hold, inner)):
        sequence, first, last, single = match.groups()
        if first:
            found += map(chr, range(ord(_shown(first, held)), ord(_shown(last, held)) + 1))
        else:
            found += [_shown(c, held) for c in (single or sequence) if not c.isspace()]
    return list(dict.fromkeys(found))


def _shown(character: str, held: list[str]) -> str:
    return held[ord(character) - 0xF0000] if ord(character) >= 0xF0000 else character


def fetch(package: str) -> None:
    """Write `exemplars.json` from CLDR's npm package. Raises StageError when it cannot be had."""
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(["npm", "pack", "--silent", package], cwd=scratch, capture_output=True, text=True)
        if done.returncode:
            raise StageError(f"npm pack {package} failed: {done.stderr.strip()[-300:]}", "check the network")
        languages = {}
        with tarfile.open(next(Path(scratch).glob("*.tgz"))) as archive:
            for language in LANGUAGES:
                member = archive.extractfile(f"package/main/{language}/characters.json")
                entry = json.loads(member.read())["main"][language]["characters"]
                languages[language] = "".join(parse(entry["exemplarCharacters"]))
    data = {"source": package, "licence": "Unicode-3.0", "languages": languages}
    DATA.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        fetch(sys.argv[1])
    except StageError as error:
        sys.exit(f"error: {error}")
