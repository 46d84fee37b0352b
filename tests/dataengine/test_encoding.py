"""Encoding on Ray: the same bytes with any number of workers, only what is missing, only what is new, nothing lost."""

import io
import itertools
import shutil
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from rich.console import Console

from dataengine import books, catalog, encoding, running, schema
from dataengine.config import build
from dataengine.errors import ManifestError, RunError, StageError
from dataengine.manifest import Entry, load
from dataengine.plan import resolve
from dataengine.run import Mark, Run
from dataengine.stage import Encoder
from dataengine.trainer.data import Reader, ReaderState
from dataengine.trainer.datasets import DataConfig
from stages.encode import Encode

ENCODE = {"image": {"kind": "pixels", "patch": 4}, "text": None, "resources": {"memory": "256MiB"}}
QUIET = Console(quiet=True)


def row(seed: int, bucket: str, copy: int = 0) -> dict[str, object]:
    """A packed sample; the picture of sample 13 is broken."""
    stream = io.BytesIO()
    colours = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((60, 40 if bucket == "3x2" else 60)).save(stream, "PNG")
    encoded = b"broken" if seed == 13 else stream.getvalue()
    plain = {"source": "test", "format": "png", "width": 60, "height": 40 if bucket == "3x2" else 60, "language": "en"}
    said = {"caption": f"picture {seed}", "raw": f"raw {seed}" if seed % 2 else None}
    place = {"phase": 16, "bucket": bucket, "copy": copy, "uri": f"test/{seed}", "category": "a", "text": []}
    return {**plain, **said, **place, "sample_id": f"{seed:032x}", "image": {"bytes": encoded, "path": None}}


def pack(run: Run, shards: dict[str, list[dict[str, object]]]) -> None:
    """Shards and their index, as `pack` writes them."""
    columns = schema.with_image_feature(pa.schema([*schema.SHARD, ("raw", pa.string())]))
    index = []
    for name, rows in shards.items():
        path = run.path("shards", name)
        mark = Mark("pack", "", " ".join(f"{r['sample_id']}/{r['copy']}" for r in rows))
        with run.writer(path, columns) as writer:
            for start in range(0, len(rows), 4):
                writer.write(pa.Table.from_pylist(rows[start : start + 4], schema=columns))
            writer.commit(mark)
        told = {"path": name, "phase": 16, "bucket": name.split("/")[1], "rows": len(rows), "bytes": writer.bytes}
        index.append({**told, "digest": run.digest(path), "fingerprint": mark.fingerprint})
    with run.writer(run.path("shards", "index.parquet"), schema.INDEX) as writer:
        writer.write(pa.Table.from_pylist(index, schema=schema.INDEX))
        writer.commit(Mark("index", "", ""))
    run.write_text("run.json", '{"name": "test", "seed": 0, "stages": {"pack": {"state": "done"}}}')
    run.write_text("manifest.yaml", yaml.safe_dump({"name": "test", "encode": ENCODE}))


def encode(run: Run, workers: int = 1, *overrides: str) -> None:
    running.encode(run.url, None, overrides, None, workers, QUIET)


def latents(run: Run) -> dict[str, str]:
    return {path[len(run.path("latents")) + 1 :]: run.digest(path) for path in run.files("latents")}


SHARDS = {
    "16/1x1/shard-00000.parquet": [*(row(seed, "1x1") for seed in range(6)), row(0, "1x1", 1), row(0, "1x1", 2)],
    "16/1x1/shard-00001.parquet": [row(seed, "1x1") for seed in range(6, 10)],
    "16/3x2/shard-00000.parquet": [row(seed, "3x2") for seed in range(10, 15)],
}


@pytest.fixture(scope="module")
def encoded(tmp_path_factory) -> Run:
    """Three shards, encoded by one worker."""
    run = Run(str(tmp_path_factory.mktemp("encoded")))
    pack(run, SHARDS)
    encode(run)
    return run


@pytest.fixture
def run(encoded, tmp_path) -> Run:
    """A copy of it."""
    shutil.copytree(encoded.url, tmp_path / "run")
    return Run(str(tmp_path / "run"))


