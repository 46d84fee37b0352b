from dataclasses import replace
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from dataengine.errors import StageError
from fonts import catalog, coverage
from fonts.catalog import Family


def family(name: str) -> Family:
    return next(f for f in catalog.families() if f.name == name)


@pytest.mark.parametrize(
    ("name", "text", "missing"),
    [
        ("Noto Sans", "Ж and Å, “—”", ""),
        ("Noto Sans", "a漢b字", "漢字"),
        ("Noto Sans CJK SC", "汉字龘", ""),
        ("Noto Sans Arabic", "السَّلام", ""),
        ("Noto Sans Devanagari", "क्षत्रिय ॐ", ""),
        ("Noto Sans Thai", "ภาษาไทย Ж", "Ж"),
        ("Mukta", "nº 1", "º"),  # in its map, but blank
    ],
)
def test_what_a_family_lacks_is_listed_once_in_order(name: str, text: str, missing: str):
    assert coverage.uncovered(family(name), text + text) == list(missing)


@pytest.mark.parametrize("text", [" \u3000\t", "\u200d", "\u200c\u200b", "\ufe0f", "\U000e0101", "\u2067"])
def test_joiners_selectors_and_marks_of_direction_need_no_glyph(text: str):
    assert coverage.is_invisible(text)
    assert coverage.uncovered(family("Lora"), f"a{text}b") == []


@pytest.fixture
def lying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Family:
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
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "A", "B", "C"])
    builder.setupCharacterMap({0x41: "A", 0x42: "B", 0x43: "C"})
    builder.setupGlyf({".notdef": box, "A": triangle, "B": TTGlyphPen(None).glyph(), "C": box})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", "A", "B", "C"), (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Lying", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "lying.ttf")
    return Family("Lying", "fontpkg-lora", (str(tmp_path / "lying.ttf"),), ("en",), (400,), "serif", "OFL-1.1")


def test_a_glyph_that_is_blank_or_the_missing_box_does_not_count(lying: Family):
    assert coverage.uncovered(lying, "ABCD") == ["B", "C", "D"]


def test_a_broken_font_file_is_named(lying: Family):
    broken = Path(lying.files[0]).with_name("broken.ttf")
    broken.write_bytes(b"\0\1\0\0 this is no font")
    with pytest.raises(StageError, match=r"broken\.ttf: not a font that can be read"):
        coverage.uncovered(replace(lying, files=(str(broken),)), "A")
