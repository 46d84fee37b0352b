"""What a user's corpus and fonts may hold: each is drawn right, is a failure with its reason, or is refused at once."""

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest

from dataengine.errors import SampleError, StageError
from dataengine.sample import Failure, Sample
from dataengine.stage import Limits
from fonts import catalog
from fonts.catalog import Family
from stages.synthesize.text_set import Params, TextSet
from stages.synthesize.typeset import Page, Style, Typesetter, clean

SENTENCE = "Nothing that is written here is out of the ordinary, and all of it can be read by anyone."


def text_set(folder: Path, text: str | bytes, language: str = "en", **changes: object) -> TextSet:
    """A set of small pages from a corpus of one file."""
    (folder / f"{language}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    recipe = {"name": "bad", "languages": {language: 1}, "corpus": str(folder), "sizes": [[480, 480]], **changes}
    return TextSet("bad", 0, Params.model_validate({"set": recipe, "count": 6}))


def drawn(source: TextSet) -> list[Sample | Failure]:
    """Every index becomes one or the other, in less than the seconds that would be felt as hanging."""
    started = time.monotonic()
    found = [item for piece in source.plan(Limits()) for item in source.produce(piece)]
    assert time.monotonic() - started < 60
    assert [item.uri for item in found] == [f"set://bad/0/{index}" for index in range(6)]
    return found


@pytest.mark.parametrize(
    ("character", "said"),
    [
        ("\x00", "U+0000"),
        ("\x07", "U+0007"),
        ("\x1b", "U+001B"),
        ("\x7f", "U+007F"),
        ("\x9b", "U+009B"),
        ("\u0378", "U+0378"),  # unassigned
        ("\U000e0fff", "U+E0FFF"),
        ("\ufdd0", "U+FDD0"),  # assigned to nothing, for ever
        ("\uffff", "U+FFFF"),
        ("\ue000", "U+E000"),  # private use
        ("\U0010fffd", "U+10FFFD"),
        ("\U0001f600", "U+1F600"),  # in no font of the language
        ("\U00013000", "U+13000"),
        ("\u4e00", "U+4E00"),
    ],
)
@pytest.mark.parametrize("strategy", ["pure", "compositional", "complex"])
def test_a_character_that_cannot_be_written_is_the_reason_of_a_failure(
    tmp_path: Path, character: str, said: str, strategy: str
):
    words = " ".join(word + character for word in SENTENCE.split())
    found = drawn(text_set(tmp_path, words, strategies={strategy: 1}))
    refused = [item for item in found if isinstance(item, Failure)]
    assert all(item.error == "SampleError" and item.stage == "synthesize" for item in refused)
    assert all(said in item.message for item in refused) and refused
    for sample in found:
        if isinstance(sample, Sample):  # a picture whose words came from elsewhere
            assert all(character not in paragraph.content for paragraph in sample.text)


@pytest.mark.parametrize("character", ["\ud800", "\udfff", "\udc80"])
def test_a_lone_surrogate_is_refused_by_typesetting(character: str):
    with pytest.raises(SampleError, match=f"U\\+{ord(character):04X}"):
        clean(f"one {character} two")


@pytest.mark.parametrize(
    "text", [b"caf\xe9", b"\xff\xfeh\x00i\x00", b"\xed\xa0\x80"], ids=["latin-1", "utf-16", "surrogate"]
)
def test_a_corpus_that_is_not_utf_8_is_refused_at_once(tmp_path: Path, text: bytes):
    with pytest.raises(StageError, match=r"en\.txt"):
        list(text_set(tmp_path, text).plan(Limits()))


@pytest.mark.parametrize("text", ["", " \n\n \t\n"], ids=["empty", "spaces"])
def test_an_empty_corpus_is_refused_at_once(tmp_path: Path, text: str):
    with pytest.raises(StageError, match=r"en\.txt: nothing in 'en': it is empty"):
        list(text_set(tmp_path, text).plan(Limits()))


@pytest.mark.parametrize("text", ["x", "!", "—", "a b", "I\n\nI\n\nI", "." * 400], ids=repr)
def test_a_corpus_of_hardly_anything_is_drawn_or_refused(tmp_path: Path, text: str):
    for item in drawn(text_set(tmp_path, text)):
        assert isinstance(item, Sample) or item.error == "SampleError"


def test_a_paragraph_of_a_megabyte_does_no_harm(tmp_path: Path):
    sentences = (SENTENCE + " ") * (1_000_000 // len(SENTENCE))
    found = drawn(text_set(tmp_path, sentences))
    assert sum(isinstance(item, Sample) for item in found) >= 4


@pytest.mark.parametrize(
    "text", ["word " * 200_000, "endless" * 150_000, "字" * 300_000], ids=["words", "one word", "ideographs"]
)
def test_a_megabyte_without_a_stop_is_cut_or_refused(tmp_path: Path, text: str):
    language = "zh-Hans" if text[0] == "字" else "en"
    for item in drawn(text_set(tmp_path, text, language)):
        if isinstance(item, Sample):
            assert all(len(paragraph.content) < 2000 for paragraph in item.text)
        else:
            assert item.error == "SampleError" and item.message


def test_a_paragraph_of_a_megabyte_is_refused_by_typesetting_in_time():
    [family, *_] = catalog.for_language("en")
    setter = Typesetter([family])
    started = time.monotonic()
    with pytest.raises(SampleError, match="do not fit"):
        setter.fit((SENTENCE + " ") * 11_000, "en", Style(family, family.weights[0]), 600, 600, 8, 80)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("emoji", ["👩\u200d👩\u200d👧", "👍🏽"], ids=["joined", "tone"])
def test_emoji_that_no_font_has_are_refused_with_their_code_points(tmp_path: Path, emoji: str):
    found = drawn(text_set(tmp_path, f"We {emoji} you all, {emoji} and everyone."))
    refused = [item for item in found if isinstance(item, Failure)]
    assert refused and all(any(f"U+{ord(c):04X}" in item.message for c in emoji) for item in refused)


@pytest.mark.parametrize("text", ["\u2060", "\u200b\u200d", "\u200e \u200f"], ids=["mark", "joiner", "directions"])
def test_text_that_cannot_be_seen_is_refused(tmp_path: Path, text: str):
    for item in drawn(text_set(tmp_path, text, compositions=["a book page", "a single line"])):
        assert isinstance(item, Failure) and item.error == "SampleError"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("می‌خواهم کتاب‌ها را بخوانم.", "ar"),  # zero-width non-joiners, as Persian has them
        ("क्‍ष और श्‍र सब जगह लिखे जाते हैं।", "hi"),  # zero-width joiners
        ("A\u2060 word\u200b joined \u200eand marked\ufeff, always.", "en"),
    ],
    ids=["non-joiner", "joiner", "marks"],
)
def test_characters_that_only_shape_others_are_no_reason_to_refuse(text: str, language: str):
    family = next(f for f in catalog.for_language(language))
    setter = Typesetter([family])
    setting = setter.fit(text, language, Style(family, family.weights[0]), 400, 400, 10, 40)
    page = Page(np.full((440, 440, 3), 255, np.uint8))
    geometry = setter.draw(page, setting, 20, 20, (0, 0, 0))
    assert (page.pixels() < 128).any() and len(geometry.characters.texts) > 10
    assert not any(character in "\u200b\u200c\u200d\u200e\u2060\ufeff" for character in geometry.characters.texts)