def test_each_shard_has_its_latents_with_captions_sizes_and_fingerprints(encoded):
    assert list(latents(encoded)) == list(SHARDS)
    rows = pq.read_table(encoded.path("latents", "16/3x2/shard-00000.parquet"))
    assert rows.schema.equals(schema.LATENTS)
    assert [int(i, 16) for i in rows["sample_id"].to_pylist()] == [10, 11, 12, 14]
    first, second = rows.slice(0, 2).to_pylist()
    assert (first["phase"], first["bucket"], first["category"], first["language"]) == (16, "3x2", "a", "en")
    assert (first["height"], first["width"]) == (12, 20)
    assert first["latent"]["shape"] == [3, 12, 20] and len(first["latent"]["values"]) == 2 * 3 * 12 * 20
    assert first["crop"] == [0, 2, 60, 38]
    assert [(c["name"], c["caption"], c["states"]) for c in first["captions"]] == [("caption", "picture 10", None)]
    assert [c["caption"] for c in second["captions"]] == ["picture 11", "raw 11"]
    assert (first["image_encoder"], first["text_encoder"]) == ("pixels", "captions")


def test_what_does_not_decode_is_a_failure_and_the_books_balance(encoded):
    found = catalog.query(encoded, "select uri, stage, error, message from failures").to_pylist()
    assert [(f["uri"], f["stage"], f["error"]) for f in found] == [("test/13", "encode", "SampleError")]
    [law] = [f for f in books.check(encoded) if "encoded" in f.law]
    assert (law.counted, law.broken) == ("16 rows in 3 files, 1 failures", "")
    assert catalog.query(encoded, "select count(*) as n from latents").to_pylist() == [{"n": 16}]


def test_two_workers_write_the_bytes_that_one_writes(encoded, tmp_path):
    other = Run(str(tmp_path))
    pack(other, SHARDS)
    encode(other, 2)
    assert latents(other) == latents(encoded)


def test_what_stands_is_not_made_again_and_what_is_missing_is_named_and_made(run, encoded):
    def times() -> dict[str, int]:
        return {path: Path(path).stat().st_mtime_ns for path in run.files("latents")}

    before = times()
    encode(run)
    assert times() == before
    lost = run.path("latents", "16/1x1/shard-00001.parquet")
    Path(lost).unlink()
    Path(f"{lost}.tmp-1234").write_bytes(b"torn")
    assert "16/1x1/shard-00001.parquet is missing" in str([f.broken for f in books.check(run)])
    encode(run)
    after = times()
    assert {path for path in after if after[path] != before[path]} == {lost}
    assert latents(run) == latents(encoded)
    assert not list(Path(run.url).rglob("*.tmp-*"))


def test_of_other_shards_only_what_is_new_is_computed(run):
    """What was known is told by its values, which were changed by hand before."""
    for path in run.files("latents"):
        mark = {b"dataengine": pq.read_metadata(path).metadata[b"dataengine"]}
        rows = pq.read_table(path).to_pylist()
        for known in rows:
            known["latent"]["values"] = bytes(len(known["latent"]["values"]))
        pq.write_table(pa.Table.from_pylist(rows, schema=schema.LATENTS.with_metadata(mark)), path)
    shutil.rmtree(run.path("shards"))
    moved = [row(seed, "1x1") for seed in (8, 20, 3)]
    wide = [row(seed, "3x2") for seed in (3, 12)]  # sample 3 in another shape than before
    changed = {**row(6, "1x1"), "image": row(99, "1x1")["image"]}  # a synthesized sample drawn otherwise: same id
    pack(run, {"16/1x1/shard-00000.parquet": [*moved, changed], "16/3x2/shard-00000.parquet": wide})
    encode(run)
    found = catalog.query(run, "select sample_id, bucket, latent.values as v from latents").to_pylist()
    copied = {(int(f["sample_id"], 16), f["bucket"]): not any(f["v"]) for f in found}
    assert copied == {
        (8, "1x1"): True,
        (20, "1x1"): False,
        (3, "1x1"): True,
        (6, "1x1"): False,
        (3, "3x2"): False,
        (12, "3x2"): True,
    }
    assert not run.files("latents.stale") and not run.files("failures")
    assert [f for f in books.check(run) if f.broken and "encoded" in f.law] == []


