"""Reading in step gives what joining gives, whatever parts a run has."""

import tempfile

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import catalog, instep, schema
from dataengine.run import Mark, Run
from dataengine.sample import Sample, samples_table

STATES = ["whole", "whole", "whole", "stale", "missing", "shorter", "longer", "other columns"]


def write(run: Run, dataset: str, index: int, *groups: pa.Table) -> None:
    with run.writer(run.part(dataset, index), groups[0].schema) as writer:
        for group in groups:
            writer.write(group)
        writer.commit(Mark("test", "", "", inputs=sum(g.num_rows for g in groups)))


def samples(*ids: str | None) -> pa.Table:
    made = [Sample(x or "", "test", "", b"x", "png", 100 + i, 100) for i, x in enumerate(ids)]
    table = samples_table(made).cast(schema.SAMPLES)
    return table.set_column(0, "sample_id", pa.array(ids, pa.string()))


def signal(state: str, ids: list[str | None], column: str, first: int) -> pa.Table:
    """What a part of a signal may be: of these samples, of others, of fewer, of more, or of an earlier version."""
    ids = {"stale": ["z", *ids[1:]], "shorter": ids[:-1], "longer": [*ids, "a"]}.get(state, ids)
    values = pa.array(range(first, first + len(ids)), pa.int16() if state == "other columns" else pa.int32())
    table = pa.table({"sample_id": pa.array(ids, pa.string()), column: values})
    return table.append_column(f"{column}_too", values) if state == "other columns" else table


def rows(db, source: str, where: str = "true") -> list:
    kinds = ["sample_id", "part", "row", "width", "sharp", "bright"]
    return db.execute(f"select {', '.join(kinds)} from {source} where {where} order by part, row").fetchall()


@given(
    parts=st.lists(
        st.tuples(
            st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=4),
            st.integers(1, 3),
            *(st.sampled_from(STATES) for _ in range(2)),
        ),
        min_size=1,
        max_size=3,
    ),
    threads=st.integers(1, 3),
)
@settings(max_examples=20, deadline=None)
def test_reading_in_step_gives_what_joining_gives_whatever_parts_there_are(parts, threads):
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder)
        for index, (ids, group, *states) in enumerate(parts):
            write(run, "samples", index, *(samples(*ids[i : i + group]) for i in range(0, len(ids), group)))
            for column, state in zip(("sharp", "bright"), states, strict=True):
                if state != "missing":
                    write(run, f"signals/{column}", index, signal(state, ids, column, 10 * index))
        for column in ("sharp", "bright"):  # a part of nothing, that there is a column to ask for
            write(run, f"signals/{column}", len(parts), signal("whole", [], column, 0))
        write(run, "samples", len(parts), schema.SAMPLES.empty_table())
        db = catalog.connect(run)
        db.execute(f"set threads = {threads}")
        asked = catalog.measured(db, ["width", "sharp", "bright"])
        assert rows(db, asked) == rows(db, "measured")
        assert rows(db, asked, "sharp >= 1 and width > 100") == rows(db, "measured", "sharp >= 1 and width > 100")


def in_step(run: Run) -> list[str]:
    return instep.beside(catalog.connect(run), ["width"], {"signal_sharp": ["clarity"]})[1]


def test_signals_that_lack_a_part_or_rows_are_joined_and_their_samples_show_as_missing(make_run, write_part):
    run = make_run([{}] * 4, part=2, sharp={"clarity": [1.0, 2.0, 3.0, 4.0]})
    assert in_step(run) == ["signal_sharp"]
    write_part(run, "signals/sharp", 1, pa.table({"sample_id": ["id0002"], "clarity": [3.0]}))
    assert in_step(run) == []
    run.fs.rm_file(run.part("signals/sharp", 0))
    assert in_step(run) == []
    db = catalog.connect(run)
    found = db.execute(f"select clarity from {catalog.measured(db, ['clarity'])} order by part, row").fetchall()
    assert found == [(None,), (None,), (3.0,), (None,)]


def test_a_part_of_other_samples_is_read_in_step_and_only_the_same_samples_have_its_values(make_run):
    run = make_run([{}, {}, {}], sharp={"clarity": [1.0, 2.0, 3.0]})
    make_run([{"sample_id": "other"}, {}, {"sample_id": "id0000"}])
    assert in_step(run) == ["signal_sharp"]
    db = catalog.connect(run)
    found = db.execute(f"select sample_id, clarity from {catalog.measured(db, ['clarity'])} order by row").fetchall()
    assert found == [("other", None), ("id0001", 2.0), ("id0000", None)]


def test_identical_images_have_each_their_own_values(make_run):
    run = make_run([{"sample_id": "twin"}] * 3, part=2, sharp={"clarity": [1.0, 2.0, 3.0]})
    db = catalog.connect(run)
    found = db.execute(f"select part, row, clarity from {catalog.measured(db, ['clarity'])} order by all").fetchall()
    assert found == [(0, 0, 1.0), (0, 1, 2.0), (1, 0, 3.0)]


@pytest.mark.parametrize("name", ["a [b]", "it's * ?"])
def test_paths_may_have_any_name(make_run, name, tmp_path):
    make_run([{}, {}], part=1, sharp={"clarity": [1.0, 2.0]})
    run = Run(str((tmp_path / "run").rename(tmp_path / name)))
    assert in_step(run) == ["signal_sharp"]
    db = catalog.connect(run)
    assert db.execute(f"select sum(clarity) from {catalog.measured(db, ['clarity'])}").fetchall() == [(3.0,)]


def test_a_run_on_another_filesystem_is_read_in_step():
    run = Run("memory://instep/run")
    write(run, "samples", 0, samples("a", "b"))
    write(run, "signals/sharp", 0, pa.table({"sample_id": ["a", "b"], "clarity": [1.0, 2.0]}))
    db = catalog.connect(run)
    assert "positional join" in catalog.measured(db, ["clarity"])
    assert db.execute(f"select sum(clarity) from {catalog.measured(db, ['clarity'])}").fetchall() == [(3.0,)]


def test_many_rows_in_row_groups_of_any_size_stay_beside_their_own(tmp_path):
    run = Run(str(tmp_path / "run"))
    ids = [f"{i:05d}" for i in range(9000)]
    for index, start in enumerate((0, 4000, 8000)):
        part = ids[start : start + 4000]
        write(run, "samples", index, *(samples(*part[i : i + 700]) for i in range(0, len(part), 700)))
        values = pa.table({"sample_id": part, "value": pa.array([int(x) for x in part])})
        write(run, "signals/own", index, values)
    db = catalog.connect(run)
    db.execute("set threads = 2")
    asked = catalog.measured(db, ["value"])
    wrong = "sample_id::int is distinct from value or value <> 4000 * part + row"
    assert db.execute(f"select count(*), count_if({wrong}) from {asked}").fetchall() == [(9000, 0)]
    picked = f"select sum(value) from {asked} m join (select 1 as part, unnest([3, 3999]) as row) using (part, row)"
    assert db.execute(picked).fetchall() == [(4003 + 7999,)]
