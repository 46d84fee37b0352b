"""Paragraphs beyond the plain: accents, ruby, vertical lines, drop caps, markers, hyphens."""

import unicodedata

import numpy as np
import pytest

from dataengine.errors import SampleError
from fonts import catalog
from stages.synthesize.typeset import Accent, Geometry, Page, Setting, Style, Typesetter, kinsoku
from stages.synthesize.typeset.hyphens import hyphenated

EN = (
    "Whereas recognition of the inherent dignity and of the equal and inalienable rights of all members of the human "
    "family is the foundation of freedom, justice and peace in the world."
)
JA = "日本国憲法は、12月25日に「公布」された。Englishも（混ぜる）ことができる。第3章は国民の権利及び義務!!"
AR = "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق English 123 وقد وهبوا عقلا وضميرا."
RUBY = (Accent(0, 2, ruby="にほん"), Accent(2, 5, ruby="こくけんぽう"))
SOFT = "\u00ad"


@pytest.fixture(scope="module")
def setter() -> Typesetter:
    return Typesetter(
        [family for language in ("en", "ja", "zh-Hans", "ar") for family in catalog.for_language(language)]
    )


def style(language: str, **values: object) -> Style:
    family = next(f for f in catalog.for_language(language) if 400 in f.weights and f.style == "serif")
    return Style(family, 400, **values)


CASES = {
    "drop cap": (EN, "en", {"drop": 3, "align": "justify"}, ()),
    "drop cap with its quotation mark": (f"“{EN}”", "en", {"drop": 2}, ()),
    "marker": (EN, "en", {"hang": 1.6, "marker": "•"}, ()),
    "number from the right": (AR, "ar", {"hang": 2.0, "marker": "١."}, ()),
    "indent": (EN, "en", {"indent": 1.5, "align": "justify"}, ()),
    "small capitals": (EN, "en", {"features": "smcp"}, ()),
    "tracking": (EN, "en", {"tracking": 0.1}, ()),
    "hyphens": (EN, "en", {"hyphenate": True, "align": "justify"}, (Accent(8, 19, weight=700),)),
    "accents": (
        EN,
        "en",
        {},
        (Accent(8, 19, size=1.5), Accent(27, 35, line="under"), Accent(40, 50, colour=(9, 0, 0))),
    ),
    "ruby": (JA, "ja", {}, RUBY),
    "vertical": (JA, "ja", {"vertical": True}, (*RUBY, Accent(16, 18, dots=True))),
    "vertical, justified": (JA, "ja", {"vertical": True, "align": "justify"}, ()),
}


def fit(setter: Typesetter, case: str, width: float = 300.0, height: float = 320.0) -> Setting:
    text, language, values, accents = CASES[case]
    return setter.fit(text, language, style(language, **values), width, height, 8, 60, accents)


def drawn(setter: Typesetter, setting: Setting, only: int | None = None) -> tuple[np.ndarray, Geometry]:
    page = Page(np.full((420, 420, 3), 255, np.uint8))
    geometry = setter.draw(page, setting, 50, 50, (0, 0, 0), only=only)
    return 255 - page.pixels().min(axis=2), geometry


def bounds(quads: np.ndarray) -> np.ndarray:
    corners = quads.reshape(-1, 4, 2)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def letters(text: str) -> str:
    return "".join(c for c in text if not c.isspace() and c != SOFT)


@pytest.mark.parametrize("case", CASES)
def test_the_ink_of_each_character_alone_lies_in_its_quad(setter: Typesetter, case: str):
    setting = fit(setter, case)
    _, geometry = drawn(setter, setting)
    boxes = bounds(geometry.characters.quads)
    for row in range(0, len(boxes), 2):
        ink, _ = drawn(setter, setting, only=row)
        ys, xs = np.nonzero(ink > 16)
        assert len(xs), geometry.characters.texts[row]
        left, top, right, bottom = boxes[row]
        assert xs.min() >= left - 1.5 and xs.max() <= right + 0.5
        assert ys.min() >= top - 1.5 and ys.max() <= bottom + 0.5


