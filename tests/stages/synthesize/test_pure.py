from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dataengine.errors import SampleError
from dataengine.sample import generator
from fonts import catalog
from stages.synthesize import palette, pure
from stages.synthesize.composition import COMPOSITIONS, Composition
from stages.synthesize.pure import Brief
from stages.synthesize.scene import Drawn
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words.supply import Supply

LANGUAGES = ("en", "zh-Hans", "ar", "th")


@pytest.fixture(scope="module")
def setter() -> Typesetter:
    return Typesetter([family for language in LANGUAGES for family in catalog.for_language(language)])


def brief(composition: Composition, language: str, index: int, size: tuple[int, int] = (640, 800)) -> Brief:
    rng = generator("test", 0, index)
    return pure.brief(
        rng,
        supply=Supply("udhr", language, rng),
        size=size,
        compositions=[composition],
        families=catalog.for_language(language),
        least_contrast=4.5,
    )


def drawable(setter: Typesetter, composition: Composition, language: str) -> list[Drawn]:
    """Some pages; a text that its family lacks a character of is passed over."""
    pages: list[Drawn] = []
    for index in range(20):
        try:
            pages.append(pure.draw(setter, brief(composition, language, index), 12, generator("draw", 0, index)))
        except SampleError:
            continue
        if len(pages) == 5:
            break
    return pages


def bounds(page: Drawn, paragraph: int) -> tuple[float, float]:
    """Top and bottom of a paragraph's lines."""
    quads = page.paragraphs[paragraph].lines.quads
    return float(quads[:, 1::2].min()), float(quads[:, 1::2].max())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("composition", COMPOSITIONS, ids=lambda c: c.name)
def test_paragraphs_stand_below_each_other_within_the_margins(setter: Typesetter, composition, language: str):
    for page in drawable(setter, composition, language):
        height, width = page.pixels.shape[:2]
        across, down = composition.margins[0] * width, composition.margins[1] * height
        edges = [bounds(page, number) for number in range(len(composition.blocks))]
        assert all(above[1] < below[0] for above, below in pairwise(edges))
        for paragraph in page.paragraphs:
            quads, overhang = paragraph.lines.quads, 0.25 * paragraph.size
            assert quads[:, 0::2].min() >= across - overhang and quads[:, 0::2].max() <= width - across + overhang
            assert quads[:, 1::2].min() >= down - overhang and quads[:, 1::2].max() <= height - down + overhang


@pytest.mark.parametrize("composition", [c for c in COMPOSITIONS if len(c.blocks) > 1], ids=lambda c: c.name)
def test_body_text_has_one_size_and_a_headline_is_well_above_it(setter: Typesetter, composition):
    for page in drawable(setter, composition, "en"):
        roles = [block.role for block in composition.blocks]
        bodies = [p.size for p, role in zip(page.paragraphs, roles, strict=True) if role == "body"]
        headings = [p.size for p, role in zip(page.paragraphs, roles, strict=True) if role == "heading"]
        assert max(bodies) <= 1.03 * min(bodies)
        assert all(heading >= 1.35 * max(bodies) for heading in headings)


def test_long_text_fills_its_page(setter: Typesetter):
    """Of the height between the margins, a book page of some hundred words takes most."""
    taken = []
    for page in drawable(setter, COMPOSITIONS[0], "en"):
        top, bottom = bounds(page, 0)
        taken.append((bottom - top) / (0.8 * page.pixels.shape[0]))
    assert np.median(taken) > 0.75


def test_the_ink_stands_out_from_all_of_the_background_by_the_contrast_that_is_stored(setter: Typesetter):
    for composition in COMPOSITIONS:
        for page in drawable(setter, composition, "en"):
            pixels = page.pixels
            ground = [tuple(int(c) for c in pixels[y, x]) for y in (0, -1) for x in (0, -1)]
            ink = palette.COLOURS[page.meta["ink"]]
            assert page.meta["contrast"] >= 4.5
            assert min(palette.contrast(ink, corner) for corner in ground) >= page.meta["contrast"] - 0.2


def test_what_does_not_fit_at_the_smallest_size_is_refused_not_cut(setter: Typesetter):
    long = replace(brief(COMPOSITIONS[0], "en", 0, (128, 128)), texts=("All are equal before the law. " * 10,))
    with pytest.raises(SampleError, match="do not fit"):
        pure.draw(setter, long, 20, np.random.default_rng(0))


def test_the_script_of_a_paragraph_is_that_of_most_of_its_letters(setter: Typesetter):
    for text, expected in (("1948", "Zyyy"), ("Article 第一條", "Latn")):
        family = catalog.for_language("zh-Hans")[0]
        page_brief = replace(brief(COMPOSITIONS[2], "zh-Hans", 0), texts=(text,), heading_family=family)
        page = pure.draw(setter, page_brief, 12, np.random.default_rng(0))
        assert [p.script for p in page.paragraphs] == [expected]


def test_a_page_does_not_say_the_same_thing_twice():
    for composition in COMPOSITIONS:
        for index in range(40):
            texts = brief(composition, "en", index).texts
            assert len(set(texts)) == len(texts)


def test_hardly_a_paragraph_ends_in_a_line_of_one_character(setter: Typesetter):
    endings = [
        len(paragraph.lines.texts[-1])
        for composition in COMPOSITIONS
        for page in drawable(setter, composition, "zh-Hans")
        for paragraph in page.paragraphs
        if len(paragraph.lines.texts) > 1
    ]
    assert len(endings) > 20 and np.mean([length > 2 for length in endings]) > 0.9
