from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from dataengine.errors import SampleError
from dataengine.sample import generator
from fonts import catalog
from stages.synthesize import palette, pure
from stages.synthesize.composition import COMPOSITIONS, Composition
from stages.synthesize.pure import Brief, Text
from stages.synthesize.scene import Drawn
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words.supply import Supply

LANGUAGES = ("en", "zh-Hans", "ja", "ar", "th")


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


def drawable(setter: Typesetter, composition: Composition, language: str, most: int = 3) -> list[Drawn]:
    """Some pages; a text that its family lacks a character of is passed over."""
    pages: list[Drawn] = []
    if not composition.suits(language):
        return pages
    for index in range(12):
        try:
            pages.append(pure.draw(setter, brief(composition, language, index), 12, generator("draw", 0, index)))
        except SampleError:
            continue
        if len(pages) == most:
            break
    return pages


def bounds(page: Drawn, paragraph: int) -> tuple[float, float]:
    """Top and bottom of a paragraph's lines."""
    quads = page.paragraphs[paragraph].lines.quads
    return float(quads[:, 1::2].min()), float(quads[:, 1::2].max())


def parts(page_brief: Brief) -> list[Text]:
    return [*page_brief.head, *page_brief.story]


def test_there_are_compositions_enough_and_each_suits_some_language():
    assert len(COMPOSITIONS) >= 10 and len({c.name for c in COMPOSITIONS}) == len(COMPOSITIONS)
    assert all(any(c.suits(language) for language in ("en", "ja")) for c in COMPOSITIONS)
    assert not any(c.head for c in COMPOSITIONS if c.vertical)
    for language in LANGUAGES:
        suiting = [c for c in COMPOSITIONS if c.suits(language)]
        assert len(suiting) >= 10
        assert all(c.vertical is False or language in ("ja", "zh-Hans", "zh-Hant") for c in suiting)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("composition", COMPOSITIONS, ids=lambda c: c.name)
def test_paragraphs_stand_within_the_margins_and_apart(setter: Typesetter, composition: Composition, language: str):
    for page in drawable(setter, composition, language):
        height, width = page.pixels.shape[:2]
        across, down = composition.margins[0] * width, composition.margins[1] * height
        boxes = []
        for paragraph in page.paragraphs:
            quads = paragraph.lines.quads
            swash, overhang = 0.9 * paragraph.size, 0.4 * paragraph.size  # letters of scripts and brushes reach far
            assert quads[:, 0::2].min() >= across - swash and quads[:, 0::2].max() <= width - across + swash
            assert quads[:, 1::2].min() >= down - overhang and quads[:, 1::2].max() <= height - down + overhang
            corners = quads.reshape(-1, 4, 2)
            boxes += [(*c.min(axis=0), *c.max(axis=0), paragraph.order, paragraph.size) for c in corners]
        for one, other in combinations(boxes, 2):
            if one[4] != other[4]:
                shared = np.minimum(one[2:4], other[2:4]) - np.maximum(one[:2], other[:2])
                assert shared.min() <= 0.4 * one[5], (one, other)  # boxes of lines set close, not their ink


@pytest.mark.parametrize("composition", [c for c in COMPOSITIONS if c.story], ids=lambda c: c.name)
def test_a_story_has_one_size_and_its_headings_are_above_it(setter: Typesetter, composition: Composition):
    language = "ja" if composition.vertical else "en"
    for index in range(6):
        page_brief = brief(composition, language, index)
        try:
            page = pure.draw(setter, page_brief, 12, generator("draw", 0, index))
        except SampleError:
            continue
        contents = {text.content: text for text in parts(page_brief)}
        own = [
            (p.size, contents[p.content.split(" ", 1)[-1] if p.content not in contents else p.content].part)
            for p in page.paragraphs
            if p.content in contents or p.content.split(" ", 1)[-1] in contents
        ]
        texts = [size for size, part in own if part in composition.story and part.unit == "passage"]
        subheadings = [size for size, part in own if part in composition.story and part.unit == "heading"]
        titles = [size for size, part in own if part in composition.head and part.bold]
        assert texts and max(texts) <= 1.001 * min(texts)
        assert all(size == pytest.approx(1.25 * texts[0], rel=0.01) for size in subheadings)
        assert all(size >= 1.35 * texts[0] for size in titles)