@pytest.mark.parametrize("case", CASES)
def test_all_spans_spell_the_paragraph_within_its_box(setter: Typesetter, case: str):
    setting = fit(setter, case)
    _, geometry = drawn(setter, setting)
    for spans in (geometry.lines, geometry.words, geometry.characters):
        assert letters("".join(spans.texts)) == letters(setting.text)
    boxes = bounds(geometry.characters.quads)
    assert (boxes[:, :2] >= 49).all()
    assert (boxes[:, 2:] <= [50 + 300 + 1, 50 + 320 + 1]).all()


def test_a_drop_cap_is_as_high_as_its_lines_and_the_others_stand_beside_it(setter: Typesetter):
    _, geometry = drawn(setter, fit(setter, "drop cap"))
    lines = bounds(geometry.lines.quads)
    assert geometry.lines.texts[0] == "W"
    cap, beside, below = lines[0], lines[1:4], lines[4:]
    assert (beside[:, 0] > cap[2]).all() and np.ptp(beside[:, 0]) < 2
    assert (below[:, 0] < cap[0] + 3).all() and (below[:, 1] > cap[3] - 1).all()
    assert abs(cap[1] - beside[0, 1]) < 0.15 * (cap[3] - cap[1])  # as high as the capitals and ascenders beside it


def test_a_drop_cap_needs_a_letter(setter: Typesetter):
    with pytest.raises(SampleError, match="does not begin with a letter"):
        setter.fit("… — and so on", "en", style("en", drop=2), 300, 300, 8, 40)


def test_all_lines_of_a_list_item_begin_after_its_marker(setter: Typesetter):
    setting = fit(setter, "marker")
    _, geometry = drawn(setter, setting)
    words = dict(zip(geometry.words.texts, bounds(geometry.words.quads), strict=True))
    lines = bounds(geometry.lines.quads)
    assert setting.text.startswith("• Whereas")
    assert words["•"][2] < words["Whereas"][0] - 2
    assert np.allclose(lines[1:, 0], words["Whereas"][0], atol=2.5)


def test_a_marker_from_right_to_left_hangs_on_the_right(setter: Typesetter):
    _, geometry = drawn(setter, fit(setter, "number from the right"))
    lines, words = bounds(geometry.lines.quads), bounds(geometry.words.quads)
    assert geometry.words.texts[0] == "١."
    assert words[0, 0] > words[1:, 2].max()
    assert (lines[1:, 2] < words[0, 0]).all()


def test_hyphens_that_the_layout_added_are_marked_and_no_part_of_the_text(setter: Typesetter):
    setting = fit(setter, "hyphens", width=150)
    ink, geometry = drawn(setter, setting)
    divided = [text for text in geometry.lines.texts if text.endswith(SOFT)]
    assert divided and SOFT not in setting.text and setting.text == EN
    assert all(text.count(SOFT) <= text.endswith(SOFT) for text in geometry.lines.texts)
    hyphens = bounds(geometry.characters.quads)[[t == SOFT for t in geometry.characters.texts]]
    assert len(hyphens) == len(divided)
    for left, top, right, bottom in hyphens.round().astype(int):
        assert ink[top:bottom, left:right].max() > 100  # a hyphen can be seen there
    joined = "".join(t[:-1] if t.endswith(SOFT) else t + " " for t in geometry.lines.texts).strip()
    assert joined == EN


def test_words_are_divided_where_the_language_divides_them():
    assert hyphenated("Geschwindigkeit", "de").split(SOFT) == ["Ge", "schwin", "dig", "keit"] or SOFT in hyphenated(
        "Geschwindigkeit", "de"
    )
    assert hyphenated("UNESCO recognition", "en") == f"UNESCO recog{SOFT}ni{SOFT}tion"
    assert hyphenated("人人生而自由", "zh-Hans") == "人人生而自由"


