"""What an actor does with one task: make a part of samples, or measure one.

A worker is built once per actor, from plain values, and then called with tasks. It reads its inputs from the run's
folder and commits its outputs there, so that only references and counts travel through Ray.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataengine import decode, schema
from dataengine.errors import SampleError, StageError
from dataengine.run import Mark, PartWriter, Run
from dataengine.sample import Failure, Sample, failures_table, samples_table
from dataengine.stage import Image, Measured, Piece, Signal, Source, find

GROUP_ROWS = 64
_GROUP_BYTES = 16 << 20
_BATCH_PIXELS = 48_000_000


@dataclass(frozen=True)
class Output:
    """A part to be made, and the mark that it is to carry."""

    path: str
    mark: Mark


@dataclass(frozen=True)
class Task:
    """One unit of work: an input, and the parts to make of it, by the name of what makes each."""

    index: int
    payload: Mapping[str, Any]
    outputs: Mapping[str, Output]


@dataclass(frozen=True)
class Done:
    """What became of one output."""

    path: str
    fingerprint: str
    rows: int
    failures: int
    bytes: int
    digest: str = ""


@dataclass(frozen=True)
class Report:
    """What an actor says of a task. `seconds` is time spent on it; `units` how many inputs it covered."""

    index: int
    units: int
    seconds: float
    done: Mapping[str, Done] = field(default_factory=dict)


class Worker(Protocol):
    """Anything that does tasks."""

    def __call__(self, task: Task) -> Report: ...


@dataclass(frozen=True)
class StageSpec:
    """How to build a stage on an actor: plain values that any process can turn into the same object."""

    name: str
    stage: str
    params: Mapping[str, Any]
    optional: bool = False
    batch: int = 16

    def source(self, seed: int) -> Source:
        kind = find(self.stage)
        return kind(self.name, seed, kind.Params(**self.params))

    def signal(self) -> Signal:
        kind = find(self.stage)
        return kind(kind.Params(**self.params))


class Producer:
    """Makes parts of samples with a Source."""

    def __init__(self, run: Run, spec: StageSpec, seed: int) -> None:
        self.run, self.spec = run, spec
        self.source = spec.source(seed)

    def __call__(self, task: Task) -> Report:
        started = time.perf_counter()
        output = task.outputs[self.spec.name]
        piece = Piece(task.payload["piece"], task.payload["inputs"])
        failures: list[Failure] = []
        columns = schema.with_image_feature(schema.SAMPLES)
        with self.run.writer(output.path, columns) as writer:
            for group in _row_groups(self.source.produce(piece), failures):
                writer.write(samples_table(group).cast(columns))
            if writer.rows + len(failures) != piece.inputs:
                raise StageError(
                    f"{self.spec.name}: part {task.index} had {piece.inputs} inputs, but the stage gave "
                    f"{writer.rows} samples and {len(failures)} failures",
                    "a source must yield one Sample or Failure for each input",
                )
            commit_failures(self.run, failures_path(self.run, self.spec.name, task.index), failures, output.mark)
            writer.commit(output.mark)
        return Report(
            task.index,
            piece.inputs,
            time.perf_counter() - started,
            {self.spec.name: done_with(output, writer, failures)},
        )


def _row_groups(made: Iterator[Sample | Failure], failures: list[Failure]) -> Iterator[list[Sample]]:
    """Samples in groups that are small enough to hold; failures are put aside."""
    group: list[Sample] = []
    size = 0
    for item in made:
        if isinstance(item, Failure):
            failures.append(item)
            continue
        group.append(item)
        size += len(item.encoded)
        if len(group) >= GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


UNAVAILABLE = "unavailable"
"""The recipe of a part of nulls whose signal could not be had, so that it never stands."""


class Measurer:
    """Measures parts with one or more Signals that share each decoded image."""

    _COLUMNS = ("sample_id", "image", "format", "caption", "language", "source", "uri")

    def __init__(self, run: Run, specs: Sequence[StageSpec]) -> None:
        self.run = run
        self.specs = {spec.name: spec for spec in specs}
        self.signals = {spec.name: _build_signal(spec) for spec in specs}

    def __call__(self, task: Task) -> Report:
        started = time.perf_counter()
        made: dict[str, list[pa.Table]] = {name: [] for name in task.outputs}
        failures: dict[str, list[Failure]] = {name: [] for name in task.outputs}
        ids: list[pa.Array] = [pa.array([], pa.string())]
        known = self._known(task.payload.get("known", {}))
        first = 0
        with self.run.fs.open(task.payload["samples"], "rb") as opened:
            file = pq.ParquetFile(opened)
            for batch in file.iter_batches(batch_size=GROUP_ROWS, columns=[*self._COLUMNS, "text"]):
                ids.append(batch["sample_id"])
                if not any(isinstance(self.signals[name], Signal) for name in made):
                    continue  # there is nothing to decode for
                rows = self._rows(batch, known.slice(first, batch.num_rows))
                first += batch.num_rows
                for images in _decoded(rows, max(self.specs[name].batch for name in made)):
                    for name in made:
                        made[name] += self._measure(name, images, failures[name])
        seconds = time.perf_counter() - started
        measured = pa.concat_arrays(ids)
        done = {name: self._commit(task, name, measured, tables, failures[name]) for name, tables in made.items()}
        return Report(task.index, len(measured), seconds, done)

    def _known(self, columns: Mapping[str, str]) -> pa.Table:
        """The columns of other signals that are looked at, side by side. columns: the part that has each."""
        found = {}
        for column, path in columns.items():
            with self.run.fs.open(path, "rb") as file:
                found[column] = pq.read_table(file, columns=[column])[column]
        return pa.table(found)

    def _rows(self, batch: pa.RecordBatch, known: pa.Table) -> list[dict[str, Any]]:
        """The rows as dicts. The annotation stays as it is: hundreds of places that few signals look at."""
        rows = batch.select(list(self._COLUMNS)).to_pylist()
        others = known.to_pylist() if known.num_columns else [{}] * len(rows)
        return [
            {**row, "text": text, "known": seen} for row, text, seen in zip(rows, batch["text"], others, strict=True)
        ]

    def _measure(self, name: str, images: Sequence["_Row"], failures: list[Failure]) -> list[pa.Table]:
        """Tables that together hold one row an image, nulls where it cannot be measured."""
        signal, batch = self.signals[name], self.specs[name].batch
        if not isinstance(signal, Signal):
            return [_nulls(signal, len(images))]
        tables = []
        for start in range(0, len(images), batch):
            rows = images[start : start + batch]
            whole = [r.image for r in rows if r.image is not None]
            if len(whole) == len(rows):
                try:
                    made = _checked(name, signal, whole)
                    failures += [_failure(name, rows[at], fault) for at, fault in sorted(made.faults.items())]
                    tables.append(made.table)
                    continue
                except StageError:
                    raise
                except Exception:
                    pass  # one of them is at fault: find it below
            tables += [self._measure_one(name, signal, row, failures) for row in rows]
        return tables

    def _measure_one(self, name: str, signal: Signal, row: "_Row", failures: list[Failure]) -> pa.Table:
        error: Exception | None = row.error
        if row.image is not None:
            try:
                made = _checked(name, signal, [row.image])
                failures += [_failure(name, row, fault) for fault in made.faults.values()]
                return made.table
            except StageError:
                raise
            except Exception as raised:
                error = raised
        failures.append(_failure(name, row, error or SampleError("unknown")))
        return _nulls(signal.columns, 1)

    def _commit(
        self, task: Task, name: str, ids: pa.Array, tables: Sequence[pa.Table], failures: Sequence[Failure]
    ) -> Done:
        output, signal = task.outputs[name], self.signals[name]
        columns = signal.columns if isinstance(signal, Signal) else signal
        seen = (self.run.mark(path) for path in task.payload.get("known", {}).values())
        if not isinstance(signal, Signal) or any(mark and mark.recipe == UNAVAILABLE for mark in seen):
            # Its nulls, or what was made of another's, must not pass for measurements once that can be had.
            output = replace(output, mark=replace(output.mark, recipe=UNAVAILABLE))
        values = pa.concat_tables([columns.empty_table(), *tables]) if tables else _nulls(columns, len(ids))
        table = pa.table([ids, *values.columns], schema=schema.signal_schema(columns))
        with self.run.writer(output.path, table.schema) as writer:
            writer.write(table)
            commit_failures(self.run, failures_path(self.run, name, task.index), failures, output.mark)
            writer.commit(output.mark)
        return done_with(output, writer, failures)


def _build_signal(spec: StageSpec) -> Signal | pa.Schema:
    """The signal, or only its columns when it is optional and cannot be had here."""
    try:
        return spec.signal()
    except StageError:
        if not spec.optional:
            raise
        return find(spec.stage).columns


def _failure(name: str, row: "_Row", error: Exception) -> Failure:
    return Failure.of(error, source=row.source, uri=row.uri, stage=name)


def _checked(name: str, signal: Signal, images: Sequence[Image]) -> Measured:
    given = signal.measure(images)
    made = given if isinstance(given, Measured) else Measured(given, {})
    table = made.table
    if table.num_rows != len(images) or table.schema.names != signal.columns.names:
        raise StageError(
            f"{name}: gave {table.num_rows} rows of {table.schema.names} for {len(images)} images",
            f"measure must give one row an image with the columns {signal.columns.names}",
        )
    return replace(made, table=table.cast(signal.columns))


def _nulls(columns: pa.Schema, rows: int) -> pa.Table:
    return pa.table([pa.nulls(rows, f.type) for f in columns], schema=columns)


@dataclass(frozen=True)
class _Row:
    source: str
    uri: str
    image: Image | None
    error: Exception | None = None


def _decoded(rows: Sequence[Mapping[str, Any]], batch: int) -> Iterator[list[_Row]]:
    """Decoded images in batches that are bounded in number and in pixels, for memory's sake."""
    images: list[_Row] = []
    pixels = 0
    for row in rows:
        image = _decode_row(row)
        images.append(image)
        pixels += image.image.pixels.size // 3 if image.image else 0
        if len(images) >= batch or pixels >= _BATCH_PIXELS:
            yield images
            images, pixels = [], 0
    if images:
        yield images


