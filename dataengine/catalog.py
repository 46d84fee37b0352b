"""DuckDB views over a run: one view a dataset, under the name of its folder.

`samples`, `failures`, `signals` (all signals side by side), `decisions`, `weights`, `shards`, `latents`, also
`shard_index` and `measured`: samples without their bytes beside all signals, which is what filters and queries see. A
signal's part holds the rows of the samples' part of the same number in the same order, so the join is by position; the
sample_id must agree too, so that a part measured from earlier samples never passes for one of these.

The views join on part, row and sample_id, so that a query for one sample reads little. Questions to all samples ask
`measured()` for the columns that they need; see `dataengine.instep`.
"""

import glob
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

import duckdb
import pyarrow as pa

from dataengine import instep, schema
from dataengine.config import near
from dataengine.errors import ManifestError, RunError
from dataengine.run import Run

_KEYS = ("sample_id", "part", "row")
_ORDER = re.compile(r"(.*?)((?:\s+(?:asc|desc))?(?:\s+nulls\s+(?:first|last))?)", re.I | re.S)
_FLAT = {"failures": schema.FAILURES, "decisions": schema.DECISIONS, "weights": schema.WEIGHTS, "plan": schema.PLAN}


def connect(run: Run, memory: str = "2GB", signals: Sequence[str] | None = None) -> duckdb.DuckDBPyConnection:
    """A connection with the views of a run, with all signals or those named.

    Raises RunError when a dataset cannot be read."""
    db = _database(memory)
    if not run.local:
        db.register_filesystem(run.fs)
    try:
        samples = _url(run, "samples")
        _samples_view(db, _source(samples))
        names = _signal_names(run) if signals is None else signals
        measured = {name: url for name in names if (url := _url(run, f"signals/{name}"))}
        # A signal whose columns have changed has parts of both kinds until all of them are made anew.
        uniform = {name: url for name, url in measured.items() if _uniform(db, url)}
        by_name = {name: "" if name in uniform else ", union_by_name=true" for name in measured}
        _signal_views(db, {name: _source(url, by_name[name]) for name, url in measured.items()})
        if samples:
            instep.name_files(db, samples, {f"signal_{name}": url for name, url in uniform.items()})
        for name, columns in _FLAT.items():
            _view(db, name, _source(_url(run, name)), columns)
        _view(db, "shards", _source(_url(run, "shards", "*/*/*.parquet")), schema.SHARD)
        _view(db, "shard_index", _source(_url(run, "shards", "index.parquet")), schema.INDEX)
        if latents := _source(_url(run, "latents", "*/*/*.parquet")):
            db.execute(f"create view latents as select * from {latents}")
    except duckdb.Error as error:
        remedy = f"run `dataengine check {run.url}` to see which part is damaged"
        raise RunError(f"{run.url}: cannot be read: {first_line(error)}", remedy) from None
    return db


def connect_empty(signals: Mapping[str, pa.Schema]) -> duckdb.DuckDBPyConnection:
    """A connection with the same views without rows: what a run with these signals will look like."""
    db = _database("256MB")
    _samples_view(db, "")
    for name, columns in signals.items():
        fields = [pa.field(f.name, _as_read(f.type)) for f in schema.signal_schema(columns)]
        db.register(f"_{name}", pa.schema(fields).empty_table())
    _signal_views(db, {name: f"(select *, '' as filename, 0 as file_row_number from \"_{name}\")" for name in signals})
    for name, columns in _FLAT.items():
        _view(db, name, "", columns)
    return db


def _as_read(kind: pa.DataType) -> pa.DataType:
    """The type as which DuckDB reads one from Parquet: it knows no half floats in Arrow."""
    if pa.types.is_list(kind):
        return pa.list_(_as_read(kind.value_type))
    return pa.float32() if pa.types.is_float16(kind) else kind


