"""Killing a run, and running it again: the shards are those of an undisturbed run, and what was finished stands."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from PIL import Image

from dataengine.run import Run

COUNT = 60


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    """Sixty small real files in twelve parts, measured and packed into several shards."""
    folder = tmp_path_factory.mktemp("resume")
    photos = folder / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        low = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(low).resize((320, 240 + 40 * (index % 5)), Image.Resampling.BICUBIC).save(
            photos / f"{index:03d}.jpg", quality=90
        )
    (photos / "broken.jpg").write_bytes(b"not a picture")
    path = folder / "manifest.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "name": "resume",
                "parts": {"samples": 5},
                "collect": [{"name": "photos", "stage": "folder", "path": str(photos), "category": "nature"}],
                "measure": ["pixels", "fingerprint"],
                "dedup": {},
                "select": {"phases": [128, 256], "filters": [{"name": "size", "keep": "bytes > 100"}]},
                "pack": {"shard_bytes": "60KB"},
            }
        )
    )
    return path


def start(manifest: Path, out: Path, *options: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "dataengine.cli", "run", str(manifest), "--out", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    return output


def shards(out: Path) -> dict[str, str]:
    """Digest of every file that training reads, by its path within the run."""
    return {
        str(path.relative_to(out)): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted((out / "shards").rglob("*.parquet"))
    }


@pytest.fixture(scope="module")
def reference(manifest, tmp_path_factory) -> dict[str, str]:
    """The shards of an undisturbed run with one worker."""
    out = tmp_path_factory.mktemp("reference") / "run"
    finish(start(manifest, out, "--workers", "1"))
    found = shards(out)
    assert len(found) > 4
    return found


def wait_until(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "the run did not get there"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)


def parts(out: Path, dataset: str) -> list[Path]:
    return sorted((out / dataset).rglob("*.parquet")) if (out / dataset).exists() else []


def kill_all(process: subprocess.Popen) -> None:
    """SIGKILL to the driver only; its Ray processes have to end by themselves."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_two_workers_write_the_bytes_that_one_writes(manifest, reference, tmp_path):
    finish(start(manifest, tmp_path / "run", "--workers", "2"))
    assert shards(tmp_path / "run") == reference


@pytest.mark.parametrize(
    ("dataset", "count"),
    [("samples", 3), ("signals/pixels", 4), ("shards", 2)],
    ids=["while collecting", "while measuring", "while packing"],
)
def test_a_driver_killed_in_the_middle_is_resumed_to_the_same_shards(manifest, reference, tmp_path, dataset, count):
    out = tmp_path / "run"
    process = start(manifest, out)
    wait_until(lambda: len(parts(out, dataset)) >= count, process)
    kill_all(process)
    time.sleep(1)  # what its actors had in hand may still land
    finished = {path: path.stat().st_mtime_ns for path in parts(out, dataset)}
    assert finished
    finish(start(manifest, out))
    assert shards(out) == reference
    again = {path: path.stat().st_mtime_ns for path in finished if path.name != "index.parquet"}
    assert again == {path: finished[path] for path in again}, "a finished part was computed again"
    assert not list(out.rglob("*.tmp-*"))


def test_a_killed_worker_is_replaced_while_the_run_goes_on(manifest, reference, tmp_path):
    out = tmp_path / "run"
    process = start(manifest, out)
    wait_until(lambda: len(parts(out, "samples")) >= 2, process)
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.name().startswith("ray::MapWorker") or "ray::MapWorker" in " ".join(child.cmdline()[:1])
    ]
    assert workers, "no actor was found to kill"
    for worker in workers:
        worker.kill()
    finish(process)
    assert shards(out) == reference


def test_a_second_run_makes_nothing_and_a_new_threshold_only_decides_again(manifest, reference, tmp_path):
    out = tmp_path / "run"
    finish(start(manifest, out))
    finish(start(manifest, out))
    stages = Run(str(out)).read_json("run.json")["stages"]
    assert {name: stage["made"] for name, stage in stages.items()} == dict.fromkeys(stages, 0)
    plan = finish(start(manifest, out, "--dry-run", "--set", "select.filters.size.keep=bytes > 4000"))
    lines = {line.split()[0]: line for line in plan.splitlines() if line.strip()}
    assert "its parameters changed" in lines["select"]
    assert "changed" not in lines["measure.pixels"]
    finish(start(manifest, out, "--set", "select.filters.size.keep=bytes > 4000"))
    stages = Run(str(out)).read_json("run.json")["stages"]
    assert stages["collect.photos"]["made"] == stages["measure.pixels"]["made"] == 0
    assert stages["select"]["made"] > 0
