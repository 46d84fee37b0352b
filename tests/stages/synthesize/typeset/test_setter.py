import hashlib
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataengine.errors import SampleError, StageError
from fonts import catalog
from fonts.catalog import Family
from stages.synthesize.typeset import Geometry, Page, Setting, Style, Typesetter
from stages.synthesize.words import passages

LANGUAGES = ("en", "el", "ru", "vi", "zh-Hans", "zh-Hant", "ja", "ko", "ar", "fa", "he", "hi", "bn", "ta", "th")
TEXTS = {
    "en": "All human beings are born free, equal in dignity; “fly” officially — it’s well-known.",
    "ru": "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "zh-Hans": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。",
    "zh-Hant": "人人生而自由，在尊嚴和權利上一律平等。「他們」賦有理性和良心。",
    "ja": "すべての人間は、生まれながらにして自由であり、「尊厳」と権利とについて平等である。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "ar": "يُولد جميع الناس أحراراً متساوين في الكرامة والحقوق، عام 1948 في باريس.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है । क्षत्रिय।",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "vi": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.",
    "fa": "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند.",
    "he": "כל בני אדם נולדו בני חורין ושווים בערכם ובזכויותיהם, כולם חוננו בתבונה ובמצפון.",
    "bn": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    "ta": "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும், உரிமைகளிலும் சமமானவர்கள்.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ที่นี่",
}


@pytest.fixture(scope="module")
def setter() -> Typesetter:
    return Typesetter(catalog.families())


def fit(setter: Typesetter, text: str, language: str, width=600.0, height=500.0, family=0, **style) -> Setting:
    chosen = catalog.for_language(language)[family]
    return setter.fit(text, language, Style(chosen, chosen.weights[0], **style), width, height, 8, 200)


def drawn(setter: Typesetter, setting: Setting, only: int | None = None) -> tuple[np.ndarray, Geometry]:
    """How dark each pixel is, uint8 (600, 700), and the geometry."""
    page = Page(np.full((600, 700, 3), 255, np.uint8))
    geometry = setter.draw(page, setting, 50, 50, (0, 0, 0), only=only)
    return 255 - page.pixels()[..., 0], geometry


def without_space(text: str) -> str:
    return "".join(c for c in text if not c.isspace())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_ink_of_each_character_alone_lies_in_its_quad(setter: Typesetter, language: str):
    for family in range(len(catalog.for_language(language))):
        setting = fit(setter, TEXTS[language], language, family=family)
        _, geometry = drawn(setter, setting)
        assert len(geometry.characters.texts) > 20
        for row in range(0, len(geometry.characters.texts), 3):
            ink, _ = drawn(setter, setting, only=row)
            ys, xs = np.nonzero(ink > 16)
            assert len(xs), geometry.characters.texts[row]
            corners = geometry.characters.quads[row].reshape(4, 2)
            # cairo before 1.17.4 puts glyphs on whole pixels: half a pixel either way, and the pixel it touches
            assert xs.min() >= corners[:, 0].min() - 1.5 and xs.max() <= corners[:, 0].max() + 0.5
            assert ys.min() >= corners[:, 1].min() - 1.5 and ys.max() <= corners[:, 1].max() + 0.5


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_characters_drawn_one_by_one_are_the_paragraph(setter: Typesetter, language: str):
    setting = fit(setter, TEXTS[language], language)
    whole, geometry = drawn(setter, setting)
    layers = np.stack([drawn(setter, setting, only=row)[0] for row in range(len(geometry.characters.texts))])
    assert np.abs(layers.max(axis=0).astype(int) - whole).mean() < 0.05


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_words_and_characters_spell_the_text(setter: Typesetter, language: str):
    setting = fit(setter, TEXTS[language], language, width=300)
    _, geometry = drawn(setter, setting)
    content = without_space(setting.text)
    for spans in (geometry.lines, geometry.words, geometry.characters):
        assert without_space("".join(spans.texts)) == content
        assert (spans.quads[:, 2:4] != spans.quads[:, 0:2]).any()
    assert len(geometry.lines.texts) > 2


def test_a_line_is_made_of_whole_words_and_a_quad_holds_its_parts(setter: Typesetter):
    for language in LANGUAGES:
        _, geometry = drawn(setter, fit(setter, TEXTS[language], language, width=320))
        assert [without_space(t) for t in _regrouped(geometry.words.texts, geometry.lines.texts)] == [
            without_space(t) for t in geometry.lines.texts
        ]
        lines, words = (_boxes(s.quads) for s in (geometry.lines, geometry.words))
        inside = [((lines[:, :2] <= w[:2]) & (lines[:, 2:] >= w[2:])).all(axis=1).any() for w in words]
        assert all(inside)


