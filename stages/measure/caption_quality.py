"""Whether a caption says something about its picture: how long it is, in which language, what is wrong with it.

Reads the caption alone, no pixels: about 0.2 ms. Null for a sample without a caption. What stands in quotation marks is
text in the picture: it counts for the length, but a sign that says “Sorry, I cannot help” is no refusal. Tokens are
CLIP's, as no other tokenizer is at hand everywhere: about 1.3 a word of English, more than two a Chinese character.
Name that of the text encoder that is to be trained with.
"""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

import pyarrow as pa
import regex

from dataengine.config import Config
from dataengine.errors import StageError
from dataengine.models import tokens
from dataengine.models.tokens import Tokens
from dataengine.stage import Image, Resources
from stages.measure.language import language_of, unquoted, words_of

_LETTER = regex.compile(r"\p{L}")
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
    """`tokenizer`: what counts tokens in place of CLIP's; see `dataengine.models.tokens.Tokens`."""

    tokenizer: str | None = None


class CaptionQuality:
    """The signal `caption_quality`."""

    Params = Params
    version = 2
    resources = Resources(cpus=1)
    columns = pa.schema(
        [
            ("caption_characters", pa.int32()),
            ("caption_words", pa.int32()),
            ("caption_tokens", pa.int32()),
            ("caption_language", pa.string()),
            ("caption_fault", pa.string()),
            ("caption_repetition", pa.float32()),
        ]
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._tokens = Tokens(params.tokenizer)

    @classmethod
    def missing(cls, params: Params) -> StageError | None:
        """What would keep tokens from being counted."""
        return tokens.missing(params.tokenizer)

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(image.caption) for image in images], schema=self.columns)

    def _one(self, caption: str | None) -> dict[str, object]:
        if caption is None:
            return dict.fromkeys(self.columns.names)
        text = " ".join(caption.split())
        words = words_of(text)
        own = unquoted(text) or text
        lengths = (len(text), len(words), self._tokens.count(text))
        values = (*lengths, language_of(own), fault_of(own), repetition(words))
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
