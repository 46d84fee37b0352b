"""What the scripts of readers share: a job comes as JSON on stdin, and samples a second go out as JSON.

A job has the `folder` with the samples in every peer's format, their `kind` (`png`, `jpeg` or `latent`), the `size` that
pictures are brought to, height and width, the `batch`, the number of `workers`, and how many `epochs` to time. A reader
yields the batches of one epoch: tensors (B, …) and their captions. The first epoch warms up; its sum over all that came
out must agree between readers. The others are timed from the first batch on, for what comes before it is not reading.

So that all do the same work, pictures are cropped and resized here, by the call that the project makes.
"""

import importlib.metadata
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

Job = dict[str, Any]
Batches = Iterator[tuple[Any, list[str]]]


def fit(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Crop the middle in the proportions of `size` and resize it, as `dataengine.trainer.pictures.fit`."""
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    width, height = picture.size
    scale = min(height / size[0], width / size[1])
    left, top = max(0.0, (width - size[1] * scale) / 2), max(0.0, (height - size[0] * scale) / 2)
    box = (left, top, min(left + size[1] * scale, width), min(top + size[0] * scale, height))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))


def content(job: Job, encoded: bytes) -> np.ndarray:
    """What a sample's bytes become."""
    if job["kind"] == "latent":
        return np.frombuffer(encoded, np.int16)
    return fit(Image.open(io.BytesIO(encoded)), tuple(job["size"]))


def measure(package: str, opened: Callable[[Job], Callable[[], Batches]]) -> None:
    """Time a reader: `opened` makes it of a job, once, and each call of what it returns is an epoch."""
    job = json.load(sys.stdin)
    epoch = opened(job)
    whole = [(np.asarray(array), captions) for array, captions in epoch()]
    assert all(len(array) == len(captions) for array, captions in whole)
    total = sum(int(array.astype(np.int64).sum()) for array, _ in whole)
    answer = {"samples": sum(len(array) for array, _ in whole), "sum": total}
    del whole
    rates = []
    for _ in range(job["epochs"]):
        samples = 0
        for array, _ in epoch():
            if not samples:
                began, first = time.perf_counter(), len(array)
            samples += len(array)
        rates.append((samples - first) / (time.perf_counter() - began))
    version = importlib.metadata.version(package)
    print(json.dumps({"version": f"{package} {version}", "rates": rates, **answer}))
