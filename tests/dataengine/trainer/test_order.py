from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, takewhile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine.trainer.datasets import DatasetConfig
from dataengine.trainer.order import Order, Position, deal, windows
from dataengine.trainer.shards import RowGroup, Shards


@pytest.fixture
def shards(tmp_path) -> Shards:
    """Three files of 20, 13 and 1 rows in row groups of four."""
    for file, count in enumerate((20, 13, 1)):
        table = pa.table({"image": [b"x"] * count, "caption": ["a"] * count, "repeats": [1] * (count - 1) + [3]})
        pq.write_table(table, tmp_path / f"{file}.parquet", row_group_size=4)
    return Shards(DatasetConfig(name="d", path=str(tmp_path)))


def read(shards: Shards, lane: int = 0, lanes: int = 1, shuffle: int = 10, at: Position = Position(), seed: int = 0):
    order = Order(shards, lane, lanes, seed, shuffle)
    with ThreadPoolExecutor(2) as fetchers:
        yield from order.rows(at, fetchers)


def epoch(rows) -> list:
    return [taken for taken in takewhile(lambda taken: taken.position.turn == 0, rows) if taken.row is not None]


@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
def test_the_lanes_of_a_turn_are_disjoint_whole_and_about_equal(shards, lanes):
    each = [[taken.row.place for taken in epoch(read(shards, lane, lanes))] for lane in range(lanes)]
    uses = Counter(place for places in each for place in places)
    last = {(0, 4, 3), (1, 3, 0), (2, 0, 0)}  # of each file, the row to be repeated thrice
    assert len(uses) == 34
    assert all(count == (3 if place in last else 1) for place, count in uses.items())
    assert sum(len(set(places)) for places in each) == 34
    assert max(map(len, each)) - min(map(len, each)) <= 8


def test_each_turn_is_dealt_anew():
    groups = [RowGroup(0, group, 10) for group in range(64)]
    first, second = (deal(groups, 4, np.random.default_rng(seed)) for seed in range(2))
    assert all(len(pieces) == 16 for pieces in first)
    assert len(set(first[0]) & set(second[0])) < 12


@pytest.mark.parametrize("count", [1, 3, 17, 200])
def test_dealing_leaves_no_lane_behind(count):
    generator = np.random.default_rng(count)
    groups = [RowGroup(0, group, int(rows)) for group, rows in enumerate(generator.integers(50, 500, count))]
    rows = [sum(piece.rows for piece in pieces) for pieces in deal(groups, 8, generator)]
    assert sum(rows) == sum(group.rows for group in groups)
    assert max(rows) < 1.4 * min(rows)


def test_no_more_than_a_window_is_shuffled_at_a_time_and_it_mixes_row_groups(shards):
    pieces = deal(shards.groups, 1, np.random.default_rng(0))[0]
    assert all(sum(piece.rows for piece in window) < 10 + 4 for window in windows(pieces, 10))
    first = [taken.row.place[:2] for taken in epoch(read(shards)) if taken.position.window == 0]
    assert len(set(first)) == 3 and first != sorted(first)


def test_reading_goes_on_from_any_position(shards):
    whole = list(islice(read(shards), 90))
    for stop in (1, 9, 10, 13, 34, 41, 57):
        again = list(islice(read(shards, at=whole[stop - 1].position), 90 - stop))
        assert [(t.row.place, t.position) for t in again] == [(t.row.place, t.position) for t in whole[stop:]]


def test_a_window_without_a_chosen_row_says_how_many_were_gone_through(tmp_path: Path):
    table = pa.table({"image": [b"x"] * 30, "caption": ["a"] * 30, "repeats": [0] * 20 + [1] * 10})
    pq.write_table(table, tmp_path / "some.parquet", row_group_size=10)
    shards = Shards(DatasetConfig(name="d", path=str(tmp_path)))
    taken = list(islice(read(shards, shuffle=10), 12 * 4))
    assert [t for t in taken if t.row is None] and all(t.passed == 10 for t in taken if t.row is None)
    assert sum(t.passed for t in taken) == 30 * 4


def test_another_seed_is_another_order(shards):
    one, other = ([taken.row.place for taken in epoch(read(shards, seed=seed))] for seed in (0, 1))
    assert sorted(one) == sorted(other) and one != other