def first_line(error: duckdb.Error) -> str:
    """What DuckDB says, without the picture of the query."""
    return re.split(r"\n\s*\n|\n?LINE \d+:", str(error).strip())[0].replace("\n", " ")


def columns(db: duckdb.DuckDBPyConnection, view: str) -> dict[str, str]:
    """The names and DuckDB types of a view's columns, as they were when it was made: `describe` would open every file
    again."""
    found = "select column_name, data_type from duckdb_columns() where not internal and table_name = ?"
    return dict(db.execute(f"{found} order by column_index", [view]).fetchall())


def referenced_columns(db: duckdb.DuckDBPyConnection, predicate: str, known: dict[str, str]) -> list[str]:
    """The known columns that a predicate names, in order of appearance. Raises ValueError when it does not parse."""
    [(text,)] = db.execute("select json_serialize_sql(?)", [f"select ({predicate}\n)"]).fetchall()
    tree = json.loads(text)
    if tree["error"]:
        raise ValueError(tree["error_message"])
    lower = {c.lower(): c for c in known}
    refs = ([lower[n.lower()] for n in names if n.lower() in lower] for names in _column_refs(tree))
    return list(dict.fromkeys(found[0] for found in refs if found))


def kind_of(db: duckdb.DuckDBPyConnection, where: str, expression: str, source: str = "measured") -> str:
    """The DuckDB type of an expression over a view or subquery. Raises ManifestError that names the key `where` when it
    does not parse, or looks at what is not there."""
    known = columns(db, "measured")
    try:
        referenced_columns(db, expression, known)
        return db.execute(f"describe select ({expression}\n) from {source}").fetchall()[0][1]
    except (duckdb.Error, ValueError) as error:
        message = first_line(error) if isinstance(error, duckdb.Error) else str(error)
        hint = near(expression, list(known))
        raise ManifestError(f"{where}: {message}{hint}", f"columns: {', '.join(known)}") from None


def ordered(term: str) -> tuple[str, str]:
    """The expression of a term of `order by`, and how it orders: `x desc nulls last` is x and `desc nulls last`."""
    expression, order = _ORDER.fullmatch(term.strip()).groups()  # type: ignore[union-attr]  # it matches anything
    return expression, order.strip()


def _column_refs(node: Any) -> Iterator[list[str]]:
    """The names in each reference: `column`, `view.column` or `column.field`."""
    if isinstance(node, dict):
        if node.get("class") == "COLUMN_REF":
            yield node["column_names"]
        for value in node.values():
            yield from _column_refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _column_refs(value)


def measured(db: duckdb.DuckDBPyConnection, wanted: Collection[str]) -> str:
    """The view `measured` with its keys and some of its columns, as a subquery for questions to all samples: signals
    that have none of the columns are not read, and the others are read in step with the samples where that can be."""
    signals = "select view_name from duckdb_views() where starts_with(view_name, 'signal_') order by view_oid"
    origins = [("samples", c) for c in columns(db, "samples") if c != "image"]
    origins += [(v, c) for (v,) in db.execute(signals).fetchall() for c in columns(db, v) if c not in _KEYS]
    # By their order: where two signals have a column of the same name, the view calls the second one otherwise.
    known = zip(columns(db, "measured"), origins, strict=True)
    picked = {name: origin for name, origin in known if name in wanted or name in _KEYS}
    own = [column for view, column in picked.values() if view == "samples" and column not in _KEYS]
    held: dict[str, list[str]] = {}
    for view, column in picked.values():
        if view != "samples":
            held.setdefault(view, []).append(column)
    source, in_step = instep.beside(db, own, held)

    def value(view: str, column: str) -> str:
        if view in in_step:
            return f'case when samples."{view}" then samples."{view}.{column}" end'
        return f'"{view}"."{column}"'

    joins = "".join(f' left join "{view}" using (sample_id, part, row)' for view in held if view not in in_step)
    values = ", ".join(f'{value(*origin)} as "{name}"' for name, origin in picked.items())
    return f"(select {values} from {source} samples{joins})"


