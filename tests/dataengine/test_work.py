"""Workers hold a part's worth of memory, however many parts they have done."""

import io
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dataengine.errors import SampleError
from dataengine.run import Mark
from dataengine.sample import Paragraph, Spans
from dataengine.stage import Limits, Measured
from dataengine.work import Measurer, Output, StageSpec, Task
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


def test_signals_see_the_annotation_of_each_sample(make_run):
    pixels = np.full((20, 30, 3), 255, np.uint8)
    pixels[5:11, 4:20:4] = 0
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    here = Spans(["word"], np.array([[2, 3, 22, 3, 22, 13, 2, 13]], np.float32))
    text = [Paragraph("word", "en", "Latn", "F", 10.0, 0, here, here, here)]
    plain = {"encoded": encoded.getvalue(), "width": 30, "height": 20}
    run = make_run([plain, {**plain, "text": text}, plain])
    output = Output(run.part("signals/seen", 0), Mark("seen", "", ""))
    measure = Measurer(run, [StageSpec("seen", "text_quality", {})])
    measure(Task(0, {"samples": run.part("samples", 0)}, {"seen": output}))
    found = pq.read_table(output.path).to_pylist()
    assert [row["text_smallest_px"] for row in found] == [None, 20.0, None]  # alone: its longer side
    assert [row["text_contrast"] for row in found] == [None, pytest.approx(21), None]


def test_the_parts_of_a_folder_are_read_one_after_the_other(photos):
    """What a source yields is taken as it comes: the first sample is there before the last file is read."""
    source = Folder("photos", 0, Params(path=str(photos)))
    [piece] = source.plan(Limits())
    made = source.produce(piece)
    first = next(made)
    (photos / "9.png").unlink()
    assert [type(item).__name__ for item in (first, *made)].count("Failure") == 1


class Picky:
    """A signal that knows by itself which of its images are at fault, and counts how often it is asked."""

    Params = type("Params", (), {"__init__": lambda self, **keys: None})
    version, resources, asked = 1, None, 0
    columns = pa.schema([("order", pa.int32())])

    def __init__(self, params):
        pass

    def measure(self, images):
        Picky.asked += len(images)
        values = [None if image.caption == "bad" else at for at, image in enumerate(images)]
        return Measured(
            pa.table({"order": pa.array(values, pa.int32())}),
            {at: SampleError("it is bad") for at, value in enumerate(values) if value is None},
        )


def test_a_signal_that_names_its_faults_is_not_asked_twice(make_run, monkeypatch):
    encoded = io.BytesIO()
    Image.new("RGB", (30, 20)).save(encoded, "PNG")
    plain = {"encoded": encoded.getvalue(), "width": 30, "height": 20}
    run = make_run([plain, {**plain, "caption": "bad", "uri": "b.png"}, plain])
    monkeypatch.setattr("dataengine.work.find", lambda name: Picky)
    output = Output(run.part("signals/order", 0), Mark("order", "", ""))
    measure = Measurer(run, [StageSpec("order", "picky", {})])
    report = measure(Task(0, {"samples": run.part("samples", 0)}, {"order": output}))
    assert pq.read_table(output.path)["order"].to_pylist() == [0, None, 2]
    assert Picky.asked == 3 and report.done["order"].failures == 1
    [failure] = [row for path in run.files("failures") for row in pq.read_table(path).to_pylist()]
    assert failure == {
        "source": "test",
        "uri": "b.png",
        "stage": "order",
        "error": "SampleError",
        "message": "it is bad",
    }
