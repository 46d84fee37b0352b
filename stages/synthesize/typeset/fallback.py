"""Which family writes what the paragraph's own cannot: words of another script, and signs.

A character of the paragraph's own script is never borrowed: one letter in another face spoils a line, and the paragraph
is refused instead.
"""

from collections.abc import Sequence

from fontTools.unicodedata import script

from fonts.catalog import Family
from fonts.coverage import uncovered
from stages.synthesize.typeset.style import Accent


def main_script(text: str) -> str:
    """The script of most of a text's letters, ISO 15924; Zyyy, common to all scripts, where it has none."""
    letters = [script(c) for c in text if c.isalpha()] or ["Zyyy"]
    return max(dict.fromkeys(letters), key=letters.count)


def lacking(text: str, family: Family) -> list[str]:
    """The characters of a text's own script that a family cannot write: those that no other lends it."""
    main = main_script(text)
    return [c for c in uncovered(family, text) if script(c) == main]


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
