"""Categories by keywords: in several languages, never made up."""

import pytest
import yaml

from stages.measure.keyword_category import RULES, KeywordCategory, Params

SIGNAL = KeywordCategory(Params())


@pytest.mark.parametrize(
    ("caption", "category"),
    [
        ("A portrait of a young woman", "people"),
        ("Mountains behind a lake at sunset", "nature"),
        ("A poster for a concert", "design"),
        ("湖边的森林和山", "nature"),
        ("一张音乐会海报", "design"),
        ("女性の肖像", "people"),
        ("산과 호수가 있는 풍경", "nature"),
        ("Ein Plakat mit einem großen Logo an der Wand", "design"),
        ("Портрет женщины", "people"),
        ("غابة وبحيرة", "nature"),
        ("Una montaña alta y un río que baja al valle", "nature"),
        ("What kind of chat is it", None),  # a child and a cat elsewhere
        ("A sign that says “portrait of a woman”", None),  # what is written tells nothing
        ("A painting of mountains", None),  # as many words of two categories
        ("It is what it is", None),
        ("The carpet is an escalator", None),  # no part of a word
        ("", None),
        (None, None),
    ],
)
def test_the_category_with_the_most_words_wins(caption: str | None, category: str | None):
    assert SIGNAL._one(caption)["keyword_category"] == category


def test_a_language_that_is_given_counts():
    assert SIGNAL._one("Kind am See", "de") == {"keyword_category": None, "keyword_words": []}
    assert SIGNAL._one("Kind", "de")["keyword_category"] == "people"
    assert SIGNAL._one("山", "zh-Hant")["keyword_category"] == "nature"


def test_the_words_are_shown():
    assert SIGNAL._one("A man and a woman, a Man by the sea")["keyword_words"] == ["man", "woman"]


def test_every_language_has_every_category():
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    languages = {category: set(own) for category, own in rules.items()}
    assert len(languages["nature"]) == 11 and len(set(map(frozenset, languages.values()))) == 1


def test_rules_of_ones_own(tmp_path):
    (tmp_path / "mine.yaml").write_text("ships: {en: [ship*]}\ntrains: {en: [train]}\n")
    signal = KeywordCategory(Params(rules=str(tmp_path / "mine.yaml")))
    assert signal._one("Ships at sea")["keyword_category"] == "ships"
    assert signal._one("training")["keyword_category"] is None
