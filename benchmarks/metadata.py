"""Seconds and memory that what-if, selecting, balancing and stats take on synthetic metadata.

    python benchmarks/metadata.py [--rows 1000000] [--group 4096]

A run without pictures: parts of 4,096 samples with three signals, as large as real ones, and ids that are digests as
real ones are. `--group 64` writes samples in row groups as small as collecting does. The baseline is a plain scan: the
same filters as one query over a single Parquet file that holds all columns side by side. Balance is asked for the
shares of categories, then for all that manifests/qwen_image.yaml asks for but its concepts; stats shows the latter.
"""

import argparse
import hashlib
import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from rich.console import Console

from dataengine import catalog, schema, stats, whatif
from dataengine.run import Mark, Run
from stages.balance import Balance
from stages.balance import Params as BalanceParams
from stages.select import Params as SelectParams
from stages.select import Select

_PART = 4096
_FILTERS = [
    {"name": "resolution", "keep": "least(width, height) >= 256"},
    {"name": "clarity", "keep": "clarity >= 3"},
    {"name": "luma", "keep": "luma between 0.05 and 0.95"},
    {"name": "nsfw", "keep": "nsfw < 0.8"},
    {"name": "text", "keep": "character_count <= 1500", "phase": 640},
]
_CATEGORIES = ("nature", "design", "people", "synthetic")
_RECIPE = {
    "by": "category",
    "target": {"nature": 0.55, "design": 0.27, "people": 0.13, "synthetic": 0.05},
    "also": [
        {"by": "text_split", "temper": 0.7},
        {"by": "coalesce(clip_concept, 'unknown')", "temper": 0.5, "within": True},
    ],
    "prefer": ["aesthetic desc nulls last", "clarity desc"],
    "max_repeats": 4,
}


def name(row: int) -> str:
    return hashlib.blake2b(str(row).encode(), digest_size=16).hexdigest()


def columns(first: int, count: int) -> dict[str, dict[str, pa.Array]]:
    """Samples and signals."""
    rng = np.random.default_rng(first)
    ids = pa.array([name(i) for i in range(first, first + count)])

    def number(most: float) -> pa.Array:
        return pa.array(rng.random(count, dtype=np.float32) * np.float32(most))

    def one_of(names: Sequence[str]) -> pa.Array:
        return pa.array(np.array(names)[rng.integers(0, len(names), count)])

    samples = {
        "sample_id": ids,
        "source": pa.array(["synthetic"] * count),
        "uri": pa.array([f"s3://bucket/{i}.jpg" for i in range(first, first + count)]),
        "format": pa.array(["jpeg"] * count),
        "width": pa.array(rng.integers(128, 2048, count), pa.int32()),
        "height": pa.array(rng.integers(128, 2048, count), pa.int32()),
        "caption": pa.array(["a picture of something that somebody saw"] * count),
        "language": one_of(["en", "zh", "de", "ja"]),
        "category": one_of(_CATEGORIES),
    }
    signals = {
        "pixels": {"clarity": number(10), "luma": number(1)},
        "text": {
            "nsfw": number(1),
            "character_count": pa.array(rng.integers(0, 3000, count)),
            "text_split": one_of(["en", "zh", "other", "none", "none", "none"]),
        },
        "clip": {"clip_concept": one_of([f"concept {i * i % 30}" for i in range(60)]), "aesthetic": number(10)},
    }
    return {"samples": samples, **{name: {"sample_id": ids, **values} for name, values in signals.items()}}


def build(folder: Path, rows: int, group: int) -> Run:
    run = Run(str(folder / "run"))
    flat = None
    for number, first in enumerate(range(0, rows, _PART)):
        made = columns(first, min(_PART, rows - first))
        together = pa.table({k: v for values in made.values() for k, v in values.items()})
        flat = flat or pq.ParquetWriter(folder / "flat.parquet", together.schema)
        flat.write_table(together)
        nulls = {f.name: pa.nulls(together.num_rows, f.type) for f in schema.SAMPLES}
        samples = pa.table({**nulls, **made.pop("samples")}).select(schema.SAMPLES.names).cast(schema.SAMPLES)
        tables = {"samples": samples, **{f"signals/{name}": pa.table(values) for name, values in made.items()}}
        for dataset, table in tables.items():
            step = group if dataset == "samples" else _PART
            with run.writer(run.part(dataset, number), table.schema) as writer:
                for start in range(0, table.num_rows, step):
                    writer.write(table.slice(start, step))
                writer.commit(Mark("benchmark", "", "", inputs=table.num_rows))
    flat.close()
    manifest = {"name": "benchmark", "collect": [{"name": "a", "stage": "folder", "path": "."}]}
    manifest["select"] = {"stage": "select", "phases": [256, 640], "filters": _FILTERS}
    manifest["balance"] = {"stage": "balance", **_RECIPE}
    run.fs.pipe_file(run.path("manifest.yaml"), yaml.safe_dump(manifest).encode())
    run.fs.pipe_file(run.path("run.json"), b"{}")
    return run


def timed(what: str, work: Callable[[], object]) -> object:
    began = time.perf_counter()
    found = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"{what:<24}{time.perf_counter() - began:>8.2f} s{peak:>8.0f} MiB at most so far", flush=True)
    return found


def write(run: Run, dataset: str, query: Select | Balance) -> None:
    reader = query.rows(catalog.connect(run))
    with run.writer(run.part(dataset, 0), reader.schema) as writer:
        for batch in reader:
            writer.write(pa.Table.from_batches([batch]))
        writer.commit(Mark("benchmark", "", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--group", type=int, default=_PART, help="samples of a row group")
    arguments = parser.parse_args()
    rows = arguments.rows
    with tempfile.TemporaryDirectory() as folder:
        run = build(Path(folder), rows, arguments.group)
        print(f"{rows:,} samples in {-(-rows // _PART):,} parts, row groups of {arguments.group:,}")
        ask(run, rows)


def ask(run: Run, rows: int) -> None:
    console = Console(file=io.StringIO())
    kept = " and ".join(f"({f['keep']})" for f in _FILTERS)
    flat = run.path("../flat.parquet")
    scan = f"select category, language, count(*), count_if({kept}) from '{flat}' group by all"
    timed("plain scan, one file", lambda: duckdb.connect().execute(scan).fetchall())
    timed("whatif", lambda: whatif.whatif(run, ["clarity=4"], console))
    timed("select", lambda: write(run, "decisions", Select(0, SelectParams(phases=[256, 640], filters=_FILTERS))))
    even = {"by": "category", "target": dict.fromkeys(_CATEGORIES, 0.25)}
    timed("balance", lambda: write(run, "weights", Balance(0, BalanceParams(**even))))
    timed("balance as the recipe", lambda: write(run, "weights", Balance(0, BalanceParams(**_RECIPE))))
    timed("stats", lambda: stats.show(run, console))
    timed("why", lambda: whatif.why(run, name(rows // 2), console))


if __name__ == "__main__":
    main()
