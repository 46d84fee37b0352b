"""The plan of the shards: every use once, in the nearest bucket, in a seeded order, in shards of the wanted size."""

import math
from collections import Counter, defaultdict

import pyarrow as pa
import pytest

from dataengine import catalog, schema
from dataengine.errors import ManifestError
from stages.pack import Pack, Params


@pytest.fixture
def run(make_run, write_part):
    """Sixty samples in parts of ten, of rising aspect, used 0 to 3 times in each of two phases."""
    samples = [{"width": 200 + 20 * i, "height": 600, "encoded": bytes(100 + i)} for i in range(60)]
    made = make_run(samples, part=10)
    for part in range(6):
        rows = [
            {"sample_id": f"id{i:04d}", "phase": p, "repeats": i % 4, "part": part, "row": i % 10}
            for i in range(part * 10, part * 10 + 10)
            for p in (256, 640)
        ]
        write_part(made, "weights", part, pa.Table.from_pylist(rows, schema=schema.WEIGHTS))
    return made


def plan(run, seed=0, **params) -> list[dict]:
    stage = Pack(seed, Params(**params))
    return stage.rows(catalog.connect(run)).read_all().cast(stage.columns).to_pylist()


def test_every_use_stands_exactly_once_in_each_phase(run):
    uses = Counter((row["phase"], row["sample_id"], row["copy"]) for row in plan(run))
    expected = {(p, f"id{i:04d}", c) for p in (256, 640) for i in range(60) for c in range(i % 4)}
    assert set(uses) == expected
    assert set(uses.values()) == {1}


def test_a_sample_stands_in_the_bucket_of_the_nearest_aspect(run):
    buckets = {row["sample_id"]: row["bucket"] for row in plan(run)}
    assert buckets["id0001"] == "1x3"  # 220 × 600
    assert buckets["id0011"] == "2x3"  # 420 × 600 is 0.70, between 2:3 and 3:4, nearer the first by ratio
    assert buckets["id0013"] == "3x4"  # 460 × 600
    assert buckets["id0021"] == "1x1"  # 620 × 600
    assert buckets["id0043"] == "16x9"  # 1060 × 600


def test_no_other_bucket_is_nearer_by_ratio(run):
    sides = [aspect.split(":") for aspect in Params().aspects]
    ratios = {f"{width}x{height}": math.log(int(width) / int(height)) for width, height in sides}
    for row in plan(run):
        ratio = math.log((200 + 20 * int(row["sample_id"][2:])) / 600)
        nearest = min(abs(ratio - other) for other in ratios.values())
        assert abs(ratio - ratios[row["bucket"]]) <= nearest + 1e-12


def test_byte_identical_samples_are_packed_each_on_its_own(make_run, write_part):
    made = make_run([{"sample_id": "twin"}] * 2)
    rows = [{"sample_id": "twin", "phase": 256, "repeats": 2, "part": 0, "row": i} for i in range(2)]
    write_part(made, "weights", 0, pa.Table.from_pylist(rows, schema=schema.WEIGHTS))
    assert sorted((row["row"], row["copy"]) for row in plan(made)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_nothing_used_is_nothing_packed():
    assert Pack(0, Params()).rows(catalog.connect_empty({})).read_all().num_rows == 0


def test_shards_are_cut_near_their_size_and_numbered_from_zero_in_each_bucket(run):
    rows = plan(run, shard_bytes=1000)
    sizes, numbers = defaultdict(int), defaultdict(list)
    for row in rows:
        shard = (row["phase"], row["bucket"], row["shard"])
        sizes[shard] += row["bytes"]
        numbers[shard[:2]].append(row["shard"])
    assert max(sizes.values()) < 1000 + 160, "a shard may pass its size by one image at most"
    full = [size for (phase, bucket, shard), size in sizes.items() if shard < max(numbers[phase, bucket])]
    assert full
    assert min(full) > 1000 - 160, "only a bucket's last shard is small"
    for found in numbers.values():
        assert found == sorted(found)
        assert set(found) == set(range(max(found) + 1))


def test_images_larger_than_a_shard_have_one_each_without_gaps_in_the_numbers(run):
    rows = [r for r in plan(run, shard_bytes=40, aspects=["1:1"]) if r["phase"] == 256]
    assert [r["shard"] for r in rows] == list(range(len(rows)))


def test_the_order_is_the_seeds(run):
    order = [[(r["sample_id"], r["copy"]) for r in plan(run, seed=seed)] for seed in (0, 0, 1)]
    assert order[0] == order[1] != order[2]
    one_bucket = [r["sample_id"] for r in plan(run) if r["phase"] == 256 and r["bucket"] == "1x1"]
    assert one_bucket != sorted(one_bucket)


def test_a_window_is_finished_before_the_next_begins(run):
    rows = [r for r in plan(run, window_parts=2, aspects=["1:1"]) if r["phase"] == 256]
    windows = [frozenset(r["part"] for r in rows[start : start + 30]) for start in (0, 30, 60)]
    assert all(len(window) == 2 for window in windows)
    assert frozenset.union(*windows) == set(range(6))


def test_without_aspects_there_is_no_bucket(run):
    with pytest.raises(ValueError, match="aspects"):
        Params(aspects=[])


@pytest.mark.parametrize("aspect", ["1", "a:b", "0:1", "1:1:1", "-1:2", "²:1"])
def test_what_is_no_aspect_is_refused(aspect):
    with pytest.raises(ValueError, match="is not width:height"):
        Params(aspects=[aspect])


def test_captions_of_ones_own_come_along_with_every_use(run):
    said = {"caption": "case when width < 400 then 'narrow' end", "titled": "upper(sample_id)"}
    columns = [*schema.PLAN.names, *said]
    rows = Pack(0, Params(captions=said)).rows(catalog.connect(run)).read_all().select(columns).to_pylist()
    assert [{k: row[k] for k in schema.PLAN.names} for row in rows] == plan(run)
    for row in rows:
        width = 200 + 20 * int(row["sample_id"][2:])
        assert row["caption"] == ("narrow" if width < 400 else None)
        assert row["titled"] == row["sample_id"].upper()


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ({"recaption": "recaptoin"}, r"pack.captions.recaption: .*recaptoin"),
        ({"long": "upper(caption"}, r"pack.captions.long: "),
        ({"wide": "width"}, r"pack.captions.wide is a INTEGER, not a text"),
    ],
)
def test_a_caption_that_cannot_be_had_is_refused_before_anything_is_computed(captions, message):
    with pytest.raises(ManifestError, match=message):
        Pack(0, Params(captions=captions)).check(catalog.connect_empty({}))


@pytest.mark.parametrize("name", ["bucket", "image", "two words", ""])
def test_a_caption_cannot_take_the_name_of_another_column(name):
    with pytest.raises(ValueError, match="cannot name a caption"):
        Params(captions={name: "caption"})
