"""Where words may be divided, as soft hyphens in the text: by the patterns of TeX, which pyphen brings."""

import re
from functools import cache

import pyphen

from stages.synthesize.typeset.glyphs import SOFT_HYPHEN

_WORD = re.compile(r"[^\W\d_]{6,}")
_PATTERNS = {"en": "en_US", "pt": "pt_BR", "de": "de_DE"}


@cache
def patterns(language: str) -> pyphen.Pyphen | None:
    """The patterns of a language; None where there are none, as in languages that do not divide words."""
    name = pyphen.language_fallback(_PATTERNS.get(language, language))
    return pyphen.Pyphen(lang=name, left=3, right=3) if name else None


def hyphenated(text: str, language: str) -> str:
    """The text with a soft hyphen wherever a word may be divided. Words in capitals are left whole."""
    found = patterns(language)
    if found is None:
        return text
    return _WORD.sub(lambda word: _divided(found, word.group()), text)


def _divided(found: pyphen.Pyphen, word: str) -> str:
    return word if word.isupper() else found.inserted(word, SOFT_HYPHEN)
