"""Samples and signals read in step, file beside file: all of a run's rows together without a join.

A signal's part holds the rows of the samples' part of the same number in the same order. Where the footers say that all
of its parts have as many rows as the samples' parts, DuckDB can read both from the first row to the last and need not
look a row up. The sample_id is compared on the way. Costs a look at the footers, and then a third of what a join does
and none of its memory; a question about few samples is better asked of the views, which read only what they need.
"""

import glob
from collections.abc import Mapping, Sequence
from itertools import pairwise

import duckdb

NUMBERED = r"part-(\d+)\.parquet$"
"""What the number of a part is in its path."""

Part = tuple[int, int, str]
"""The number of a part, its rows, and its path."""


def name_files(db: duckdb.DuckDBPyConnection, samples: str, signals: Mapping[str, str]) -> None:
    """Tell a connection, by patterns, where the files of samples are, and of signals, by their views, whose files all
    have the same columns."""
    for view, url in {"samples": samples, **signals}.items():
        db.execute(f'set variable "{view}" = ?', [url])


def beside(
    db: duckdb.DuckDBPyConnection, own: Sequence[str], held: Mapping[str, Sequence[str]]
) -> tuple[str, list[str]]:
    """A subquery for samples beside the signals that can be read in step, and the views of these signals; for none, the
    view `samples`.

    own: columns of samples; held: by view, columns of a signal. The subquery has sample_id, part, row and the columns
    of samples; for each signal, whether it was measured of this very sample, under the name of its view; and its
    columns as `<view>.<column>`."""
    parts = _parts(db, list(held))
    if len(parts) < 2:
        return "samples", []
    count = len(parts["samples"])
    [(threads,)] = db.execute("select current_setting('threads')").fetchall()
    pieces = min(threads, count)  # each of them is read by one thread
    there = {view: columns for view, columns in held.items() if view in parts}
    texts = []
    for first, last in pairwise(count * i // pieces for i in range(pieces + 1)):
        texts.append(_piece(db, len(texts), {view: found[first:last] for view, found in parts.items()}, own, there))
    return f"({' union all '.join(texts)})", list(there)


def _parts(db: duckdb.DuckDBPyConnection, views: Sequence[str]) -> dict[str, list[Part]]:
    """The parts of samples, in order, and of those signals whose parts have the same numbers and rows."""
    named = {name for (name,) in db.execute("select name from duckdb_variables()").fetchall()}
    parts: dict[str, list[Part]] = {}
    for view in ["samples", *(v for v in views if v in named)] if named.intersection(views) else []:
        footers = f"""select regexp_extract(file_name, '{NUMBERED}', 1)::int, num_rows, file_name
            from parquet_file_metadata(getvariable('{view}')) order by all"""
        found = db.execute(footers).fetchall()
        if view == "samples" or [part[:2] for part in found] == [part[:2] for part in parts["samples"]]:
            parts[view] = found
    return parts


def _piece(
    db: duckdb.DuckDBPyConnection,
    index: int,
    parts: Mapping[str, Sequence[Part]],
    own: Sequence[str],
    held: Mapping[str, Sequence[str]],
) -> str:
    """A query for some parts. Their paths are variables: they are too long a text to be parsed with each query."""
    sources = []
    for view, found in parts.items():
        db.execute(f'set variable "{view}_{index}" = ?', [[glob.escape(path) for _, _, path in found]])
        sources.append(f"read_parquet(getvariable('{view}_{index}'), file_row_number=true) \"{view}\"")
    db.execute(f'set variable "numbers_{index}" = ?', [[number for number, _, _ in parts["samples"]]])
    part = f"getvariable('numbers_{index}')[samples.file_index::int + 1]::int as part"
    picked = ["samples.sample_id", part, "samples.file_row_number::int as row", *(f'samples."{c}"' for c in own)]
    for view, columns in held.items():
        picked.append(f'"{view}".sample_id = samples.sample_id as "{view}"')
        picked += [f'"{view}"."{c}" as "{view}.{c}"' for c in columns]
    return f"select {', '.join(picked)} from {' positional join '.join(sources)}"
