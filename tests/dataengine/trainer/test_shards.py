import shutil
from pathlib import Path

import datasets
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
    return [row["caption"] for group in range(len(shards.groups)) for row in rows_of(shards, group)]


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
    assert again[0]["caption"] == found.read(found.groups[5])[1]["caption"]


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
    assert (row["image"], row["caption"], row["bucket"]) == (picture(1), "b", None)


def test_shards_written_by_datasets_are_read(tmp_path, picture):
    rows = {"image": [{"bytes": picture(i), "path": None} for i in range(3)], "text": ["a", "b", "c"]}
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "hf.parquet")
    found = opened(tmp_path, caption="text")
    row = rows_of(found)[2]
    assert (row["image"], row["text"]) == (picture(2), "c")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_plain_binary_of_any_width_is_an_image_column(tmp_path, picture, kind):
    table = pa.table({"png": pa.array([picture(0)], kind), "alt": pa.array(["a"], pa.large_string())})
    pq.write_table(table, tmp_path / "plain.parquet")
    found = opened(tmp_path, "png", "alt")
    assert rows_of(found)[0]["png"] == picture(0)


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
