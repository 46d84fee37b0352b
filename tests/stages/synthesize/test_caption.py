import numpy as np
import pytest

from stages.synthesize.caption import LANGUAGES, write
from stages.synthesize.scene import Said, Scene

FACTS = {
    "strategy": "pure",
    "kind": "a book page",
    "background": "ivory",
    "details": ("softly shaded",),
    "language": "zh-Hant",
}


def captions(paragraphs: list[str], headed: bool = False, **facts: object) -> list[str]:
    roles = ["heading" if headed and number == 0 else "body" for number in range(len(paragraphs))]
    texts = tuple(Said(p, role, "navy blue", "handwritten") for p, role in zip(paragraphs, roles, strict=True))
    scene = Scene(**{**FACTS, **facts}, texts=texts)
    return [write(scene, np.random.default_rng(seed)) for seed in range(80)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_caption_names_every_fact_and_the_text_verbatim(count: int):
    paragraphs = ["人人生而自由。", "在尊嚴和權利上一律平等", "他們賦有理性和良心。"][:count]
    for caption in captions(paragraphs, headed=True):
        for fact in ("book page", "ivory background", "navy blue", "Traditional Chinese", "softly shaded"):
            assert fact in caption
        assert "hand" in caption
        assert all(f"“{paragraph}”" in caption for paragraph in paragraphs)
        assert [caption.index(p) for p in paragraphs] == sorted(caption.index(p) for p in paragraphs)


def test_captions_vary():
    assert len(set(captions(["Free and equal."]))) > 40


def test_a_caption_ends_in_one_full_stop():
    assert all(caption.endswith("equal.”") for caption in captions(["Free and equal."]))
    assert all(caption.endswith("equal”.") for caption in captions(["Free and equal"]))


def test_a_caption_begins_with_a_capital_and_uses_the_right_article():
    for caption in captions(["Free"], details=(), background="orange"):
        assert caption[0].isupper()
        assert "a orange" not in caption.lower() and "an plain" not in caption


def test_braces_in_the_text_are_text():
    assert all("“{first} {0} {}”" in caption for caption in captions(["{first} {0} {}"]))


def test_a_language_without_an_english_name_goes_by_its_code():
    assert "tlh" not in LANGUAGES
    assert all("tlh" in caption.lower() for caption in captions(["Qapla'"], language="tlh"))
