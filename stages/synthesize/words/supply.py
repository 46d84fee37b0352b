"""Where one picture's words come from: a strategy asks its supply for a passage, a heading, or what fills a slot."""

from dataclasses import dataclass

import numpy as np

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

    def fill(self, kind: str, longest: int = 40) -> str:
        """What fills a template's slot of a kind, such as a name, a price or a button."""
        return self.heading(longest)

    def _scaled(self, characters: int) -> int:
        return max(2, round(characters * DENSITY.get(self.language, 1.0)))


# How many characters say what one Latin character says.
DENSITY = {"zh-Hans": 0.4, "zh-Hant": 0.4, "ja": 0.5, "ko": 0.55}
