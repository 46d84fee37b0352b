"""A query's result for people (table) and for programs (csv, json)."""

import json
import sys

import pyarrow as pa
import pyarrow.csv
from rich.console import Console
from rich.table import Table

_MOST_ROWS = 200


def write(table: pa.Table, format: str, console: Console) -> None:
    """Print a table; on `table`, at most so many rows, saying how many were left out."""
    if format == "csv":
        flat = [pa.array([_text(v) for v in c.to_pylist()], pa.string()) if _unfit(c.type) else c for c in table]
        pyarrow.csv.write_csv(pa.table(flat, names=table.column_names), sys.stdout.buffer)
        return
    if format == "json":
        for row in table.to_pylist():
            print(json.dumps(row, ensure_ascii=False, default=_plain))
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for field in table.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        shown.add_column(field.name, justify="right" if number else "left")
    for row in table.slice(0, _MOST_ROWS).to_pylist():
        shown.add_row(*(_cell(v) for v in row.values()))
    console.print(shown)
    if table.num_rows > _MOST_ROWS:
        console.print(f"… {table.num_rows - _MOST_ROWS:,} more rows; --format csv prints all")


def _unfit(kind: pa.DataType) -> bool:
    """Whether CSV has no form for values of a type."""
    return pa.types.is_nested(kind) or pa.types.is_binary(kind)


def _text(value: object) -> str | None:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return None if value is None else _plain(value)


def _plain(value: object) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_plain)[:200]
    return "" if value is None else str(value)
