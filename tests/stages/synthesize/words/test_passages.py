from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.synthesize.words import corpus, passages

LANGUAGES = corpus.languages("udhr")


@pytest.mark.parametrize("language", LANGUAGES)
def test_passages_keep_to_their_length_and_to_the_corpus(language: str):
    whole = "".join("".join(corpus.load("udhr", language).paragraphs).split())
    for seed in range(40):
        text = passages.passage("udhr", language, 40, 200, np.random.default_rng(seed))
        assert 0 < len(text) <= 200
        assert "".join(text.split()) in whole
        assert text == text.strip()


@pytest.mark.parametrize("language", ["en", "ru", "hi", "ko", "zh-Hans", "ja", "ar"])
def test_most_passages_begin_and_end_with_a_sentence(language: str):
    ends = tuple(p[-1] for p in corpus.load("udhr", language).paragraphs)
    found = [passages.passage("udhr", language, 60, 300, np.random.default_rng(seed)) for seed in range(60)]
    assert sum(text[-1] in {*ends, ".", "。", "।"} for text in found) > 54


def test_paragraphs_are_joined_as_their_script_joins_sentences():
    for language, parted in (("en", True), ("ar", True), ("ko", True), ("ja", False), ("zh-Hant", False)):
        first, second = corpus.load("udhr", language).paragraphs[10:12]
        whole = "".join(c.text for c in passages._clauses("udhr", language)[0])
        assert (f"{first} {second}" if parted else first + second) in whole


@pytest.mark.parametrize("language", LANGUAGES)
def test_headings_are_short_and_have_no_stop(language: str):
    for seed in range(30):
        heading = passages.heading("udhr", language, 40, np.random.default_rng(seed))
        assert 0 < len(heading) <= 40
        assert heading in corpus.load("udhr", language).headings or heading[-1] not in ".,;:。、，؛،।"


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab .,!?;:。、เก ।»)\"' 1"), max_size=80).filter(lambda t: t.strip() == t and t))
def test_cutting_loses_no_character(text: str):
    for language in ("en", "th", "ja"):
        clauses = list(passages._cut(text, language))
        assert "".join(c.text for c in clauses).split() == text.split()
        assert clauses[0].opens and clauses[-1].closes


def test_a_number_with_a_point_is_not_cut():
    clauses = [c.text for c in passages._cut("Version 2.5 costs 1,000 a year. It is, e.g. free.", "en")]
    assert clauses[0] == "Version 2.5 costs 1,000 a year. "


def test_a_text_without_any_stop_is_cut_between_words(tmp_path: Path):
    (tmp_path / "en.txt").write_text("word " * 500, encoding="utf-8")
    text = passages.passage(str(tmp_path), "en", 20, 60, np.random.default_rng(0))
    assert 20 <= len(text) <= 60 and set(text.split()) == {"word"}


def test_a_mark_is_never_cut_from_its_letter(tmp_path: Path):
    (tmp_path / "hi.txt").write_text("कि" * 300, encoding="utf-8")
    for longest in (20, 21):
        assert passages.passage(str(tmp_path), "hi", 5, longest, np.random.default_rng(0)).endswith("कि")


def test_what_is_broken_off_ends_without_a_comma():
    for language in ("en", "ja", "ar"):
        rng = np.random.default_rng(2)
        found = [passages.passage("udhr", language, 4, 24, rng) for _ in range(60)]
        assert not any(text.endswith((",", "、", "،", ";", "；")) for text in found)
