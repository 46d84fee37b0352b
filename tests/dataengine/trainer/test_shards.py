import shutil
from pathlib import Path

import datasets
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine import schema
from dataengine.errors import ManifestError
from dataengine.trainer.datasets import DatasetConfig
from dataengine.trainer.shards import Row, Shards


def opened(path: object, image: str = "image", caption: str = "caption", **keys: object) -> Shards:
    return Shards(
        DatasetConfig.model_validate({"name": "test", "path": str(path), "image": image, "caption": caption, **keys})
    )


def rows_of(shards: Shards, group: int = 0) -> list[Row]:
    read = shards.read(shards.groups[group])
    return [read[row] for row in read.chosen.tolist()]


def captions(shards: Shards) -> list[str | None]:
    return [row.value("caption") for group in range(len(shards.groups)) for row in rows_of(shards, group)]


def test_a_folder_is_read_with_all_below_it_and_the_index_is_no_shard(shards):
    found = opened(shards)
    assert found.rows == 41
    assert len(found.files) == 5
    assert sorted(captions(found)) == sorted(f"{c} picture {s}" for s, c in _named(41))


def test_it_works_without_an_index(shards):
    (shards / "index.parquet").unlink()
    assert opened(shards).rows == 41


@pytest.mark.parametrize(
    ("path", "rows"), [("256/1x1/shard-00001.parquet", 10), ("256/*/shard-00000.parquet", 25), ("256/**", 35)]
)
def test_a_file_and_a_glob_are_read_too(shards, path, rows):
    assert opened(shards / path).rows == rows


def test_a_url_is_read_too(shards):
    assert opened(f"file://{shards}/256/3x2").rows == 13


def test_a_phase_selects_its_rows(shards):
    assert opened(shards, phase=640).rows == 6
    assert opened(shards, phase=256).rows == 35


def test_a_phase_selects_rows_within_a_file_that_holds_several(shards, tmp_path):
    tables = [pq.read_table(file) for file in sorted(shards.glob("*/1x1/*.parquet"))]
    mixed = pa.concat_tables([tables[0], tables[2]])  # 12 of phase 256, 6 of 640
    pq.write_table(mixed, tmp_path / "mixed.parquet")
    found = opened(tmp_path / "mixed.parquet", phase=640)
    assert sorted(captions(found)) == sorted(f"{c} picture {s}" for s, c in _named(41)[35:])


def test_a_limit_takes_the_first_rows(shards):
    found = opened(shards, phase=256, limit=7)
    assert captions(found) == [f"{colour} picture {seed}" for seed, colour in _named(7)]


def test_rows_are_found_again_by_their_place(shards):
    found = opened(shards)
    places = [found.read(found.groups[i])[j].place for i, j in ((5, 1), (0, 3), (5, 0))]
    again = found.read_places(places)
    assert [row.place for row in again] == places
    assert again[0].value("caption") == found.read(found.groups[5])[1].value("caption")


def test_the_listing_survives_a_move_and_tells_a_change(shards, tmp_path):
    before = opened(shards).turn(0).listing
    moved = shutil.move(shards, tmp_path / "elsewhere")
    assert opened(moved).turn(0).listing == before
    (Path(moved) / "256/3x2/shard-00000.parquet").unlink()
    assert opened(moved).turn(0).listing != before


def test_shards_written_by_polars_are_read(tmp_path, picture):
    frame = polars.DataFrame({"image": [picture(0), picture(1)], "caption": ["a", "b"]})
    frame.write_parquet(tmp_path / "polars.parquet")
    found = opened(tmp_path)
    row = rows_of(found)[1]
    assert (row.scalar("image").as_py(), row.value("caption"), row.value("bucket")) == (picture(1), "b", None)


def test_shards_written_by_datasets_are_read(tmp_path, picture):
    rows = {"image": [{"bytes": picture(i), "path": None} for i in range(3)], "text": ["a", "b", "c"]}
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "hf.parquet")
    found = opened(tmp_path, caption="text")
    row = rows_of(found)[2]
    assert (row.scalar("image").as_py(), row.value("text")) == (picture(2), "c")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_plain_binary_of_any_width_is_an_image_column(tmp_path, picture, kind):
    table = pa.table({"png": pa.array([picture(0)], kind), "alt": pa.array(["a"], pa.large_string())})
    pq.write_table(table, tmp_path / "plain.parquet")
    found = opened(tmp_path, "png", "alt")
    assert rows_of(found)[0].scalar("png").as_py() == picture(0)


@pytest.mark.parametrize(("image", "caption", "missing"), [("picture", "caption", "picture"), ("image", "alt", "alt")])
def test_a_missing_column_is_named_with_its_file_and_those_that_are_there(shards, image, caption, missing):
    file = shards / "256/1x1/shard-00000.parquet"
    with pytest.raises(ManifestError) as error:
        opened(file, image, caption)
    assert str(file) in str(error.value)
    assert f"no column {missing!r}" in str(error.value)
    assert "sample_id, source, uri, image" in str(error.value)


