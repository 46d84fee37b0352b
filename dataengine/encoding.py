"""Encoding: from shards to latents, file by file.

`latents/PHASE/BUCKET/shard-NNNNN.parquet` has the rows of the shard of that name. Each is committed by itself as soon
as it is whole, so a training may read the first while others are made. One stands as long as its shard, the parameters
and the encoders' weights are those that it was made of. What no longer stands is set aside when encoding begins, into
`latents.stale`: what of it still holds is copied instead of computed. That folder is removed when all is encoded.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine import catalog, schema
from dataengine.errors import RunError, StageError
from dataengine.execute import run_tasks, start_ray
from dataengine.ledger import Ledger
from dataengine.plan import Stage, Standing
from dataengine.run import Mark, Run, fingerprint
from dataengine.sample import Failure
from dataengine.stage import find
from dataengine.work import GROUP_ROWS, Done, Output, Report, StageSpec, Task, commit_failures, done_with

STALE = "latents.stale"
_GROUP_BYTES = 32 << 20
_KEY = "encode"


@dataclass(frozen=True)
class Shard:
    """A shard as the index has it, and where what is made of it stands."""

    name: str  # PHASE/BUCKET/shard-NNNNN.parquet
    rows: int
    fingerprint: str

    def path(self, run: Run) -> str:
        return run.path("shards", self.name)

    def latents(self, run: Run) -> str:
        return run.path("latents", self.name)

    def failures(self, run: Run) -> str:
        """No part's failures are named so."""
        return run.path("failures", f"encode-{self.name.replace('/', '-')}")


def shards(run: Run) -> list[Shard]:
    """The run's shards, none where nothing was packed: phase by phase and the buckets in turns, so that a training that
    reads along soon has some of each."""
    index = run.path("shards", "index.parquet")
    if not run.fs.exists(index):
        return []
    with run.fs.open(index, "rb") as file:
        rows = pq.read_table(file, columns=["path", "rows", "fingerprint"]).to_pylist()

    def turn(shard: Shard) -> tuple[int, str, str]:
        phase, bucket, name = shard.name.split("/")
        return int(phase), name, bucket

    return sorted((Shard(r["path"], r["rows"], r["fingerprint"]) for r in rows), key=turn)


def failures(run: Run) -> list[str]:
    """The files with what could not be encoded."""
    return [path for path in run.files("failures") if path.rsplit("/", 1)[-1].startswith("encode-")]


def outputs(run: Run, stage: Stage) -> dict[Shard, Output]:
    """What is to be made of each shard."""
    recipe = fingerprint(stage.recipe, stage.kind.fingerprint(stage.params))
    return {s: Output(s.latents(run), Mark(_KEY, recipe, s.fingerprint, inputs=s.rows)) for s in shards(run)}


def require(stage: Stage) -> None:
    """Raise StageError when the encoders cannot be had here. Nothing is loaded."""
    if absent := stage.kind.missing(stage.params):
        raise StageError(f"encode: {absent.message}", absent.remedy)


def encode(run: Run, stage: Stage, ledger: Ledger, address: str | None = None, workers: int | None = None) -> None:
    """Encode every shard whose latents do not stand."""
    require(stage)
    wanted = outputs(run, stage)
    if not wanted:
        raise RunError(f"{run.url}: no shards there to encode", "add a `pack` section to its manifest and run it")
    standing = {s for s, output in wanted.items() if run.stands(output.path, output.mark.fingerprint)}
    _set_aside(run, [wanted[shard].path for shard in standing])
    left = tasks(run, {shard: output for shard, output in wanted.items() if shard not in standing})
    ledger.begin(_KEY, fingerprint([o.mark.fingerprint for o in wanted.values()]), len(wanted))
    if left:
        start_ray(address)
    started, busy = time.monotonic(), 0.0
    resources = replace(stage.resources, batch=0)
    with ledger.reporter.bar(_KEY, sum(shard.rows for shard in wanted if shard not in standing), "images") as bar:
        for report in run_tasks(partial(ShardEncoder, run, stage.spec), left, resources, workers):
            busy += report.seconds
            bar.advance(report.units)
            ledger.reporter.event("part", stage=_KEY, part=report.index, seconds=round(report.seconds, 3))
    made = [_done(run, shard, output) for shard, output in wanted.items()]
    run.remove_others(STALE, [])
    encoded = sum(shard.rows for shard in wanted if shard not in standing)
    ledger.end(_KEY, made, len(left), time.monotonic() - started, busy, encoded)