def test_accents_change_what_they_cover_and_nothing_else(setter: Typesetter):
    plain = setter.fit(EN, "en", style("en"), 300, 320, 14, 14)
    page = Page(np.full((420, 420, 3), 255, np.uint8))
    accents = (Accent(8, 19, colour=(255, 0, 0)), Accent(20, 22, highlight=(255, 255, 0)), Accent(27, 35, line="under"))
    accented = setter.fit(EN, "en", style("en"), 300, 320, 14, 14, accents)
    geometry = setter.draw(page, accented, 50, 50, (0, 0, 0))
    pixels = page.pixels().astype(int)
    _, before = drawn(setter, plain)
    assert np.allclose(geometry.characters.quads, before.characters.quads, atol=0.5)
    boxes = bounds(geometry.words.quads).round().astype(int)

    def inside(word: str) -> np.ndarray:
        left, top, right, bottom = boxes[geometry.words.texts.index(word)]
        return pixels[top:bottom, left:right].reshape(-1, 3)

    assert (inside("recognition") @ [1, -1, 0]).max() > 200 and (inside("Whereas") @ [1, -1, 0]).max() < 10
    assert (inside("of") @ [1, 0, -1]).max() > 200
    left, _, right, bottom = boxes[geometry.words.texts.index("inherent")]
    under = pixels[bottom - 1 : bottom + 5, left:right].sum(axis=2).min(axis=0)
    assert (under < 300).mean() > 0.95  # a line without a gap


def test_ruby_stands_above_what_it_reads_and_is_annotated(setter: Typesetter):
    _, geometry = drawn(setter, fit(setter, "ruby"))
    assert geometry.ruby.lines.texts == ["にほん", "こくけんぽう"]
    base, ruby = bounds(geometry.characters.quads), bounds(geometry.ruby.lines.quads)
    for (start, end), above in zip(((0, 2), (2, 5)), ruby, strict=True):
        left, top, right = base[start:end, 0].min(), base[start:end, 1].min(), base[start:end, 2].max()
        assert above[3] <= top + 2 and above[3] > top - 0.5 * (base[0, 3] - base[0, 1])
        assert abs((above[0] + above[2]) / 2 - (left + right) / 2) < 2
    assert geometry.ruby.characters.texts == list("にほんこくけんぽう")


def test_vertical_lines_run_down_and_from_right_to_left(setter: Typesetter):
    setting = fit(setter, "vertical")
    _, geometry = drawn(setter, setting)
    lines, characters = bounds(geometry.lines.quads), bounds(geometry.characters.quads)
    assert len(lines) > 2 and (np.diff(lines[:, 0]) < 0).all()
    assert (lines[:, 3] - lines[:, 1] > lines[:, 2] - lines[:, 0]).sum() >= len(lines) - 1
    first = [i for i, t in enumerate(geometry.characters.texts) if t in "日本国憲法"][:5]
    assert (np.diff(characters[first, 1]) > 0).all()
    start = geometry.lines.quads[0].reshape(4, 2)
    assert tuple(start[0]) == (start[:, 0].max(), start[:, 1].min())  # reading starts at the upper right
    assert tuple(start[1]) == (start[:, 0].max(), start[:, 1].max())


def test_two_digits_stand_side_by_side_in_vertical_lines(setter: Typesetter):
    _, geometry = drawn(setter, fit(setter, "vertical"))
    place = "".join(geometry.characters.texts).index("12")
    one, two = bounds(geometry.characters.quads[place : place + 2])
    assert one[2] <= two[0] + 1 and abs(one[1] - two[1]) < 3
    assert one[3] - one[1] > one[2] - one[0]  # upright


def test_a_reading_that_its_font_lacks_is_refused(setter: Typesetter):
    with pytest.raises(SampleError, match=r"U\+0E01"):
        setter.fit(JA, "ja", style("ja"), 300, 300, 8, 40, (Accent(0, 2, ruby="ก"),))


def test_what_cannot_go_together_is_refused():
    with pytest.raises(ValueError, match="drop cap"):
        style("en", drop=2, align="center")
    with pytest.raises(ValueError, match="hang"):
        style("en", marker="•")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [(["自由", "。平等"], "begins with 。"), (["自由「", "平等"], "ends with 「"), (["a", ", b"], "begins")],
)
def test_marks_in_the_wrong_place_are_found(lines: list[str], fault: str):
    with pytest.raises(SampleError, match=fault):
        kinsoku.check(lines)
    kinsoku.check(["自由。", "「平等」"])


def test_every_forbidden_mark_is_punctuation_or_a_sign():
    for mark in kinsoku.NOT_FIRST | kinsoku.NOT_LAST:
        assert unicodedata.category(mark)[0] in "PSL" and len(mark) == 1
