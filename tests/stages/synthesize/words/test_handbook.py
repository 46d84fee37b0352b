from pathlib import Path

import pytest

from dataengine.errors import StageError
from stages.synthesize.words import corpus, handbook

PAGE = """<html><body><h2 class="title">8.1. Setting the language</h2>
<div class="para">A paragraph that is long enough to be one, with <code>code</code> in its midst.</div>
<div class="para">Too short.</div>
<div class="section"><div class="para">One with a listing that nobody would read aloud:
  <div class="listing"><pre>rm -rf</pre></div></div>
<div class="para">Files in /etc/apt/ are of no use to anyone who reads pictures of text.</div>
<div class="para">Une phrase qui n'est pas encore traduite, et qui ne doit donc pas rester dans le livre anglais.</div>
</div></body></html>"""


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATAENGINE_CACHE", str(tmp_path))
    corpus.load.cache_clear()
    yield tmp_path
    corpus.load.cache_clear()


def test_paragraphs_that_read_as_prose_in_their_language_are_kept(cached: Path):
    pages, texts = cached / "pages", cached / handbook.PACKAGE
    pages.mkdir()
    texts.mkdir()
    (pages / "sect.html").write_text(PAGE, encoding="utf-8")
    handbook._extract(pages, "en", texts)
    text = corpus.load("handbook", "en")
    assert text.headings == ("Setting the language",)
    assert text.paragraphs == ("A paragraph that is long enough to be one, with code in its midst.",)


def test_without_the_book_it_says_how_to_get_it(cached: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(StageError) as caught:
        corpus.load("handbook", "en")
    assert "words.corpus handbook" in caught.value.remedy
    monkeypatch.setenv("PATH", str(cached))
    with pytest.raises(StageError, match="apt-get and dpkg-deb"):
        handbook.fetch()


def test_a_language_that_the_book_lacks_is_refused_with_those_it_has():
    with pytest.raises(StageError, match="'he'") as caught:
        corpus.load("handbook", "he")
    assert "zh-Hant" in caught.value.remedy