def standing(run: Run, stage: Stage, changed: bool) -> Standing:
    """How encoding stands before it is run. `changed`: the shards will be others."""
    wanted = outputs(run, stage)
    stand = 0 if changed else sum(run.stands(o.path, o.mark.fingerprint) for o in wanted.values())
    why = "its shards change" if changed else "" if stand == len(wanted) else "new, or made of other shards or weights"
    return Standing(_KEY, len(wanted), stand, why)


def _done(run: Run, shard: Shard, output: Output) -> Done:
    return Done(output.path, output.mark.fingerprint, run.rows(output.path), run.rows(shard.failures(run)), 0)


def _set_aside(run: Run, standing: Sequence[str]) -> None:
    """Leave nothing among the latents but what stands, so that nothing else is read, and no failure of the rest."""
    for path in set(run.files("latents")).difference(standing):
        if mark := run.mark(path):
            run.fs.makedirs(run.path(STALE), exist_ok=True)
            run.fs.mv(path, run.path(STALE, f"{mark.fingerprint}.parquet"))
    run.remove_others("latents", standing)
    kept = {shard.failures(run) for shard in shards(run) if shard.latents(run) in standing}
    for path in set(failures(run)).difference(kept):
        run.fs.rm_file(path)


def tasks(run: Run, left: Mapping[Shard, Output]) -> list[Task]:
    """A task a shard, with the files that were set aside and have samples of it."""
    known = catalog.shared_samples(run, "shards", STALE) if left and run.files(STALE) else {}
    return [
        Task(
            index,
            {
                "shard": shard.path(run),
                "rows": shard.rows,
                "failures": shard.failures(run),
                "known": known.get(shard.path(run), []),
            },
            {_KEY: output},
        )
        for index, (shard, output) in enumerate(left.items())
    ]


class ShardEncoder:
    """Encodes shards with the stage's encoder, a row group at a time."""

    def __init__(self, run: Run, spec: StageSpec) -> None:
        self.run = run
        kind = find(spec.stage)
        self.encoder = kind(kind.Params(**spec.params), spec.batch)
        self.notes = self.encoder.notes()

    def __call__(self, task: Task) -> Report:
        started = time.perf_counter()
        output = task.outputs[_KEY]
        known = _Known(self.run, task.payload["known"])
        failed: list[Failure] = []
        with (
            self.run.fs.open(task.payload["shard"], "rb") as opened,
            self.run.writer(output.path, schema.LATENTS) as writer,
        ):
            for batch in pq.ParquetFile(opened).iter_batches(batch_size=GROUP_ROWS):
                rows = pa.Table.from_batches([batch])
                made = self.encoder.encode(rows, known.rows(rows["sample_id"]))
                failed += made.failures
                for group in _groups(made.table):
                    writer.write(group)
            if writer.rows + len(failed) != task.payload["rows"]:
                raise StageError(
                    f"{task.payload['shard']}: of {task.payload['rows']} rows {writer.rows} were encoded and "
                    f"{len(failed)} failed",
                    "an encoder must give a row or a failure for each row",
                )
            for key, value in self.notes.items():
                writer.note(key, value)
            commit_failures(self.run, task.payload["failures"], failed, output.mark)
            writer.commit(output.mark)
        done = done_with(output, writer, failed)
        return Report(task.index, task.payload["rows"], time.perf_counter() - started, {_KEY: done})


class _Known:
    """Rows of latents that were set aside, found by sample. Only ids are held."""

    def __init__(self, run: Run, paths: Sequence[str]) -> None:
        self._files = [pq.ParquetFile(run.fs.open(path, "rb")) for path in paths]
        self._places: dict[str, list[tuple[int, int, int]]] = {}
        for number, file in enumerate(self._files):
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["sample_id"])["sample_id"].to_pylist()
                for row, sample_id in enumerate(ids):
                    self._places.setdefault(sample_id, []).append((number, group, row))

    def rows(self, sample_ids: pa.ChunkedArray) -> pa.Table:
        """All rows with these samples; each row group that has some is read once."""
        groups: dict[tuple[int, int], list[int]] = {}
        for sample_id in pc.unique(sample_ids).to_pylist():
            for number, group, row in self._places.get(sample_id, ()):
                groups.setdefault((number, group), []).append(row)
        tables = [schema.LATENTS.empty_table()]
        for (number, group), rows in sorted(groups.items()):
            table = self._files[number].read_row_group(group)
            if table.schema.equals(schema.LATENTS):  # else it was made by an earlier version
                tables.append(table.take(pa.array(np.sort(rows))))
        return pa.concat_tables(tables)


def _groups(table: pa.Table) -> Iterator[pa.Table]:
    """Row groups that a reader can hold many of."""
    rows = max(1, int(_GROUP_BYTES // max(1, table.nbytes / max(1, table.num_rows))))
    for start in range(0, table.num_rows, rows):
        yield table.slice(start, rows)
