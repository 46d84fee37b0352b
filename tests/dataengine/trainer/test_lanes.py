"""What makes a run the same whatever it runs on: lanes, and going on from any state with any number of hands."""

import json
from collections import Counter
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import ManifestError
from dataengine.trainer.data import Batch, Reader, ReaderState
from dataengine.trainer.datasets import DataConfig

LANES, BATCH, STEPS = 4, 8, 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture) -> Path:
    """Two datasets: pictures of two shapes in row groups of five, some broken and some repeated, and a small one."""
    root = tmp_path_factory.mktemp("lanes")
    for name, count in (("many", 60), ("few", 7)):
        sizes = [(40, 40) if i % 3 else (60, 40) for i in range(count)]
        images = [picture(i, size) for i, size in enumerate(sizes)]
        for i in range(5, count, 11):
            images[i] = b"no picture" if i % 2 else images[i][:150]  # told by its header, or only by decoding it
        table = pa.table(
            {
                "image": pa.array(images, pa.binary()),
                "caption": [f"{name} {i}" for i in range(count)],
                "other": [f"{name} {i} again" for i in range(count)],
                "repeats": [2 if i % 7 == 0 else 1 for i in range(count)],
            }
        )
        pq.write_table(table, root / f"{name}.parquet", row_group_size=5)
    return root


def config(folder: Path, **keys: object) -> DataConfig:
    datasets = [
        {"name": "many", "path": str(folder / "many.parquet"), "weight": 3},
        {"name": "few", "path": str(folder / "few.parquet"), "weight": [[0, 0], [STEPS, 3]]},
    ]
    shared = {"resolution": 16, "lanes": LANES, "shuffle": 12, "caption": {"caption": 1, "other": 1}}
    return DataConfig.model_validate({"datasets": datasets} | shared | keys)


def read(folder: Path, state: ReaderState, steps: int, world: int, **keys: object) -> tuple[list, ReaderState]:
    """The global batches of some steps, each put together of what all processes got, and the state after them."""
    shares: list[list[Batch]] = []
    for rank in range(world):
        reader = Reader(config(folder, **keys), BATCH, 4, 7, rank, world)
        with closing(reader.batches(reader.resume(state))) as batches:
            shares.append(list(islice(batches, steps)))
    whole = []
    for step in zip(*shares, strict=True):
        samples = [
            (index, batch.datasets[at], batch.uses[at], batch.captions[at], batch.sizes[at], batch.pixels[at])
            for batch in step
            for at, index in enumerate(batch.index)
        ]
        whole.append(sorted(samples, key=lambda sample: sample[0]))
    last = [share[-1].state for share in shares]
    joined = last[0].joined(last[1:])
    return whole, ReaderState.from_json(json.loads(json.dumps(asdict(joined))))


