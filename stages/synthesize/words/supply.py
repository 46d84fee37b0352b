"""Where one picture's words come from: a strategy asks its supply for a passage, a heading, or what fills a slot."""

from dataclasses import dataclass

import numpy as np
import regex

from stages.synthesize.words import passages


@dataclass(frozen=True)
class Supply:
    """The words of one picture, in one language; chance comes from the picture's own generator.

    Lengths are in characters of Latin text: scripts that say more with fewer get fewer.
    """

    corpus: str
    language: str
    rng: np.random.Generator

    def passage(self, shortest: int, longest: int) -> str:
        """Consecutive sentences."""
        return passages.passage(self.corpus, self.language, self._scaled(shortest), self._scaled(longest), self.rng)

    def heading(self, longest: int) -> str:
        """A heading, or one short clause without its stop."""
        return passages.heading(self.corpus, self.language, self._scaled(longest), self.rng)

    def line(self, longest: int) -> str:
        """One short line."""
        return self.heading(longest)

    def word(self) -> str:
        """One word; two or so ideographs of a language that does not part its words."""
        words = self.passage(20, 60).split()
        word = words[int(self.rng.integers(len(words)))].strip(_MARKS) or words[0]
        return word[:16] if self.language not in DENSITY else word[: int(self.rng.integers(1, 4))]

    def character(self) -> str:
        """One letter or ideograph, with its marks."""
        graphemes = regex.findall(r"\p{L}\p{M}*", self.passage(20, 60))
        return graphemes[int(self.rng.integers(len(graphemes)))]

    def fill(self, kind: str, longest: int = 40) -> str:
        """What fills a template's slot of a kind, such as a name, a price or a button."""
        return self.heading(longest)

    def _scaled(self, characters: int) -> int:
        return max(2, round(characters * DENSITY.get(self.language, 1.0)))


_MARKS = ".,;:!?()[]«»“”\"'、。，；：！？「」『』（）।؟،؛"
# How many characters say what one Latin character says.
DENSITY = {"zh-Hans": 0.4, "zh-Hant": 0.4, "ja": 0.5, "ko": 0.55}
