"""Earlier runs: which of their samples count, and what is refused because it does not compare."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine import catalog, schema
from dataengine.config import build
from dataengine.errors import ManifestError
from dataengine.manifest import Manifest
from dataengine.plan import Plan
from dataengine.run import Run
from stages.dedup import Dedup, Params

FAR = [0x0F0F0F0F0F0F0F0F, 0xFFFF0000FFFF0000, 0x123456789ABCDEF0, 0]
COLUMNS = ("phash", "dhash", "pixel_digest", "caption_hash", "clip_embedding")


def signals(phash, digests, embeddings=None) -> dict[str, dict]:
    hashes = np.array(phash, np.uint64)
    nothing = pa.nulls(len(phash), pa.uint64())
    made = {"fingerprint": {"phash": hashes, "dhash": hashes, "pixel_digest": digests, "caption_hash": nothing}}
    if embeddings:
        made["clip"] = {"clip_embedding": pa.array(embeddings, pa.list_(pa.float16()))}
    return made


@pytest.fixture
def earlier(make_run, write_part, tmp_path):
    """A run of which only what is read is left: old0, old1 and so on, in parts of two, with decisions where `kept`
    says so and duplicates where `twins` does."""

    def make(phash, digests, embeddings=None, kept=None, twins=None, name="old") -> str:
        ids = [f"old{i}" for i in range(len(phash))]
        more = {"duplicates": {"duplicate_of": pa.array(twins, pa.string())}} if twins else {}
        run = make_run([{"sample_id": i} for i in ids], part=2, **signals(phash, digests, embeddings), **more)
        if kept is not None:
            rows = [
                {"sample_id": ids[i], "phase": phase, "kept": kept[i] and phase == 256, "part": i // 2, "row": i % 2}
                for i in range(len(ids))
                for phase in (256, 640)
            ]
            write_part(run, "decisions", 0, pa.Table.from_pylist(rows, schema=schema.DECISIONS))
        done = {"state": "done", "fingerprint": "0"}
        run.write_text("run.json", json.dumps({"stages": {"measure.fingerprint": done, "measure.clip": done}}))
        shutil.rmtree(run.path("samples"))
        return str(Path(run.root).rename(tmp_path / name))

    return make


@pytest.fixture
def deduplicate(make_run):
    """Which sample each new one is a duplicate of, and how."""

    def make(phash, embeddings=None, recipes=None, **params) -> list[tuple[str | None, str | None]]:
        digests = [f"d{i}" for i in range(len(phash))]
        run = make_run([{"width": 9000}] * len(phash), part=2, **signals(phash, digests, embeddings))
        db = catalog.connect(run)
        recipes = recipes or dict.fromkeys(COLUMNS, "")
        db.register("recipes", pa.table({"name": list(recipes), "recipe": list(recipes.values())}))
        stage = Dedup(0, Params(**params))
        stage.check(db)
        rows = stage.rows(db).read_all().to_pylist()
        assert [row["sample_id"] for row in rows] == [f"id{i:04d}" for i in range(len(phash))]
        return [(row["duplicate_of"], row["duplicate_kind"]) for row in rows]

    return make


def test_samples_of_an_earlier_run_are_kept_before_all_new_ones_though_its_images_are_gone(deduplicate, earlier):
    old = earlier([FAR[0] ^ 1, FAR[3], FAR[3]], ["p", "d1", "q"])
    assert deduplicate(FAR[:3], known=[old]) == [("old0", "near"), ("old1", "exact"), (None, None)]


def test_of_several_earlier_runs_the_first_named_comes_first(deduplicate, earlier):
    one, other = earlier([FAR[0]], ["p"], name="one"), earlier([FAR[0] ^ 1], ["d1"], name="other")
    assert deduplicate(FAR[:2], known=[one, other]) == [("old0", "near"), ("old0", "near")]
    assert deduplicate(FAR[1:3], known=[other]) == [(None, None), ("old0", "exact")]


@pytest.mark.parametrize(
    ("kept", "twins", "known"),
    [
        (None, None, [True, True, True]),
        ([True, False, False], None, [True, False, False]),
        ([True, False, False], [None, "old0", None], [True, True, False]),  # one like what it kept
        ([False, False, True], [None, "old0", None], [False, False, True]),
        ([False, False, True], [None, None, "older"], [False, False, True]),
    ],
)
def test_what_an_earlier_run_kept_counts_with_its_twins(deduplicate, earlier, kept, twins, known):
    old = earlier(FAR[:3], ["p", "q", "r"], kept=kept, twins=twins)
    found = deduplicate(FAR[:3], known=[old])
    assert [of is not None for of, _ in found] == known


def test_embeddings_of_an_earlier_run_are_compared_too(deduplicate, earlier):
    old = earlier(FAR[:2], ["p", "q"], embeddings=[None, [1.0, 0.0]])
    found = deduplicate(FAR[2:4], embeddings=[[0.0, 1.0], [0.99, 0.05]], known=[old], semantic={})
    assert found == [(None, None), ("old1", "semantic")]


def test_a_parquet_file_will_do(deduplicate, tmp_path):
    path, hashes = tmp_path / "index.parquet", pa.array([FAR[0], 5], pa.uint64())
    index = pa.table({"sample_id": ["a", "b"], "pixel_digest": ["p", "q"], "phash": hashes, "dhash": hashes})
    pq.write_table(index, path)
    assert deduplicate(FAR[:2], known=[str(path)]) == [("a", "near"), (None, None)]
    embedded = index.append_column("clip_embedding", pa.array([[0, 1, 0], None], pa.list_(pa.float32())))
    pq.write_table(embedded, path)
    with pytest.raises(ManifestError, match=r"embeddings have 2 and 3 numbers"):
        deduplicate(FAR[1:2], embeddings=[[0.0, 1.0]], known=[str(path)], semantic={})


def test_what_was_measured_otherwise_is_refused(deduplicate, earlier):
    old = earlier(FAR[:1], ["p"], embeddings=[[1.0, 0.0]])
    other_model = {**dict.fromkeys(COLUMNS, ""), "clip_embedding": "of another model"}
    with pytest.raises(ManifestError, match="old measured clip_embedding otherwise than this run"):
        deduplicate(FAR[:1], [[1.0, 0.0]], other_model, known=[old], semantic={})
    assert deduplicate(FAR[:1], [[1.0, 0.0]], other_model, known=[old]) == [("old0", "near")]


def test_a_plan_tells_by_what_recipe_this_run_measures(earlier, tmp_path):
    manifest = {
        "name": "new",
        "collect": [{"stage": "folder", "path": str(tmp_path)}],
        "measure": ["fingerprint"],
        "dedup": {"known": [earlier(FAR[:1], ["p"])]},
    }
    with pytest.raises(ManifestError, match="old measured pixel_digest otherwise than this run"):
        Plan(build(Manifest, manifest, "new.yaml"), Run(str(tmp_path / "new")))


def test_what_an_earlier_run_has_not_measured_is_named(deduplicate, earlier):
    old = earlier(FAR[:1], ["p"])
    with pytest.raises(ManifestError, match="old has not measured clip_embedding\n"):
        deduplicate(FAR[:1], [[1.0, 0.0]], known=[old], semantic={})
    Path(old, "run.json").write_text('{"stages": {"measure.fingerprint": {"state": "running"}}}')
    with pytest.raises(ManifestError, match="old has not measured pixel_digest to the end"):
        deduplicate(FAR[:1], known=[old])


def test_another_content_is_another_recipe(earlier, tmp_path):
    old = earlier(FAR[:1], ["p"])
    before = Params(known=[old])
    assert Params(known=[k.model_dump() for k in before.known]) == before
    Path(old, "run.json").write_text('{"stages": {"measure.fingerprint": {"state": "done", "fingerprint": "1"}}}')
    assert Params(known=[old]) != before
    path = tmp_path / "index.parquet"
    path.write_bytes(b"1")
    before = Params(known=[str(path)])
    path.write_bytes(b"2")
    assert Params(known=[str(path)]) != before


def test_what_is_neither_a_run_nor_a_file_with_fingerprints_is_named(deduplicate, tmp_path):
    with pytest.raises(ValueError, match=r"none cannot be read: No such file"):
        Params(known=[str(tmp_path / "none")])
    with pytest.raises(ValueError, match=r"is no run: it has no run\.json"):
        Params(known=[str(tmp_path)])
    with pytest.raises(ValueError, match="give the folder of an earlier run"):
        Params(known=[3])
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"sample_id": ["a"]}), other)
    with pytest.raises(ManifestError, match=r"(?s)other\.parquet has no pixel_digest.*Parquet with sample_id, pixel_d"):
        deduplicate(FAR[:1], known=[str(other)])
    other.write_text("words")
    with pytest.raises(ManifestError, match=r"other\.parquet cannot be read"):
        deduplicate(FAR[:1], known=[str(other)])
