import numpy as np
import pytest

from dataengine.errors import SampleError
from fonts import catalog
from fonts.coverage import uncovered
from stages.synthesize.typeset import Page, Style, Typesetter, main_script
from stages.synthesize.typeset.fallback import borrowed

LATIN = [f for f in catalog.for_language("en") if f.name in ("Noto Sans", "Noto Serif")]


def named(language: str, name: str):
    return next(f for f in catalog.for_language(language) if f.name == name)


def test_the_script_of_a_text_is_that_of_most_of_its_letters():
    assert main_script("1948") == "Zyyy"
    assert main_script("Article 第一條") == "Latn"
    assert main_script("日本国憲法") == "Hani"


def test_words_of_another_script_are_borrowed_whole():
    thai = named("th", "Noto Sans Thai")
    text = "สิทธิของ человек ทั้งหลาย"
    (accent,) = borrowed(text, thai, LATIN)
    assert text[accent.start : accent.end] == "человек" and accent.family in LATIN
    assert borrowed("สิทธิ", thai, LATIN) == ()


def test_a_letter_of_the_own_script_is_never_borrowed():
    caveat = named("en", "Caveat")
    rare = next(c for c in "ꞌꭓꬰɐʘ" if uncovered(caveat, c) and not uncovered(LATIN[0], c))
    assert borrowed(f"some {rare} text", caveat, LATIN) == ()
    setter = Typesetter([caveat, *LATIN])
    with pytest.raises(SampleError, match="cannot write"):
        setter.fit(f"some {rare} text", "en", Style(caveat, 400), 400, 100, 10, 30)


def test_borrowed_words_are_drawn_and_annotated():
    family = named("zh-Hans", "Noto Serif SC")
    text = "权利 สิทธิ 自由"
    thai = named("th", "Noto Sans Thai")
    assert uncovered(family, text)
    setter = Typesetter([family, thai])
    with pytest.raises(SampleError, match="cannot write"):
        setter.fit(text, "zh-Hans", Style(family, 400), 400, 100, 10, 30)  # Thai fonts are no lenders to Chinese
    devanagari = named("hi", "Hind")
    assert uncovered(devanagari, "человек")
    setter = Typesetter([devanagari, *LATIN])
    setting = setter.fit("सभी मनुष्यों को गौरव और человек अधिकार", "hi", Style(devanagari, 400), 400, 100, 10, 30)
    page = Page(np.full((200, 500, 3), 255, np.uint8))
    geometry = setter.draw(page, setting, 20, 20, (0, 0, 0))
    assert "человек" in geometry.words.texts
    assert [a.family.name for a in setting.draft.accents] == ["Noto Sans"]
