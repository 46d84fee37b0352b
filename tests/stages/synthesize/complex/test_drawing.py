from pathlib import Path

import numpy as np
import pytest

from dataengine.errors import ManifestError, SampleError
from dataengine.sample import generator
from fonts import catalog
from stages.synthesize import palette
from stages.synthesize.complex import draw, templates
from stages.synthesize.complex.template import Template
from stages.synthesize.scene import Drawn
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words.supply import Supply

LANGUAGES = ("en", "zh-Hans", "ja", "ar", "hi")
SIZES = ((1024, 1024), (1280, 720), (640, 960))
BUILT_IN = templates(None)


@pytest.fixture(scope="module")
def setter() -> Typesetter:
    return Typesetter([family for language in LANGUAGES for family in catalog.for_language(language)])


def drawn(setter: Typesetter, template: Template, language: str, size: tuple[int, int], index: int = 0) -> Drawn:
    rng = generator(template.name, 0, index)
    return draw(
        rng,
        setter=setter,
        supply=Supply("udhr", language, rng),
        families=catalog.for_language(language),
        size=size,
        smallest=12,
        contrast=4.5,
        templates=[template],
    )


def pages(setter: Typesetter, template: Template, language: str) -> list[Drawn]:
    """A page of each size that suits; a page whose words do not fit is passed over, but not all may be."""
    found, refused = [], []
    for size in SIZES:
        if not template.suits(*size):
            continue
        for index in range(4):
            try:
                found.append(drawn(setter, template, language, size, index))
                break
            except SampleError as error:
                refused.append(str(error))
    assert found, refused
    return found


def boxes(quads: np.ndarray) -> np.ndarray:
    corners = quads.reshape(-1, 4, 2)
    return np.concatenate([corners.min(1), corners.max(1)], axis=1)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", BUILT_IN, ids=lambda t: Path(t.file).stem)
def test_texts_stand_apart_within_the_picture_and_can_be_read(setter: Typesetter, template: Template, language: str):
    for page in pages(setter, template, language):
        height, width = page.pixels.shape[:2]
        rects = [boxes(paragraph.lines.quads) for paragraph in page.paragraphs]
        for number, first in enumerate(rects):
            assert (first[:, :2] >= 0).all() and (first[:, 2] <= width).all() and (first[:, 3] <= height).all()
            for second in rects[number + 1 :]:
                low = np.maximum(first[:, None, :2], second[None, :, :2])
                high = np.minimum(first[:, None, 2:], second[None, :, 2:])
                assert not ((high - low) > 0.5).all(-1).any()
        assert len(page.meta["contrast"]) == len(page.paragraphs) == len(page.scene.texts)
        assert min(page.meta["contrast"]) >= 4.5
        assert min(paragraph.size for paragraph in page.paragraphs) >= 12
        assert [p.order for p in page.paragraphs] == list(range(len(page.paragraphs)))
        assert [p.content for p in page.paragraphs] == [said.text for said in page.scene.texts]
        assert {said.ink for said in page.scene.texts} <= set(palette.COLOURS)


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda t: Path(t.file).stem)
def test_the_same_generator_draws_the_same_page_and_another_one_another(setter: Typesetter, template: Template):
    size = next(size for size in SIZES if template.suits(*size))
    same = [drawn(setter, template, "en", size, 1) for _ in range(2)]
    assert np.array_equal(same[0].pixels, same[1].pixels)
    assert not np.array_equal(same[0].pixels, drawn(setter, template, "en", size, 2).pixels)


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda t: Path(t.file).stem)
def test_every_character_has_ink_in_its_quad(setter: Typesetter, template: Template):
    size = next(size for size in SIZES if template.suits(*size))
    page = drawn(setter, template, "en", size, 3)
    for paragraph in page.paragraphs:
        for left, top, right, bottom in boxes(paragraph.characters.quads).round().astype(int):
            assert np.ptp(page.pixels[top:bottom, left:right].astype(int), axis=(0, 1)).max() > 25


def test_a_text_on_a_picture_asks_for_more_contrast_and_gets_it(setter: Typesetter):
    template = next(t for t in BUILT_IN if t.name == "an event poster")
    rng = generator("contrast", 0, 0)
    page = draw(
        rng,
        setter=setter,
        supply=Supply("udhr", "en", rng),
        families=catalog.for_language("en"),
        size=(640, 960),
        smallest=12,
        contrast=6.5,
        templates=[template],
    )
    assert min(page.meta["contrast"]) >= 6.5


def test_a_picture_that_no_template_suits_is_refused(setter: Typesetter):
    with pytest.raises(ManifestError, match="no template suits 2000×200"):
        drawn(setter, BUILT_IN[0], "en", (2000, 200))


def test_a_page_without_room_names_template_and_node(setter: Typesetter):
    with pytest.raises(SampleError, match=r"a dashboard: "):
        drawn(setter, next(t for t in BUILT_IN if t.name == "a dashboard"), "en", (96, 96))
