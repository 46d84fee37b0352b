"""The index of a text set: a digest of everything that was drawn, so that whoever draws it again can prove it.

`synth` ends by writing `index.parquet`: a row an index, in order, with digests of the encoded image, of the annotation
and of the caption, or why nothing was drawn; its metadata has the versions of whatever decides the pixels. Nobody has
to publish images: a manifest and its index say both how to draw a set and how to know that it was drawn right.

Verifying draws again and compares. Only digests travel: 200 bytes an image.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from dataengine import schema
from dataengine.errors import ManifestError, RunError
from dataengine.execute import run_tasks, start_ray
from dataengine.manifest import Entry, stage_of
from dataengine.plan import Plan
from dataengine.progress import Reporter
from dataengine.run import Mark, Run, fingerprint
from dataengine.sample import Failure, Sample, samples_table
from dataengine.stage import Limits, Piece, Source
from dataengine.work import GROUP_ROWS, Report, StageSpec, Task, failures_path

INDEX = "index.parquet"
_VERSIONS = b"versions"
_ROW_GROUP = 1 << 16
_DRAWN_TOGETHER = Limits(samples=256)  # one task: small, so that all workers have work and progress shows
_READ = ("source", "uri", "sample_id", "image", "caption", "text")
_SHOWN = 20
_NUMBER = re.compile(r"/(\d+)$")


@dataclass(frozen=True)
class Indexed(Report):
    """What an actor reports: rows of the index, and the versions that it draws with."""

    rows: pa.Table = field(default_factory=schema.SET_INDEX.empty_table)
    versions: Mapping[str, str] = field(default_factory=dict)


class Indexer:
    """Reads parts at rest: their rows of the index."""

    def __init__(self, run: Run, specs: Sequence[StageSpec], seed: int) -> None:
        self.run = run
        self.versions = {name: value for spec in specs for name, value in versions(spec.source(seed)).items()}

    def __call__(self, task: Task) -> Indexed:
        started = time.perf_counter()
        found = [_row(*refused) for refused in self._failures(task.payload["failures"])]
        with self.run.fs.open(task.payload["samples"], "rb") as opened:
            for batch in pq.ParquetFile(opened).iter_batches(batch_size=GROUP_ROWS, columns=list(_READ)):
                found += _drawn(batch)
        return Indexed(task.index, len(found), time.perf_counter() - started, {}, _table(found), self.versions)

    def _failures(self, path: str) -> Iterator[tuple[str, str, str]]:
        if self.run.fs.exists(path):
            with self.run.fs.open(path, "rb") as opened:
                columns = pq.read_table(opened, columns=["source", "uri", "message"])
            yield from zip(*(column.to_pylist() for column in columns), strict=True)


class Redrawer:
    """Draws pieces again and keeps nothing but their rows of the index."""

    def __init__(self, spec: StageSpec, seed: int) -> None:
        self.source = spec.source(seed)
        self.versions = versions(self.source)

    def __call__(self, task: Task) -> Indexed:
        started = time.perf_counter()
        found: list[tuple] = []
        made = self.source.produce(Piece(task.payload["piece"], task.payload["inputs"]))
        while group := list(islice(made, GROUP_ROWS)):
            found += [_row(item.source, item.uri, item.message) for item in group if isinstance(item, Failure)]
            found += _drawn(samples_table([item for item in group if isinstance(item, Sample)]))
        return Indexed(task.index, len(found), time.perf_counter() - started, {}, _table(found), self.versions)


def versions(source: Source) -> dict[str, str]:
    """The versions of what decides a source's output beside its parameters, as far as it tells them."""
    told = getattr(source, "versions", None)
    return dict(told()) if told else {}


def _drawn(samples: pa.Table | pa.RecordBatch) -> list[tuple]:
    """The index's rows for some samples, which have the columns `_READ`."""
    source, uri, sample_id, caption = (samples[c].to_pylist() for c in ("source", "uri", "sample_id", "caption"))
    images = (_digest(image["bytes"].as_buffer()) for image in samples["image"])
    captions = (None if text is None else _digest(text.encode()) for text in caption)
    texts = _text_digests(samples["text"])
    digests = zip(sample_id, images, texts, captions, strict=True)
    return [_row(s, u, None, *found) for s, u, found in zip(source, uri, digests, strict=True)]


def _row(source: str, uri: str, refused: str | None, *digests: str | None) -> tuple:
    number = _NUMBER.search(uri)
    return source, int(number[1]) if number else None, uri, *(digests or (None,) * 4), refused


def _table(rows: Iterable[tuple]) -> pa.Table:
    """The rows in the order of the set."""
    ordered = sorted(rows, key=lambda row: (row[1] is None, row[1] or 0))
    columns = list(zip(*ordered, strict=True)) or [()] * len(schema.SET_INDEX)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema.SET_INDEX, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema.SET_INDEX)


