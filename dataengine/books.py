"""The books of a run: laws that must hold between its datasets, each one query or one pass over files.

- every file is whole;
- every input that a source saw is a sample or a failure;
- every signal has one row for each sample;
- every sample has one decision a phase, and exactly the kept ones have a weight;
- every kept sample stands in its phase's shards exactly `repeats` times, and nothing else does;
- every shard has the rows, the bytes and the digest that the index says;
- every row of a shard is encoded or a failure.

Each law names what breaks it: the file, or the number of rows and the first part that they belong to.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import duckdb
import pyarrow.parquet as pq
from rich.console import Console

from dataengine import catalog, encoding
from dataengine.errors import RunError
from dataengine.run import Run
from dataengine.work import failures_path

_FOLDERS = ("samples", "failures", "signals", "decisions", "weights", "plan", "shards", "latents")
_NAMED = 5


@dataclass(frozen=True)
class Finding:
    """One law, what was counted, and what breaks it (empty when it holds)."""

    law: str
    counted: str
    broken: str = ""


def check(run: Run) -> Iterator[Finding]:
    """Every law that applies to what the run holds so far, with what was found."""
    whole = _whole(run)
    yield whole
    if whole.broken:  # nothing else can be read
        return
    stages = run.read_json("run.json").get("stages", {})
    done = {name: stage for name, stage in stages.items() if stage.get("state") == "done"}
    yield _inputs(run, done)
    db = catalog.connect(run)
    laws: list[tuple[str, Callable[[], tuple[str, str]]]] = [
        (f"signal {name} has one row a sample", partial(_signal, db, name)) for name in _signals(db)
    ]
    if "select" in done:
        laws.append(("every sample has one decision a phase", partial(_decisions, db, done["select"])))
    if "balance" in done:
        laws.append(("exactly the kept samples have a weight", partial(_weights, db)))
    if "pack" in done:
        laws.append(("every shard matches its digest", partial(_digests, run)))
        laws.append(("every kept sample is packed `repeats` times", partial(_uses, db)))
    if "encode" in done:
        laws.append(("every row of a shard is encoded or a failure", partial(_encoded, run)))
    for law, count in laws:
        try:
            yield Finding(law, *count())
        except duckdb.Error as error:  # damage inside a file whose footer is whole
            yield Finding(law, "not counted", f"cannot be read: {catalog.first_line(error)}")


def show(run: Run, console: Console) -> None:
    """Print the findings. Raises RunError when a law is broken."""
    findings = list(check(run))
    for finding in findings:
        mark = "[red]broken[/]" if finding.broken else "[green]holds[/] "
        console.print(f"{mark} {finding.law} [dim]({finding.counted})[/]", highlight=False)
    broken = [f for f in findings if f.broken]
    if broken:
        listing = "\n".join(f"  {f.law}: {f.broken}" for f in broken)
        raise RunError(
            f"{run.url}: {len(broken)} of {len(findings)} laws are broken\n{listing}",
            "remove the parts named above and run the manifest again: only they are recomputed",
        )
    console.print(f"[bold green]the books balance[/]: {len(findings)} laws hold", highlight=False)


def _listed(problems: list[str]) -> str:
    rest = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    return "; ".join(problems[:_NAMED]) + rest


def _whole(run: Run) -> Finding:
    paths = [path for folder in _FOLDERS for path in run.files(folder)]
    damaged = [f"{path} is damaged" for path in paths if run.mark(path) is None]
    return Finding("every file is whole", f"{len(paths):,} files", _listed(damaged))


def _inputs(run: Run, done: Mapping[str, Mapping]) -> Finding:
    """Needs no query: each part's mark says how many inputs it saw."""
    inputs = rows = failed = 0
    paths = set(run.files("samples"))
    planned = sum(s["parts"] for name, s in done.items() if name.startswith(("collect.", "synthesize.")))
    expected = [run.part("samples", index) for index in range(max(planned, len(paths)))]
    broken = [f"{path} is not one of the parts" for path in sorted(paths.difference(expected))]
    for index, path in enumerate(expected):
        mark = run.mark(path)
        if mark is None:
            broken.append(f"{path} is missing")
            continue
        counts = run.rows(path), run.rows(failures_path(run, mark.stage, index))
        inputs, rows, failed = inputs + mark.inputs, rows + counts[0], failed + counts[1]
        if mark.inputs != sum(counts):
            broken.append(f"{path} saw {mark.inputs} inputs, but holds {counts[0]} samples and {counts[1]} failures")
    counted = f"{inputs:,} = {rows:,} samples + {failed:,} failures"
    return Finding("every input is a sample or a failure", counted, _listed(broken))