def test_long_text_fills_its_page(setter: Typesetter):
    """Of the height between the margins, a book page of some hundred words takes most."""
    taken = []
    for page in drawable(setter, COMPOSITIONS[0], "en"):
        top, bottom = bounds(page, 0)
        taken.append((bottom - top) / (0.8 * page.pixels.shape[0]))
    assert np.median(taken) > 0.75


def test_columns_are_filled_evenly(setter: Typesetter):
    composition = next(c for c in COMPOSITIONS if c.columns == 3)
    for page in drawable(setter, composition, "en"):
        quads = np.concatenate([p.lines.quads for p in page.paragraphs[2:]])
        column = np.digitize(quads[:, 0], [page.pixels.shape[1] * third for third in (0.355, 0.65)])
        ends = [quads[column == number, 1::2].max() for number in range(3)]
        assert min(ends[:2]) > ends[2] - 2 * max(p.size for p in page.paragraphs[2:])
        assert max(ends) - min(ends) < 0.3 * page.pixels.shape[0]


def test_each_paragraph_stands_out_from_all_of_the_background_by_the_contrast_that_is_stored(setter: Typesetter):
    for composition in COMPOSITIONS:
        for page in drawable(setter, composition, "ja" if composition.vertical else "en")[:2]:
            pixels = page.pixels
            ground = [tuple(int(c) for c in pixels[y, x]) for y in (0, -1) for x in (0, -1)]
            assert len(page.meta["contrast"]) == len(page.scene.texts)
            for said, stored in zip(page.scene.texts, page.meta["contrast"], strict=True):
                assert stored >= 4.5
                ink = palette.COLOURS[said.ink]
                assert min(palette.contrast(ink, corner) for corner in ground) >= stored - 0.3


def test_what_does_not_fit_at_the_smallest_size_is_refused_not_cut(setter: Typesetter):
    page_brief = brief(COMPOSITIONS[0], "en", 0, (128, 128))
    long = replace(page_brief, story=(replace(page_brief.story[0], content="All are equal before the law. " * 10),))
    with pytest.raises(SampleError, match="do not fit"):
        pure.draw(setter, long, 20, np.random.default_rng(0))


def test_a_page_does_not_say_the_same_thing_twice():
    for composition in COMPOSITIONS:
        for index in range(20):
            if composition.suits("en"):
                texts = [text.content for text in parts(brief(composition, "en", index))]
                assert len(set(texts)) == len(texts)


def test_a_japanese_page_with_readings_annotates_them(setter: Typesetter):
    found = 0
    for index in range(24):
        page_brief = brief(COMPOSITIONS[0], "ja", index)
        readings = [a.ruby for text in parts(page_brief) for a in text.accents if a.ruby]
        if readings:
            page = pure.draw(setter, page_brief, 8, generator("draw", 0, index))
            assert page.paragraphs[1].content == "".join(readings)
            assert page.paragraphs[1].size == pytest.approx(page.paragraphs[0].size / 2, abs=0.01)
            found += 1
    assert found >= 3


@pytest.mark.parametrize("language", ["en", "zh-Hans", "ar", "th"])
def test_accents_lie_within_their_text_and_apart(language: str):
    composition = next(c for c in COMPOSITIONS if any(part.accents for part in c.story))
    kinds = set()
    for index in range(30):
        for text in brief(composition, language, index).story:
            spans = sorted((a.start, a.end) for a in text.accents)
            assert all(0 <= start < end <= len(text.content) for start, end in spans)
            assert all(one[1] <= other[0] for one, other in pairwise(spans))
            kinds |= {(a.weight, a.line, bool(a.highlight), bool(a.colour), a.dots) for a in text.accents}
    assert len(kinds) >= 3


def test_hardly_a_paragraph_ends_in_a_line_of_one_character(setter: Typesetter):
    endings = [
        len(paragraph.lines.texts[-1])
        for composition in COMPOSITIONS
        for page in drawable(setter, composition, "zh-Hans", most=12)
        for paragraph in page.paragraphs
        if len(paragraph.lines.texts) > 1
    ]
    assert len(endings) > 20 and np.mean([length > 2 for length in endings]) > 0.9
