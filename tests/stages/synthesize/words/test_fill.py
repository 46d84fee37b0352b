import os
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from fontTools.unicodedata import script

from dataengine.errors import SampleError, StageError
from stages.synthesize.words import corpus
from stages.synthesize.words.fill import KINDS, LATIN, day, fill

LANGUAGES = corpus.languages("udhr")
OWN_SCRIPT = {"ar": "Arab", "bn": "Beng", "el": "Grek", "fa": "Arab", "he": "Hebr", "hi": "Deva", "ko": "Hang",
              "ru": "Cyrl", "ta": "Taml", "th": "Thai", "uk": "Cyrl", "zh-Hans": "Hani", "zh-Hant": "Hani"}  # fmt: skip


def some(kind: str, language: str, count: int = 12) -> list[str]:
    rng = np.random.default_rng(0)
    return [fill(kind, language, 60, rng) for _ in range(count)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_is_known_in_every_language(language: str):
    for kind in KINDS:
        for text in some(kind, language):
            assert text == text.strip() and 0 < len(text) <= 60
            assert unicodedata.is_normalized("NFC", text)
            assert all(unicodedata.category(c) not in ("Cc", "Cn", "Co", "Cs") for c in text)


@pytest.mark.parametrize("language", OWN_SCRIPT)
def test_texts_are_in_the_script_of_their_language(language: str):
    """Names of brands and some units may be in Latin letters; nothing is in a third script."""
    allowed = {OWN_SCRIPT[language], "Latn", "Zyyy", "Zinh"}
    for kind in sorted(KINDS - LATIN):
        letters = [c for text in some(kind, language, 30) for c in text if c.isalpha()]
        assert {script(c) for c in letters} <= allowed, kind
    for kind in ("button", "menu", "question", "dish", "name", "month"):
        letters = [c for text in some(kind, language, 30) for c in text if c.isalpha()]
        assert np.mean([script(c) == OWN_SCRIPT[language] for c in letters]) > 0.9, kind


def test_a_price_is_written_as_its_country_writes_it():
    assert any("€" in text and "," in text for text in some("price", "de"))
    assert all("₽" in text for text in some("price", "ru"))
    assert all(text.startswith("$") for text in some("price", "en"))


def test_chance_is_the_generators_alone():
    one, again, other = ([fill("name", "ja", 20, np.random.default_rng(seed)) for _ in range(2)] for seed in (1, 1, 2))
    assert one == again
    assert len({*some("name", "ja", 30)}) > 15 and other


@pytest.mark.parametrize("language", ["en", "ja", "ar"])
def test_texts_keep_to_their_length_or_are_refused(language: str):
    rng = np.random.default_rng(0)
    assert all(len(fill("product", language, 14, rng)) <= 14 for _ in range(30))
    with pytest.raises(SampleError, match=f"email.*{language}"):
        fill("email", language, 2, rng)


def test_an_unknown_kind_is_refused_with_what_was_meant():
    with pytest.raises(StageError, match="did you mean 'price'"):
        fill("prise", "en", 20, np.random.default_rng(0))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_named_label_is_the_same_wherever_it_stands(language: str):
    labels = [kind for kind in KINDS if kind.endswith("_label")]
    said = {kind: set(some(kind, language, 3)) for kind in labels}
    assert all(len(texts) == 1 for texts in said.values())
    # In some languages one word says two of them, such as the name and the first name.
    assert len(set.union(*said.values())) >= len(labels) - 4


def test_named_labels_say_what_they_are_named_after():
    assert some("email_label", "de", 1) == ["E-Mail-Adresse"]
    assert some("payment_label", "en", 1) == ["Payment method"]
    assert some("seat_label", "ja", 1) == ["座席"]
    assert some("departure_label", "ko", 1) == ["출발"]


def test_weeks_begin_as_they_do_where_the_language_is_spoken():
    assert [day(n, "en") for n in (1, 2, 7)] == ["Sun", "Mon", "Sat"]
    assert [day(n, "ja") for n in (1, 2, 7)] == ["日", "月", "土"]
    assert day(1, "de").startswith("Mo")
    assert all(len({day(n, language) for n in range(1, 8)}) == 7 for language in LANGUAGES)


def test_two_processes_draw_the_same_texts():
    """Whatever the order of their sets, which differs from process to process."""
    asked = (
        "import numpy as np; from stages.synthesize.words.fill import KINDS, fill; rng = np.random.default_rng(0);"
        f"print([fill(k, l, 60, rng) for l in {LANGUAGES} for k in sorted(KINDS) for _ in range(3)])"
    )
    drawn = [
        subprocess.run(
            [sys.executable, "-c", asked],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert drawn[0] == drawn[1]
