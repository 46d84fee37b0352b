"""Samples at rest: what is written is what other tools read, annotations and all."""

import datetime
import io
import json

import duckdb
import numpy as np
import polars
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dataengine import schema
from dataengine.sample import (
    Failure,
    Paragraph,
    Sample,
    Spans,
    content_id,
    failures_table,
    generator,
    paragraphs,
    samples_table,
    synthetic_id,
)


def spans(*texts: str) -> Spans:
    return Spans(texts, np.arange(8 * len(texts), dtype=np.float32).reshape(-1, 8))


def sample(**given) -> Sample:
    buffer = io.BytesIO()
    Image.new("RGB", (24, 16), "orange").save(buffer, "PNG")
    plain = {"sample_id": "a", "source": "s", "uri": "u", "encoded": buffer.getvalue(), "format": "png"}
    return Sample(**{**plain, "width": 24, "height": 16, **given})


@pytest.fixture
def path(tmp_path):
    """One annotated sample and one without text or anything optional."""
    paragraph = Paragraph(
        "水 नी", "zh-Hans", "Hani", "Noto", 12.5, 0, spans("水 नी"), spans("水", "नी"), spans("水", "नी")
    )
    table = samples_table([sample(text=[paragraph, paragraph], caption="c", meta={"b": 1, "a": "é"}), sample()])
    pq.write_table(table.cast(schema.with_image_feature(schema.SAMPLES)), tmp_path / "part-00000.parquet")
    return str(tmp_path / "part-00000.parquet")


def test_what_is_read_back_is_what_was_written(path):
    [first, second] = pq.read_table(path)["text"]
    assert paragraphs(second) == paragraphs(None) == ()
    read = paragraphs(first)
    assert [(p.content, p.language, p.script, p.font, p.size, p.order) for p in read] == [
        ("水 नी", "zh-Hans", "Hani", "Noto", 12.5, 0)
    ] * 2
    for paragraph in read:
        for found, written in ((paragraph.lines, spans("水 नी")), (paragraph.characters, spans("水", "नी"))):
            assert tuple(found.texts) == written.texts
            np.testing.assert_array_equal(found.quads, written.quads)
    again = samples_table([sample(text=read)])["text"][0]
    assert again == first


def test_each_row_of_a_column_has_its_own_paragraphs():
    pages = [[], [("a", 0), ("bc", 3)], [("", 1)], [], [("defg", 2)]]
    made = [
        sample(text=[Paragraph(t, "en", "Latn", "F", 1.0, n, spans(t), spans(*t), spans(*t)) for t, n in page])
        for page in pages
    ]
    column = samples_table(made)["text"].combine_chunks()
    for rows, first in ((column, 0), (column.slice(2), 2)):
        for row, page in zip(rows, pages[first:], strict=True):
            assert [(p.content, p.order, list(p.characters.texts)) for p in paragraphs(row)] == [
                (t, n, list(t)) for t, n in page
            ]


def test_duckdb_polars_and_pyarrow_read_the_annotation_as_it_was_written(path):
    [first, second] = pq.read_table(path).to_pylist()
    assert second["text"] == []
    assert (first["text"][1]["size"], first["text"][1]["script"]) == (12.5, "Hani")
    assert first["text"][0]["words"][1] == {"text": "नी", "quad": [8, 9, 10, 11, 12, 13, 14, 15]}
    assert first["meta"] == '{"a": "é", "b": 1}'
    assert first["bytes"] == len(first["image"]["bytes"])
    [(text, quad)] = duckdb.sql(
        f"select text[1].words[2].text, text[1].words[2].quad from '{path}' where len(text) > 0"
    ).fetchall()
    assert (text, list(quad)) == ("नी", [8, 9, 10, 11, 12, 13, 14, 15])
    assert polars.read_parquet(path)["text"][0][0]["words"][1]["text"] == "नी"


def test_datasets_decodes_the_image_without_code_of_ours(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    loaded = datasets.load_dataset("parquet", data_files=path, cache_dir=str(tmp_path), split="train")
    assert loaded[0]["image"].size == (24, 16)
    assert loaded[0]["text"][0]["characters"][0]["text"] == "水"
    assert loaded[0]["text"][0]["characters"][0]["quad"] == [0, 1, 2, 3, 4, 5, 6, 7]


@given(st.lists(st.lists(st.lists(st.text(max_size=5), max_size=4), max_size=3), min_size=1, max_size=5))
def test_any_number_of_paragraphs_and_spans_survives(texts):
    made = [
        sample(text=[Paragraph("", "en", "Latn", "f", 1, i, spans(*p), spans(), spans()) for i, p in enumerate(t)])
        for t in texts
    ]
    rows = samples_table(made).to_pylist()
    assert [[[line["text"] for line in p["lines"]] for p in row["text"]] for row in rows] == texts


def test_meta_is_json_whatever_a_table_held():
    meta = {"nan": float("nan"), "most": float("inf"), "when": datetime.date(2026, 1, 2), "raw": b"x", "n": 1.5}
    [made] = samples_table([sample(meta=meta)])["meta"].to_pylist()
    assert duckdb.execute("select ?::json ->> 'when'", [made]).fetchall() == [("2026-01-02",)]
    assert json.loads(made) == {"nan": None, "most": None, "when": "2026-01-02", "raw": "b'x'", "n": 1.5}


def test_texts_without_their_quads_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 8\)"):
        Spans(["a", "b"], np.zeros((1, 8), np.float32))


def test_ids_and_generators_depend_on_what_they_are_of_and_on_nothing_else():
    assert content_id(b"a") == content_id(b"a") != content_id(b"b")
    assert len(content_id(b"")) == 32
    ids = {synthetic_id(name, seed, index) for name in ("a", "b") for seed in (0, 1) for index in (0, 10, 100)}
    assert len(ids) == 12
    assert synthetic_id("a", 1, 11) != synthetic_id("a", 11, 1)
    draws = [generator("set", 0, i).random() for i in (0, 1, 0)]
    assert draws[0] == draws[2] != draws[1]


def test_a_failure_says_what_went_wrong_even_when_the_exception_does_not():
    table = failures_table([Failure.of(ValueError(), source="s", uri="u", stage="x"), Failure("s", "u", "x", "E", "m")])
    assert table.schema == schema.FAILURES
    assert table["message"].to_pylist() == ["ValueError()", "m"]
