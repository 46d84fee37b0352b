"""Query results as people and programs read them: nested values, bytes, and long tables."""

import csv
import io
import json
from decimal import Decimal

import pyarrow as pa
import pytest
from rich.console import Console

from dataengine import tables

TABLE = pa.table(
    {
        "name": ["a", None],
        "score": pa.array([0.123456789, None], pa.float64()),
        "image": [{"bytes": b"12345", "path": "é.png"}, None],
        "raw": pa.array([b"\xff\x00", None], pa.binary()),
        "words": [["水", "b"], []],
        "total": pa.array([Decimal(12), None], pa.decimal128(38, 0)),
    }
)


def written(format: str, table: pa.Table, capfdbinary) -> str:
    shown = io.StringIO()
    tables.write(table, format, Console(file=shown, width=200))
    return capfdbinary.readouterr().out.decode() + shown.getvalue()


def test_csv_holds_nested_values_as_json_and_bytes_as_their_number(capfdbinary):
    [header, first, second] = csv.reader(io.StringIO(written("csv", TABLE, capfdbinary)))
    assert header == TABLE.column_names
    assert first == ["a", "0.123456789", '{"bytes": "<5 bytes>", "path": "é.png"}', "<2 bytes>", '["水", "b"]', "12"]
    assert second == ["", "", "", "", "[]", ""]


def test_json_is_one_object_a_row(capfdbinary):
    [first, second] = [json.loads(line) for line in written("json", TABLE, capfdbinary).splitlines()]
    assert first["image"] == {"bytes": "<5 bytes>", "path": "é.png"}
    assert (first["words"], second["words"], second["name"]) == (["水", "b"], [], None)


def test_a_table_for_people_is_short_and_says_what_it_leaves_out(capfdbinary):
    shown = written("table", TABLE, capfdbinary)
    assert "0.1235" in shown
    assert "<2 bytes>" in shown
    long = written("table", pa.table({"n": range(1234)}), capfdbinary)
    assert "1,034 more rows" in long
    assert len(long.splitlines()) < 210


@pytest.mark.parametrize("format", ["csv", "json", "table"])
def test_a_result_without_columns_prints_nothing_and_is_no_error(format, capfdbinary):
    assert written(format, pa.table({}), capfdbinary).strip() == ""
