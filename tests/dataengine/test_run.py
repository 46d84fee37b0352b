"""A run's folder: parts are whole or not there, know what they were made from, and have one writer at a time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataengine.errors import RunError
from dataengine.run import Mark, Run, State, fingerprint

SCHEMA = pa.schema([("n", pa.int64())])
MARK = Mark("stage", "recipe", "upstream", inputs=3)


@pytest.fixture
def run(tmp_path) -> Run:
    made = Run(str(tmp_path / "run"))
    made.create()
    return made


def write(run: Run, index: int = 0, mark: Mark = MARK, rows: int = 3) -> str:
    path = run.part("numbers", index)
    with run.writer(path, SCHEMA) as writer:
        writer.write(pa.table({"n": range(rows)}, schema=SCHEMA))
        writer.commit(mark)
    return path


def test_a_committed_part_is_whole_and_knows_what_it_was_made_from(run):
    path = write(run)
    assert pq.read_table(path)["n"].to_pylist() == [0, 1, 2]
    assert run.mark(path) == MARK
    assert run.stands(path, MARK.fingerprint)
    assert not run.stands(path, Mark("stage", "recipe", "other").fingerprint)


def test_the_same_rows_and_mark_are_the_same_bytes(run):
    first = Path(write(run, 0)).read_bytes()
    assert Path(write(run, 1)).read_bytes() == first


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_when_writing_breaks_off_nothing_of_the_part_is_left(run, error):
    path = run.part("numbers", 0)
    with pytest.raises(error), run.writer(path, SCHEMA) as writer:
        writer.write(pa.table({"n": [1]}, schema=SCHEMA))
        raise error("broken off")
    assert list(Path(run.path("numbers")).iterdir()) == []


def test_nothing_is_visible_before_the_commit(run):
    with run.writer(run.part("numbers", 0), SCHEMA) as writer:
        writer.write(pa.table({"n": [1]}, schema=SCHEMA))
        assert run.files("numbers") == []
        writer.commit(MARK)
    assert run.files("numbers") == [run.part("numbers", 0)]


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_torn_part_does_not_stand(run, content):
    path = Path(write(run))
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    assert run.mark(str(path)) is None
    assert not run.stands(str(path), MARK.fingerprint)


def test_a_parquet_file_of_another_tool_does_not_stand(run):
    path = write(run)
    pq.write_table(pa.table({"n": [1]}), path)
    assert run.mark(path) is None


def test_parts_that_the_plan_does_not_hold_are_removed(run):
    kept, stale = write(run, 0), write(run, 1)
    Path(f"{kept}.tmp-1234").write_bytes(b"torn")
    assert run.remove_others("numbers", [kept]) == 2
    assert run.files("numbers") == [kept]
    assert not Path(stale).exists()
    assert run.remove_others("nothing", []) == 0


def test_a_fingerprint_is_of_values_and_their_order():
    assert fingerprint("a", {"x": 1, "y": 2}) == fingerprint("a", {"y": 2, "x": 1})
    assert len({fingerprint("a", "b"), fingerprint("b", "a"), fingerprint("ab"), fingerprint(["a", "b"])}) == 4


def test_a_second_run_is_refused_until_the_first_is_dead(run):
    program = f"""
import time
from dataengine.run import Run
with Run({run.url!r}).lock():
    print("held", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another run is working on it"), run.lock():
            pass
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    deadline = time.monotonic() + 5
    while True:
        try:
            with run.lock():
                return
        except RunError:
            assert time.monotonic() < deadline


def test_a_file_size_limit_is_a_message_and_leaves_nothing(run):
    program = f"""
import resource, pyarrow as pa
from dataengine.errors import RunError
from dataengine.run import Mark, Run
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
schema = pa.schema([("n", pa.binary())])
run = Run({run.url!r})
try:
    with run.writer(run.part("big", 0), schema) as writer:
        import os
        writer.write(pa.table({{"n": [os.urandom(200_000)]}}, schema=schema))
        writer.commit(Mark("a", "b", "c"))
except RunError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "no space left to write" in done.stdout, done.stderr
    assert "run the same command again" in done.stdout
    assert list(Path(run.path("big")).iterdir()) == []


def test_a_part_on_another_filesystem_that_breaks_off_leaves_nothing():
    run = Run("memory://broken/run")
    path = run.part("numbers", 0)
    with pytest.raises(ValueError, match="broken off"), run.writer(path, SCHEMA) as writer:
        writer.write(pa.table({"n": [1]}, schema=SCHEMA))
        raise ValueError("broken off")
    assert run.files("numbers") == []


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_befalls_a_footer_the_part_stands_as_it_was_or_not_at_all(run, data):
    path = Path(run.part("numbers", 0))
    if not path.exists():
        write(run)
        path.with_suffix(".whole").write_bytes(path.read_bytes())
    content = bytearray(path.with_suffix(".whole").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[-data.draw(st.integers(1, len(content)))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) - 1, len(content) // 2]))])
    assert run.mark(str(path)) is None or isinstance(run.mark(str(path)), Mark)


@pytest.mark.parametrize("spelling", ["{}/run", "{}/run/", "{}/other/../run", "{}//run", "file://{}/run", "{}/link"])
def test_however_a_folder_is_spelt_its_parts_are_known_as_wanted(run, spelling):
    write(run)
    parent = run.root.rsplit("/", 1)[0]
    Path(parent, "other").mkdir()
    Path(parent, "link").symlink_to(run.root)
    same = Run(spelling.format(parent))
    assert same.files("numbers") == [same.part("numbers", 0)]
    assert same.remove_others("numbers", [same.part("numbers", 0)]) == 0


def test_any_fsspec_filesystem_holds_a_run():
    run = Run("memory://bucket/run")
    run.create()
    path = write(run)
    assert run.stands(path, MARK.fingerprint)
    run.write_text("run.json", "{}")
    assert run.require().files("numbers") == [path]
    with run.lock():
        assert run.remove_others("numbers", []) == 1


def test_a_folder_that_cannot_be_made_or_holds_no_run_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be created"):
        Run(str(tmp_path / "file" / "run")).create()
    with pytest.raises(RunError, match="no run there"):
        Run(str(tmp_path)).require()


def test_the_state_keeps_what_was_counted_and_forgets_stages_that_are_gone(run):
    state = State(run, "test", 0)
    state.set("a", rows=1)
    state.set("b", rows=2)
    again = State(run, "test", 0)
    again.keep_only(["b", "c"])
    stages = run.read_json("run.json")["stages"]
    assert stages == {"b": {"rows": 2}, "c": {"state": "pending"}}