def assert_same(one: list, other: list) -> None:
    assert [[s[:-1] for s in step] for step in one] == [[s[:-1] for s in step] for step in other]
    assert all(torch.equal(a[-1], b[-1]) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


@pytest.fixture(scope="module")
def straight(folder) -> tuple[list, ReaderState]:
    return read(folder, ReaderState(), STEPS, 1)


@settings(max_examples=10, deadline=None)
@given(
    cuts=st.lists(st.integers(1, STEPS - 1), max_size=3, unique=True).map(sorted),
    worlds=st.lists(st.sampled_from([1, 2, 4]), min_size=4, max_size=4),
    workers=st.lists(st.integers(1, 3), min_size=4, max_size=4),
)
def test_any_interruptions_processes_and_threads_give_the_batches_of_an_undisturbed_run(
    folder, straight, cuts, worlds, workers
):
    batches: list = []
    state = ReaderState()
    for start, stop, world, threads in zip([0, *cuts], [*cuts, STEPS], worlds, workers, strict=False):
        more, state = read(folder, state, stop - start, world, workers=threads, cache=0 if threads == 2 else 10**7)
        batches += more
    assert_same(batches, straight[0])
    assert state == straight[1]


def test_a_step_has_every_index_once_and_one_size_a_lane(straight):
    for step in straight[0]:
        assert [sample[0] for sample in step] == list(range(BATCH))
        share = BATCH // LANES
        assert all(len({s[4] for s in step[at : at + share]}) == 1 for at in range(0, BATCH, share))
    assert any(len({sample[4] for sample in step}) == 2 for step in straight[0])


def test_lanes_are_disjoint_and_together_use_every_row_as_often_as_it_is_repeated(folder):
    one = config(folder, datasets=[], path=str(folder / "many.parquet"), aspects=("1:1",))
    reader = Reader(one, LANES, 4, 7)  # of one size and one a lane, so that nothing waits
    used: Counter[int] = Counter()
    with closing(reader.batches(ReaderState())) as batches:
        for batch in islice(batches, 40):
            for lane, use in enumerate(batch.uses):
                if batch.state.lanes[lane].positions["data"].turn == 0:
                    used[5 * use.place.group + use.place.row] += 1
    assert used == {i: 2 if i % 7 == 0 else 1 for i in range(60) if i % 11 != 5}


def test_the_state_of_a_lane_is_a_few_numbers(straight):
    for lane in straight[1].lanes.values():
        assert len(json.dumps(asdict(lane))) < 320


def test_a_dataset_beside_it_does_not_change_the_order_of_one(folder):
    def order(reader: Reader) -> list:
        with closing(reader.batches(ReaderState())) as batches:
            uses = [use for batch in islice(batches, 30) for use in batch.uses if use.dataset == "many"]
        return [use.place for use in uses]

    both = config(folder, lanes=1, aspects=("1:1",))
    alone, beside = order(Reader(both.altered({"many": 1}), 1, 4, 7)), order(Reader(both, 1, 4, 7))
    assert 10 < len(beside) < len(alone) == 30
    assert alone[: len(beside)] == beside


def test_lanes_that_the_processes_or_the_batch_cannot_share_are_refused(folder):
    with pytest.raises(ManifestError, match=r"data\.lanes: 4 cannot be shared out to 3 processes"):
        Reader(config(folder), BATCH, 4, 0, 0, 3)
    with pytest.raises(ManifestError, match="a batch of 6 cannot be taken from 4 lanes"):
        Reader(config(folder), 6, 4, 0)


def test_fewer_rows_than_lanes_are_read_by_all_lanes_in_turn(folder):
    reader = Reader(config(folder, datasets=[], path=str(folder / "few.parquet"), limit=2), LANES, 4, 7)
    with closing(reader.batches(ReaderState())) as batches:
        used = [use.place.row for batch in islice(batches, 50) for use in batch.uses]
    assert set(used) == {0, 1}


@pytest.mark.timeout(30)
def test_rows_of_no_use_are_given_up_on_in_lanes_too(tmp_path):
    table = pa.table({"image": [b"x"] * 3, "caption": ["a"] * 3})
    pq.write_table(table, tmp_path / "bad.parquet")
    reader = Reader(DataConfig(path=str(tmp_path), lanes=4), 4, 4, 0)
    with pytest.raises(ManifestError, match="none of its 3 rows can be used"):
        next(reader.batches(ReaderState()))


def test_a_phase_goes_on_where_the_one_before_it_stopped(folder):
    _, state = read(folder, ReaderState(), 6, 1)
    phase = config(folder).altered({"many": 1, "few": 1}, resolution=32)
    reader = Reader(phase, BATCH, 4, 7)
    with closing(reader.batches(reader.resume(state.next_phase()))) as batches:
        batch = next(batches)
    assert all(max(size) > 16 for size in batch.sizes)
    first = [use for use in batch.uses if use.dataset == "many"]
    waiting = [use for lane in state.lanes.values() for use in lane.waiting]
    turns = {lane.positions["many"].turn for lane in state.lanes.values()}
    assert set(waiting) & set(batch.uses) and first
    assert {lane.positions["many"].turn for lane in batch.state.lanes.values()} <= turns | {t + 1 for t in turns}
    assert {lane.step for lane in batch.state.lanes.values()} == {7}
