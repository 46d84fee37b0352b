"""Where one picture's words come from: a strategy asks its supply for a passage, a heading, or what fills a slot."""

from dataclasses import dataclass, field
from itertools import count

import numpy as np
import regex

from stages.synthesize.words import fill as fillers
from stages.synthesize.words import passages
from stages.synthesize.words.longtail import weave
from stages.synthesize.words.permutation import permuted
from stages.synthesize.words.strings import Strings

# How many characters say what one Latin character says.
DENSITY = {"zh-Hans": 0.4, "zh-Hant": 0.4, "ja": 0.5, "ko": 0.55}
PASSAGES = 8  # of a picture that have openings of their own
_OWN = 3  # openings of each of them: where the first leads to no whole sentences, the next may
_LONGEST_WORD = 16  # graphemes
_TRIES = 8
_WORD = regex.compile(r"[\p{L}\p{M}\u200c\u200d'’-]+")
_GRAPHEME = regex.compile(r"\p{L}\p{M}*")


@dataclass(frozen=True)
class Share:
    """A picture's share of a corpus: its `rank` among the set's pictures in its language, and the set's `key`. No other
    picture is given the same openings as long as the corpus has enough."""

    rank: int
    key: str


@dataclass(frozen=True)
class Supply:
    """The words of one picture, in one language; chance comes from the picture's own generator.

    Lengths are in characters of Latin text: scripts that say more with fewer get fewer. With a `share` no passage
    begins where one of another picture does; without, any may. `dealt` characters stand in its first passage. Where
    `strings` are given they stand for words.
    """

    corpus: str
    language: str
    rng: np.random.Generator
    share: Share | None = None
    dealt: tuple[str, ...] = ()
    strings: Strings | None = None
    _passages: count = field(default_factory=count, compare=False)

    def passage(self, shortest: int, longest: int) -> str:
        """Consecutive sentences."""
        number = next(self._passages)
        lengths = self._scaled(shortest), self._scaled(longest)
        text = passages.passage(self.corpus, self.language, *lengths, self.rng, self._own_openings(number))
        return weave(text, self.dealt, self.rng) if self.dealt and number == 0 else text

    def _own_openings(self, number: int) -> list[int] | None:
        if self.share is None or number >= PASSAGES:
            return None
        available = passages.openings(self.corpus, self.language)
        first = (self.share.rank * PASSAGES + number) * _OWN
        # Where the corpus is used up a new round begins, in another order.
        places = (divmod(first + own, available) for own in range(_OWN))
        return [permuted(place, available, f"{self.share.key}/{self.language}/{lap}") for lap, place in places]

    def heading(self, longest: int) -> str:
        """A heading, or one short clause without its stop."""
        return passages.heading(self.corpus, self.language, self._scaled(longest), self.rng)

    def line(self, longest: int) -> str:
        """One short line."""
        return self.heading(longest)

    def word(self) -> str:
        """One word; one to three characters of a language that does not part its words."""
        if self.strings:
            return self.strings.draw(self.rng)
        for _ in range(_TRIES):
            words = _WORD.findall(self._anywhere())
            if not words:
                continue
            word = words[int(self.rng.integers(len(words)))]
            if self.language in DENSITY and self.language != "ko":
                start = int(self.rng.integers(len(word)))
                return word[start : start + int(self.rng.integers(1, 4))]
            if len(regex.findall(r"\X", word)) <= _LONGEST_WORD:
                return word
        return self.character()

    def character(self) -> str:
        """One letter or ideograph, with its marks."""
        found = _GRAPHEME.findall(self._anywhere())
        return found[int(self.rng.integers(len(found)))]

    def fill(self, kind: str, longest: int = 40) -> str:
        """What fills a template's slot of a kind, such as a name, a price or a button; at most `longest` characters."""
        match kind:
            case "title":
                return self.heading(longest)
            case "sentence":
                return self.passage(min(20, longest), longest)
            case "word":
                return self.word()
        return fillers.fill(kind, self.language, longest, self.rng)

    def _anywhere(self) -> str:
        return passages.passage(self.corpus, self.language, 20, 60, self.rng)

    def _scaled(self, characters: int) -> int:
        return max(2, round(characters * DENSITY.get(self.language, 1.0)))


def capacity(corpus: str, language: str) -> int:
    """How many pictures of a set can have passages of their own, none beginning where another does."""
    return passages.openings(corpus, language) // (PASSAGES * _OWN)
