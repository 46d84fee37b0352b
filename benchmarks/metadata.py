"""Seconds and memory that what-if, selecting, balancing and stats take on synthetic metadata.

    python benchmarks/metadata.py [--rows 1000000]

A run without pictures: parts of 4,096 samples with two signals, as large as real ones. The baseline is a plain scan:
the same filters as one query over a single Parquet file that holds all columns side by side.
"""

import argparse
import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable
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


def columns(first: int, count: int) -> tuple[dict[str, pa.Array], dict[str, pa.Array], dict[str, pa.Array]]:
    """Samples and two signals."""
    rng = np.random.default_rng(first)
    ids = pa.array([f"{i:032x}" for i in range(first, first + count)])
    samples = {
        "sample_id": ids,
        "source": pa.array(["synthetic"] * count),
        "uri": pa.array([f"s3://bucket/{i}.jpg" for i in range(first, first + count)]),
        "format": pa.array(["jpeg"] * count),
        "width": pa.array(rng.integers(128, 2048, count), pa.int32()),
        "height": pa.array(rng.integers(128, 2048, count), pa.int32()),
        "caption": pa.array(["a picture of something that somebody saw"] * count),
        "language": pa.array(np.array(["en", "zh", "de", "ja"])[rng.integers(0, 4, count)]),
        "category": pa.array(np.array(_CATEGORIES)[rng.integers(0, 4, count)]),
    }
    pixels = {
        name: pa.array(rng.random(count, dtype=np.float32) * most) for name, most in (("clarity", 10), ("luma", 1))
    }
    text = {
        "nsfw": pa.array(rng.random(count, dtype=np.float32)),
        "character_count": pa.array(rng.integers(0, 3000, count)),
    }
    return samples, {"sample_id": ids, **pixels}, {"sample_id": ids, **text}


def build(folder: Path, rows: int) -> Run:
    run = Run(str(folder / "run"))
    flat = pq.ParquetWriter(
        folder / "flat.parquet", pa.table({k: v for c in columns(0, 1) for k, v in c.items()}).schema
    )
    for number, first in enumerate(range(0, rows, _PART)):
        made = columns(first, min(_PART, rows - first))
        flat.write_table(pa.table({k: v for c in made for k, v in c.items()}))
        nulls = {f.name: pa.nulls(len(made[0]["width"]), f.type) for f in schema.SAMPLES}
        whole = pa.table({**nulls, **made[0]}).select(schema.SAMPLES.names).cast(schema.SAMPLES)
        for dataset, table in (
            ("samples", whole),
            ("signals/pixels", pa.table(made[1])),
            ("signals/text", pa.table(made[2])),
        ):
            with run.writer(run.part(dataset, number), table.schema) as writer:
                writer.write(table)
                writer.commit(Mark("benchmark", "", "", inputs=table.num_rows))
    flat.close()
    manifest = {"name": "benchmark", "collect": [{"name": "a", "stage": "folder", "path": "."}]}
    manifest["select"] = {"stage": "select", "phases": [256, 640], "filters": _FILTERS}
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
    rows = parser.parse_args().rows
    console = Console(file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        run = build(Path(folder), rows)
        print(f"{rows:,} samples in {-(-rows // _PART):,} parts")
        kept = " and ".join(f"({f['keep']})" for f in _FILTERS)
        scan = f"select category, language, count(*), count_if({kept}) from '{folder}/flat.parquet' group by all"
        timed("plain scan, one file", lambda: duckdb.connect().execute(scan).fetchall())
        timed("whatif", lambda: whatif.whatif(run, ["clarity=4"], console))
        select = Select(0, SelectParams(phases=[256, 640], filters=_FILTERS))
        timed("select", lambda: write(run, "decisions", select))
        balance = Balance(0, BalanceParams(by="category", target=dict.fromkeys(_CATEGORIES, 0.25)))
        timed("balance", lambda: write(run, "weights", balance))
        timed("stats", lambda: stats.show(run, console))
        timed("why", lambda: whatif.why(run, f"{rows // 2:032x}", console))


if __name__ == "__main__":
    main()
