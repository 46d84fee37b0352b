"""How much of the text that a picture should show was read in it: the measures of the field's benchmarks.

- *exact*: all texts were read without an error. By tier it is the measure of ChineseWord.
- *words*: the share of the words that were read, each as often as it should stand there; word accuracy in CVTG-2K.
  Where a script does not part words, characters count.
- *similarity*: 1 − edit distance / length of the longer text, the mean over texts; NED in CVTG-2K.
- *characters*: 1 − edits / characters, over all of them, at least 0; text accuracy in LongText-Bench.

Texts are compared by their shapes (`dataengine.alike`). A prompt with several texts does not say in which order they
are read: each takes the line that is most like it, the likest first, and what is read beside them counts for nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import regex
from rapidfuzz.distance import Levenshtein

from dataengine.alike import fold

_WORD = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[^\s\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]+")


@dataclass(frozen=True)
class Score:
    """One picture's. Edits are characters to insert, delete or replace."""

    exact: bool
    words: int
    words_read: int
    characters: int
    edits: int
    similarity: float


@dataclass(frozen=True)
class Accuracy:
    """That of several pictures; shares from 0 to 1."""

    pictures: int
    exact: float
    words: float
    characters: float
    similarity: float

    @classmethod
    def of(cls, scores: Sequence[Score]) -> "Accuracy":
        count = len(scores)
        return cls(
            count,
            sum(s.exact for s in scores) / count,
            sum(s.words_read for s in scores) / max(1, sum(s.words for s in scores)),
            max(0.0, 1 - sum(s.edits for s in scores) / max(1, sum(s.characters for s in scores))),
            sum(s.similarity for s in scores) / count,
        )


def score(texts: Sequence[str], lines: Sequence[str]) -> Score:
    """What was read, line by line, against what should stand there. With one text all lines are that text."""
    read = ["".join(map(fold, lines))] if len(texts) == 1 else _assigned(texts, list(map(fold, lines)))
    pairs = [(fold(text), own) for text, own in zip(texts, read, strict=True)]
    edits = [Levenshtein.distance(a, b) for a, b in pairs]
    longest = [max(len(a), len(b), 1) for a, b in pairs]
    wanted, found = _words(texts), _words(lines)
    return Score(
        exact=not any(edits),
        words=wanted.total(),
        words_read=(wanted & found).total(),
        characters=sum(len(a) for a, _ in pairs),
        edits=sum(edits),
        similarity=sum(1 - e / n for e, n in zip(edits, longest, strict=True)) / len(pairs),
    )


def _assigned(texts: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The line of each text, no line for two; the empty one where none is left."""
    likeness = [
        (Levenshtein.normalized_similarity(fold(text), line), -i, -j)
        for i, text in enumerate(texts)
        for j, line in enumerate(lines)
    ]
    found: dict[int, int] = {}
    for _, i, j in sorted(likeness, reverse=True):
        if -i not in found and -j not in found.values():
            found[-i] = -j
    return [lines[found[i]] if i in found else "" for i in range(len(texts))]


def _words(texts: Iterable[str]) -> Counter[str]:
    return Counter(fold(word) for text in texts for word in _WORD.findall(text) if fold(word))
