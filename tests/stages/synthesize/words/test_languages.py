import pytest

from stages.synthesize.words import corpus
from stages.synthesize.words.languages import belongs

LANGUAGES = corpus.languages("udhr")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_in_a_language_belongs_to_it(language: str):
    assert all(belongs(paragraph, language) for paragraph in corpus.load("udhr", language).paragraphs)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_in_another_language_does_not(language: str):
    """Hardly any long paragraph is taken for one in another language; Chinese is not told from Chinese."""
    for other in LANGUAGES:
        if other != language and not {language, other} <= {"zh-Hans", "zh-Hant", "ja"}:
            long = [p for p in corpus.load("udhr", other).paragraphs if len(p) > 150]
            taken = sum(belongs(p, language) for p in long)
            assert taken <= 0.05 * len(long), other


def test_names_and_terms_of_other_scripts_are_allowed():
    assert belongs("Debian は GNU/Linux の自由なディストリビューションです。", "ja")
    assert not belongs("Debian GNU/Linux distribution の", "ja")


def test_short_texts_of_the_script_and_unknown_languages_pass():
    assert belongs("Kurz", "en") and belongs("12:30", "ar") and belongs("anything", "tlh")