def _digest(content: bytes | pa.Buffer) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _text_digests(texts: pa.Array | pa.ChunkedArray) -> Iterator[str]:
    """A digest of each row of a `text` column, whatever rows stand beside it in memory."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    for row in range(len(column)):
        state = hashlib.blake2b(digest_size=16)
        _feed(state, column.slice(row, 1))
        yield state.hexdigest()


def _feed(state: Any, values: pa.Array) -> None:
    """Add the values of an array, its lengths before its contents, so that no two arrays feed the same bytes."""
    kind = values.type
    if pa.types.is_struct(kind):
        for child in values.flatten():
            _feed(state, child)
    elif pa.types.is_list(kind):
        state.update(values.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False).astype("<i4").tobytes())
        _feed(state, values.flatten())
    elif pa.types.is_fixed_size_list(kind):
        _feed(state, values.flatten())
    elif pa.types.is_string(kind):
        encoded = [b"" if text is None else text.encode() for text in values.to_pylist()]
        state.update(np.array([len(text) for text in encoded], "<i4").tobytes())
        state.update(b"".join(encoded))
    else:
        little = values.to_numpy(zero_copy_only=False)
        state.update(little.astype(little.dtype.newbyteorder("<")).tobytes())


def write_index(plan: Plan, reporter: Reporter, address: str | None, workers: int | None) -> None:
    """Write RUN/index.parquet from the parts of the sources that synthesize, unless it stands."""
    run, tasks = plan.run, plan.sample_tasks()
    outputs = [(name, t.index, t.outputs[name]) for name, made in tasks.items() for t in made]
    payloads = [{"samples": o.path, "failures": failures_path(run, name, part)} for name, part, o in outputs]
    mark = Mark("index", fingerprint(INDEX, 1), fingerprint([o.mark.fingerprint for _, _, o in outputs]))
    path = run.path(INDEX)
    if run.stands(path, mark.fingerprint):
        return
    start_ray(address)
    todo = [Task(number, payload, {}) for number, payload in enumerate(payloads)]
    build = partial(Indexer, run, [stage.spec for stage in plan.sources], plan.seed)
    resources = replace(plan.sources[0].resources, batch=0)
    told: dict[str, set[str]] = {}
    total = sum(t.payload["inputs"] for made in tasks.values() for t in made)
    with reporter.bar("index", total, "images") as bar, run.writer(path, schema.SET_INDEX) as writer:
        held: list[pa.Table] = []
        for report in _in_order(run_tasks(build, todo, resources, workers)):
            held.append(report.rows)
            _merge(told, report.versions)
            bar.advance(report.units)
            if sum(t.num_rows for t in held) >= _ROW_GROUP:
                whole = pa.concat_tables(held)
                writer.write(whole.slice(0, _ROW_GROUP).combine_chunks())
                held = [whole.slice(_ROW_GROUP)]
        writer.write(pa.concat_tables([*held, schema.SET_INDEX.empty_table()]).combine_chunks())
        writer.note(_VERSIONS, json.dumps(_joined(told), sort_keys=True))
        writer.commit(mark)
    reporter.say(f"[bold]{'index':<22}[/] {writer.rows:,} rows [dim]({run.url.rstrip('/')}/{INDEX})[/]")


def _in_order(reports: Iterator[Indexed]) -> Iterator[Indexed]:
    """The reports by their tasks' numbers, each as soon as those before it have come."""
    waiting: dict[int, Indexed] = {}
    upcoming = 0
    for report in reports:
        waiting[report.index] = report
        while upcoming in waiting:
            yield waiting.pop(upcoming)
            upcoming += 1


def _merge(told: dict[str, set[str]], more: Mapping[str, str]) -> None:
    for name, version in more.items():
        told.setdefault(name, set()).add(version)


def _joined(told: Mapping[str, set[str]]) -> dict[str, str]:
    """One value a name; machines that disagree are told apart."""
    return {name: " or ".join(sorted(values)) for name, values in told.items()}


@dataclass(frozen=True)
class Verdict:
    """What drawing again gave. `differing` has the index, the uri and what differs; `versions` the name, what the index
    was drawn with and what it was compared with, for those that are not the same."""

    drawn: int
    differing: list[tuple[int, str, str]]
    versions: list[tuple[str, str, str]]


def read_index(location: str) -> tuple[pa.Table, dict[str, str]]:
    """The rows of an index and its versions, from its file or the folder it stands in, local or a URL.

    Raises RunError when there is none."""
    run = Run(location)
    path = run.root if run.root.endswith(".parquet") else run.path(INDEX)
    remedy = "give the folder that `dataengine synth` wrote, or its index.parquet"
    try:
        with run.fs.open(path, "rb") as opened:
            file = pq.ParquetFile(opened)
            table, notes = file.read(), file.metadata.metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{location}: no index can be read there: {error}", remedy) from None
    if not set(schema.SET_INDEX.names) <= set(table.column_names):
        raise RunError(f"{location}: not the index of a text set: it has the columns {table.column_names}", remedy)
    return table, json.loads(notes.get(_VERSIONS, b"{}"))


