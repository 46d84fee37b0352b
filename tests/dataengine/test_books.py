"""The books: each law, broken by hand, is found and named."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from dataengine import books
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
    assert findings[1].counted == "7 = 6 samples + 1 failures"
    assert {f.law.split()[0] for f in findings} == {"every", "signal", "exactly"}


def test_a_lost_failure_is_found(run):
    Path(run.files("failures")[0]).unlink()
    assert "saw 1 inputs, but holds 0 samples and 0 failures" in broken(run)


def test_a_lost_sample_is_found(run):
    rewrite(run.part("samples", 0), lambda table: table.slice(1))
    assert "saw 3 inputs, but holds 2 samples" in broken(run)


def test_a_missing_part_is_found(run):
    Path(run.part("samples", 1)).unlink()
    assert "samples/part-00001.parquet is missing" in broken(run)


def test_a_missing_last_part_is_found(run):
    Path(run.part("samples", 2)).unlink()
    assert "samples/part-00002.parquet is missing" in broken(run)


@pytest.mark.parametrize("dataset", ["samples", "signals/fingerprint", "decisions", "weights"])
@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_part_is_named_and_ends_the_count(run, dataset, damage):
    path = Path(run.part(dataset, 1))
    path.write_bytes(path.read_bytes()[:-9] if damage is None else damage)
    [finding] = books.check(run)
    assert finding.broken == f"{path} is damaged"


def test_damage_inside_a_file_whose_footer_is_whole_is_a_finding(run):
    path = Path(run.part("decisions", 0))
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    path.write_bytes(content[:4] + bytes(len(content) - footer - 4) + content[-footer:])
    assert "every sample has one decision a phase: cannot be read" in broken(run)


def test_a_signal_that_lost_a_row_is_found(run):
    rewrite(run.part("signals/fingerprint", 0), lambda table: table.slice(0, 2))
    assert "signal fingerprint has one row a sample: 1 samples have no row" in broken(run)


def test_a_sample_without_a_decision_or_with_two_is_found(run):
    rewrite(run.part("decisions", 0), lambda table: table.slice(1))
    assert "1 have none, two, or no sample, the first in part 0; 5 decisions where 6 were made" in broken(run)
    rewrite(run.part("decisions", 0), lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    assert "every sample has one decision a phase" in broken(run)


def test_a_decision_on_another_sample_is_found_though_the_numbers_agree(run):
    def other(table: pa.Table) -> pa.Table:
        return table.set_column(0, "sample_id", pa.array(["other", *table["sample_id"].to_pylist()[1:]]))

    rewrite(run.part("decisions", 0), other)
    assert "every sample has one decision a phase: 2 have none, two, or no sample" in broken(run)


def test_lost_decisions_are_found_though_nothing_is_left_to_count(run):
    for path in run.files("decisions"):
        Path(path).unlink()
    assert "every sample has one decision a phase: 0 decisions where 6 were made" in broken(run)


def test_a_weight_of_a_dropped_sample_or_a_second_one_is_found(run):
    law = "exactly the kept samples have a weight"
    rewrite(run.part("weights", 1), lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    assert f"{law}: 1 have none, two, or are not kept, the first in part 1" in broken(run)
    rewrite(run.part("decisions", 0), lambda t: t.set_column(2, "kept", pa.array([False] * len(t))))
    assert f"{law}: 3 have none, two, or are not kept, the first in part 0" in broken(run)


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


def test_a_lost_index_and_a_lost_row_of_it_are_found(run):
    index = run.path("shards", "index.parquet")
    rewrite(index, lambda table: table.slice(1))
    assert "is not in the index" in broken(run)
    Path(index).unlink()
    assert "every shard matches its digest: shards/index.parquet is missing" in broken(run)


def test_a_run_whose_shards_are_all_gone_is_still_counted(run):
    for path in run.files("shards"):
        if not path.endswith("index.parquet"):
            Path(path).unlink()
    found = broken(run)
    assert "is missing" in found
    assert "every kept sample is packed `repeats` times" in found


def test_show_raises_with_what_is_broken_and_what_to_do(run):
    from rich.console import Console

    Path(run.part("samples", 1)).unlink()
    with pytest.raises(RunError, match="laws are broken") as raised:
        books.show(run, Console(quiet=True))
    assert "run the manifest again" in str(raised.value)
