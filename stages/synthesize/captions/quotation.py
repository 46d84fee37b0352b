"""Texts in quotation marks: verbatim, in marks that the text itself does not have."""

from collections.abc import Sequence

Marks = Sequence[str]  # the opening one and the closing one, with the spaces that a language puts inside of them

STOPS = frozenset(".!?…。！？．।؟۔")
# For texts that have all the marks of their caption's language.
_OTHERS = ("“”", "«»", "「」", "『』", "„“", "‹›", "《》", "〈〉", '""')


def quote(text: str, usual: Sequence[Marks]) -> str:
    """The text, untouched, in the first of the usual marks that it does not contain itself."""
    for opening, closing in (*usual, *_OTHERS):
        if opening.strip() not in text and closing.strip() not in text:
            return f"{opening}{text}{closing}"
    opening, closing = usual[0]
    return f"{opening}{text}{closing}"


def ends(text: str) -> bool:
    """Whether a text brings its own full stop."""
    return text[-1:] in STOPS