def verify(
    entries: Sequence[Entry],
    seed: int,
    location: str,
    start: int,
    count: int | None,
    reporter: Reporter,
    address: str | None = None,
    workers: int | None = None,
) -> Verdict:
    """Draw again what an index has of some entries, from index `start` on and at most `count` of each, and compare."""
    index, were = read_index(location)
    wanted, drawn, told = [], [], {}
    for entry in entries:
        here = _range(index, entry.name, start, count, location)
        wanted.append(here)
        kind, _ = stage_of(entry, "synthesize")
        spec, tasks = _tasks(entry, seed, here["index"].to_numpy())
        resources = replace(entry.resources.over(kind.resources), batch=0)
        start_ray(address)
        with reporter.bar(f"verify.{entry.name}", here.num_rows, "images") as bar:
            for report in run_tasks(partial(Redrawer, spec, seed), tasks, resources, workers):
                drawn.append(report.rows)
                _merge(told, report.versions)
                bar.advance(report.units)
    now = _joined(told)
    names = sorted(were.keys() | now.keys())
    versions = [(n, were.get(n, "none"), now.get(n, "none")) for n in names if were.get(n) != now.get(n)]
    if not were or not now:  # one of the two tells nothing
        versions = []
    expected, found = pa.concat_tables(wanted), pa.concat_tables(drawn)
    return Verdict(expected.num_rows, _differences(expected, found), versions)


def _range(index: pa.Table, name: str, start: int, count: int | None, location: str) -> pa.Table:
    """The rows of one entry within a range."""
    of_entry = index.filter(pc.field("source") == name)
    number = pc.field("index")
    within = (number >= start) & (number < start + count) if count is not None else number >= start
    found = of_entry.filter(within).sort_by("index")
    if not found.num_rows:
        bounds = pc.min_max(of_entry["index"])
        known = (
            f"{bounds['min']} to {bounds['max']}"
            if of_entry.num_rows
            else ", ".join(index["source"].unique().to_pylist())
        )
        raise ManifestError(f"{location}: it has nothing of {name!r} in that range", f"it has {known or 'nothing'}")
    return found


def _tasks(entry: Entry, seed: int, indices: np.ndarray) -> tuple[StageSpec, list[Task]]:
    """The tasks that draw some indices of an entry, in ascending order."""
    tasks: list[Task] = []
    breaks = np.flatnonzero(np.diff(indices) > 1) + 1
    for together in np.split(indices, breaks):
        within = {"start": int(together[0]), "count": len(together)}
        kind, params = stage_of(entry.model_copy(update={"params": {**entry.params, **within}}), "synthesize")
        for piece in kind(entry.name, seed, params).plan(_DRAWN_TOGETHER):
            tasks.append(Task(len(tasks), {"piece": piece.payload, "inputs": piece.inputs}, {}))
    return StageSpec(entry.name, entry.stage, params.model_dump(mode="json")), tasks


def _differences(expected: pa.Table, found: pa.Table) -> list[tuple[int, str, str]]:
    """The index, the uri and what differs of everything that does."""
    query = """
        select was."index", was.uri, case
            when now.uri is null then 'not drawn'
            when was.digest is null and now.digest is null then ''
            when was.digest is null then 'drawn, was refused: ' || was.refused
            when now.digest is null then 'refused: ' || now.refused
            else array_to_string(list_filter([
                case when was.digest <> now.digest then 'image' end,
                case when was.text_digest <> now.text_digest then 'text' end,
                case when was.caption_digest is distinct from now.caption_digest then 'caption' end
            ], lambda name: name is not null), ', ') end as what
        from expected was left join found now using (source, uri) where what <> '' order by was.source, was."index"
    """
    db = duckdb.connect()
    db.register("expected", expected)
    db.register("found", found)
    return db.execute(query).fetchall()


def show(verdict: Verdict, location: str, console: Console) -> None:
    """Say what agrees. Raises RunError when anything differs."""
    differing = len(verdict.differing)
    agree = f"{verdict.drawn - differing:,} of {verdict.drawn:,} drawn again agree with {location}"
    console.print(agree, highlight=False)
    for title, columns, rows in (
        ("differ", ("index", "uri", "what"), verdict.differing),
        ("versions differ", ("what", "the index", "here"), verdict.versions),
    ):
        if rows:
            table = Table(*columns, title=f"{len(rows):,} {title}", title_justify="left", box=None, pad_edge=False)
            for row in rows[:_SHOWN]:
                table.add_row(*(str(value) for value in row))
            console.print(table)
    if differing:
        remedy = "draw with the versions and the manifest that the index was made with"
        raise RunError(f"{differing:,} of {verdict.drawn:,} differ from {location}", remedy)
