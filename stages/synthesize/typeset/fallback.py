"""Which family writes what the paragraph's own cannot: words of another script, and signs.

A character of the paragraph's own script is never borrowed: one letter in another face spoils a line, and the paragraph
is refused instead.
"""

from collections.abc import Sequence
from functools import lru_cache

from fontTools import unicodedata

from fonts.catalog import Family
from fonts.coverage import coverage, is_invisible, uncovered
from stages.synthesize.typeset.style import Accent

script = lru_cache(maxsize=1 << 16)(unicodedata.script)  # a search among two thousand ranges


def main_script(text: str) -> str:
    """The script of most of a text's letters, ISO 15924; Zyyy, common to all scripts, where it has none."""
    letters = [script(c) for c in text if c.isalpha()] or ["Zyyy"]
    return max(dict.fromkeys(letters), key=letters.count)


def able(text: str, families: Sequence[Family]) -> list[Family]:
    """The families that can write every character of a text's own script: those characters are never lent."""
    main = main_script(text)
    own = {ord(c) for c in dict.fromkeys(text) if script(c) == main and not is_invisible(c)}
    return [family for family in families if own <= coverage(family)]


def borrowed(text: str, family: Family, others: Sequence[Family]) -> tuple[Accent, ...]:
    """Accents that set the stretches which `family` cannot write in the first of `others` that can. What none can
    write is left as it is."""
    missing = set(uncovered(family, text))
    if not missing:
        return ()
    main = main_script(text)
    found: list[Accent] = []
    for start, end in _stretches(text):
        stretch = text[start:end]
        if missing.isdisjoint(stretch) or script(stretch[0]) == main:
            continue
        lender = next((other for other in others if not uncovered(other, stretch)), None)
        if lender:
            found.append(Accent(start, end, family=lender))
    return tuple(found)


def _stretches(text: str) -> list[tuple[int, int]]:
    """The text cut wherever the script changes; marks go with what they stand on, signs stand alone."""
    found: list[tuple[int, int]] = []
    last = ""
    for place, character in enumerate(text):
        own = script(character)
        if found and (own == "Zinh" or (own == last and own != "Zyyy")):
            found[-1] = found[-1][0], place + 1
        else:
            found.append((place, place + 1))
            last = own
    return found
