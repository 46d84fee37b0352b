"""Collecting tables: Parquet, JSON Lines and CSV, with images by path, by bytes, or as a struct of both."""

import base64
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dataengine.errors import ManifestError
from dataengine.sample import Failure, Sample
from dataengine.stage import Limits
from stages.collect.table import Params, TableSource


def png(side: int = 20) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, 30), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def collect(limits: Limits | None = None, **params) -> list[list[Sample | Failure]]:
    source = TableSource("table", 0, Params(**params))
    return [list(source.produce(piece)) for piece in source.plan(limits or Limits())]


def outcome(made: list[Sample | Failure]) -> list[int | str]:
    """The width of each sample and the message of each failure."""
    return [item.width if isinstance(item, Sample) else item.message for item in made]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "a.png").write_bytes(png(25))
    return tmp_path


def test_parquet_holds_bytes_or_structs_or_paths(folder):
    columns = {
        "bytes": [png(21), b"nothing", None],
        "struct": [
            {"bytes": png(22), "path": None},
            {"bytes": None, "path": "img/a.png"},
            {"bytes": None, "path": None},
        ],
        "path": ["img/a.png", str(folder / "img" / "a.png"), "img/none.png"],
    }
    pq.write_table(pa.table(columns), folder / "t.parquet")
    path = str(folder / "t.parquet")
    [made] = collect(path=path, image="bytes")
    assert outcome(made)[0] == 21
    assert "not an image" in outcome(made)[1]
    assert outcome(made)[2] == "the row has no image"
    [made] = collect(path=path, image="struct")
    assert outcome(made) == [22, 25, "the row has no image"]
    [made] = collect(path=path, image="path")
    assert outcome(made)[:2] == [25, 25]
    assert "none.png" in outcome(made)[2]


def test_columns_become_captions_categories_and_meta_and_override_the_sources_own(folder):
    rows = [
        {"image": "img/a.png", "title": "A teal card", "kind": "design", "lang": "en", "width_mm": 80},
        {"image": "img/a.png", "title": None, "kind": None, "lang": None, "width_mm": None},
    ]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"caption": "title", "category_column": "kind", "language_column": "lang", "meta": ["width_mm"]}
    [[first, second]] = collect(path=str(folder / "t.jsonl"), category="other", language="de", **columns)
    assert (first.caption, first.category, first.language, first.meta) == (
        "A teal card",
        "design",
        "en",
        {"width_mm": 80},
    )
    assert (second.caption, second.category, second.language) == (None, "other", "de")
    assert [first.uri[-4:], second.uri[-4:]] == ["#0.0", "#0.1"]


def test_json_lines_and_csv_hold_paths_or_base64(folder):
    encoded = base64.b64encode(png(23)).decode()
    (folder / "b.jsonl").write_text(json.dumps({"image": encoded}) + "\n" + json.dumps({"image": "%%"}) + "\n")
    [made] = collect(path=str(folder / "b.jsonl"), base64=True)
    assert outcome(made)[0] == 23
    assert "not base64" in outcome(made)[1]
    (folder / "c.csv").write_text('image,text\nimg/a.png,"one, two"\n')
    [[sample]] = collect(path=str(folder / "c.csv"), caption="text")
    assert (sample.width, sample.caption) == (25, "one, two")
    (folder / "c.tsv").write_text("image\ttext\nimg/a.png\tx\n")
    assert outcome(collect(path=str(folder / "c.tsv"))[0]) == [25]


def test_a_glob_of_tables_is_read_in_the_order_of_their_names(folder):
    for name in ("2", "1"):
        (folder / f"{name}.csv").write_text(f"image,text\nimg/a.png,{name}\n")
    assert [s.caption for part in collect(path=f"{folder}/*.csv", caption="text") for s in part] == ["1", "2"]


def test_parts_stay_within_rows_and_bytes_across_row_groups(folder):
    images = [png() + bytes(1000) for _ in range(10)]
    pq.write_table(pa.table({"image": images}), folder / "t.parquet", row_group_size=4)
    path = str(folder / "t.parquet")
    assert [len(part) for part in collect(path=path)] == [4, 4, 2]
    assert [len(part) for part in collect(Limits(3, 10**9), path=path)] == [3, 1, 3, 1, 2]
    assert [len(part) for part in collect(Limits(100, 2500), path=path)] == [2, 2, 2, 2, 2]
    assert sum(len(part) for part in collect(Limits(1, 1), path=path)) == 10


def test_a_row_group_that_its_footer_shows_to_fit_is_planned_without_reading_it(folder):
    path = folder / "t.parquet"
    pq.write_table(pa.table({"image": [png() for _ in range(4)]}), path, compression="none")
    footer = int.from_bytes(path.read_bytes()[-8:-4], "little") + 8
    torn = bytearray(path.read_bytes())
    torn[4 : len(torn) - footer] = bytes(len(torn) - footer - 4)
    path.write_bytes(torn)
    [piece] = TableSource("table", 0, Params(path=str(path))).plan(Limits())
    assert piece.payload["rows"] == [0, 4]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"image": "imag"}, ["no column 'imag'", "did you mean 'image'"]),
        ({"caption": "titel"}, ["no column 'titel'", "did you mean 'title'"]),
        ({"meta": ["x"]}, ["no column 'x'", "image, title, number"]),
        ({"image": "number"}, ["column 'number'", "it must hold paths, bytes"]),
    ],
)
def test_a_column_that_is_not_there_or_holds_no_images_is_named(folder, params, words):
    pq.write_table(pa.table({"image": ["a"], "title": ["b"], "number": [1]}), folder / "t.parquet")
    with pytest.raises(ManifestError) as raised:
        collect(path=str(folder / "t.parquet"), **params)
    for word in words:
        assert word in str(raised.value)


def test_a_table_that_is_missing_broken_or_of_another_kind_is_named(folder):
    with pytest.raises(ManifestError, match="no such table"):
        collect(path=str(folder / "none.parquet"))
    (folder / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ManifestError, match=r"bad\.parquet cannot be read"):
        collect(path=str(folder / "bad.parquet"))
    (folder / "bad.jsonl").write_text("{not json")
    with pytest.raises(ManifestError, match=r"bad\.jsonl cannot be read"):
        collect(path=str(folder / "bad.jsonl"))
    (folder / "t.xlsx").write_bytes(b"")
    with pytest.raises(ManifestError, match="unknown kind of table"):
        collect(path=str(folder / "t.xlsx"))
