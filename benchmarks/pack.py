"""Pack against a plain copy, on this machine: python benchmarks/pack.py [--megabytes 400]

Makes a run's samples of about that size, then times (a) the plan in DuckDB and the gathering of shards in their seeded
order, as a run does with one worker but without Ray, and (b) the baseline: the same bytes read with pyarrow and written
to Parquet files again, in the order in which they lie. Both write to the same disk and sync; medians of three.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from dataengine import catalog, packing, schema
from dataengine.run import Mark, Run
from dataengine.sample import Sample, content_id, samples_table
from stages.balance import Balance
from stages.balance import Params as BalanceParams
from stages.pack import Pack
from stages.pack import Params as PackParams
from stages.select import Params as SelectParams
from stages.select import Select

PART, GROUP = 512, 64
MARK = Mark("benchmark", "", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=400)
    megabytes = parser.parse_args().megabytes
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder)
        size = make_samples(run, megabytes)
        decide(run)
        packed, copied, planned = [], [], []
        for _ in range(3):
            started = time.perf_counter()
            plan = make_plan(run)
            planned.append(time.perf_counter() - started)
            gather(run, plan)
            packed.append(time.perf_counter() - started)
            started = time.perf_counter()
            copy(run)
            copied.append(time.perf_counter() - started)
        pack, plain = statistics.median(packed), statistics.median(copied)
        print(f"samples              {size / 1e6:8.0f} MB")
        print(
            f"pack                 {size / 1e6 / pack:8.0f} MB/s, of which the plan {statistics.median(planned):.2f} s"
        )
        print(f"plain pyarrow copy   {size / 1e6 / plain:8.0f} MB/s")
        print(f"ratio                {pack / plain:8.2f} × the time of the copy")


def make_samples(run: Run, megabytes: int) -> int:
    """Samples of 40 to 360 kB of incompressible bytes, as photographs have; returns their total size."""
    rng = np.random.default_rng(0)
    total, part = 0, 0
    columns = schema.with_image_feature(schema.SAMPLES)
    while total < megabytes * 1e6:
        with run.writer(run.part("samples", part), columns) as writer:
            for _ in range(PART // GROUP):
                group = []
                for _ in range(GROUP):
                    encoded = rng.bytes(int(rng.integers(40_000, 360_000)))
                    width, height = (int(side) for side in rng.integers(256, 2048, 2))
                    group.append(Sample(content_id(encoded), "benchmark", "", encoded, "jpeg", width, height))
                    total += len(encoded)
                writer.write(samples_table(group).cast(columns))
            writer.commit(MARK)
        part += 1
    return total


def decide(run: Run) -> None:
    """Keep everything once."""
    for stage, dataset in ((Select(0, SelectParams()), "decisions"), (Balance(0, BalanceParams()), "weights")):
        table = stage.rows(catalog.connect(run)).read_all()
        with run.writer(run.part(dataset, 0), table.schema) as writer:
            writer.write(table)
            writer.commit(MARK)


def make_plan(run: Run) -> str:
    path = run.path("plan", "plan.parquet")
    packing.write_plan(run, path, Pack(0, PackParams()).rows(catalog.connect(run)), MARK)
    return path


def gather(run: Run, plan: str) -> None:
    gatherer = packing.Gatherer(run)
    for task in packing.tasks(run, plan, [MARK.fingerprint] * len(run.files("samples"))):
        gatherer(task)


def copy(run: Run) -> None:
    Path(run.path("copied")).mkdir(exist_ok=True)
    for index, path in enumerate(run.files("samples")):
        with Path(run.path("copied", f"{index:05d}.parquet")).open("wb") as file:
            pq.write_table(pq.read_table(path), file, row_group_size=GROUP, compression="none")
            file.flush()
            os.fsync(file.fileno())


if __name__ == "__main__":
    main()
