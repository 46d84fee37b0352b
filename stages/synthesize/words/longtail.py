"""Rare characters: which ones each picture of a set has to show, and how they get into its text.

A set asks that every character of a list stand in it at least so often. The repetitions are dealt to the pictures by a
seeded permutation, so that picture `i` knows its own without dealing the others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import regex

from dataengine.config import suggest
from dataengine.errors import StageError
from stages.synthesize.words.permutation import permuted

_TIERS = {f"general-standard-{tier}": tier - 1 for tier in (1, 2, 3)}
NAMES = ("general-standard", *_TIERS)
_IDEOGRAPH = regex.compile(r"\p{Han}")


@cache
def characters(name: str) -> tuple[str, ...]:
    """The characters of a list, each once, in order: `general-standard` is the Table of General Standard Chinese
    Characters, `general-standard-1` to `-3` its tiers; anything else is the path of a UTF-8 file. In files, lines that
    begin with # are comments and spaces count for nothing. Raises StageError for what is no list."""
    if name in NAMES:
        lines = _lines(files("stages.synthesize.words").joinpath("general_standard.txt").read_text(encoding="utf-8"))
        return tuple("".join(lines if name == NAMES[0] else [lines[_TIERS[name]]]))
    try:
        text = Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(
            f"no list of characters {name!r}{suggest(name, NAMES)}: {error}",
            f"give one of {', '.join(NAMES)}, or a UTF-8 file of characters",
        ) from None
    found = tuple(dict.fromkeys(c for line in _lines(text) for c in line if not c.isspace()))
    if not found:
        raise StageError(f"{name}: there is no character in it", "put the characters to be shown there")
    return found


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@dataclass(frozen=True)
class Deal:
    """`wanted` characters, each in `at_least` of `count` pictures; `key` seeds the order. Raises ValueError when there
    are fewer pictures than that."""

    wanted: Sequence[str]
    at_least: int
    count: int
    key: str

    def __post_init__(self) -> None:
        if self.count < self.at_least:
            raise ValueError(f"{self.count} pictures cannot show each character {self.at_least} times, once each")

    def of(self, index: int) -> tuple[str, ...]:
        """What the picture at an index has to show. Beyond the last picture a second deal begins.

        The characters, in seeded order, are dealt round the pictures like cards; each repetition begins the round at
        another picture, so that no picture gets a character twice, and all get as many to within `at_least`.
        """
        lap, index = divmod(index, self.count)
        size, step = len(self.wanted), self.count // self.at_least
        starts = ((index - repetition * step) % self.count for repetition in range(self.at_least))
        places = (permuted(card, size, f"{self.key}/{lap}") for s in starts for card in range(s, size, self.count))
        return tuple(self.wanted[place] for place in places)


def weave(text: str, dealt: Sequence[str], rng: np.random.Generator) -> str:
    """A text that holds all dealt characters: those that it lacks take the places of ideographs, spread over it, never
    two side by side, and what finds no place follows as a list. Punctuation, digits and letters stay where they are."""
    lacking = [c for c in dict.fromkeys(dealt) if c not in text]
    places = [m.start() for m in _IDEOGRAPH.finditer(text) if m.group() not in dealt]
    places = places[int(rng.integers(2)) :: 2]
    chosen = np.linspace(0, len(places), min(len(lacking), len(places)), endpoint=False).astype(int)
    letters = list(text)
    for place, character in zip(chosen, lacking, strict=False):
        letters[places[place]] = character
    rest = lacking[len(chosen) :]
    return "".join(letters) + ("、".join(rest) + "。" if rest else "")


def counts(texts: Iterable[str], wanted: Sequence[str]) -> dict[str, int]:
    """How often each wanted character stands in some texts."""
    found = dict.fromkeys(wanted, 0)
    for text in texts:
        for character in text:
            if character in found:
                found[character] += 1
    return found
