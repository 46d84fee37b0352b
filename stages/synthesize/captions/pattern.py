"""Sentence patterns: `{ink} text on a(n) {background} background.`, a sentence with places for facts.

A plural name such as `{inks}` takes one value or several, a singular one only a single value, for patterns that need an
adjective there. `a(n)` before a place becomes `a` or `an` as the value asks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

from stages.synthesize.captions.quotation import STOPS

PLURALS = {"inks": "ink", "writings": "writing", "languages": "language"}
SPEAKING = frozenset({"text", "texts", "heading"})  # values that are visible text, in quotation marks
_ARTICLE = "a(n) "
_VOWEL = re.compile(r"(?!uk|us|uni|eu|one)[aeiou]", re.IGNORECASE)


@dataclass(frozen=True)
class Pattern:
    """A sentence as literals, each followed by the name of a value, the last by None."""

    pieces: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Raises ValueError for a brace that opens or closes nothing."""
        return cls(tuple((literal, name) for literal, name, _, _ in Formatter().parse(text)))

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(name for _, name in self.pieces if name)

    @cached_property
    def facts(self) -> frozenset[str]:
        """What it says something about: its names, plurals as their singulars."""
        return frozenset(PLURALS.get(name, name) for name in self.names)

    @cached_property
    def closes(self) -> bool:
        """Whether it ends in a text and a full stop."""
        return len(self.pieces) > 1 and self.pieces[-2][1] in SPEAKING and self.pieces[-1][0] in STOPS

    def fill(self, values: Mapping[str, str], stopped: bool = False) -> str:
        """The sentence. `stopped`: the text at its end, if it has one there, brings a full stop of its own."""
        parts: list[str] = []
        for literal, name in self.pieces[:-1] if stopped and self.closes else self.pieces:
            if name is None:
                parts.append(literal)
                continue
            value = values[name]
            if literal.endswith(_ARTICLE):
                literal = literal[: -len(_ARTICLE)] + ("an " if _VOWEL.match(value) else "a ")
            parts += (literal, value)
        return "".join(parts)