def _one(db: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    return db.execute(sql).fetchall()[0]


def _signals(db: duckdb.DuckDBPyConnection) -> list[str]:
    views = [r[0] for r in db.execute("select view_name from duckdb_views() where not internal").fetchall()]
    return sorted(v.removeprefix("signal_") for v in views if v.startswith("signal_"))


def _signal(db: duckdb.DuckDBPyConnection, name: str) -> tuple[str, str]:
    samples, rows, missing, first = _one(
        db,
        f"""select (select count(*) from samples), (select count(*) from "signal_{name}"), count(*), min(part)
            from samples anti join "signal_{name}" using (sample_id, part, row)""",
    )
    problems = [f"{missing} samples have no row, the first in part {first}"] if missing else []
    problems += [f"{rows} rows for {samples} samples"] if rows != samples else []
    return f"{rows:,} rows", "; ".join(problems)


def _decisions(db: duckdb.DuckDBPyConnection, stage: Mapping) -> tuple[str, str]:
    """`stage` knows how many there were: when all are lost, their phases are too."""
    samples, phases, rows, wrong, first = _one(
        db,
        """with decided as (select sample_id, part, row, phase, count(*) as n from decisions group by all),
            wanted as (select sample_id, part, row, phase, 1 as n from samples, (select distinct phase from decisions))
        select (select count(*) from samples), (select count(distinct phase) from decisions),
            (select count(*) from decisions), count(*), min(part)
        from decided full join wanted using (sample_id, part, row, phase) where decided.n is distinct from wanted.n
        """,
    )
    problems = [f"{wrong} have none, two, or no sample, the first in part {first}"] if wrong else []
    problems += [f"{rows} decisions where {stage['rows']} were made"] if rows != stage["rows"] else []
    return f"{samples:,} samples × {phases} phases", "; ".join(problems)


def _weights(db: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    kept, wrong, first = _one(
        db,
        """with weighted as (select sample_id, part, row, phase, count(*) as n from weights group by all),
            wanted as (select sample_id, part, row, phase, 1 as n from decisions where kept)
        select (select count(*) from wanted), count(*), min(part)
        from weighted full join wanted using (sample_id, part, row, phase) where weighted.n is distinct from wanted.n
        """,
    )
    return f"{kept:,} kept", f"{wrong} have none, two, or are not kept, the first in part {first}" if wrong else ""


def _uses(db: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    uses, wrong, example = _one(
        db,
        """with wanted as (select sample_id, phase, sum(repeats) as n from weights where repeats > 0 group by all),
            packed as (select sample_id, phase, count(*) as n from shards group by all)
        select (select count(*) from shards), count(*), min(sample_id)
        from wanted full join packed using (sample_id, phase) where wanted.n is distinct from packed.n
        """,
    )
    return f"{uses:,} rows in shards", f"{wrong} stand more or less often, such as sample {example}" if wrong else ""


def _digests(run: Run) -> tuple[str, str]:
    if not run.fs.exists(run.path("shards", "index.parquet")):
        return "not counted", "shards/index.parquet is missing"
    with run.fs.open(run.path("shards", "index.parquet"), "rb") as file:
        index = pq.read_table(file).to_pylist()
    broken = []
    for row in index:
        path = run.path("shards", row["path"])
        if not run.fs.exists(path):
            broken.append(f"{row['path']} is missing")
        elif run.digest(path) != row["digest"]:
            broken.append(f"{row['path']} does not match its digest")
        elif (run.fs.size(path), run.rows(path)) != (row["bytes"], row["rows"]):
            broken.append(f"{row['path']} does not match its index row")
    listed = {run.path("shards", row["path"]) for row in index}
    broken += [
        f"{p} is not in the index" for p in run.files("shards") if p not in listed and not p.endswith("index.parquet")
    ]
    size = sum(row["bytes"] for row in index) / 1e6
    return f"{len(index):,} shards, {size:,.1f} MB", _listed(broken)


def _encoded(run: Run) -> tuple[str, str]:
    """Needs no query: the mark of each file of latents says how many rows its shard had."""
    rows = failed = 0
    shards, broken = encoding.shards(run), []
    for shard in shards:
        mark = run.mark(shard.latents(run))
        if mark is None:
            broken.append(f"latents/{shard.name} is missing")
            continue
        counts = run.rows(shard.latents(run)), run.rows(shard.failures(run))
        rows, failed = rows + counts[0], failed + counts[1]
        if (mark.upstream, mark.inputs, sum(counts)) != (shard.fingerprint, shard.rows, shard.rows):
            broken.append(f"latents/{shard.name} has {counts[0]} rows and {counts[1]} failures of {shard.rows}")
    wanted = {shard.latents(run) for shard in shards}
    broken += [f"{path} is of no shard" for path in run.files("latents") if path not in wanted]
    return f"{rows:,} rows in {len(shards):,} files, {failed:,} failures", _listed(broken)