def query(run: Run, sql: str) -> pa.Table:
    """The result of a query over a run. Raises ManifestError with DuckDB's message for a query that cannot run."""
    db = connect(run)
    try:
        result = db.sql(sql)
        return result.to_arrow_table() if result is not None else pa.table({})  # None for statements without rows
    except duckdb.Error as error:
        views = ", ".join(
            r[0] for r in db.execute("select view_name from duckdb_views() where not internal").fetchall()
        )
        raise ManifestError(f"the query cannot run: {first_line(error)}", f"views: {views}") from None


def _database(memory: str) -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    db.execute(f"set memory_limit='{memory}'; set preserve_insertion_order=true; set enable_progress_bar=false")
    return db


def _source(url: str, options: str = "") -> str:
    """The table function that reads a dataset's files; empty when it has none."""
    return f"read_parquet({_quoted(url)}, filename=true, file_row_number=true{options})" if url else ""


def _url(run: Run, dataset: str, pattern: str = "*.parquet") -> str:
    """The pattern of a dataset's files; empty when it has none."""
    folder = run.path(dataset)
    if not any(fnmatch(path.removeprefix(f"{folder}/"), pattern) for path in run.files(dataset)):
        return ""
    return f"{glob.escape(folder if run.local else run.fs.unstrip_protocol(folder))}/{pattern}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _uniform(db: duckdb.DuckDBPyConnection, url: str) -> bool:
    """Whether all files of a dataset have the same columns. Where they do DuckDB need not open each for every query
    that it is given."""
    digests = f"""select sum(hash(name, type, repetition_type, num_children, converted_type, logical_type)) as digest
        from parquet_schema({_quoted(url)}) group by file_name"""
    return db.execute(f"select count(distinct digest) = 1 from ({digests})").fetchall() == [(True,)]


def _signal_names(run: Run) -> list[str]:
    prefix = len(run.path("signals")) + 1
    return list(dict.fromkeys(path[prefix:].split("/")[0] for path in run.files("signals")))


def _position(alias: str = "") -> str:
    return f"regexp_extract({alias}filename, '{instep.NUMBERED}', 1)::int as part, {alias}file_row_number::int as row"


def _view(db: duckdb.DuckDBPyConnection, name: str, source: str, columns: pa.Schema) -> None:
    if source:
        db.execute(f'create view "{name}" as select * exclude (filename, file_row_number) from {source}')
    else:
        db.register(name, columns.empty_table())


def _samples_view(db: duckdb.DuckDBPyConnection, source: str) -> None:
    if source:
        db.execute(f"create view samples as select * exclude (filename, file_row_number), {_position()} from {source}")
    else:
        db.register("samples", pa.schema([*schema.SAMPLES, *schema.POSITION]).empty_table())


def _signal_views(db: duckdb.DuckDBPyConnection, sources: Mapping[str, str]) -> None:
    """One view a signal (`signal_<name>`), all of them side by side (`signals`), and `measured`."""
    for name, source in sources.items():
        position = _position() if source.startswith("read_parquet") else "0 as part, 0 as row"
        db.execute(
            f'create view "signal_{name}" as select * exclude (filename, file_row_number), {position} from {source}'
        )
    joins = "".join(f' left join "signal_{name}" using (sample_id, part, row)' for name in sources)
    picked = "".join(f", {column}" for column in _signal_columns(db, sources))
    keys = "samples.sample_id, samples.part, samples.row"
    db.execute(f"create view signals as select {keys}{picked} from samples{joins}")
    db.execute(f"create view measured as select samples.* exclude (image){picked} from samples{joins}")


def _signal_columns(db: duckdb.DuckDBPyConnection, sources: Mapping[str, str]) -> Iterator[str]:
    for name in sources:
        for column in columns(db, f"signal_{name}"):
            if column not in ("sample_id", "part", "row"):
                yield f'"signal_{name}"."{column}"'
