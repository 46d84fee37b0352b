"""How Japanese words written in ideographs are read, for ruby: by SudachiPy's dictionary, 1 ms a paragraph."""

import re
from functools import cache
from typing import Any

_KANJI = re.compile("[\u3400-\u9fff\uf900-\ufaff々〆]")
_KANA = re.compile("[\u3041-\u3096ー]+")
# Katakana to hiragana, which readings are printed in.
_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}


@cache
def _tokenizer() -> Any:
    from sudachipy import Dictionary  # 90 MB of dictionary: loaded for Japanese only

    return Dictionary(dict="small").tokenizer()


def readings(text: str) -> list[tuple[int, int, str]]:
    """Start, end and reading in hiragana of each stretch of ideographs in a text, in order.

    The kana that a word ends with are part of neither: 授け is read さず above 授.
    """
    found = []
    for token in _tokenizer().tokenize(text):
        surface, start = token.surface(), token.begin()
        reading = token.reading_form().translate(_HIRAGANA)
        spoken = surface.translate(_HIRAGANA)
        first, last, cut = 0, len(surface), 0
        while first < last and not _KANJI.match(surface[first]) and reading[cut : cut + 1] == spoken[first]:
            first, cut = first + 1, cut + 1
        end = len(reading)
        while last > first and not _KANJI.match(surface[last - 1]) and reading[end - 1 : end] == spoken[last - 1]:
            last, end = last - 1, end - 1
        base = surface[first:last]
        if base and all(_KANJI.match(c) or _KANA.match(c) for c in base) and _KANA.fullmatch(reading[cut:end]):
            found.append((start + first, start + last, reading[cut:end]))
    return [item for item in found if _KANJI.search(text[item[0] : item[1]])]