def _regrouped(words: list[str], lines: list[str]) -> list[str]:
    """The words joined again up to the length of each line."""
    found, rest = [], list(words)
    for line in lines:
        taken = ""
        while rest and len(taken) < len(without_space(line)):
            taken += without_space(rest.pop(0))
        found.append(taken)
    return found


def _boxes(quads: np.ndarray) -> np.ndarray:
    corners = quads.reshape(-1, 4, 2)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def test_arabic_runs_from_the_right_and_its_numbers_from_the_left(setter: Typesetter):
    _, geometry = drawn(setter, fit(setter, "في عام 1948 هنا", "ar", height=60))
    quads = dict(zip(geometry.words.texts, geometry.words.quads, strict=True))
    assert list(quads) == ["في", "عام", "1948", "هنا"]
    starts = [quads[word][0] for word in ("في", "عام", "هنا")]
    assert starts == sorted(starts, reverse=True)
    assert quads["في"][0] > quads["في"][6] and quads["1948"][0] < quads["1948"][2]  # the start corner of each
    digits = [q[0] for t, q in zip(geometry.characters.texts, geometry.characters.quads, strict=True) if t.isdigit()]
    assert digits == sorted(digits)
    line = geometry.lines.quads[0].reshape(4, 2)
    assert line[0, 0] == line[:, 0].max() and line[0, 1] == line[:, 1].min()


