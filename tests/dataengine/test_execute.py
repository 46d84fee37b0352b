"""Stages of a user's own on Ray: one bad sample costs that sample, a stage that cannot be set up ends the run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from dataengine import catalog
from dataengine.run import Run

OWN_STAGES = Path(__file__).with_name("own_stages")
COUNT = 12


@pytest.fixture
def run(tmp_path: Path):
    """Runs a manifest that measures a dozen captioned pictures with the given signals."""
    rng = np.random.default_rng(2)
    for index in range(COUNT):
        pixels = np.full((40, 60, 3), 20 * index, np.uint8) + rng.integers(0, 9, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index:02d}.png")
    rows = [{"image": f"{index:02d}.png", "caption": f"number {index}"} for index in range(COUNT)]
    (tmp_path / "pictures.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def go(*signals: str | dict) -> tuple[subprocess.CompletedProcess, Run]:
        manifest = tmp_path / "manifest.yaml"
        source = {"stage": "table", "name": "pictures", "path": str(tmp_path / "pictures.jsonl"), "caption": "caption"}
        data = {"name": "own", "parts": {"samples": 5}, "collect": [source], "measure": list(signals)}
        manifest.write_text(yaml.safe_dump(data))
        done = subprocess.run(
            [sys.executable, "-m", "dataengine.cli", "run", str(manifest), "--out", str(tmp_path / "run")],
            capture_output=True,
            text=True,
            timeout=180,
            env={**os.environ, "PYTHONPATH": str(OWN_STAGES)},
        )
        return done, Run(str(tmp_path / "run"))

    return go


def brightness(**keys: object) -> dict:
    return {"stage": "brightness:Brightness", "name": "brightness", **keys}


def test_one_sample_that_a_stage_cannot_measure_has_nulls_and_a_failure_and_the_others_are_measured(run):
    done, folder = run(brightness(fails_on="number 7"))
    assert done.returncode == 0, done.stderr
    db = catalog.connect(folder)
    missing = db.execute("select caption from measured where brightness is null").fetchall()
    assert missing == [("number 7",)]
    assert db.execute("select count(*) from measured where brightness is not null").fetchall() == [(COUNT - 1,)]
    failures = db.execute("select source, stage, error, message from failures").fetchall()
    assert failures == [("pictures", "brightness", "ValueError", "this one cannot be measured")]


def test_a_stage_that_cannot_be_set_up_ends_the_run_with_its_reason(run):
    done, folder = run(brightness(missing=True))
    assert done.returncode == 1
    assert "the weights of brightness are missing" in done.stderr
    assert "fetch them from the shelf" in done.stderr
    assert "Traceback" not in done.stderr
    assert folder.read_json("run.json")["stages"]["collect.pictures"]["state"] == "done"


def test_a_stage_that_asks_for_more_than_the_cluster_has_is_told_so(run):
    done, _ = run(brightness(resources={"gpus": 2}))
    assert done.returncode == 1
    assert "0 GPUs" in done.stderr
    assert "give the entry smaller `resources`" in done.stderr


def test_an_optional_stage_leaves_nulls_and_is_measured_once_it_can_be_had(run):
    done, folder = run(brightness(missing=True, optional=True))
    assert done.returncode == 0, done.stderr
    count = "select count(brightness), count(*) from signals"
    assert catalog.connect(folder).execute(count).fetchall() == [(0, COUNT)]
    done, folder = run(brightness(optional=True))
    assert done.returncode == 0, done.stderr
    assert catalog.connect(folder).execute(count).fetchall() == [(COUNT, COUNT)]


RELATIVE = {"stage": "relative:Relative", "name": "relative"}


def test_a_signal_that_looks_at_others_comes_after_them_and_sees_their_values(run):
    done, folder = run(RELATIVE, "pixels", brightness(fails_on="number 7"))
    assert done.returncode == 0, done.stderr
    db = catalog.connect(folder)
    agrees = "select count(*) from measured where abs(relative - brightness / 255 / luma) < 1e-9"
    assert db.execute(agrees).fetchall() == [(COUNT - 1,)]
    assert db.execute("select caption, seen from measured where relative is null").fetchall() == [
        ("number 7", ["brightness", "luma"])
    ]


def test_it_is_measured_again_when_what_it_looks_at_changes_and_only_then(run):
    def marks(folder: Run) -> list[str]:
        return [folder.mark(path).fingerprint for path in folder.files("signals/relative")]

    signals = [RELATIVE, {"stage": "pixels", "name": "pixels"}]
    _, folder = run(*signals, brightness(missing=True, optional=True))
    before = marks(folder)
    assert catalog.connect(folder).execute("select count(relative) from signals").fetchall() == [(0,)]
    _, folder = run(*signals, brightness(optional=True))
    assert catalog.connect(folder).execute("select count(relative) from signals").fetchall() == [(COUNT,)]
    assert not set(marks(folder)) & set(before)

    before = marks(folder)
    done, folder = run(*signals, brightness(optional=True))
    assert "0 parts made, 3 stood" in next(line for line in done.stdout.splitlines() if "relative" in line)
    assert marks(folder) == before
    _, folder = run(*signals, brightness(optional=True, fails_on="number 7"))
    assert not set(marks(folder)) & set(before)


def test_a_signal_that_looks_at_what_nothing_measures_is_refused(run):
    done, _ = run(RELATIVE, "pixels")
    assert done.returncode == 2
    assert "measure.relative looks at 'brightness', which nothing measures" in done.stderr


def test_signals_that_look_at_each_other_in_a_circle_are_refused(run):
    done, _ = run({**RELATIVE, "of": "relative"}, "pixels")
    assert done.returncode == 2
    assert "measure: relative → relative: signals look at each other in a circle" in done.stderr


def test_the_log_has_one_json_object_an_event_with_every_part(run):
    done, folder = run()
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in Path(folder.path("log.jsonl")).read_text().splitlines()]
    assert [e["event"] for e in events][:2] == ["start", "stage"]
    assert sorted(e["part"] for e in events if e["event"] == "part") == [0, 1, 2]
    assert events[-1]["event"] == "end"


def test_parts_hold_at_most_what_the_manifest_says_in_the_order_of_the_input(run):
    done, folder = run()
    assert done.returncode == 0, done.stderr
    tables = [pq.read_table(path) for path in folder.files("samples")]
    assert [table.num_rows for table in tables] == [5, 5, 2]
    captions = [c for table in tables for c in table["caption"].to_pylist()]
    assert captions == [f"number {i}" for i in range(COUNT)]
