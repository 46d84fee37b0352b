"""A run in figures, for people: the funnel, shares against targets, buckets and shards, time and rate per stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from dataengine import catalog
from dataengine.run import Run


def funnel(db: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int]]:
    """(phase, what, count) from samples to kept, by the filter that dropped first."""
    rows = [("", "samples", db.execute("select count(*) from samples").fetchall()[0][0])]
    dropped = db.execute(
        """select phase, dropped_by, count(*) as n from decisions group by phase, dropped_by
            order by phase, dropped_by is null, n desc, dropped_by"""
    )
    for phase, name, count in dropped.fetchall():
        rows.append((str(phase), "kept" if name is None else f"dropped by {name}", count))
    return rows


def shares(
    db: duckdb.DuckDBPyConnection, expressions: Sequence[str]
) -> list[list[tuple[int, str, int, int, int, float]]]:
    """(phase, value, kept samples, uses, distinct samples used, share of the phase's uses) for each of some SQL
    expressions over what was measured, in which `category` and `language` are those of weights; all in one pass."""
    known = catalog.columns(db, "measured")
    wanted = {c for by in expressions for c in catalog.referenced_columns(db, by, known)}
    beyond = wanted - {"sample_id", "part", "row", "category", "language"}
    joined = f"weights w join {catalog.measured(db, beyond)} m using (part, row)" if beyond else "weights w"
    used = ", ".join(f'm."{c}"' for c in sorted(beyond))
    values = ", ".join(f"coalesce(({by}\n)::varchar, 'unknown') as _{i}" for i, by in enumerate(expressions))
    names = [f"_{i}" for i in range(len(expressions))]
    which = " ".join(f"when grouping({name}) = 0 then {i}" for i, name in enumerate(names))
    rows = db.execute(
        f"""with joined as (
                select w.sample_id, part, row, w.category, w.language, w.phase as _phase, w.repeats as _repeats
                    {", " * bool(used)}{used} from {joined}
            ), valued as (select _phase, _repeats, {values} from joined),
            uses as (
                select case {which} end as _which, _phase, coalesce({", ".join(names)}) as value, count(*) as kept,
                    sum(_repeats)::bigint as uses, count(*) filter (_repeats > 0) as used
                from valued group by grouping sets ({", ".join(f"(_phase, {name})" for name in names)})
            )
            select *, uses / nullif(sum(uses) over (partition by _which, _phase), 0) from uses
            order by _phase, uses desc, value
        """
    ).fetchall()
    return [[row[1:] for row in rows if row[0] == i] for i in range(len(expressions))]


@dataclass(frozen=True)
class Share:
    """A class of one dimension in one phase: samples kept, different samples used, uses, their share of the phase's
    uses, what was asked for, and by how many uses it falls short of that."""

    phase: int
    value: str
    kept: int
    used: int
    uses: int
    share: float | None
    target: float | None
    short: int


def balances(db: duckdb.DuckDBPyConnection, balance: Mapping[str, Any]) -> list[tuple[str, list[Share]]]:
    """The shares of every dimension that a manifest balances, and of languages in any case, by the expression."""
    dimensions = [{"by": "category"} | balance, *({"by": "category"} | d for d in balance.get("also", []))]
    if all(d["by"] != "language" for d in dimensions):
        dimensions.append({"by": "language"})
    found = shares(db, [d["by"] for d in dimensions])
    return [(d["by"], _of_dimension(rows, d, balance.get("size"))) for d, rows in zip(dimensions, found, strict=True)]


def _of_dimension(
    rows: Sequence[tuple[int, str, int, int, int, float]], dimension: Mapping[str, Any], size: int | None
) -> list[Share]:
    targets = {} if dimension.get("within") else dimension.get("target", {})
    kept_in: dict[int, int] = {}
    for phase, _, kept, *_ in rows:
        kept_in[phase] = kept_in.get(phase, 0) + kept
    found = []
    for phase, value, kept, uses, used, share in rows:
        target = targets.get(value)
        wanted = round((target or 0) * (size or kept_in[phase]))
        found.append(Share(phase, value, kept, used, uses, share, target, max(0, wanted - uses)))
    return found


def buckets(db: duckdb.DuckDBPyConnection) -> list[tuple[int, str, int, int, float]]:
    """(phase, bucket, rows, shards, megabytes)."""
    return db.execute(
        """select phase, bucket, sum(rows)::bigint, count(*), sum(bytes) / 1e6 from shard_index
            group by all order by phase, 3 desc"""
    ).fetchall()


def failures(db: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int, str]]:
    """(source, stage, count, an example) by error message."""
    return db.execute(
        """select source, stage, count(*), min(message) from failures
            group by source, stage, regexp_replace(message, '[0-9]+', 'n', 'g') order by 3 desc, 1, 2, 4"""
    ).fetchall()


def unmeasured(db: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int]]:
    """(signal, samples without any of its values, samples) of the signals that have such samples: an optional one that
    could not be had, pictures that it has nothing to say of, and failures."""
    views = db.execute(
        "select view_name from duckdb_views() where view_name like 'signal\\_%' escape '\\' order by all"
    )
    rows = []
    for (view,) in views.fetchall():
        columns = [c for c in catalog.columns(db, view) if c not in ("sample_id", "part", "row")]
        empty = " and ".join(f'"{c}" is null' for c in columns)
        # Asked after `where`, so that what is known of whole row groups need not be read.
        asked = f'select (select count(*) from "{view}" where {empty}), count(*) from "{view}"'
        [(without, total)] = db.execute(asked).fetchall()
        rows += [(view.removeprefix("signal_"), without, total)] if without else []
    return rows


def texts(db: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int, int, int, int]]:
    """(language, pictures, paragraphs, characters, different ones, those that occur once) of the annotated text."""
    return db.execute(
        r"""with paragraphs as (
                select coalesce(language, 'unknown') as language, part, row, unnest(text).content as content
                from samples
            ), written as (
                select language, character, count(*) as times from (
                    select language, unnest(string_split(regexp_replace(content, '\s', '', 'g'), '')) as character
                    from paragraphs
                ) group by all
            ), characters as (
                select language, sum(times)::bigint as total, count(*) as different, count(*) filter (times = 1) as once
                from written group by language
            )
            select language, count(distinct (part, row)), count(*), any_value(total), any_value(different),
                any_value(once)
            from paragraphs join characters using (language) group by language order by 4 desc, 1
        """
    ).fetchall()


def asked(db: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int, float, int]]:
    """(set, characters, fewest, mean and most pictures that show one) of the rare characters that text sets ask for."""
    return db.execute(
        """with dealt as (
                select meta->>'$.set' as name, unnest(string_split(meta->>'$.asked', '')) as character from samples
                where meta->>'$.asked' is not null
            ), shown as (select name, character, count(*) as pictures from dealt group by all)
            select name, count(*), min(pictures), avg(pictures), max(pictures) from shown group by name order by name
        """
    ).fetchall()


def show(run: Run, console: Console) -> None:
    """Print everything."""
    db = catalog.connect(run)
    state = run.read_json("run.json")
    manifest = run.manifest()
    console.print(f"[bold]{state.get('name', '')}[/] {run.url}\n", highlight=False)
    failed = db.execute("select count(*) from failures where stage in ('collect', 'synthesize')").fetchall()[0][0]
    rows = funnel(db)
    inputs = rows[0][2] + failed
    _print(
        console,
        "funnel",
        ["phase", "", "images", "of inputs"],
        [
            ("", "inputs", inputs, "100%"),
            *([("", "failures", failed, _percent(failed, inputs))] if failed else []),
            *((p, what, n, _percent(n, inputs)) for p, what, n in rows),
        ],
    )
    if found := unmeasured(db):
        shown = [(name, without, _percent(without, total)) for name, without, total in found]
        _print(console, "signals without a value", ["signal", "images", "of all"], shown)
    if found := failures(db):
        _print(console, "failures", ["source", "stage", "images", "for instance"], found)
    for by, rows in balances(db, manifest.get("balance") or {}):
        _print(
            console,
            f"shares by {by}",
            ["phase", by, "kept", "used", "uses", "share", "target", "short by"],
            [
                (r.phase, r.value, r.kept, r.used, r.uses, _percent(r.share), _percent(r.target), r.short or "–")
                for r in rows
            ],
        )
    _print(
        console,
        "text in the pictures",
        ["language", "pictures", "paragraphs", "characters", "different", "only once"],
        texts(db),
    )
    _print(
        console,
        "characters asked for",
        ["set", "characters", "fewest pictures", "mean", "most"],
        [(name, n, fewest, f"{mean:.1f}", most) for name, n, fewest, mean, most in asked(db)],
    )
    _print(
        console,
        "shards",
        ["phase", "bucket", "rows", "shards", "MB"],
        [(p, b, n, s, f"{mb:,.1f}") for p, b, n, s, mb in buckets(db)],
    )
    _print(
        console,
        "stages",
        ["stage", "state", "rows", "failures", "parts", "seconds", "images/s"],
        [
            (
                name,
                s.get("state"),
                s.get("rows", ""),
                s.get("failures", ""),
                s.get("parts", ""),
                f"{s.get('seconds', 0):,.1f}",
                f"{s['images'] / s['seconds']:,.1f}" if s.get("images") and s.get("seconds") else "–",
            )
            for name, s in state.get("stages", {}).items()
        ],
    )


def _percent(count: float | None, of: float = 1) -> str:
    return "–" if count is None else f"{count / max(of, 1e-12):.1%}"


def _print(console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for name, value in zip(header, rows[0], strict=True):
        table.add_column(
            name, justify="right" if isinstance(value, int | float) or str(value).endswith("%") else "left"
        )
    for row in rows:
        table.add_row(
            *(
                f"{v:,}" if isinstance(v, int) and name != "phase" else str(v)
                for name, v in zip(header, row, strict=True)
            )
        )
    console.print(table)
    console.print()
