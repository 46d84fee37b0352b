"""Passages of a wanted length from a corpus: they begin where a sentence begins and end where one ends.

Where no sentence is short enough a passage ends at a clause, and only a clause that is too long itself is cut, between
words where the script has spaces. Stops and pauses are those of the scripts at hand; Thai has neither and parts its
clauses by spaces.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from stages.synthesize.words import corpus as corpora

_TRIES = 24  # beginnings that are tried before a sentence is left unfinished
_UNSPACED = ("ja", "zh-Hans", "zh-Hant")  # languages that part neither words nor sentences by spaces

_CLOSING = "[\"'\u201d\u2019\u300d\u300f)\uff09\\]]*"
# An ASCII stop ends something only before a space (1.5, e.g.) or after an ideograph; the others always do.
_STOP = re.compile(rf"(?:[.!?](?={_CLOSING}(?:\s|$))|[\u3002\uff01\uff1f\u0964\u061f]+){_CLOSING}\s*")
_PAUSE = re.compile(
    rf"(?:[,;:](?={_CLOSING}(?:\s|$))|(?<=[\u3040-\u9fff])[,;:]|[\u3001\uff0c\uff1b\uff1a\u060c\u061b]){_CLOSING}\s*"
)
_SPACE = re.compile("\\s+(?![\u0e46\u0e2f])")  # the Thai marks of repetition and abbreviation follow a space
# Pairs that are the same in every language; of those that differ („…“ and “…”) none is told by its mark alone.
_PAIRS = {"(": ")", "[": "]", "{": "}", "（": "）", "「": "」", "『": "』", "《": "》", "【": "】", "«": "»"}
_CLOSERS = frozenset(_PAIRS.values())
_PAUSING = " \t,;:\u3001\uff0c\uff1b\uff1a\u060c\u061b"
_TRAILING = " \t.,;:!?\u3002\uff01\uff1f\u0964\u061f\u3001\uff0c\uff1b\uff1a\u060c\u061b"


@dataclass(frozen=True)
class _Clause:
    """A clause with the space after it, and whether a sentence begins or ends with it."""

    text: str
    opens: bool
    closes: bool


def passage(
    corpus: str,
    language: str,
    shortest: int,
    longest: int,
    rng: np.random.Generator,
    places: Sequence[int] | None = None,
) -> str:
    """Consecutive sentences from a random place, `shortest` to `longest` characters where the text allows it, whose
    brackets and quotation marks are closed. It may run over several paragraphs.

    `places` are the openings of sentences, by their number below `openings`, that are tried instead of random ones.
    """
    clauses, opens = _clauses(corpus, language)
    tried = places if places is not None else (int(rng.integers(len(opens))) for _ in range(_TRIES))
    unfinished = ""
    for place in tried:
        found, text = "", ""
        for clause in clauses[opens[place] :]:
            text += clause.text
            length = len(text.rstrip())
            if length > longest:
                break
            if length >= shortest and _balanced(text):
                if clause.closes:
                    found = text
                else:
                    unfinished = unfinished or text
        if found:
            return _ended(found)
    return _ended(unfinished or _shortened(text, longest))


def _ended(text: str) -> str:
    """The text without a comma or colon at its end, after which one would read on."""
    return text.rstrip(_PAUSING) or text.strip()


def openings(corpus: str, language: str) -> int:
    """How many sentences a corpus has in a language: places where a passage may begin."""
    return len(_clauses(corpus, language)[1])


def _balanced(text: str) -> bool:
    """Whether every bracket and quotation mark that is opened is closed, and the other way round."""
    open_ones: list[str] = []
    for c in text:
        if c in _PAIRS:
            open_ones.append(_PAIRS[c])
        elif c in _CLOSERS and (not open_ones or open_ones.pop() != c):
            return False
    return not open_ones and text.count('"') % 2 == 0


def heading(corpus: str, language: str, longest: int, rng: np.random.Generator) -> str:
    """A heading of the corpus or one short clause of it, without its stop."""
    headings, clauses = _headings(corpus, language, longest)
    choices = headings if headings and (not clauses or rng.random() < 0.35) else clauses
    if choices:
        return choices[int(rng.integers(len(choices)))]
    return passage(corpus, language, 2, longest, rng).rstrip(_TRAILING)


@cache
def _headings(corpus: str, language: str, longest: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    whole = (text.rstrip(_TRAILING) or text for text in corpora.load(corpus, language).headings)
    headings = tuple(text for text in whole if len(text) <= longest)
    short = (c.text.rstrip(_TRAILING) for c in _clauses(corpus, language)[0] if c.opens)
    return headings, tuple(dict.fromkeys(text for text in short if longest // 4 < len(text) <= longest))


@cache
def _clauses(corpus: str, language: str) -> tuple[tuple[_Clause, ...], tuple[int, ...]]:
    """All clauses of a corpus in order, and the places of those that open a sentence."""
    found = tuple(c for paragraph in corpora.load(corpus, language).paragraphs for c in _cut(paragraph, language))
    return found, tuple(i for i, clause in enumerate(found) if clause.opens)


def _cut(paragraph: str, language: str) -> Iterator[_Clause]:
    after = "" if language in _UNSPACED else " "
    opens = True
    sentences = list(_pieces(paragraph, _STOP))
    for place, sentence in enumerate(sentences):
        clauses = list(_pieces(sentence, _SPACE if language == "th" else _PAUSE))
        for number, clause in enumerate(clauses):
            closes = number == len(clauses) - 1
            ends_paragraph = closes and place == len(sentences) - 1
            yield _Clause(clause.rstrip() + after if ends_paragraph else clause, opens, closes)
            opens = closes or language == "th"


def _pieces(text: str, end: re.Pattern[str]) -> Iterator[str]:
    """The text cut after each match of `end`; joined they are the text again."""
    begin = 0
    for match in end.finditer(text):
        yield text[begin : match.end()]
        begin = match.end()
    if begin < len(text):
        yield text[begin:]


def _shortened(text: str, longest: int) -> str:
    """At most `longest` characters of a clause: whole words where it has spaces, whole graphemes anyway."""
    if len(text.strip()) <= longest:
        return text
    space = text.rfind(" ", 0, longest)
    cut = space if space > longest // 2 else longest
    while cut > 1 and unicodedata.category(text[cut]).startswith("M"):  # a mark belongs to the letter before it
        cut -= 1
    return text[:cut]
