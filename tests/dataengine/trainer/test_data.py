import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dataengine.decode import decode_picture
from dataengine.errors import ManifestError
from dataengine.trainer.data import Batch, Reader, ReaderState, prefetch
from dataengine.trainer.datasets import DataConfig
from dataengine.trainer.order import Position
from dataengine.trainer.pictures import fit
from dataengine.trainer.shards import Place

BATCH, PATCH = 4, 4


def reader(path: object, seed: int = 0, batch: int = BATCH, **settings: object) -> Reader:
    config = DataConfig.model_validate({"path": str(path), "resolution": 16, "shuffle": 10} | settings)
    return Reader(config, batch, PATCH, seed)


def take(count: int, source: Reader, state: ReaderState = ReaderState()) -> list[Batch]:
    with closing(source.batches(state)) as batches:
        return list(islice(batches, count))


def places(batch: Batch) -> list[Place]:
    return [use.place for use in batch.uses]


def turns(batch: Batch) -> set[int]:
    return {position.turn for lane in batch.state.lanes.values() for position in lane.positions.values()}


def assert_same(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.captions == other.captions
        assert one.state == other.state
        assert torch.equal(one.pixels, other.pixels)


def write(path: Path, images: list[bytes | None], captions: list[str | None], group: int = 4) -> Path:
    table = pa.table({"image": pa.array(images, pa.binary()), "caption": pa.array(captions, pa.string())})
    pq.write_table(table, path, row_group_size=group)
    return path


def test_the_same_seed_gives_the_same_batches_and_another_seed_others(shards):
    first = take(12, reader(shards))
    assert_same(first, take(12, reader(shards)))
    assert [b.captions for b in first] != [b.captions for b in take(12, reader(shards, seed=1))]


def test_the_batches_do_not_depend_on_threads_or_cache(shards):
    assert_same(take(12, reader(shards)), take(12, reader(shards, workers=3, cache=0)))


def test_a_batch_has_the_shape_of_its_bucket(shards):
    sizes = {batch.size for batch in take(20, reader(shards))}
    assert sizes == {(16, 16), (12, 20)}
    assert all(b.pixels.shape == (BATCH, 3, *b.size) and b.pixels.dtype == torch.uint8 for b in take(4, reader(shards)))


def test_every_row_is_used_once_an_epoch_and_leftovers_come_first_in_the_next(shards):
    batches = take(41, reader(shards))  # 4 epochs of 41 rows in batches of 4
    uses = Counter(place for batch in batches for place in places(batch))
    assert len(uses) == 41
    assert max(uses.values()) <= 5 and min(uses.values()) >= 3
    assert sum(uses.values()) == 41 * BATCH


def test_epochs_differ_in_their_order(shards):
    batches = take(24, reader(shards / "256/1x1/shard-00000.parquet"))  # three batches an epoch
    assert set.union(*map(turns, batches)) == set(range(8))
    assert len({tuple(b.captions) for b in batches}) == 24


def test_pictures_belong_to_their_captions(shards, picture):
    for batch in take(10, reader(shards)):
        for pixels, text in zip(batch.pixels, batch.captions, strict=True):
            seed = int(text.split()[-1])
            size = (48, 48) if seed < 22 else (60, 40) if seed < 35 else (96, 96)
            expected = fit(decode_picture(picture(seed, size)), batch.size)
            assert np.array_equal(pixels.permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("after", [1, 5, 9, 14])
def test_reading_goes_on_from_a_state_with_exactly_the_next_batch(shards, after):
    straight = take(20, reader(shards))
    state = ReaderState.from_json(json.loads(json.dumps(asdict(straight[after - 1].state))))
    assert state == straight[after - 1].state
    assert_same(straight[after:], take(20 - after, reader(shards), state))


def test_a_state_is_a_few_numbers(shards):
    state = take(9, reader(shards))[-1].state
    assert len(state.lanes[0].waiting) <= 2 * (BATCH - 1)
    assert len(json.dumps(asdict(state))) < 400


def test_when_the_files_changed_a_new_epoch_begins(shards, caplog):
    state = take(3, reader(shards))[-1].state
    assert reader(shards).resume(state) is state
    (shards / "256/3x2/shard-00000.parquet").unlink()
    with caplog.at_level(logging.WARNING):
        fresh = reader(shards).resume(state)
    assert fresh.lanes[0].positions == {"data": Position(turn=1)} and not fresh.lanes[0].waiting
    assert fresh.lanes[0].step == 3
    assert "the files changed" in caplog.text


def test_files_without_a_bucket_column_are_put_in_buckets_by_their_own_size(tmp_path, picture):
    images = [picture(i, (40, 40)) for i in range(4)] + [picture(i, (30, 62)) for i in range(4)]
    write(tmp_path / "own.parquet", images, [f"caption {i}" for i in range(8)])
    batches = take(2, reader(tmp_path))
    assert {b.size: sorted(b.captions) for b in batches} == {
        (16, 16): [f"caption {i}" for i in range(4)],
        (20, 12): [f"caption {i}" for i in range(4, 8)],
    }


def test_rows_that_cannot_be_used_are_passed_over_counted_and_named_once(tmp_path, picture, caplog):
    good = [picture(i) for i in range(4)]
    images = [good[0], b"no image at all", good[1], good[2][:150], None, good[3], good[3], good[3]]
    captions = ["a", "b", "c", "d", "e", None, "", "h"]
    write(tmp_path / "mixed.parquet", images, captions)
    with caplog.at_level(logging.WARNING):
        batches = take(3, reader(tmp_path, batch=3))
    assert [sorted(b.captions) for b in batches] == [["a", "c", "h"]] * 3
    assert [turns(b) for b in batches] == [{0}, {1}, {2}]
    assert batches[-1].state.skipped in range(10, 16)  # five an epoch, some of the last still ahead
    for row in (1, 3, 4, 5, 6):
        name = f"row group {row // 4}, row {row % 4}"
        assert sum(name in record.message for record in caplog.records) == 1
    assert "not an image of a known format" in caplog.text
    assert "broken image data" in caplog.text
    assert "no image" in caplog.text
    assert "no caption" in caplog.text


def test_rows_without_a_caption_are_trained_unconditionally_when_asked_for(tmp_path, picture):
    write(tmp_path / "some.parquet", [picture(i) for i in range(4)], ["a", None, "", "d"])
    batch = take(1, reader(tmp_path, uncaptioned="empty"))[0]
    assert sorted(batch.captions) == ["", "", "a", "d"]
    assert batch.state.skipped == 0


def test_reading_over_bad_rows_goes_on_exactly_too(tmp_path, picture):
    images = [picture(i) if i % 3 else picture(i)[:150] for i in range(24)]
    write(tmp_path / "mixed.parquet", images, [str(i) for i in range(24)])
    straight = take(12, reader(tmp_path))
    for after in (1, 4, 7):
        assert_same(straight[after:], take(12 - after, reader(tmp_path), straight[after - 1].state))


def test_a_broken_row_group_costs_its_rows_only(shards, caplog):
    file = shards / "256/1x1/shard-00000.parquet"
    column = pq.read_metadata(file).row_group(1).column(3)
    content = bytearray(file.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        batches = take(2, reader(file))
    assert sorted(int(c.split()[-1]) for b in batches for c in b.captions) == [0, 1, 2, 3, 8, 9, 10, 11]
    assert len(caplog.records) == 1
    assert "row group 1 cannot be read, its 4 rows are passed over" in caplog.text
    assert take(3, reader(file))[-1].state.skipped in range(4, 9)


@pytest.mark.timeout(20)
def test_data_without_any_usable_row_is_refused_not_read_for_ever(tmp_path, picture):
    write(tmp_path / "broken.parquet", [picture(i)[:150] for i in range(6)], ["x"] * 6)
    with pytest.raises(ManifestError, match="none of its 6 rows can be used"):
        take(1, reader(tmp_path))


@pytest.mark.timeout(20)
def test_fewer_pictures_than_a_batch_fill_it_over_several_epochs(tmp_path, picture):
    write(tmp_path / "two.parquet", [picture(0), b"bad", picture(1)], ["a", "b", "c"])
    batch = take(1, reader(tmp_path))[0]
    assert Counter(batch.captions) == {"a": 2, "c": 2}


def test_prefetching_keeps_order_and_ends_its_thread():
    with closing(prefetch(iter(range(100)))) as items:
        assert list(islice(items, 50)) == list(range(50))
    assert list(prefetch(iter(range(5)))) == list(range(5))
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_an_error_while_prefetching_reaches_the_consumer_in_its_place():
    def failing() -> Iterator[int]:
        yield 1
        raise ManifestError("broken")

    items = prefetch(failing())
    assert next(items) == 1
    with pytest.raises(ManifestError, match="broken"):
        next(items)


@pytest.fixture
def captioned(tmp_path: Path, picture) -> Path:
    """Forty pictures of one shape with two captions each, except that every fourth lacks the first."""
    images = [picture(i) for i in range(40)]
    first = [None if i % 4 == 0 else f"raw {i}" for i in range(40)]
    table = pa.table({"image": pa.array(images, pa.binary()), "raw": first, "told": [f"told {i}" for i in range(40)]})
    pq.write_table(table, tmp_path / "captioned.parquet", row_group_size=5)
    return tmp_path / "captioned.parquet"


def test_one_of_several_captions_is_taken_by_weight_and_another_in_another_epoch(captioned):
    source = reader(captioned, caption={"raw": 3, "told": 1})
    used = [(p, c) for b in take(400, source) for p, c in zip(places(b), b.captions, strict=True)]
    lacking = {place for place, c in used if c.split()[0] == "told" and int(c.split()[1]) % 4 == 0}
    assert len(lacking) == 10
    both = [c.split()[0] for place, c in used if place not in lacking]
    assert len(both) == 1200
    assert both.count("raw") / len(both) == pytest.approx(0.75, abs=0.05)
    for place in {place for place, _ in used} - lacking:
        assert {c.split()[0] for other, c in used if other == place} == {"raw", "told"}


def test_the_choice_of_captions_is_the_same_after_a_resumption(captioned):
    def settings() -> Reader:
        return reader(captioned, caption={"raw": 1, "told": 1})

    whole = take(40, settings())
    for stop in (1, 9, 10, 23):
        state = ReaderState.from_json(json.loads(json.dumps(asdict(whole[stop - 1].state))))
        assert_same(whole[stop:], take(40 - stop, settings(), state))
    assert_same(whole, take(40, reader(captioned, caption={"raw": 1, "told": 1}, workers=3, cache=0)))


@pytest.mark.parametrize("weights", [{}, {"raw": 0}, {"raw": -1, "told": 2}, {"raw": float("inf")}])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="weights of captions must be above 0"):
        DataConfig.model_validate({"path": "x", "caption": weights})


def test_each_column_of_captions_must_be_there(captioned):
    with pytest.raises(ManifestError, match=r"no column 'fused'; there are: image, raw, told"):
        reader(captioned, caption={"raw": 1, "fused": 1})
