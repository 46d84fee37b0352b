"""Reading drawn pictures by OCR, so that what a model writes is judged by what another one reads.

`page` finds lines anywhere and reads them. `line` takes the whole picture for one line: for pictures too small for a
detector, where it would only add its own mistakes. Small pictures are enlarged first, as readers are used to.

A reader errs too. What it reads in true renderings of the same texts is the ceiling for any model, and only what it can
read at all may be asked: see `unread`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
from PIL import Image

from dataengine.alike import plain
from dataengine.errors import StageError

Kind = Literal["page", "line"]
Reader = Callable[[Sequence[np.ndarray]], list[list[str]]]
"""Pictures uint8 (H, W, 3) → the lines that are read in each."""

_LEAST = {"page": 512, "line": 96}  # pixels of the shorter side
_MARGIN = 16  # pixels beside a line


def load(kind: Kind, threads: int = 2) -> Reader:
    """A reader by PP-OCRv6. Raises StageError with what to install."""
    try:
        from dataengine.models.ocr import PaddleLines, PaddleReader, model_folders
    except ImportError as error:
        raise StageError(f"pictures cannot be read: {error}", "pip install 'dataengine[engine]'") from None
    if kind == "line":
        lines = PaddleLines(str(model_folders()["rec"]), threads)
        return lambda pictures: [[text] for text, _ in lines.read_lines([_strip(p) for p in pictures])]
    pages = PaddleReader(threads)
    return lambda pictures: [
        [line.text for line in found] for found in pages.read_many([enlarged(p, "page") for p in pictures])
    ]


def unread(texts: Iterable[str]) -> str:
    """The characters of some texts that the reader does not know, and which therefore cannot be judged by it."""
    from dataengine.models.ocr import alphabet

    known = set("".join(map(plain, alphabet())))
    return "".join(sorted({c for text in texts for c in plain(text)} - known))


def enlarged(pixels: np.ndarray, kind: Kind) -> np.ndarray:
    """A picture whose shorter side has as many pixels as the reader wants, by a whole factor, smoothly."""
    factor = -(-_LEAST[kind] // min(pixels.shape[:2]))
    if factor <= 1:
        return pixels
    height, width = pixels.shape[:2]
    return np.asarray(Image.fromarray(pixels).resize((width * factor, height * factor), Image.Resampling.BICUBIC))


def _strip(pixels: np.ndarray) -> np.ndarray:
    """A line with some of its own ground on either side."""
    return np.pad(enlarged(pixels, "line"), ((0, 0), (_MARGIN, _MARGIN), (0, 0)), mode="edge")
