import pytest

from dataengine.errors import StageError
from fonts import catalog
from fonts.coverage import uncovered
from fonts.exemplars import LANGUAGES, letters, parse


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[aä b]", "aäb"),
        ("[a-d x]", "abcdx"),
        (r"[\- ‑ \: \[ \]]", "-‑:[]"),
        (r"[a \u200C\u200D {ch} b]", "a\u200c\u200dchb"),
        (r"[\u0061-\u0063]", "abc"),
        ("[가각-갂]", "가각갂"),
    ],
)
def test_unicode_sets_are_read(pattern: str, expected: str):
    assert parse(pattern) == list(expected)


def test_letters_are_small_and_capital_with_digits_and_signs():
    assert {"ß", "Ä", "z", "7", ","} <= letters("de")
    assert {"ı", "İ", "I", "i"} <= letters("tr")
    assert {"б", "Ё"} <= letters("ru") and "z" not in letters("ru")
    assert len(letters("zh-Hans")) > 2000


def test_a_language_without_exemplars_is_refused():
    with pytest.raises(StageError, match="no exemplar characters of 'tlh'"):
        letters("tlh")


# A brush font that was made for Japan lacks some of what Taiwan writes.
_PARTIAL = {("KouzanBrushFont", "zh-Hant"): 0.026}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_family_covers_the_languages_that_it_is_said_to_serve(language: str):
    """All letters of an alphabet; of thousands of ideographs all but one in two hundred."""
    asked = letters(language)
    for family in catalog.for_language(language):
        missing = uncovered(family, "".join(sorted(asked)))
        allowed = _PARTIAL.get((family.name, language), 0.005 if len(asked) > 1000 else 0) * len(asked)
        assert len(missing) <= allowed, (family.name, missing)
