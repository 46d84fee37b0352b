"""Languages of captions and of what stands in pictures."""

import pytest

from stages.measure.language import language_of, split_of, words_of


def test_languages_are_told_by_script_or_by_words():
    told = {
        "en": "The children are playing with a ball in the park.",
        "de": "Die Kinder spielen mit einem Ball im Park.",
        "fr": "Les enfants jouent avec un ballon dans le parc.",
        "ja": "子供たちが公園で遊んでいる",
        "zh": "孩子们在公园里玩球",
        "ko": "아이들이 공원에서 놀고 있다",
        "th": "เด็ก ๆ กำลังเล่นบอล",
    }
    assert {language: language_of(text) for language, text in told.items()} == {language: language for language in told}
    assert language_of("cat") is None and language_of("123") is None


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("SALE", "en"),
        ("The quick brown fox jumps over the lazy dog", "en"),
        ("限时优惠 SALE", "zh"),
        ("東京へ行きます", "other"),
        ("Größe", "other"),
        ("Der schnelle braune Fuchs springt über den faulen Hund und ist sehr müde", "other"),
        ("12:30", "other"),
        ("", "other"),
    ],
)
def test_a_picture_with_text_is_in_one_of_three_splits(text: str, split: str):
    assert split_of(text, found=True) == split


def test_a_picture_without_lines_has_no_text():
    assert split_of("", found=False) == "none"


def test_words_are_parted_by_spaces_or_are_characters():
    assert words_of("It’s a Well-known Place, 2026") == ["it’s", "a", "well-known", "place", "2026"]
    assert words_of("你好 world") == ["你", "好", "world"]