def test_quads_run_clockwise_from_where_reading_starts(setter: Typesetter):
    for language in ("en", "ar"):
        _, geometry = drawn(setter, fit(setter, TEXTS[language], language))
        for quad in geometry.lines.quads:
            (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad.reshape(4, 2)
            area = (x0 * y1 - x1 * y0) + (x1 * y2 - x2 * y1) + (x2 * y3 - x3 * y2) + (x3 * y0 - x0 * y3)
            assert area > 0  # clockwise, with y downwards
            assert y0 == min(y0, y1, y2, y3)


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant", "ja"])
def test_no_line_begins_or_ends_with_a_mark_that_may_not_stand_there(setter: Typesetter, language: str):
    rng = np.random.default_rng(5)
    for width in range(200, 620, 30):
        text = passages.passage("udhr", language, 100, 160, rng)
        lines = drawn(setter, fit(setter, text, language, width=width, height=400))[1].lines.texts
        assert not any(line[0] in "、。，．：；！？）」』”’〉》】ーぁぃぅぇぉっゃゅょ々" for line in lines[1:])
        assert not any(line[-1] in "（「『“‘〈《【" for line in lines[:-1])


def test_thai_is_broken_between_the_words_of_a_dictionary(setter: Typesetter):
    _, geometry = drawn(setter, fit(setter, "ภาษาไทยเป็นภาษาราชการของประเทศไทย", "th", width=200))
    assert {"ภาษา", "ไทย", "เป็น", "ราชการ", "ของ", "ประเทศ"} <= set(geometry.words.texts)


def test_a_korean_word_stays_whole_unless_the_text_is_justified(setter: Typesetter):
    for width in range(200, 600, 50):
        lines = drawn(setter, fit(setter, TEXTS["ko"], "ko", width=width, align="center"))[1].lines.texts
        assert " ".join(lines).split() == TEXTS["ko"].split()
    justified = drawn(setter, fit(setter, TEXTS["ko"], "ko", width=200, align="justify"))[1].lines.texts
    assert " ".join(justified).split() != TEXTS["ko"].split()


def test_a_thai_repetition_mark_follows_its_word_onto_no_new_line(setter: Typesetter):
    for width in range(120, 400, 20):
        text = "บุคคลใด ๆ จะถูกทรมานหรือใด ๆ ไม่ได้"
        lines = drawn(setter, fit(setter, text, "th", width=width, align="center"))[1].lines.texts
        assert not any(line.startswith("ๆ") for line in lines)


def test_a_hindi_full_stop_begins_no_line(setter: Typesetter):
    for width in range(140, 400, 20):
        text = "जन्मजात समानता प्राप्त है । क़ानून की निगाह में सभी समान हैं ।"
        lines = drawn(setter, fit(setter, text, "hi", width=width, align="center"))[1].lines.texts
        assert not any(line.startswith("।") for line in lines)


def test_a_conjunct_is_one_character_and_a_letter_keeps_its_marks(setter: Typesetter):
    _, geometry = drawn(setter, fit(setter, "क्षत्रिय की", "hi"))
    assert geometry.characters.texts[0] == "क्ष" and geometry.characters.texts[-1] == "की"


@pytest.mark.parametrize("language", ["en", "zh-Hans", "ar", "th"])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(width=st.floats(120, 600), height=st.floats(60, 500), align=st.sampled_from(["start", "center", "justify"]))
def test_text_never_leaves_its_box_and_could_hardly_be_larger(setter, language, width, height, align):
    style = Style(catalog.for_language(language)[0], 400, align, 1.1)
    try:
        setting = setter.fit(TEXTS[language], language, style, width, height, 6, 120)
    except SampleError as error:
        assert "do not fit" in str(error)
        return
    assert setting.width <= width + 0.1 and setting.height <= height + 0.1
    page = Page(np.full((600, 700, 3), 255, np.uint8))
    quads = setter.draw(page, setting, 50, 50, (0, 0, 0)).lines.quads.reshape(-1, 2)
    overhang = 0.25 * setting.size  # ink of a first or last letter may reach a little beyond its advance
    assert quads[:, 0].min() >= 50 - overhang and quads[:, 0].max() <= 50 + width + overhang
    assert quads[:, 1].min() >= 50 - overhang and quads[:, 1].max() <= 50 + height + overhang
    if setting.size < 116:
        with pytest.raises(SampleError):
            setter.fit(TEXTS[language], language, style, width, height, setting.size * 1.03, 130)


def test_what_does_not_fit_is_an_error(setter: Typesetter):
    for text in ("word " * 400, "a" * 3000):
        with pytest.raises(SampleError, match="do not fit 100×40 px"):
            fit(setter, text, "en", width=100, height=40)


@pytest.mark.parametrize("language", ["en", "zh-Hans", "ko", "ar"])
@pytest.mark.parametrize("megabytes", [0.06, 1])
def test_a_megabyte_of_text_is_refused_soon(setter: Typesetter, language: str, megabytes: float):
    text = TEXTS[language] + " "
    began = time.monotonic()
    with pytest.raises(SampleError, match="do not fit"):
        fit(setter, text * int(megabytes * 1_000_000 // len(text.encode())), language)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("free 🙂 and equal", "U+1F642"),
        ("аб文", "U+6587"),
        ("x\u0378y", "U+0378"),
        ("a\x07b", "U+0007"),
        ("a\ud800", "U+D800"),
    ],
)
def test_one_character_that_cannot_be_written_rejects_the_paragraph_by_name(setter: Typesetter, text: str, code: str):
    with pytest.raises(SampleError, match=code.replace("+", r"\+")):
        fit(setter, text, "en")


@pytest.fixture
def lying(tmp_path: Path) -> Family:
    """A font with A drawn, B blank, and C drawn as the box for what is missing."""
    pen = TTGlyphPen(None)
    for corner, point in zip("mlll", [(50, 0), (50, 700), (550, 700), (550, 0)], strict=True):
        (pen.moveTo if corner == "m" else pen.lineTo)(point)
    pen.closePath()
    box = pen.glyph()
    for step, point in enumerate([(0, 0), (300, 700), (600, 0)]):
        (pen.lineTo if step else pen.moveTo)(point)
    pen.closePath()
    triangle = pen.glyph()
    blank = TTGlyphPen(None).glyph()
    shapes = {".notdef": box, "space": blank, "A": triangle, "B": blank, "C": box}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(shapes))
    builder.setupCharacterMap({ord(" "): "space", ord("A"): "A", ord("B"): "B", ord("C"): "C"})
    builder.setupGlyf(shapes)
    builder.setupHorizontalMetrics(dict.fromkeys(shapes, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Lying", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "lying.ttf")
    digest = catalog.digest_of(tmp_path / "lying.ttf")
    return Family("Lying", "serif", ("en",), (400,), "OFL-1.1", f"folder:{tmp_path}", ("lying.ttf",), (digest,))


@pytest.mark.parametrize(("text", "code"), [("AAB", "U+0042"), ("CA", "U+0043"), ("AAD", "U+0044")])
def test_a_glyph_that_is_blank_or_the_missing_box_rejects_the_paragraph(lying: Family, text: str, code: str):
    setter = Typesetter([lying])
    assert setter.fit("A A", "en", Style(lying, 400), 300, 300, 8, 100).text == "A A"
    with pytest.raises(SampleError, match=code.replace("+", r"\+")):
        setter.fit(text, "en", Style(lying, 400), 300, 300, 8, 100)


def test_an_empty_text_is_refused(setter: Typesetter):
    for text in ("", " \n\t "):
        with pytest.raises(SampleError, match="empty"):
            fit(setter, text, "en")


def test_joiners_and_selectors_need_no_glyph(setter: Typesetter):
    for text, language in (("क्‍षत्रिय", "hi"), ("می‌خواهم", "ar"), ("x\ufe0f", "en")):
        setting = fit(setter, text, language)
        assert without_space("".join(drawn(setter, setting)[1].characters.texts)) == setting.text


def test_text_is_composed_and_spaced_as_it_is_read(setter: Typesetter):
    assert fit(setter, "cafe\u0301  and\nbread", "en").text == "café and bread"


def test_text_over_the_edge_of_the_page_is_an_error(setter: Typesetter):
    setting = fit(setter, TEXTS["en"], "en")
    page = Page(np.full((300, 300, 3), 255, np.uint8))
    with pytest.raises(SampleError, match="over the edge"):
        setter.draw(page, setting, 50, 50, (0, 0, 0))


def test_centred_lines_are_even_and_in_the_middle_of_the_box(setter: Typesetter):
    setting = fit(setter, "Everyone has the right to take part in the government", "en", height=160, align="center")
    boxes = _boxes(drawn(setter, setting)[1].lines.quads)
    assert np.abs((boxes[:, 0] + boxes[:, 2]) / 2 - 350).max() < 4
    widths = boxes[:, 2] - boxes[:, 0]
    assert len(widths) > 1 and widths.min() > 0.6 * widths.max()


def test_justified_lines_end_together_unless_the_gaps_would_gape(setter: Typesetter):
    rng = np.random.default_rng(1)
    text = passages.passage("udhr", "en", 280, 380, rng)
    wide = _boxes(drawn(setter, fit(setter, text, "en", height=200, align="justify"))[1].lines.quads)
    assert np.ptp(wide[:-1, 2]) < 3
    narrow = _boxes(drawn(setter, fit(setter, text, "en", width=220, align="justify"))[1].lines.quads)
    assert np.ptp(narrow[:-1, 2]) > 3


@pytest.mark.parametrize("family", catalog.families(), ids=lambda f: f.name)
def test_every_family_is_drawn_by_its_own_files_and_heavier_where_it_is_bolder(setter: Typesetter, family):
    language = family.languages[0]
    darkness = []
    for weight in (family.weights[0], family.weights[-1]):
        setting = setter.fit(TEXTS[language], language, Style(family, weight), 600, 500, 30, 30)
        ink, _ = drawn(setter, setting)
        darkness.append(ink.sum(dtype=float))
    assert len(family.weights) == 1 or darkness[1] > 1.05 * darkness[0]


def test_a_family_under_a_wrong_name_is_not_drawn_by_another(setter: Typesetter):
    misnamed = replace(catalog.for_language("en")[0], name="Noto Snas")
    with pytest.raises(StageError, match="Noto Snas was drawn with"):
        drawn(setter, setter.fit("free and equal", "en", Style(misnamed, 400), 600, 300, 8, 200))


def test_fonts_of_the_machine_and_of_other_families_are_never_used():
    only_thai = Typesetter(catalog.for_language("th"))
    latin = catalog.for_language("en")[0]
    with pytest.raises(StageError, match="was drawn with"):
        drawn(only_thai, only_thai.fit("free and equal", "en", Style(latin, 400), 600, 300, 8, 200))


def test_another_process_draws_the_same_pixels(setter: Typesetter):
    program = (
        "import hashlib, tests_typeset as t; from fonts import catalog;"
        "s = t.Typesetter(catalog.families()); print(t.digest(s))"
    )
    path = Path(__file__)
    loader = f"import importlib.util as u, sys; p = u.spec_from_file_location('tests_typeset', {str(path)!r});"
    loader += "m = u.module_from_spec(p); sys.modules['tests_typeset'] = m; p.loader.exec_module(m);"
    done = subprocess.run([sys.executable, "-c", loader + program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(setter)


def digest(setter: Typesetter) -> str:
    """Of every language's pixels and quads."""
    found = hashlib.blake2b()
    for language in LANGUAGES:
        ink, geometry = drawn(setter, fit(setter, TEXTS[language], language, align="justify"))
        found.update(ink.tobytes() + geometry.characters.quads.tobytes())
    return found.hexdigest()
