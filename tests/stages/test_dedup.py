"""Duplicates: who is near whom, which groups that makes, and who is kept."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import catalog
from dataengine.errors import ManifestError
from stages.dedup import Dedup, Params, Semantic, components, near_pairs
from stages.measure.fingerprint import simhash

HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=0, max_size=40)


@settings(deadline=None, max_examples=60)
@given(HASHES, st.lists(st.tuples(st.integers(0, 39), st.integers(0, 63)), max_size=40), st.integers(0, 12))
def test_near_pairs_connect_what_brute_force_connects(hashes, flips, distance):
    hashes = [*hashes, *(hashes[i % len(hashes)] ^ (1 << bit) for i, bit in flips if hashes)]
    hashes += hashes[:5]
    p = np.array(hashes, np.uint64)
    d = p[::-1].copy()
    every = [
        (i, j)
        for i in range(len(p))
        for j in range(i + 1, len(p))
        if int(p[i] ^ p[j]).bit_count() <= distance and int(d[i] ^ d[j]).bit_count() <= 20
    ]
    found = near_pairs([p, d], [distance, 20])
    assert {tuple(pair) for pair in found.tolist()} <= set(every)
    expected = components(len(p), np.array(every, np.int64).reshape(-1, 2))
    assert components(len(p), found).tolist() == expected.tolist()


def test_many_equal_images_are_paired_with_the_first_of_them():
    hashes = np.full(20_000, 7, np.uint64)
    assert near_pairs([hashes, hashes], [6, 10]).tolist() == [[0, j] for j in range(1, 20_000)]


def test_pairs_within_and_across_blocks_are_found():
    hashes = np.random.default_rng(0).integers(0, 2**63, 5000).astype(np.uint64)
    expected = [[1, 2], [3, 4990], [2047, 2048], [2500, 2501]]
    for i, j in expected:
        hashes[j] = hashes[i] ^ np.uint64(1)
    assert sorted(near_pairs([hashes, hashes], [2, 2]).tolist()) == expected


@settings(deadline=None)
@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_components_have_the_smallest_member_as_their_label(count, pairs):
    pairs = [(a % count, b % count) for a, b in pairs]
    label = list(range(count))
    for _ in range(count):
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    assert components(count, np.array(pairs, np.int64).reshape(-1, 2)).tolist() == label


@pytest.fixture
def deduplicate(make_run):
    def make(samples, phash, digests=None, embeddings=None, **params):
        hashes = [simhash(s["caption"]) if s.get("caption") else None for s in samples]
        run = make_run(
            samples,
            part=2,
            fingerprint={
                "phash": np.array(phash, np.uint64),
                "dhash": np.array(phash, np.uint64),
                "pixel_digest": digests or [f"d{i}" for i in range(len(samples))],
                "caption_hash": pa.array(hashes, pa.uint64()),
            },
            **({"clip": {"clip_embedding": pa.array(embeddings, pa.list_(pa.float16()))}} if embeddings else {}),
        )
        stage = Dedup(0, Params(**params))
        db = catalog.connect(run)
        stage.check(db)
        return stage.rows(db).read_all().cast(stage.columns).to_pylist()

    return make


FAR = [0x0F0F0F0F0F0F0F0F, 0xFFFF0000FFFF0000, 0x123456789ABCDEF0, 0]


def test_the_keeper_is_the_first_by_the_declared_order(deduplicate):
    samples = [{"width": 300}, {"width": 900}, {"width": 600}, {"width": 100}]
    rows = deduplicate(samples, [FAR[0], FAR[0] ^ 3, FAR[0] ^ 1, FAR[1]])
    assert [row["duplicate_of"] for row in rows] == ["id0001", None, "id0001", None]
    assert [row["duplicate_kind"] for row in rows] == ["near", None, "near", None]
    assert [row["duplicate_distance"] for row in rows] == [2, None, 1, None]
    rows = deduplicate(samples, [FAR[0], FAR[0] ^ 3, FAR[0] ^ 1, FAR[1]], keep=["width asc"])
    assert [row["duplicate_of"] for row in rows] == [None, "id0000", "id0000", None]


def test_equal_pixels_are_exact_duplicates_however_far_their_hashes(deduplicate):
    rows = deduplicate([{}, {}, {}], [FAR[0], FAR[1], FAR[2]], digests=["same", "other", "same"])
    assert [row["duplicate_kind"] for row in rows] == [None, None, "exact"]


def test_byte_identical_samples_share_an_id_and_one_of_them_is_kept(deduplicate):
    rows = deduplicate([{"sample_id": "twin"}, {}, {"sample_id": "twin"}], [FAR[0], FAR[1], FAR[0]], ["a", "b", "a"])
    assert [row["duplicate_of"] for row in rows] == [None, None, "twin"]
    assert [(row["part"], row["row"]) for row in rows] == [(0, 0), (0, 1), (1, 0)]


def test_the_near_comparison_leaves_out_what_where_excludes(deduplicate):
    samples = [{"source": "pages"}, {"source": "pages"}, {"source": "photos"}]
    rows = deduplicate(samples, [FAR[0]] * 3, where="source <> 'pages'")
    assert [row["duplicate_of"] for row in rows] == [None, None, None]
    rows = deduplicate([*samples, {"source": "photos"}], [FAR[0]] * 4, where="source <> 'pages' -- alike anyway")
    assert [row["duplicate_of"] for row in rows] == [None, None, None, "id0002"]


def test_pages_that_where_excludes_are_still_duplicates_when_their_pixels_are_equal(deduplicate):
    rows = deduplicate([{}, {}, {}], [FAR[0]] * 3, ["same", "other", "same"], where="false")
    assert [(row["duplicate_of"], row["duplicate_kind"]) for row in rows] == [
        (None, None),
        (None, None),
        ("id0000", "exact"),
    ]


def test_the_order_may_hold_comments_and_several_columns(deduplicate):
    samples = [{"width": 300, "height": 900}, {"width": 600, "height": 300}, {"width": 600, "height": 400}]
    rows = deduplicate(samples, [FAR[0]] * 3, keep=["width desc -- the widest", "height desc"])
    assert [row["duplicate_of"] for row in rows] == ["id0002", "id0002", None]


def test_no_samples_have_no_duplicates():
    columns = pa.schema([("phash", pa.uint64()), ("dhash", pa.uint64()), ("pixel_digest", pa.string())])
    assert Dedup(0, Params()).rows(catalog.connect_empty({"fingerprint": columns})).read_all().num_rows == 0


def test_samples_that_could_not_be_decoded_have_no_twins(make_run):
    none = [None, None]

    nulls = {"phash": pa.array(none, pa.uint64()), "dhash": pa.array(none, pa.uint64())}
    run = make_run([{}, {}], fingerprint={**nulls, "pixel_digest": pa.array(none, pa.string())})
    rows = Dedup(0, Params()).rows(catalog.connect(run)).read_all().to_pylist()
    assert [row["duplicate_of"] for row in rows] == [None, None]


def test_a_missing_fingerprint_and_a_bad_order_are_named(make_run, deduplicate):
    with pytest.raises(ManifestError, match="- fingerprint"):
        Dedup(0, Params()).check(catalog.connect(make_run([{}])))
    with pytest.raises(ManifestError, match="sharpnes"):
        deduplicate([{}], [FAR[0]], keep=["sharpnes desc"])
    with pytest.raises(ManifestError, match=r"(?s)Could not convert.*try_cast"):
        deduplicate([{"caption": "cat"}], [FAR[0]], where="caption::int > 3")


def test_a_chain_of_near_images_is_one_group_and_its_best_is_kept(deduplicate):
    samples = [{"encoded": bytes(size)} for size in (10, 30, 20)]
    rows = deduplicate(samples, [FAR[0], FAR[0] ^ 0b1111, FAR[0] ^ 0b11111111], phash_distance=4)
    assert [row["duplicate_of"] for row in rows] == ["id0001", None, "id0001"]


SEA, SEA_TOO = "A ship on the sea before a red sunset, with gulls", "a ship on the sea, before a red sunset with gulls!"


def test_pairs_are_duplicates_when_their_captions_are_near_too(deduplicate):
    samples = [{"caption": SEA}, {"caption": "A cat"}, {"caption": SEA_TOO}, {"caption": None}, {"caption": None}]
    hashes = [FAR[0], FAR[0], FAR[0] ^ 1, FAR[0], FAR[0] ^ 3]
    rows = deduplicate(samples, hashes, caption_distance=6, keep=["sample_id"])
    assert [row["duplicate_of"] for row in rows] == [None, None, "id0000", None, "id0003"]
    everything = deduplicate(samples, hashes, keep=["sample_id"])
    assert [row["duplicate_of"] for row in everything] == [None, *["id0000"] * 4]


def test_equal_pixels_with_other_words_are_another_pair(deduplicate):
    samples = [{"caption": SEA}, {"caption": "A cat"}, {"caption": SEA}]
    rows = deduplicate(samples, FAR[:3], ["same"] * 3, caption_distance=6, keep=["sample_id"])
    assert [row["duplicate_kind"] for row in rows] == [None, None, "exact"]


def test_embeddings_find_what_hashes_do_not(deduplicate):
    embeddings = [[1.0, 0, 0], [0.999, 0.01, 0], None, [0, 1.0, 0]]
    asked = {"semantic": {"similarity": 0.95}, "keep": ["sample_id"]}
    rows = deduplicate([{}, {}, {}, {}], FAR, embeddings=embeddings, **asked)
    assert [row["duplicate_of"] for row in rows] == [None, "id0000", None, None]
    assert rows[1]["duplicate_kind"] == "semantic"
    near = deduplicate([{}, {}, {}, {}], [FAR[0], FAR[0] ^ 1, FAR[2], FAR[3]], embeddings=embeddings, **asked)
    assert near[1]["duplicate_kind"] == "near"  # the strictest that holds


def test_an_embedding_that_is_not_measured_is_named(deduplicate):
    with pytest.raises(ManifestError, match="clip_embedding is not measured"):
        deduplicate([{}], [FAR[0]], semantic={})
    with pytest.raises(ManifestError, match=r"semantic\.column: caption is a VARCHAR"):
        deduplicate([{}], [FAR[0]], semantic={"column": "caption"})


def test_where_must_be_true_or_false(deduplicate):
    with pytest.raises(ManifestError, match=r"dedup\.where: 'width' is a INTEGER, not true or false"):
        deduplicate([{}], [FAR[0]], where="width")


def test_groups_do_not_depend_on_the_order_of_samples_or_on_how_they_are_cut_into_parts(make_run, tmp_path):
    rng = np.random.default_rng(0)
    count = 400
    phash = rng.integers(0, 2**64, count, dtype=np.uint64)
    of = rng.integers(0, count // 2, count // 2)
    phash[count // 2 :] = phash[of] ^ (np.uint64(1) << rng.integers(0, 64, len(of), dtype=np.uint64))
    embeddings = np.eye(count)[np.concatenate([np.arange(count - 60), rng.integers(0, count, 60)])]
    digests = np.array([f"d{i}" for i in rng.integers(0, count * 2, count)])
    widths = rng.integers(300, 304, count)  # many as good as others
    found = []
    for part, order in ((1000, np.arange(count)), (64, rng.permutation(count)), (7, rng.permutation(count))):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        run = make_run(
            [{"sample_id": f"id{i:04d}", "width": int(widths[i])} for i in order],
            part=part,
            fingerprint={"phash": phash[order], "dhash": phash[order], "pixel_digest": digests[order]},
            clip={"clip_embedding": pa.array(list(embeddings[order]), pa.list_(pa.float32()))},
        )
        rows = Dedup(0, Params(semantic=Semantic())).rows(catalog.connect(run)).read_all().to_pylist()
        assert [(row["part"], row["row"]) for row in rows] == [divmod(i, part) for i in range(count)]
        found.append({row.pop("sample_id"): {k: v for k, v in row.items() if k.startswith("dup")} for row in rows})
    assert found[0] == found[1] == found[2]
    kinds = [row["duplicate_kind"] for row in found[0].values()]
    assert min(kinds.count(kind) for kind in ("exact", "near", "semantic")) > 10
