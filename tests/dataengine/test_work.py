"""Workers hold a part's worth of memory, however many parts they have done."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from dataengine.stage import Limits
from stages.collect.folder import Folder, Params

PROGRAM = """
import sys, psutil
from dataengine.run import Mark, Run
from dataengine.stage import Limits
from dataengine.work import Measurer, Output, Producer, StageSpec, Task
from stages.collect.folder import Folder, Params

folder, out = sys.argv[1:]
run = Run(out)
collect = StageSpec("photos", "folder", {"path": folder})
producer = Producer(run, collect, 0)
measurer = Measurer(run, [StageSpec("pixels", "pixels", {}), StageSpec("fingerprint", "fingerprint", {})])
[piece] = Folder("photos", 0, Params(path=folder)).plan(Limits())
mark = Mark("test", "", "", inputs=piece.inputs)
for index in range(24):
    samples = run.part("samples", index)
    producer(Task(index, {"piece": piece.payload, "inputs": piece.inputs}, {"photos": Output(samples, mark)}))
    outputs = {name: Output(run.part(f"signals/{name}", index), mark) for name in ("pixels", "fingerprint")}
    measurer(Task(index, {"samples": samples}, outputs))
    if index in (5, 23):
        print(psutil.Process().memory_info().rss)
"""


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(12):
        Image.fromarray(rng.integers(0, 256, (600, 800, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    return folder


def test_collecting_and_measuring_four_times_as_many_parts_takes_no_more_memory(photos, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(photos), str(tmp_path / "run")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    early, late = map(int, done.stdout.split())
    part = sum(path.stat().st_size for path in photos.iterdir())
    assert part > 15e6
    # What is kept would be 18 parts; allocators hold on to a few parts' worth by chance.
    assert late - early < 6 * part, f"{(late - early) / 1e6:.0f} MB more after 18 more parts of {part / 1e6:.0f} MB"


def test_the_parts_of_a_folder_are_read_one_after_the_other(photos):
    """What a source yields is taken as it comes: the first sample is there before the last file is read."""
    source = Folder("photos", 0, Params(path=str(photos)))
    [piece] = source.plan(Limits())
    made = source.produce(piece)
    first = next(made)
    (photos / "9.png").unlink()
    assert [type(item).__name__ for item in (first, *made)].count("Failure") == 1
