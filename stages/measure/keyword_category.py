"""What a picture is of, by words of its caption: for pictures whose source says nothing and where no CLIP is at hand.

Rules are words by category and language (`keywords.yaml`, eleven languages; `rules` takes a file of your own). Those of
the caption's language count; of captions too short to tell it, those of English and of scripts that one language here
has for itself. A word in quotation marks is text in the picture and tells nothing of what it is of. Where two
categories have as many words, or none has any, the category stays null: it is never made up. About 0.1 ms a caption.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import regex
from pydantic import BeforeValidator, Field

from dataengine import config
from dataengine.config import Config
from dataengine.stage import Image, Resources
from stages.measure.language import language_of, unquoted

RULES = Path(__file__).with_name("keywords.yaml")
_UNPARTED = ("zh", "ja", "th")  # languages that put no spaces between words
_LATIN = ("de", "es", "fr", "it", "pt", "pl", "tr", "vi", "id", "nl")  # their short words mean other things in English


def _read(given: Any) -> Any:
    """What a file says, so that its content decides what is measured anew."""
    return config.read_yaml(given) if isinstance(given, str | Path) else given


class Params(Config):
    """`rules`: words by category and language, or a file of them."""

    rules: Annotated[dict[str, dict[str, list[str]]], BeforeValidator(_read)] = Field(RULES, validate_default=True)


class KeywordCategory:
    """The signal `keyword_category`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1)
    columns = pa.schema([("keyword_category", pa.string()), ("keyword_words", pa.list_(pa.string()))])

    def __init__(self, params: Params) -> None:
        self.rules = params.rules
        self.languages = sorted({language for own in self.rules.values() for language in own})
        self._known: dict[str, _Words] = {}

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(i.caption, i.language) for i in images], schema=self.columns)

    def _one(self, caption: str | None, language: str | None = None) -> dict[str, Any]:
        if caption is None:
            return dict.fromkeys(self.columns.names)
        said = unquoted(caption)
        told = (language or language_of(said) or "").split("-")[0]
        if told not in self._known:
            self._known[told] = _Words(self.rules, self._counted(told))
        found: dict[str, set[str]] = {}
        for category, word in self._known[told].find(said.lower()):
            found.setdefault(category, set()).add(word)
        category = _winner({name: len(words) for name, words in found.items()})
        return {"keyword_category": category, "keyword_words": sorted(found[category]) if category else []}

    def _counted(self, told: str) -> list[str]:
        return [told] if told in self.languages else [x for x in self.languages if x == "en" or x not in _LATIN]


def _winner(counts: Mapping[str, int]) -> str | None:
    """The name with the highest count; None where it is nought or shared."""
    most = max(counts.values(), default=0)
    first, *others = [name for name, count in counts.items() if count == most] or [None]
    return first if most and not others else None


class _Words:
    """The words of all categories in some languages, as one expression: where two overlap the longer one counts."""

    def __init__(self, rules: Mapping[str, Mapping[str, Sequence[str]]], languages: Sequence[str]) -> None:
        listed = [
            (word, language in _UNPARTED, category)
            for category, own in rules.items()
            for language in languages
            for word in own.get(language, ())
        ]
        listed.sort(key=lambda item: -len(item[0]))
        self._categories = [category for _, _, category in listed]
        self._pattern = regex.compile("|".join(f"({_expression(word, within)})" for word, within, _ in listed), regex.I)

    def find(self, text: str) -> Iterator[tuple[str, str]]:
        """Category and word, as they come."""
        if self._categories:
            for match in self._pattern.finditer(text):
                yield self._categories[match.lastindex - 1], match.group()


def _expression(word: str, within: bool) -> str:
    if within:
        return regex.escape(word)
    ending = r"[\p{L}\p{M}]*" if word.endswith("*") else ""
    return rf"(?<![\p{{L}}\p{{M}}]){regex.escape(word.rstrip('*'))}{ending}(?![\p{{L}}\p{{M}}])"
