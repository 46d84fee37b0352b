"""A contact sheet of every family in every language that it serves, to be judged by eye:

python -m stages.synthesize.specimen FOLDER [LANGUAGE ...]

One PNG a language: a row a family, its name and style beside a line of the Declaration in its lightest and heaviest.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dataengine.errors import SampleError, StageError
from fonts import catalog
from fonts.catalog import Family
from stages.synthesize.typeset import Page, Style, Typesetter
from stages.synthesize.words import corpus

_WIDTH, _ROW, _LABEL = 1600, 92, 330  # pixels
_SIZE, _SMALL = 34.0, 15.0
_PAPER, _INK, _FAINT, _RULE = (252, 251, 248), (24, 25, 30), (120, 122, 130), (224, 222, 216)


def sheet(language: str, families: Sequence[Family], label: Family) -> np.ndarray:
    """The families of a language, uint8 (height, 1600, 3), RGB; names are set in `label`."""
    setter = Typesetter(list(dict.fromkeys([*families, label])))
    text = max(corpus.load("udhr", language).paragraphs[:12], key=len)
    pixels = np.full((_ROW * len(families) + 24, _WIDTH, 3), _PAPER, np.uint8)
    pixels[_ROW - 2 :: _ROW] = _RULE
    page = Page(pixels)
    for number, family in enumerate(families):
        top = number * _ROW
        for line, (words, colour) in enumerate(((family.name, _INK), (f"{family.style} · {language}", _FAINT))):
            name = setter.fit(words, "en", Style(label, 400), _LABEL, 30, _SMALL, _SMALL)
            setter.draw(page, name, 24, top + 22 + 24 * line, colour)
        for line, weight in enumerate(dict.fromkeys((family.weights[0], family.weights[-1]))):
            _line(setter, page, text, language, Style(family, weight), top + 2 + 42 * line)
    return page.pixels()


def _line(setter: Typesetter, page: Page, text: str, language: str, style: Style, top: float) -> None:
    """As much of a text as one line takes."""
    for length in range(min(90, len(text)), 8, -2):
        try:
            setting = setter.fit(text[:length], language, style, _WIDTH - _LABEL - 60, 70, _SIZE * 0.8, _SIZE * 0.8)
        except SampleError:
            continue
        if setting.height < 62 and len(setting.draft.breaks.lines(1e9)) == 1 and np.isinf(setting.last_line):
            try:
                setter.draw(page, setting, _LABEL + 30, top, _INK)
            except SampleError:
                continue
            return


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    known = sorted({language for family in catalog.families() for language in family.languages})
    try:
        latin = next(family for family in catalog.for_language("en") if family.name == "Noto Sans")
        for asked in sys.argv[2:] or known:
            path = folder / f"{asked}.png"
            Image.fromarray(sheet(asked, catalog.for_language(asked), latin)).save(path)
            print(path)
    except StageError as error:
        sys.exit(f"error: {error}")
