"""Questions to a run's selection: why a sample was kept or dropped, and what other thresholds would keep.

Both ask the run's own `select` stage, over what has been measured; nothing is computed on images and nothing written.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from dataengine import catalog, tables
from dataengine.config import build
from dataengine.errors import ManifestError, RunError
from dataengine.manifest import Manifest, stage_of
from dataengine.run import Run

_GROUPS = ("category", "language")
_MOST_GROUPS = 20


def why(run: Run, sample_id: str, console: Console) -> None:
    """Print what a sample is, what every filter says of it, what became of it, and where it is used.

    Raises RunError for a sample that the run does not have."""
    db = catalog.connect(run)
    found = db.sql(
        """select source, uri, width, height, language, category, part, row, left(caption, 200) as caption
            from samples where sample_id = ? order by part, row""",
        params=[sample_id],
    ).to_arrow_table()
    if not found.num_rows:
        raise RunError(f"{run.url} has no sample {sample_id!r}", "`dataengine sql RUN` lists them: select sample_id …")
    tables.write(found, "table", console)
    for title, table in _history(run, db, sample_id):
        if table.num_rows:
            console.print(f"\n[bold]{title}")
            tables.write(table, "table", console)


def _history(run: Run, db: duckdb.DuckDBPyConnection, sample_id: str) -> Sequence[tuple[str, pa.Table]]:
    def rows(sql: str) -> pa.Table:
        return db.sql(sql, params=[sample_id]).to_arrow_table()

    known = catalog.columns(db, "measured")
    twins = "select duplicate_of, duplicate_kind, duplicate_distance from measured where sample_id = ?"
    return [
        ("filters", _selection(run, "explain").explain(db, sample_id)),
        ("duplicates", rows(f"{twins} and duplicate_of is not null") if "duplicate_of" in known else pa.table({})),
        ("decisions", rows("select phase, kept, dropped_by, reason from decisions where sample_id = ? order by phase")),
        ("uses", rows("select phase, category, language, repeats from weights where sample_id = ? order by phase")),
    ]


def whatif(run: Run, changes: Sequence[str], console: Console) -> None:
    """Print how many samples each phase keeps, and would keep with filters changed: `name=number` or
    `name=predicate`."""
    db = catalog.connect(run)
    now = _selection(run, "counts")
    then = now.moved(_parsed(changes))
    then.check(db)
    db.register("counted", now.counts(db, _GROUPS, [then]))
    for group in (None, *_GROUPS):
        _print(db, group, now.params.phases, console)


def _print(db: duckdb.DuckDBPyConnection, group: str | None, phases: Sequence[int], console: Console) -> None:
    name = f"coalesce(\"{group}\"::varchar, 'unknown')" if group else "'all'"
    sums = ", ".join(f"sum(kept_{phase}_{n})::bigint" for phase in phases for n in (0, 1))
    asked = f"select {name} as name, sum(samples)::bigint, {sums} from counted group by name order by 2 desc, 1"
    rows = db.execute(asked).fetchall()
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column(group or "")
    shown.add_column("samples", justify="right")
    for phase in phases:
        for column in (f"kept in {phase}", "would be", "change"):
            shown.add_column(column, justify="right")
    for value, samples, *kept in rows[:_MOST_GROUPS]:
        cells = [f"{samples:,}"]
        for was, is_ in zip(kept[::2], kept[1::2], strict=True):
            share = f" ({(is_ - was) / was:+.1%})" if was and is_ != was else ""
            cells += [f"{was:,}", f"{is_:,}", f"{is_ - was:+,}{share}" if is_ != was else ""]
        shown.add_row(value, *cells)
    console.print(shown)
    if len(rows) > _MOST_GROUPS:
        console.print(f"… and {len(rows) - _MOST_GROUPS} more")
    console.print()


def _parsed(changes: Sequence[str]) -> Mapping[str, str]:
    parsed = {}
    for change in changes:
        name, sign, value = change.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise ManifestError(f"{change!r} is no change", "write FILTER=NUMBER or 'FILTER=predicate'")
        parsed[name.strip()] = value.strip()
    return parsed


def _selection(run: Run, method: str) -> Any:
    """The run's select stage. Raises RunError where it has none, or one that cannot answer."""
    manifest = build(Manifest, run.manifest(), run.path("manifest.yaml"))
    if manifest.select is None:
        raise RunError(f"{run.url} selects nothing", "add a `select` section to its manifest")
    kind, params = stage_of(manifest.select, "select")
    if not hasattr(kind, method):
        raise RunError(
            f"{manifest.select.stage} has no `{method}`", "add it to the class, as stages.select:Select has it"
        )
    return kind(manifest.seed, params)
