"""Accents by lot: which words of a paragraph are set off, and how, as printers of its script do it."""

import re

import numpy as np

from fonts.catalog import Family
from stages.synthesize.palette import COLOURS, Palette, highlight
from stages.synthesize.typeset import Accent
from stages.synthesize.words.readings import readings

_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u9fff]+")
_WORDS = re.compile(r"\S+")
_UNSPACED = frozenset({"ja", "zh-Hans", "zh-Hant", "th"})


def choose(
    rng: np.random.Generator,
    text: str,
    language: str,
    family: Family,
    weight: int,
    palette: Palette,
    most: int,
    least_contrast: float,
) -> tuple[Accent, ...]:
    """One to `most` accents of a text, apart from each other; none where it has too few words for that."""
    stretches = _stretches(text, language, rng)
    count = min(int(rng.integers(1, most + 1)), len(stretches) // 3)
    if count < 1:
        return ()
    chosen = sorted(rng.choice(len(stretches), count, replace=False).tolist())
    bolder = [w for w in family.weights if 200 <= w - weight <= 400]
    kinds = ["under", "colour", "highlight"]
    kinds += ["bold", "bold"] if bolder else []
    kinds += ["dots"] if language in ("ja", "zh-Hans", "zh-Hant") else []
    kind = kinds[int(rng.integers(len(kinds)))]
    marked = highlight(rng, palette.ink, least_contrast) if kind == "highlight" else None
    found = []
    for number in chosen:
        start, end = stretches[number]
        if kind == "bold":
            found.append(Accent(start, end, weight=bolder[0]))
        elif kind == "dots":
            found.append(Accent(start, end, dots=True))
        elif kind == "highlight" and marked:
            found.append(Accent(start, end, highlight=marked))
        elif kind == "colour" and palette.accent != palette.ink:
            found.append(Accent(start, end, colour=COLOURS[palette.accent]))
        else:
            found.append(Accent(start, end, line="under"))
    return tuple(found)


def _stretches(text: str, language: str, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Where accents may stand: one to three words, or two to six ideographs."""
    if language not in _UNSPACED:
        words = [m.span() for m in _WORDS.finditer(text)]
        step = int(rng.integers(1, 4))
        return [(words[i][0], words[min(i + step, len(words)) - 1][1]) for i in range(0, len(words), step + 1)]
    if language == "th":  # phrases, since words are not parted
        return [m.span() for m in _WORDS.finditer(text)]
    step = int(rng.integers(2, 7))
    return [(m.start(), min(m.end(), m.start() + step)) for m in _IDEOGRAPHS.finditer(text)]


def ruby(text: str) -> tuple[Accent, ...]:
    """The readings of a Japanese text."""
    return tuple(Accent(start, end, ruby=reading) for start, end, reading in readings(text))
