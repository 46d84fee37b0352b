"""What the peers share: pages are asked for as JSON on stdin, and the time they took goes out as JSON.

Asked for: `texts`, one a page; `fonts`, files that take turns; `size`, width and height in pixels; `em`, the size of
the type in pixels, and `columns`, characters a line, since the peers fit nothing and must be told what fills the page;
`show`, a file for the last page, for the eye. Pages are encoded as the project's are, JPEG of quality 92 and 4:4:4.

OpenCV runs in one thread; OMP_NUM_THREADS=1 is the caller's to set, before anything is imported.
"""

import io
import json
import random
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from typing import Any

import cv2
import numpy as np
from PIL import Image

Job = dict[str, Any]
Draw = Callable[[str, str], Image.Image]  # text and font file to an RGB page
MARGIN = 32  # pixels


def measure(name: str, package: str, prepare: Callable[[Job], Draw]) -> None:
    """Print the median of the time a page takes, encoded; the first two are drawn once before, to warm up."""
    cv2.setNumThreads(1)
    random.seed(0)
    np.random.seed(0)
    job: Job = json.load(sys.stdin)
    draw = prepare(job)
    times = []
    fonts = job["fonts"]
    for number, text in enumerate([*job["texts"][:2], *job["texts"]]):
        began = time.perf_counter()
        page = draw(text, fonts[number % len(fonts)])
        encoded = io.BytesIO()
        page.save(encoded, "JPEG", quality=92, subsampling=0)
        times.append(time.perf_counter() - began)
        if page.size != tuple(job["size"]):
            raise SystemExit(f"{name} drew a page of {page.size}")
    if job.get("show"):
        page.save(job["show"])
    print(
        json.dumps(
            {
                "peer": name,
                "version": f"{package} {version(package)}",
                "ms": round(median(times[2:]) * 1e3, 2),
                "pages": len(times) - 2,
                "characters": round(sum(map(len, job["texts"])) / len(job["texts"])),
            }
        )
    )