def family_of(folder: Path, content: bytes, digest: str | None = None) -> Family:
    """A family of one file in a user's folder, pinned by its own digest unless another is given."""
    (folder / "broken.ttf").write_bytes(content)
    digest = digest or hashlib.blake2b(content, digest_size=16).hexdigest()
    source = f"folder:{folder}"
    return Family("Broken", "serif", ("en",), (400,), "OFL-1.1", source, ("broken.ttf",), (digest,))


def font() -> bytes:
    return catalog.for_language("en")[0].paths()[0].read_bytes()


@pytest.mark.parametrize(
    "damage",
    [lambda font: b"", lambda font: b"not a font" * 100, lambda font: font[:2000], lambda font: bytes(len(font))],
    ids=["empty", "text", "cut off", "zeros"],
)
def test_a_file_that_is_no_font_is_refused_and_named(tmp_path: Path, damage):
    family = family_of(tmp_path, damage(font()))
    with pytest.raises(StageError, match=r"broken\.ttf"):
        setter = Typesetter([family])
        setter.fit("Words", "en", Style(family, 400), 300, 300, 10, 40)


def test_a_font_that_is_not_the_pinned_one_is_refused_and_named(tmp_path: Path):
    family = family_of(tmp_path, font() + b"\0", digest=hashlib.blake2b(font(), digest_size=16).hexdigest())
    with pytest.raises(StageError, match=r"the font Broken has changed: broken\.ttf"):
        Typesetter([family])


def test_a_font_whose_tables_are_damaged_is_drawn_or_refused(tmp_path: Path):
    whole = bytearray(font())
    rng = np.random.default_rng(0)
    for place in rng.integers(len(whole) // 4, len(whole), 3000).tolist():
        whole[place] ^= 0xFF
    family = family_of(tmp_path, bytes(whole))
    try:
        setter = Typesetter([family])
        setting = setter.fit("Words and more", "en", Style(family, 400), 300, 300, 10, 40)
        setter.draw(Page(np.full((320, 320, 3), 255, np.uint8)), setting, 10, 10, (0, 0, 0))
    except (SampleError, StageError) as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "language", "code"),
    [("สวัสดี", "th", "U+0E2A"), ("人人生而自由", "zh-Hans", "U+4EBA"), ("سلام", "ar", "U+0633")],
)
def test_a_font_without_the_script_is_refused_and_draws_no_boxes(text: str, language: str, code: str):
    [latin, *_] = catalog.for_language("en")
    setter = Typesetter([latin])
    with pytest.raises(SampleError, match=code.replace("+", r"\+")):
        setter.fit(text, language, Style(latin, latin.weights[0]), 400, 400, 10, 40)


def test_a_corpus_in_another_script_than_its_language_is_refused_at_once(tmp_path: Path):
    with pytest.raises(StageError, match="all 1 paragraphs are in another language"):
        list(text_set(tmp_path, "人人生而自由,在尊严和权利上一律平等。" * 20, "en").plan(Limits()))
