"""The catalogue: one view a dataset over whatever a run holds, signals beside the samples that they belong to."""

import pyarrow as pa
import pytest

from dataengine import catalog, schema
from dataengine.errors import ManifestError, RunError
from dataengine.run import Mark, Run
from dataengine.sample import Sample, samples_table


def test_views_are_there_for_a_run_that_has_nothing_yet(tmp_path):
    db = catalog.connect(Run(str(tmp_path)))
    for view in ("samples", "failures", "signals", "measured", "decisions", "weights", "plan", "shards", "shard_index"):
        assert db.execute(f"select count(*) from {view}").fetchall() == [(0,)]


def test_signals_of_earlier_samples_show_as_missing_and_never_as_those_of_others(make_run):
    run = make_run([{}, {}], sharp={"clarity": [1.0, 2.0]})
    make_run([{"sample_id": "other"}, {"sample_id": "id0001"}])
    rows = catalog.connect(run).execute("select sample_id, clarity from signals order by row").fetchall()
    assert rows == [("other", None), ("id0001", 2.0)]


def test_byte_identical_samples_are_told_apart_by_their_position(make_run):
    run = make_run([{"sample_id": "twin"}, {"sample_id": "twin"}], part=1, sharp={"clarity": [1.0, 2.0]})
    rows = catalog.connect(run).execute("select part, row, clarity from measured order by part").fetchall()
    assert rows == [(0, 0, 1.0), (1, 0, 2.0)]


def test_image_bytes_are_not_among_what_queries_see(make_run):
    assert "image" not in catalog.columns(catalog.connect(make_run([{}])), "measured")


def test_a_run_that_packed_nothing_can_be_queried(make_run):
    run = make_run([{}])
    with run.writer(run.path("shards", "index.parquet"), schema.INDEX) as writer:
        writer.write(schema.INDEX.empty_table())
        writer.commit(Mark("index", "", ""))
    db = catalog.connect(run)
    assert db.execute("select (select count(*) from shards), (select count(*) from shard_index)").fetchall() == [(0, 0)]


@pytest.mark.parametrize("name", ["a [b]", "it's * ?", "[ab]"])
def test_a_runs_folder_may_have_any_name(make_run, name, tmp_path):
    make_run([{}, {}], part=1, sharp={"clarity": [1.0, 2.0]})
    moved = (tmp_path / "run").rename(tmp_path / name)
    rows = catalog.connect(Run(str(moved))).execute("select clarity from measured order by part").fetchall()
    assert rows == [(1.0,), (2.0,)]


def test_a_signal_named_after_a_view_or_a_keyword_is_read_all_the_same(make_run, write_part):
    run = make_run([{}], select={"b": [2]}, measured={"c": [3]})
    write_part(run, "signals/samples", 0, pa.table({"sample_id": ["id0000"], "a": [1]}))
    assert catalog.query(run, "select a, b, c from measured").to_pylist() == [{"a": 1, "b": 2, "c": 3}]


def test_parts_of_a_signal_from_before_its_columns_changed_are_read_beside_the_new_ones(make_run, write_part):
    run = make_run([{}, {}], part=1, sharp={"clarity": [1.0, 2.0]})
    write_part(run, "signals/sharp", 1, pa.table({"sample_id": ["id0001"], "clarity": [2.5], "grain": [0.1]}))
    rows = catalog.connect(run).execute("select clarity, grain from measured order by part").fetchall()
    assert rows == [(1.0, None), (2.5, 0.1)]


def test_only_the_signals_asked_for_are_joined(make_run):
    run = make_run([{}], sharp={"clarity": [1.0]}, old={"clarity": [9.0]})
    db = catalog.connect(run, signals=["sharp", "not_measured_yet"])
    assert db.execute("select clarity from measured").fetchall() == [(1.0,)]


def test_columns_of_the_same_name_are_called_as_the_view_calls_them(make_run):
    run = make_run([{}], part=1, sharp={"clarity": [1.0], "width": [7]}, old={"clarity": [9.0]})
    for signals in (["sharp", "old"], ["old", "sharp"]):
        db = catalog.connect(run, signals=signals)
        asked = "select clarity, clarity_1, width, width_1 from"
        assert db.execute(f"{asked} {catalog.measured(db, catalog.columns(db, 'measured'))}").fetchall() == (
            db.execute(f"{asked} measured").fetchall()
        )


def test_the_views_before_a_run_have_the_columns_of_those_after_it(make_run):
    run = make_run([{}], sharp={"clarity": pa.array([1.0], pa.float32())})
    before = catalog.connect_empty({"sharp": pa.schema([("clarity", pa.float32())])})
    after = catalog.connect(run)
    for view in ("samples", "signals", "measured", "decisions", "weights"):
        foreseen = {n: kind.replace("[8]", "[]") for n, kind in catalog.columns(before, view).items()}
        assert foreseen == catalog.columns(after, view)  # DuckDB reads Parquet's lists of eight as lists


def test_a_run_on_another_filesystem_is_read_where_it_lies():
    run = Run("memory://catalog/run")
    table = samples_table([Sample("a", "s", "u", b"x", "png", 1, 2)])
    with run.writer(run.part("samples", 0), table.schema) as writer:
        writer.write(table)
        writer.commit(Mark("s", "", ""))
    assert catalog.query(run, "select sample_id, part, row from measured").to_pylist() == [
        {"sample_id": "a", "part": 0, "row": 0}
    ]


def test_a_query_that_cannot_run_is_named_with_the_views_there_are(make_run):
    run = make_run([{}])
    with pytest.raises(ManifestError) as raised:
        catalog.query(run, "select * from sampels")
    assert "sampels" in str(raised.value)
    assert "measured" in raised.value.remedy
    assert "\n" not in raised.value.message
    with pytest.raises(ManifestError, match="cannot run"):
        catalog.query(run, "selec 1")


@pytest.mark.parametrize("statement", ["", "create table x as select 1", "copy (select 1) to '/dev/null' (format csv)"])
def test_a_statement_without_rows_is_no_error(make_run, statement):
    assert catalog.query(make_run([{}]), statement).num_columns <= 1


def test_a_damaged_part_is_named_and_not_a_traceback(make_run):
    run = make_run([{}], sharp={"clarity": [1.0]})
    with run.fs.open(run.part("signals/sharp", 0), "wb") as file:
        file.write(b"garbage")
    with pytest.raises(RunError, match=r"signals/sharp/part-00000\.parquet") as raised:
        catalog.connect(run)
    assert "dataengine check" in raised.value.remedy
