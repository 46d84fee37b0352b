"""The books: each law, broken by hand, is found and named."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from dataengine import books, catalog
from dataengine.errors import RunError
from dataengine.manifest import load
from dataengine.pipeline import Pipeline
from dataengine.plan import Plan
from dataengine.progress import Reporter
from dataengine.run import Run


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Run:
    """A finished run over six pictures and a broken file, in three parts."""
    from rich.console import Console

    folder = tmp_path_factory.mktemp("books")
    (folder / "photos").mkdir()
    for index in range(6):
        Image.new("RGB", (100 + 40 * index, 120), (40 * index, 90, 10)).save(folder / "photos" / f"{index}.png")
    (folder / "photos" / "9.png").write_bytes(b"broken")
    path = folder / "manifest.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "name": "books",
                "parts": {"samples": 3},
                "collect": [{"name": "photos", "stage": "folder", "path": str(folder / "photos"), "category": "a"}],
                "measure": ["fingerprint"],
                "select": {"filters": [{"name": "wide", "keep": "width >= 140"}]},
                "balance": {"target": {"a": 1}, "max_repeats": 3, "size": 9},
                "pack": {"shard_bytes": 2000},
            }
        )
    )
    run = Run(str(folder / "run"))
    run.create()
    Pipeline(Plan(load(path), run), Reporter(run, Console(quiet=True)))()
    return run


@pytest.fixture
def run(finished, tmp_path) -> Run:
    """A copy of the finished run, to be damaged."""
    import shutil

    shutil.copytree(finished.path(), tmp_path / "run")
    return Run(str(tmp_path / "run"))


def broken(run: Run) -> str:
    return " | ".join(f"{f.law}: {f.broken}" for f in books.check(run) if f.broken)


def rewrite(path: str, change) -> None:
    """Replace a part by a changed table with the same metadata, as a faulty tool would."""
    metadata = pq.read_metadata(path).metadata
    table = change(pq.read_table(path))
    pq.write_table(table.replace_schema_metadata({k: v for k, v in metadata.items() if k != b"ARROW:schema"}), path)


def test_the_books_of_a_finished_run_balance(run):
    findings = list(books.check(run))
    assert broken(run) == ""
    assert next(f.counted for f in findings) == "7 = 6 samples + 1 failures"
    assert {f.law.split()[0] for f in findings} == {"every", "signal", "exactly"}


def test_a_lost_failure_is_found(run):
    Path(run.files("failures")[0]).unlink()
    assert "saw 1 inputs, but holds 0 samples and 0 failures" in broken(run)


def test_a_lost_sample_is_found(run):
    rewrite(run.part("samples", 0), lambda table: table.slice(1))
    assert "saw 3 inputs, but holds 2 samples" in broken(run)


def test_a_missing_part_is_found(run):
    Path(run.part("samples", 1)).unlink()
    assert "part 1 is missing" in broken(run)


def test_a_signal_that_lost_a_row_is_found(run):
    rewrite(run.part("signals/fingerprint", 0), lambda table: table.slice(0, 2))
    assert "signal fingerprint has one row a sample: 1 samples have no row" in broken(run)


def test_a_sample_without_a_decision_or_with_two_is_found(run):
    rewrite(run.part("decisions", 0), lambda table: table.slice(1))
    assert "every sample has one decision a phase: 5 decisions for 6 samples" in broken(run)
    rewrite(run.part("decisions", 0), lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    assert "every sample has one decision a phase" in broken(run)


def test_a_kept_sample_without_a_weight_is_found(run):
    rewrite(run.part("weights", 0), lambda table: table.slice(1))
    found = broken(run)
    assert "exactly the kept samples have a weight" in found
    assert "every kept sample is packed" in found


def test_a_flipped_bit_in_a_shard_is_found_by_its_digest(run):
    path = Path(next(f for f in run.files("shards") if "shard-" in f))
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    assert f"{path.parent.name}/{path.name} does not match its digest" in broken(run)


def test_a_lost_shard_and_a_foreign_one_are_found(run):
    shard = Path(next(f for f in run.files("shards") if "shard-" in f))
    shard.rename(shard.with_name("shard-00099.parquet"))
    found = broken(run)
    assert f"{shard.name} is missing" in found
    assert "shard-00099.parquet is not in the index" in found


def test_show_raises_with_what_is_broken_and_what_to_do(run):
    from rich.console import Console

    Path(run.part("samples", 1)).unlink()
    with pytest.raises(RunError, match="laws are broken") as raised:
        books.show(run, Console(quiet=True))
    assert "run the manifest again" in str(raised.value)


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
