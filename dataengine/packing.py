"""Packing: from the plan of what stands in each shard to the shards and their index.

The plan is one Parquet file with a row group a shard. An actor gathers several shards at once when they take from the
same parts of samples, so that each row group of these is read once; what it holds is bounded by `_GATHERED_BYTES`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine import schema
from dataengine.run import Mark, Run, fingerprint
from dataengine.work import GROUP_ROWS, Done, Output, Report, Task, done_with

_GATHERED_BYTES = 256 << 20


@dataclass(frozen=True)
class _Shard:
    """A shard to be gathered: where its plan stands, what it takes from where, and what it becomes."""

    row_group: int
    phase: int
    parts: tuple[int, ...]
    rows: int
    bytes: int
    output: Output


def write_plan(run: Run, path: str, rows: pa.RecordBatchReader, mark: Mark) -> None:
    """Write the planned rows, which come in the order of their shards: `schema.PLAN`, and any captions of their own."""
    columns = pa.schema([*schema.PLAN, *(pa.field(name, pa.string()) for name in _captions(rows.schema))])
    with run.writer(path, columns) as writer:
        for _, shard in by_key(rows, ("phase", "bucket", "shard")):
            writer.write(shard.select(columns.names).cast(columns))
        writer.commit(mark)


def _captions(plan: pa.Schema) -> list[str]:
    """The captions that a plan brings along."""
    return [name for name in plan.names if name not in schema.PLAN.names]


def by_key(reader: pa.RecordBatchReader, key: Sequence[str]) -> Iterator[tuple[tuple, pa.Table]]:
    """Consecutive rows with the same key, as tables; holds no more than one of them and a batch."""
    held: list[pa.Table] = []
    current: tuple | None = None
    for batch in reader:
        table = pa.table(batch)
        keys = list(zip(*(table[k].to_pylist() for k in key), strict=True))
        start = 0
        for row, here in enumerate(keys):
            if here == current:
                continue
            held.append(table.slice(start, row - start))
            if current is not None:
                yield current, pa.concat_tables(held)
            held, current, start = [], here, row
        held.append(table.slice(start))
    if current is not None:
        yield current, pa.concat_tables(held)


def tasks(run: Run, plan: str, fingerprints: Sequence[str]) -> list[Task]:
    """Shards that come from the same parts are gathered together, up to a size that an actor can hold.

    `fingerprints` are those of the parts of samples, by their numbers.
    """
    with run.fs.open(plan, "rb") as opened:
        file = pq.ParquetFile(opened)
        shards = [_shard(run, group, file.read_row_group(group), fingerprints) for group in range(file.num_row_groups)]
    together: list[list[_Shard]] = []
    room = 0
    for shard in sorted(shards, key=lambda s: (s.phase, s.parts, s.row_group)):
        if not together or shard.bytes > room:
            together.append([])
            room = _GATHERED_BYTES
        together[-1].append(shard)
        room -= shard.bytes
    return [_task(index, plan, shards) for index, shards in enumerate(together)]


def _task(index: int, plan: str, shards: Sequence[_Shard]) -> Task:
    """The task that gathers some shards, each under the number of its row group in the plan."""
    named = {str(shard.row_group): shard for shard in shards}
    groups = {name: shard.row_group for name, shard in named.items()}
    rows = {name: shard.rows for name, shard in named.items()}
    outputs = {name: shard.output for name, shard in named.items()}
    return Task(index, {"plan": plan, "row_groups": groups, "rows": rows}, outputs)


def _shard(run: Run, group: int, plan: pa.Table, fingerprints: Sequence[str]) -> _Shard:
    """A shard's fingerprint is that of its rows and of the parts that they come from: others do not touch it."""
    first = {name: plan[name][0].as_py() for name in ("phase", "bucket", "shard")}
    parts = tuple(sorted(plan["part"].unique().to_pylist()))
    content = [plan[name].to_pylist() for name in ("sample_id", "copy", "part", "row", *_captions(plan.schema))]
    mark = Mark("pack", fingerprint(first), fingerprint(content, [fingerprints[p] for p in parts]))
    path = run.path("shards", str(first["phase"]), first["bucket"], f"shard-{first['shard']:05d}.parquet")
    return _Shard(group, first["phase"], parts, plan.num_rows, pc.sum(plan["bytes"]).as_py(), Output(path, mark))