def _decode_row(row: Mapping[str, Any]) -> _Row:
    encoded = row["image"]["bytes"]
    try:
        # The limit was the source's to set, and the image passed it there.
        pixels, orientation = decode.decode(encoded, max_pixels=np.iinfo(np.int64).max)
    except SampleError as error:
        return _Row(row["source"], row["uri"], None, error)
    told = (row["caption"], row["language"], row["text"], row["known"])
    image = Image(row["sample_id"], pixels, encoded, row["format"], orientation, *told)
    return _Row(row["source"], row["uri"], image)


def commit_failures(run: Run, path: str, failures: Sequence[Failure], mark: Mark) -> None:
    """Write a part's failures, or remove those of an earlier plan. Called before the part itself is committed."""
    if not failures:
        if run.fs.exists(path):
            run.fs.rm_file(path)
        return
    with run.writer(path, schema.FAILURES) as writer:
        writer.write(failures_table(failures))
        writer.commit(mark)


def failures_path(run: Run, name: str, index: int) -> str:
    """Where the failures of one part of one stage stand."""
    return run.path("failures", f"part-{name}-{index:05d}.parquet")


def done_with(output: Output, writer: PartWriter, failures: Sequence[Failure] = ()) -> Done:
    """What became of an output whose writer has committed."""
    return Done(output.path, output.mark.fingerprint, writer.rows, len(failures), writer.bytes)
