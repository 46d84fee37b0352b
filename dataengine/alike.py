"""Texts compared by their shapes: what no reader of a picture could tell apart is folded into one before comparing.

That is NFKC without spaces, no case where a capital is the small letter's shape, larger (C and c; but A is not a), and
one character each for all quotation marks (lower ones are dropped), for dots in mid-line, and for dashes, among which
are a long vowel's mark and the ideograph of one.
"""

import unicodedata
from functools import lru_cache

_ALIKE = {
    **dict.fromkeys("‘’‛′`´", "'"),
    **dict.fromkeys("“”‟″«»", '"'),
    **dict.fromkeys("‚„", ""),  # the recogniser passes over them
    **dict.fromkeys("\u00ad‐‑‒–—―−ー一", "-"),
    **dict.fromkeys("•‧∙・", "·"),
}
_SCALED = frozenset("cosuvwxz")  # letters whose capitals are the same shape, larger
_TABLE = str.maketrans(_ALIKE)


def fold(text: str, letters: bool = False) -> str:
    """A text without what its shapes do not tell: see above. With `letters`, those and digits alone."""
    folded = "".join(map(_uncapped, plain(text))).replace("''", '"')
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LMN") if letters else folded


def plain(text: str) -> str:
    """Without compatibility forms, spaces, and characters that look like another."""
    return "".join(unicodedata.normalize("NFKC", text.translate(_TABLE)).translate(_TABLE).split())


@lru_cache(maxsize=1 << 16)
def _uncapped(character: str) -> str:
    """The small letter where the capital differs from it in size alone."""
    small = character.lower()
    return small if unicodedata.normalize("NFD", small)[0] in _SCALED else character