def test_a_column_of_the_wrong_kind_is_refused(shards):
    with pytest.raises(ManifestError, match="'width' is int32, not encoded images"):
        opened(shards / "256", image="width")
    with pytest.raises(ManifestError, match="'height' is int32, not text"):
        opened(shards / "256", caption="height")


def test_a_phase_that_is_not_there_is_answered_by_those_that_are(shards):
    with pytest.raises(ManifestError, match="no rows of phase 1328; there are 256, 640"):
        opened(shards, phase=1328)


def test_nothing_to_read_is_said_with_the_path(tmp_path):
    with pytest.raises(ManifestError, match="no Parquet file here"):
        opened(tmp_path / "nowhere")


def test_an_unknown_protocol_is_a_message_not_a_traceback():
    with pytest.raises(ManifestError, match="nowhere://bucket/shards: cannot be listed"):
        opened("nowhere://bucket/shards")


def test_a_truncated_file_is_named(shards):
    file = shards / "256/1x1/shard-00000.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ManifestError, match=r"shard-00000\.parquet: not a readable Parquet file"):
        opened(shards)


def _named(count: int) -> list[tuple[int, str]]:
    colours = ("red", "green", "blue", "yellow", "black", "white", "purple", "orange")
    return [(seed, colours[seed % len(colours)]) for seed in range(count)]


def test_a_row_is_chosen_as_often_as_its_repeats_say(tmp_path, picture):
    repeats = [2, None, 0, -3, 1]
    table = pa.table({"image": [picture(0)] * 5, "caption": list("abcde"), "repeats": pa.array(repeats, pa.int16())})
    pq.write_table(table, tmp_path / "repeated.parquet")
    assert captions(opened(tmp_path)) == ["a", "a", "b", "e"]


@pytest.mark.parametrize(
    ("repeats", "message"),
    [(["2"], "column 'repeats' is string, not whole numbers"), ([1 << 40], "is to be repeated 1099511627776 times")],
)
def test_repeats_that_are_none_are_refused(tmp_path, picture, repeats, message):
    pq.write_table(pa.table({"image": [picture(0)], "caption": ["a"], "repeats": repeats}), tmp_path / "r.parquet")
    with pytest.raises(ManifestError, match=message):
        captions(opened(tmp_path))


def test_bands_select_by_the_annotation_within_a_phase(tmp_path):
    def text(words: int) -> list[dict[str, object]]:
        return [{"lines": [{"text": "l"}], "words": [{"text": "word"}] * words, "characters": [{"text": "c"}] * 9}]

    columns = {
        "image": [b"x"] * 9,
        "caption": list("abcdefghi"),
        "phase": [256] * 4 + [640] * 4 + [256],
        "text": pa.array([*[text(i % 2 + 1) for i in range(8)], None], schema.SAMPLES.field("text").type),
    }
    pq.write_table(pa.table(columns), tmp_path / "annotated.parquet")
    assert captions(opened(tmp_path, bands=["word"])) == list("aceg")
    assert captions(opened(tmp_path, bands=["line"], phase=640)) == list("fh")
    assert captions(opened(tmp_path, bands=["none", "line"])) == list("bdfhi")
    assert captions(opened(tmp_path, bands=["page"])) == []


def test_pictures_of_row_groups_without_a_row_of_the_bands_are_not_read(shards, monkeypatch):
    read: list[list[str]] = []
    whole = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda self, group, columns: read.append(columns) or whole(self, group, columns),
    )
    assert captions(opened(shards / "256/1x1", bands=["word"])) == []
    assert all(column.startswith("text.") and column.endswith(".text") for columns in read for column in columns)
    read.clear()
    assert len(captions(opened(shards / "256/1x1"))) == 22
    assert {column for columns in read for column in columns} == {"image.bytes", "caption", "bucket"}


def test_bands_need_an_annotation(tmp_path, picture):
    for name, columns in (("without", {}), ("other", {"text": ["written"]})):
        pq.write_table(pa.table({"image": [picture(0)], "caption": ["a"]} | columns), tmp_path / f"{name}.parquet")
        with pytest.raises(ManifestError, match=r"no column 'text' of paragraphs, by which data\.bands selects"):
            opened(tmp_path / f"{name}.parquet", bands=["word"])


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not Parquet at all"])
def test_an_empty_or_foreign_file_is_named(tmp_path, content):
    (tmp_path / "empty.parquet").write_bytes(content)
    with pytest.raises(ManifestError, match=r"empty\.parquet: not a readable Parquet file"):
        opened(tmp_path)


def test_files_without_a_row_are_no_harm_unless_all_are_so(tmp_path, picture):
    table = pa.table({"image": [picture(0)], "caption": ["a"]})
    pq.write_table(table.slice(1), tmp_path / "a.parquet")
    with pytest.raises(ManifestError, match="its Parquet files hold no rows"):
        opened(tmp_path)
    pq.write_table(table, tmp_path / "b.parquet")
    assert captions(opened(tmp_path)) == ["a"]
