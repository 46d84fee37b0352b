"""Milliseconds a page of text, by language, beside encoding that page as a JPEG in the same run.

    python benchmarks/synth.py [pages]

A page is 1024 × 1024 with about 300 characters, their size found automatically, with the quadrilaterals
of lines, words and characters and the caption. Families and weights rotate, so that fonts are not
always warm. The baseline is Pillow's JPEG encoder at quality 92 without chroma subsampling, on the same pixels.
"""

import sys
import time
from dataclasses import replace
from statistics import median

import numpy as np

from dataengine.errors import SampleError
from dataengine.sample import generator
from fonts import catalog
from stages.synthesize import pure
from stages.synthesize.composition import Block, Composition
from stages.synthesize.text_set import encode
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words.supply import DENSITY, Supply

LANGUAGES = ("en", "ru", "zh-Hans", "zh-Hant", "ja", "ko", "ar", "hi", "th")
BLOCK = Block("body", 1.0, (0.01, 0.2), (280, 320), "justify", leading=1.15)


def main(pages: int) -> None:
    setter = Typesetter(catalog.families())
    print(
        f"{'language':<10}{'characters':>11}{'draw ms':>9}{'JPEG ms':>9}{'all ms':>8}{'all / JPEG':>12}{'pages/s':>9}"
    )
    for language in LANGUAGES:
        drawing, encoding, characters = [], [], []
        wanted = round(300 / DENSITY.get(language, 1))  # of Latin text, which the supply scales down again
        block = replace(BLOCK, characters=(wanted - 20, wanted + 20))
        composition = Composition("a book page", (block,), (0.08, 0.08))
        for index in range(-len(catalog.for_language(language)) * 2, pages):  # negative: warming up
            rng = generator("benchmark", 0, index)
            began = time.perf_counter()
            try:
                brief = pure.brief(
                    rng,
                    supply=Supply("udhr", language, rng),
                    size=(1024, 1024),
                    compositions=[composition],
                    families=catalog.for_language(language),
                    least_contrast=4.5,
                )
                page = pure.draw(setter, brief, 10, rng)
            except SampleError:  # a character that the family lacks
                continue
            drawn = time.perf_counter()
            encode(page.pixels, "jpeg", 92)
            if index >= 0:
                drawing.append(drawn - began)
                encoding.append(time.perf_counter() - drawn)
                characters.append(sum(len(p.content) for p in page.paragraphs))
        draw, jpeg = median(drawing) * 1e3, median(encoding) * 1e3
        print(
            f"{language:<10}{np.mean(characters):>11.0f}{draw:>9.2f}{jpeg:>9.2f}{draw + jpeg:>8.2f}"
            f"{(draw + jpeg) / jpeg:>12.2f}{1e3 / (draw + jpeg):>9.0f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
