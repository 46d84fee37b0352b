"""Whether a caption says something about its picture: how long it is, in which language, what is wrong with it.

Reads the caption alone, no pixels: about 0.1 ms. Null for a sample without a caption. What stands in quotation marks is
text in the picture: it counts for the length, but a sign that says “Sorry, I cannot help” is no refusal.
"""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

import pyarrow as pa
import regex

from dataengine.config import Config
from dataengine.stage import Image, Resources
from stages.synthesize.words.languages import identifier

# A run of letters and digits is a word; where words are not parted by spaces, a character is.
_WORDS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*|[\p{L}\p{N}][\p{L}\p{M}\p{N}'’-]*"
)
_LETTER = regex.compile(r"\p{L}")
_QUOTED = regex.compile(r"“[^”]*”|„[^“”]*[“”]|«[^»]*»|「[^」]*」|『[^』]*』|\"[^\"]*\"|(?<!\w)‘[^’]*’(?!\w)")
_SCRIPT = {
    "ja": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "ko": regex.compile(r"\p{Hangul}"),
    "zh": regex.compile(r"\p{Han}"),
    "th": regex.compile(r"\p{Thai}"),
    "he": regex.compile(r"\p{Hebrew}"),
    "el": regex.compile(r"\p{Greek}"),
    "bn": regex.compile(r"\p{Bengali}"),
    "ta": regex.compile(r"\p{Tamil}"),
}
_SHARE = 0.3  # of the letters that a script must have to tell the language; Japanese has as much kana at least
_TELLING = 20  # letters: the language of a shorter text in a script that many share is not told
_SURE = 0.8  # the identifier's probability of a language that is believed
_GRAM = 3  # words that are looked at together for what is repeated
_ALONE = {
    "url": regex.compile(r"(?:https?://|www\.)\S+", regex.I),
    "file_name": regex.compile(
        r"[\w\-. ()%]+\.(?:jpe?g|png|gif|webp|bmp|tiff?|svg|heic|avif|psd|pdf)"
        r"|(?:IMG|DSC|DSCN|DSCF|PXL|MVIMG|GOPR|P|SAM|WP)[-_ ]?\d{3,}[-_\d]*|(?:screenshot|screen shot)[-_ \d:.at]+",
        regex.I,
    ),
    "date": regex.compile(r"[\d\s./:,\-年月日時时分]{4,}"),
}


class Params(Config):
    """No parameters."""


class CaptionQuality:
    """The signal `caption_quality`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1)
    columns = pa.schema(
        [
            ("caption_characters", pa.int32()),
            ("caption_words", pa.int32()),
            ("caption_language", pa.string()),
            ("caption_fault", pa.string()),
            ("caption_repetition", pa.float32()),
        ]
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(image.caption) for image in images], schema=self.columns)

    def _one(self, caption: str | None) -> dict[str, object]:
        if caption is None:
            return dict.fromkeys(self.columns.names)
        text = " ".join(caption.split())
        words = _WORDS.findall(text.lower())
        own = " ".join(_QUOTED.sub(" ", text).split()) or text
        values = (len(text), len(words), language_of(own), fault_of(own), repetition(words))
        return dict(zip(self.columns.names, values, strict=True))


def fault_of(text: str) -> str | None:
    """What makes a caption worthless: `words` (it has none), `url`, `file_name` or `date` (it is nothing else),
    `refusal`, `leftover` or `boilerplate` (it has some of it); null where nothing does."""
    rest = _ALONE["url"].sub(" ", text).strip()
    if not rest and text:
        return "url"
    for kind in ("file_name", "date"):
        if _ALONE[kind].fullmatch(rest):
            return kind
    if not _LETTER.search(rest):
        return "words"
    return next((kind for kind, pattern in _faults() if pattern.search(text)), None)


@cache
def _faults() -> tuple[tuple[str, regex.Pattern], ...]:
    """Each kind with all of its expressions as one."""
    listed = tomllib.loads(files(__package__).joinpath("caption_faults.toml").read_text(encoding="utf-8"))
    return tuple((kind, regex.compile("|".join(f"(?:{x})" for x in found), regex.I)) for kind, found in listed.items())


def repetition(words: Sequence[str]) -> float:
    """The share of runs of three words that have been said before, 0 to 1; of shorter captions of words."""
    grams = list(_grams(words))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _grams(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    length = min(_GRAM, max(1, len(words) - 1))
    return (tuple(words[i : i + length]) for i in range(len(words) - length + 1))


def language_of(text: str) -> str | None:
    """ISO 639-1, by the script where it tells, by py3langid otherwise; null where a text is too short to say."""
    letters = len(_LETTER.findall(text))
    if not letters:
        return None
    for language, script in _SCRIPT.items():
        if len(script.findall(text)) >= _SHARE * letters:
            return language
    if letters < _TELLING:
        return None
    language, probability = identifier().classify(text)
    return language if probability >= _SURE else None
