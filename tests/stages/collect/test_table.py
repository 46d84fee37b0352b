"""Collecting tables: Parquet, JSON Lines and CSV, with images by path, by bytes, or as a struct of both."""

import base64
import io
import json

import fsspec
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


def test_the_footer_and_the_bytes_themselves_give_the_same_parts(folder):
    rows = [{"bytes": png(20 + i), "path": f"{i}.png"} for i in range(10)]
    named = [*rows[:-1], {"bytes": None, "path": "img/a.png"}]  # the footer cannot tell this one's size
    pq.write_table(pa.table({"image": rows}), folder / "rows.parquet")
    pq.write_table(pa.table({"image": named}), folder / "named.parquet")
    for limits in (Limits(), Limits(samples=4)):
        parts = [[len(p) for p in collect(limits, path=str(folder / f"{n}.parquet"))] for n in ("rows", "named")]
        assert parts[0] == parts[1] == ([10] if limits == Limits() else [4, 4, 2])


def test_each_row_is_read_once_wherever_parts_are_cut(folder):
    rows = [{"image": png(), "number": i} for i in range(300)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "t.parquet", row_group_size=170)
    (folder / "t.csv").write_text("image,number\n" + "".join(f"img/a.png,{i}\n" for i in range(300)))
    for name in ("t.parquet", "t.csv"):
        for limits in (Limits(), Limits(samples=7), Limits(samples=64), Limits(samples=65)):
            made = collect(limits, path=str(folder / name), meta=["number"])
            assert [s.meta["number"] for part in made for s in part] == list(range(300))


def test_a_text_table_is_parsed_once_for_all_its_pieces(folder):
    path = folder / "t.csv"
    path.write_text("image\n" + "img/a.png\n" * 6)
    source = TableSource("table", 0, Params(path=str(path)))
    pieces = list(source.plan(Limits(samples=2)))
    made = list(source.produce(pieces[0]))
    path.unlink()
    made += [sample for piece in pieces[1:] for sample in source.produce(piece)]
    assert [s.uri[-3:] for s in made] == ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]


def test_rows_of_megabytes_are_read(folder):
    noise = Image.effect_noise((1500, 1200), 90)
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    assert len(encoded) > 1_500_000
    (folder / "t.jsonl").write_text(f"{json.dumps({'image': encoded})}\n" * 3)
    (folder / "t.csv").write_text("image,n\n" + f"{encoded},1\n" * 3)
    for name in ("t.jsonl", "t.csv"):
        [made] = collect(path=str(folder / name), base64=True)
        assert outcome(made) == [1500] * 3


def test_texts_of_csv_stay_as_they_are_written_and_an_empty_one_is_none(folder):
    (folder / "t.csv").write_text("image,text\nimg/a.png,1.50\nimg/a.png,NA\nimg/a.png,\nimg/a.png,2020-01-01\n")
    [made] = collect(path=str(folder / "t.csv"), caption="text")
    assert [s.caption for s in made] == ["1.50", "NA", None, "2020-01-01"]


def test_a_column_of_lists_is_no_caption(folder):
    pq.write_table(pa.table({"image": ["img/a.png"], "captions": [["one", "two"]]}), folder / "t.parquet")
    with pytest.raises(ManifestError, match=r"(?s)'captions' .* is list<.*one text a row"):
        collect(path=str(folder / "t.parquet"), caption="captions")


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl"])
def test_a_table_without_rows_is_named(folder, name):
    pq.write_table(pa.table({"image": pa.array([], pa.binary())}), folder / "t.parquet")
    (folder / "t.csv").write_text("image\n")
    (folder / "t.jsonl").write_text("")
    with pytest.raises(ManifestError, match=rf"{name}"):
        collect(path=str(folder / name))


def test_urls_in_rows_are_opened_and_one_that_cannot_be_costs_its_row_only(folder):
    fsspec.filesystem("memory").pipe_file("/tables/b.png", png(31))
    urls = ["memory://tables/b.png", f"file://{folder}/img/a.png", "nosuch://x/y.png"]
    pq.write_table(pa.table({"image": urls}), folder / "t.parquet")
    [made] = collect(path=str(folder / "t.parquet"))
    assert outcome(made)[:2] == [31, 25]
    assert "nosuch" in outcome(made)[2]


def test_a_table_in_memory_finds_its_images_beside_itself():
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/beside/img/a.png", png(33))
    memory.pipe_file("/beside/t.csv", b"image\nimg/a.png\n")
    assert outcome(collect(path="memory://beside/t.csv")[0]) == [33]


def test_a_table_whose_name_looks_like_a_glob_is_a_file(folder):
    (folder / "t[1].csv").write_text("image\nimg/a.png\n")
    assert outcome(collect(path=str(folder / "t[1].csv"))[0]) == [25]