def test_a_training_reads_what_is_committed_while_the_rest_is_being_made(tmp_path):
    """The producer is a worker in a thread. It goes on after its first shard when the reader has seen that."""
    run = Run(str(tmp_path / "run"))
    pack(run, SHARDS)
    stage = resolve("encode", build(Entry, {"stage": "encode", **ENCODE}, "encode"))
    first, *others = encoding.tasks(run, encoding.outputs(run, stage))
    begun, seen = threading.Event(), threading.Event()

    def produce() -> None:
        work = encoding.ShardEncoder(run, stage.spec)
        work(first)
        begun.set()
        assert seen.wait(60)
        for task in others:
            work(task)

    producer = threading.Thread(target=produce)
    producer.start()
    assert begun.wait(60)
    config = DataConfig(path=run.path("latents"), caption={"caption": 1.0, "raw": 1.0}, grows=True, shuffle=4)
    reader = Reader(config, batch=1, patch=4, seed=0, channels=3, diary=tmp_path / "diary")
    assert reader.encoders == {"image_encoder": "pixels", "text_encoder": "captions"}
    with closing(reader.batches(ReaderState())) as batches:
        batch = next(batches)
        assert batch.latents.shape == (1, 3, 16, 16) and run.files("latents") == [
            run.path("latents", next(iter(SHARDS)))
        ]
        seen.set()
        producer.join(60)
        found = {batch.captions[0].split()[1]}
        for batch in itertools.islice(batches, 100):
            found.add(batch.captions[0].split()[1])
            if len(found) == 14:
                break
    assert found == {str(seed) for seed in range(15) if seed != 13}


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        ({"device": "cpu"}, 3),
        ({"image": {"kind": "pixels", "patch": 8}}, 0),
        ({"resolution": 24}, 0),
        ({"captions": ["raw"]}, 0),
        ({"text": {"kind": "sentence"}}, 0),
    ],
)
def test_latents_stand_while_what_decides_them_is_the_same(encoded, change, stands):
    stage = resolve("encode", build(Entry, {"stage": "encode", **ENCODE, **change}, "encode"))
    wanted = encoding.outputs(encoded, stage).values()
    assert sum(encoded.stands(output.path, output.mark.fingerprint) for output in wanted) == stands


def test_weights_that_are_not_here_end_the_run_before_anything_is_made(run, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = latents(run)
    with pytest.raises(StageError, match="encode: the weights of Qwen/Qwen-Image are not here"):
        encode(run, 1, "image={kind: autoencoder}")
    assert latents(run) == before


def test_a_run_without_shards_or_without_the_section_is_refused(tmp_path):
    run = Run(str(tmp_path))
    run.write_text("run.json", '{"name": "test", "seed": 0}')
    run.write_text("manifest.yaml", yaml.safe_dump({"name": "test", "encode": ENCODE}))
    with pytest.raises(RunError, match="no shards there"):
        encode(run)
    run.write_text("manifest.yaml", "name: test")
    with pytest.raises(ManifestError, match="no `encode` section"):
        encode(run)


def test_a_manifest_that_encodes_must_pack(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "collect": [{"stage": "folder", "path": "."}], "encode": ENCODE}))
    with pytest.raises(ManifestError, match="add a `pack` section"):
        load(path)


def test_shards_are_encoded_phase_by_phase_and_the_buckets_in_turns(tmp_path):
    run = Run(str(tmp_path))
    names = ["1328/1x1/shard-00000", "256/1x1/shard-00000", "256/1x1/shard-00001", "256/3x2/shard-00000"]
    table = pa.Table.from_pylist([{"path": f"{name}.parquet"} for name in names], schema=schema.INDEX)
    with run.writer(run.path("shards", "index.parquet"), schema.INDEX) as writer:
        writer.write(table)
        writer.commit(Mark("index", "", ""))
    assert [shard.name.removesuffix(".parquet") for shard in encoding.shards(run)] == [
        "256/1x1/shard-00000",
        "256/3x2/shard-00000",
        "256/1x1/shard-00001",
        "1328/1x1/shard-00000",
    ]


def test_the_standard_encoder_is_one():
    assert isinstance(Encode(Encode.Params(image={"kind": "pixels"}, text=None), batch=8), Encoder)
