from dataclasses import replace
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

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
    ],
)
def test_what_a_family_lacks_is_listed_once_in_order(name: str, text: str, missing: str):
    assert coverage.uncovered(family(name), text + text) == list(missing)


@pytest.mark.parametrize("text", [" \u3000\t", "\u200d", "\u200c\u200b", "\ufe0f", "\U000e0101", "\u2067"])
def test_joiners_selectors_and_marks_of_direction_need_no_glyph(text: str):
    assert coverage.is_invisible(text)
    assert coverage.uncovered(family("Lora"), f"a{text}b") == []


def test_a_broken_font_file_is_named(tmp_path: Path):
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"\0\1\0\0 this is no font")
    own = replace(
        family("Lora"), source=f"folder:{tmp_path}", files=("broken.ttf",), digests=(catalog.digest_of(broken),)
    )
    with pytest.raises(StageError, match=r"broken\.ttf: not a font that can be read"):
        coverage.uncovered(own, "A")


def test_a_font_that_forbids_embedding_is_refused(tmp_path: Path):
    restricted = tmp_path / "restricted.ttf"
    with TTFont(family("Caveat").paths()[0]) as font:
        font["OS/2"].fsType = 2
        font.save(restricted)
    own = replace(
        family("Caveat"),
        source=f"folder:{tmp_path}",
        files=(restricted.name,),
        digests=(catalog.digest_of(restricted),),
    )
    with pytest.raises(StageError, match=r"restricted\.ttf: the font's own licence bits forbid embedding"):
        coverage.uncovered(own, "A")