class Gatherer:
    """Gathers shards: takes the planned rows out of the parts of samples, in the planned order.

    A task's shards are gathered together, so that a row group which several of them need is read once.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def __call__(self, task: Task) -> Report:
        started = time.perf_counter()
        with self.run.fs.open(task.payload["plan"], "rb") as file:
            plans = pq.ParquetFile(file)
            wanted = {name: plans.read_row_group(task.payload["row_groups"][name]) for name in task.outputs}
        rows = self._gather(pa.concat_tables(wanted.values()))
        done, first = {}, 0
        for name, output in task.outputs.items():
            count = wanted[name].num_rows
            done[name] = self._write(output, rows, first, wanted[name])
            first += count
        return Report(task.index, first, time.perf_counter() - started, done)

    def _gather(self, plan: pa.Table) -> tuple[pa.Table, np.ndarray]:
        """The rows of a plan as they were read, and where each planned row is among them."""
        parts, rows = plan["part"].to_numpy(), plan["row"].to_numpy()
        pieces, places = [], []
        for part in np.unique(parts):
            here = np.flatnonzero(parts == part)
            with self.run.fs.open(self.run.part("samples", int(part)), "rb") as opened:
                file = pq.ParquetFile(opened)
                counts = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
                starts = np.concatenate([[0], np.cumsum(counts)])
                groups = np.searchsorted(starts, rows[here], side="right") - 1
                for group in np.unique(groups):
                    asked = here[groups == group]
                    pieces.append(file.read_row_group(int(group)).take(pa.array(rows[asked] - starts[group])))
                    places.append(asked)
        order = np.empty(plan.num_rows, np.int64)
        order[np.concatenate(places)] = np.arange(plan.num_rows)
        # In one chunk: taking from many would join them again at each call.
        return pa.concat_tables(pieces).combine_chunks(), order

    def _write(self, output: Output, rows: tuple[pa.Table, np.ndarray], first: int, plan: pa.Table) -> Done:
        """Write the shard whose rows are the planned ones from `first` on, a row group at a time."""
        read, order = rows
        captions = _captions(plan.schema)
        added = [pa.field(name, pa.string()) for name in captions if name not in schema.SHARD.names]
        columns = schema.with_image_feature(pa.schema([*schema.SHARD, *added]))
        with self.run.writer(output.path, columns) as writer:
            for start in range(0, plan.num_rows, GROUP_ROWS):
                part = plan.slice(start, GROUP_ROWS)
                samples = read.take(pa.array(order[first + start : first + start + part.num_rows]))
                for name in ("phase", "bucket", "copy", *captions):
                    samples = _with_column(samples, name, part[name])
                writer.write(samples.select(columns.names).cast(columns))
            writer.commit(output.mark)
        return replace(done_with(output, writer), digest=self.run.digest(output.path))


def _with_column(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.append_column(name, values) if at < 0 else table.set_column(at, name, values)


def write_index(run: Run, tasks: Sequence[Task], done: Mapping[str, Done]) -> list[Done]:
    """Write shards/index.parquet, with the digest of each shard: of this run, of the last index, or read anew."""
    index = run.path("shards", "index.parquet")
    known = {}
    if run.fs.exists(index):
        with run.fs.open(index, "rb") as file:
            known = {r["fingerprint"]: r["digest"] for r in pq.read_table(file).to_pylist()}
    outputs, rows = [], []
    root = len(run.path("shards")) + 1
    shards = [(output, task.payload["rows"][name]) for task in tasks for name, output in task.outputs.items()]
    for output, count in sorted(shards, key=lambda shard: shard[0].path):
        mark = output.mark.fingerprint
        made = done.get(output.path)
        digest = made.digest if made else known.get(mark) or run.digest(output.path)
        size = run.fs.size(output.path)
        outputs.append(Done(output.path, mark, count, 0, size, digest))
        name = output.path[root:]
        phase, bucket, _ = name.split("/")
        rows.append((name, int(phase), bucket, count, size, digest, mark))
    columns = list(zip(*rows, strict=True)) if rows else [[]] * len(schema.INDEX)
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, schema.INDEX, strict=True)], schema=schema.INDEX)
    with run.writer(index, schema.INDEX) as writer:
        writer.write(table)
        writer.commit(Mark("index", "", fingerprint([d.fingerprint for d in outputs])))
    run.remove_others("shards", [index, *(d.path for d in outputs)])
    return outputs
