"""The Debian Administrator's Handbook: a book of some thousand paragraphs, from the Debian package `debian-handbook`.

Translations are partial, and what is not translated stands in English: paragraphs are kept where they are in the
language that they are said to be in. Files of commands are left out. Extracted once, when it is fetched.
"""

import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

from dataengine.config import cache_folder
from dataengine.errors import StageError
from stages.synthesize.words.languages import belongs
from stages.synthesize.words.text import Text

PACKAGE = "debian-handbook"
FOLDERS = {
    "ar": "ar-MA",
    "de": "de-DE",
    "el": "el-GR",
    "en": "en-US",
    "es": "es-ES",
    "fa": "fa-IR",
    "fr": "fr-FR",
    "it": "it-IT",
    "ja": "ja-JP",
    "ko": "ko-KR",
    "pl": "pl-PL",
    "pt": "pt-BR",
    "ru": "ru-RU",
    "tr": "tr-TR",
    "vi": "vi-VN",
    "zh-Hans": "zh-CN",
    "zh-Hant": "zh-TW",
}
_SHORTEST = 40  # characters: what is shorter is a label
_TECHNICAL = re.compile(r"/\w+/|\w+\(\d\)|https?:|[$#] \w+|[{}<>|\\]")  # paths, man pages, addresses, commands
_TITLE = re.compile(r"^[\d.\s]+|^\w+ \d+\.\s*")  # the number before a section's title


class _Page(HTMLParser):
    """Collects the titles and paragraphs of a page; what stands within another paragraph is passed over."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.paragraphs: list[str] = []
        self._depth, self._code, self._pieces, self._title = 0, 0, [], False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("class") or ""
        if tag == "div" and (self._depth or kind == "para"):
            self._depth += 1
            self._pieces = [] if self._depth == 1 else self._pieces
            self._code += self._depth > 1
        elif tag == "pre":
            self._code += 1
        elif tag in ("h1", "h2", "h3") and not self._depth:
            self._title, self._pieces = True, []

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._pieces).split())
        if tag == "div" and self._depth:
            self._depth -= 1
            if not self._depth and not self._code and len(text) >= _SHORTEST:
                self.paragraphs.append(text)
            if not self._depth:
                self._code = 0
        elif tag in ("h1", "h2", "h3") and self._title:
            self._title = False
            if text := _TITLE.sub("", text):
                self.titles.append(text)

    def handle_data(self, data: str) -> None:
        if (self._depth == 1 and not self._code) or self._title:
            self._pieces.append(data)


def load(language: str) -> Text:
    """Its text in a language. Raises StageError that says how to get it."""
    if language not in FOLDERS:
        raise StageError(f"the corpus handbook has no {language!r}", f"it has {', '.join(FOLDERS)}; or add another")
    paths = [cache_folder(PACKAGE) / f"{language}.{kind}.txt" for kind in ("titles", "paragraphs")]
    if not all(path.is_file() for path in paths):
        raise StageError("the corpus handbook is not here", "python -m stages.synthesize.words.corpus handbook")
    return Text(*(tuple(path.read_text(encoding="utf-8").splitlines()) for path in paths))


def fetch() -> Path:
    """Fetch and extract it into the cache, unless it is there. Raises StageError when that fails."""
    folder = cache_folder(PACKAGE)
    if all((folder / f"{language}.paragraphs.txt").is_file() for language in FOLDERS):
        return folder
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise StageError("the corpus handbook needs apt-get and dpkg-deb", "on another system use a corpus of your own")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for command in (
            ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", PACKAGE],
            ["sh", "-c", "dpkg-deb -x *.deb ."],
        ):
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
            if done.returncode:
                raise StageError(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}", "check the network")
        made = Path(scratch) / "texts"
        made.mkdir()
        for language, name in FOLDERS.items():
            _extract(Path(scratch) / "usr/share/doc/debian-handbook/html" / name, language, made)
        shutil.rmtree(folder, ignore_errors=True)
        made.replace(folder)
    return folder


def _extract(pages: Path, language: str, folder: Path) -> None:
    titles, paragraphs = [], []
    for path in sorted(pages.glob("*.html")):
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        titles += page.titles
        paragraphs += page.paragraphs
    for kind, texts in (("titles", titles), ("paragraphs", paragraphs)):
        kept = [t for t in dict.fromkeys(texts) if belongs(t, language) and not _TECHNICAL.search(t)]
        (folder / f"{language}.{kind}.txt").write_text("".join(f"{t}\n" for t in kept), encoding="utf-8")
