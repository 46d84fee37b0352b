"""A dataset that grows while it is read: what each turn takes, by whom it is found, that resuming finds it again."""

import json
import logging
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine.errors import ManifestError, RunError
from dataengine.trainer.data import Reader, ReaderState
from dataengine.trainer.datasets import DataConfig, DatasetConfig
from dataengine.trainer.listing import Diary, Folder
from dataengine.trainer.shards import Shards


@pytest.fixture
def add(tmp_path, picture):
    """Write a file of four pictures into the dataset, the folder `made`."""
    made = tmp_path / "made"
    made.mkdir()

    def write(name: str) -> Path:
        images = [picture(seed, (16, 16)) for seed in range(4)]
        table = pa.table({"image": images, "caption": [f"{name} {seed}" for seed in range(4)]})
        pq.write_table(table, made / f"{name}.parquet", row_group_size=2)
        return made / f"{name}.parquet"

    return write


def opened(tmp_path: Path, diary: Path | None = None, **keys: object) -> Shards:
    return Shards(DatasetConfig(name="d", path=str(tmp_path / "made"), grows=True, **keys), diary)


def names(shards: Shards, turn: int) -> list[str]:
    return sorted({shards.files[group.file][:-8] for group in shards.turn(turn).groups})


def reader(tmp_path: Path, rank: int = 0, world: int = 1, lanes: int = 1) -> Reader:
    config = DataConfig(path=str(tmp_path / "made"), grows=True, resolution=16, shuffle=2, lanes=lanes)
    return Reader(config, 2, 4, 0, rank, world, diary=tmp_path / "diary")


def captions(source: Reader, state: ReaderState, steps: int) -> tuple[list[list[str]], ReaderState]:
    with closing(source.batches(source.resume(state))) as batches:
        read = list(islice(batches, steps))
    return [batch.captions for batch in read], ReaderState.from_json(json.loads(json.dumps(asdict(read[-1].state))))


def test_new_files_are_read_alone_and_then_all_of_them_as_a_new_epoch(tmp_path, add):
    add("b")
    shards = opened(tmp_path)
    assert names(shards, 0) == ["b"]
    add("a"), add("c")
    assert names(shards, 1) == ["a", "c"]
    assert names(shards, 2) == ["a", "b", "c"]
    add("d")
    assert names(shards, 3) == ["d"]
    assert [shards.turn(turn).epoch for turn in range(4)] == [0, 0, 1, 1]
    assert shards.files == ["b.parquet", "a.parquet", "c.parquet", "d.parquet"]


def test_a_dataset_that_is_not_said_to_grow_stays_as_it_was_opened(tmp_path, add):
    add("a")
    shards = Shards(DatasetConfig(name="d", path=str(tmp_path / "made")))
    add("b")
    assert names(shards, 5) == ["a"]


def test_all_processes_read_what_the_first_of_them_found(tmp_path, add):
    add("a")
    one, other = opened(tmp_path, tmp_path / "diary"), opened(tmp_path, tmp_path / "diary")
    add("b")
    assert names(one, 1) == ["b"]
    add("c")
    assert names(other, 1) == ["b"]
    assert names(other, 2) == names(one, 2) == ["c"]
    assert one.turn(2) == other.turn(2)


def test_the_lanes_of_several_processes_are_disjoint_while_it_grows(tmp_path, add):
    for name in "abc":
        add(name)
    used = []
    for rank in range(2):
        with closing(reader(tmp_path, rank, 2, lanes=2).batches(ReaderState())) as batches:
            for batch in islice(batches, 12):
                turn = batch.state.lanes[rank].positions["data"].turn
                used += [(turn, caption) for caption in batch.captions]
        add("de"[rank])  # the second process must not read in a turn what the first did not find in it
    early = [(turn, caption) for turn, caption in used if turn < 2]
    assert len(set(early)) == len(early) == 2 * 12
    assert {caption[0] for _, caption in early} == {"a", "b", "c"}


def test_a_resumed_run_reads_what_was_found_before_although_there_is_more_now(tmp_path, add):
    add("a")
    source = reader(tmp_path)
    with closing(source.batches(ReaderState())) as batches:
        seen = [next(batches)]
        add("b")
        seen += islice(batches, 9)
    add("c")
    for stop in (1, 2, 3, 5):
        again, _ = captions(reader(tmp_path), seen[stop - 1].state, 6 - stop)
        assert again == [batch.captions for batch in seen[stop:6]]
    later, _ = captions(reader(tmp_path), seen[-1].state, 60)  # reading ahead had settled some turns without it
    assert any(caption.startswith("c") for batch in later for caption in batch)


def test_without_the_diary_a_change_begins_a_new_epoch_and_is_said(tmp_path, add, caplog):
    add("a")
    _, state = captions(reader(tmp_path), ReaderState(), 1)
    for page in (tmp_path / "diary").iterdir():
        page.unlink()
    add("b")
    with caplog.at_level(logging.WARNING):
        again, _ = captions(reader(tmp_path), state, 4)
    assert "the files changed since the checkpoint" in caplog.text
    assert {caption[0] for batch in again for caption in batch} == {"a", "b"}


def test_a_file_that_is_still_being_written_is_left_for_later(tmp_path, add, caplog):
    whole = add("b").read_bytes()
    (tmp_path / "made/a.parquet").write_bytes(whole[:-20])
    with caplog.at_level(logging.WARNING):
        shards = opened(tmp_path)
    assert names(shards, 0) == ["b"] and "a.parquet: not a readable Parquet file" in caplog.text
    (tmp_path / "made/a.parquet").write_bytes(whole)
    assert names(shards, 1) == ["a"]


def test_to_begin_before_there_is_a_file_is_refused_and_not_remembered(tmp_path, add):
    with pytest.raises(ManifestError, match="no Parquet file here\n  → wait until the first is there"):
        opened(tmp_path, tmp_path / "diary")
    add("a")
    assert names(opened(tmp_path, tmp_path / "diary"), 0) == ["a"]


def test_a_file_that_was_read_and_is_gone_is_named(tmp_path, add):
    gone = add("a")
    add("b")
    opened(tmp_path, tmp_path / "diary")
    gone.unlink()
    with pytest.raises(ManifestError, match=r"a\.parquet: gone, though it was listed"):
        opened(tmp_path, tmp_path / "diary")


def test_a_page_is_written_once_and_whole(tmp_path):
    one, other = Diary(tmp_path / "diary", "d"), Diary(tmp_path / "diary", "d")

    def slow() -> list[str]:  # another process is quicker
        assert other.found(0, lambda: ["first"]) == ["first"]
        return ["second"]

    assert one.found(0, slow) == ["first"]
    assert [page.name for page in (tmp_path / "diary").iterdir()] == ["d-000000.json"]


def test_a_diary_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        Diary(tmp_path / "file", "d").found(0, list)


@pytest.mark.parametrize(
    ("path", "root", "files"),
    [
        ("made", "made/", ["x/a.parquet", "x/b.parquet"]),
        ("made/x/a.parquet", "made/x/", ["a.parquet"]),
        ("made/*/b*", "made/", ["x/b.parquet"]),
        ("made/x/[a-b].parquet", "made/x/", ["a.parquet", "b.parquet"]),
    ],
)
def test_files_are_named_below_what_their_path_has_in_common(tmp_path, path, root, files):
    (tmp_path / "made/x").mkdir(parents=True)
    for name in ("a.parquet", "b.parquet", "c.txt"):
        (tmp_path / "made/x" / name).write_text("")
    folder = Folder(str(tmp_path / path))
    assert folder.files() == files
    assert folder.root == f"{tmp_path}/{root}"
