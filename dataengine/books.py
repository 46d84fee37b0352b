"""The books of a run: laws that must hold between its datasets, each one query or one pass over files.

- every input that a source saw is a sample or a failure;
- every signal has one row for each sample;
- every sample has one decision a phase, and exactly the kept ones have a weight;
- every kept sample stands in its phase's shards exactly `repeats` times, and nothing else does;
- every shard has the rows, the bytes and the digest that the index says.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow.parquet as pq
from rich.console import Console

from dataengine import catalog
from dataengine.errors import RunError
from dataengine.run import Run
from dataengine.work import failures_path


@dataclass(frozen=True)
class Finding:
    """One law, what was counted, and what breaks it (empty when it holds)."""

    law: str
    counted: str
    broken: str = ""


def check(run: Run) -> Iterator[Finding]:
    """Every law that applies to what the run holds so far, with what was found."""
    yield _inputs(run)
    db = catalog.connect(run)
    yield from _signals(run, db)
    stages = run.read_json("run.json").get("stages", {})
    if stages.get("select", {}).get("state") == "done":
        yield _decisions(db)
    if stages.get("balance", {}).get("state") == "done":
        yield _weights(db)
    if stages.get("pack", {}).get("state") == "done":
        yield _uses(db)
        yield _digests(run)


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


def _inputs(run: Run) -> Finding:
    inputs = rows = failed = 0
    broken = []
    paths = run.files("samples")
    for index, path in enumerate(paths):
        mark = run.mark(path)
        if mark is None:
            broken.append(f"{path} is damaged")
            continue
        if path != run.part("samples", index):
            broken.append(f"part {index} is missing")
        counts = _rows(run, path), _rows(run, failures_path(run, mark.stage, index))
        inputs, rows, failed = inputs + mark.inputs, rows + counts[0], failed + counts[1]
        if mark.inputs != sum(counts):
            broken.append(f"{path} saw {mark.inputs} inputs, but holds {counts[0]} samples and {counts[1]} failures")
    counted = f"{inputs:,} = {rows:,} samples + {failed:,} failures"
    return Finding("every input is a sample or a failure", counted, "; ".join(broken[:5]))


def _rows(run: Run, path: str) -> int:
    if not run.fs.exists(path):
        return 0
    with run.fs.open(path, "rb") as file:
        return pq.read_metadata(file).num_rows


def _one(db: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    return db.execute(sql).fetchall()[0]


def _signals(run: Run, db: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    views = [r[0] for r in db.execute("select view_name from duckdb_views() where not internal").fetchall()]
    for view in sorted(v for v in views if v.startswith("signal_")):
        samples, rows, missing = _one(
            db,
            f"""select (select count(*) from samples), (select count(*) from "{view}"),
                (select count(*) from samples anti join "{view}" using (sample_id, part, row))""",
        )
        broken = (
            f"{missing} samples have no row; {rows} rows for {samples} samples" if missing or rows != samples else ""
        )
        yield Finding(f"signal {view.removeprefix('signal_')} has one row a sample", f"{rows:,} rows", broken)


def _decisions(db: duckdb.DuckDBPyConnection) -> Finding:
    samples, phases, rows, wrong = _one(
        db,
        """select (select count(*) from samples), (select count(distinct phase) from decisions),
            (select count(*) from decisions),
            (select count(*) from (
                select part, row, phase from decisions d semi join samples using (sample_id, part, row)
                group by all having count(*) <> 1))""",
    )
    broken = f"{rows} decisions for {samples} samples in {phases} phases" if wrong or rows != samples * phases else ""
    return Finding("every sample has one decision a phase", f"{samples:,} samples × {phases} phases", broken)


def _weights(db: duckdb.DuckDBPyConnection) -> Finding:
    kept, rows, missing = _one(
        db,
        """select (select count(*) from decisions where kept), (select count(*) from weights),
            (select count(*) from (select * from decisions where kept) anti join weights using (part, row, phase))""",
    )
    broken = f"{rows} weights for {kept} kept, {missing} without" if missing or rows != kept else ""
    return Finding("exactly the kept samples have a weight", f"{kept:,} kept", broken)


def _uses(db: duckdb.DuckDBPyConnection) -> Finding:
    uses, wrong = _one(
        db,
        """with wanted as (select sample_id, phase, sum(repeats) as n from weights where repeats > 0 group by all),
            packed as (select sample_id, phase, count(*) as n from shards group by all)
        select (select sum(n) from packed),
            (select count(*) from wanted full join packed using (sample_id, phase)
                where wanted.n is distinct from packed.n)
        """,
    )
    broken = f"{wrong} samples stand more or less often than they should" if wrong else ""
    return Finding("every kept sample is packed `repeats` times", f"{uses or 0:,} rows in shards", broken)


def _digests(run: Run) -> Finding:
    with run.fs.open(run.path("shards", "index.parquet"), "rb") as file:
        index = pq.read_table(file).to_pylist()
    broken = []
    for row in index:
        path = run.path("shards", row["path"])
        if not run.fs.exists(path):
            broken.append(f"{row['path']} is missing")
        elif run.digest(path) != row["digest"]:
            broken.append(f"{row['path']} does not match its digest")
        elif (run.fs.size(path), _rows(run, path)) != (row["bytes"], row["rows"]):
            broken.append(f"{row['path']} does not match its index row")
    listed = {run.path("shards", row["path"]) for row in index}
    broken += [
        f"{p} is not in the index" for p in run.files("shards") if p not in listed and not p.endswith("index.parquet")
    ]
    size = sum(row["bytes"] for row in index) / 1e6
    return Finding("every shard matches its digest", f"{len(index):,} shards, {size:,.1f} MB", "; ".join(broken[:5]))
