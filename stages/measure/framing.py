"""Borders, frames and collages: what was put around a picture, or several pictures that were put together.

A *border* is a run of rows or columns of one colour along an edge of the picture that ends at once along most of its
length: a frame, the bars of a film, the margin of a print. A product before white has no border, since its outline
leaves the ground at a few places only, nor has a sky that fades. A *seam* is a straight line from edge to edge of what
is inside the border across which the picture changes within a pixel, as between the pictures of a collage; an horizon
is softer. About 2 ms, whatever the size, after the picture was halved to less than 1,024 pixels.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pyarrow as pa

from dataengine.config import Config
from dataengine.stage import GIB, Image, Resources
from stages.measure.pixels import reduce

_SIDE = 512
_EVEN = 6  # levels: how far a border's pixels stay from its colour, compression included
_APART = 12  # levels: from where on a pixel is not of the border's colour
_ABRUPT = 0.6  # of a border's length along which it ends at once
_BLEND = 8  # rows over which compression blends a border and the picture
_STRIDE = 8  # rows looked at in one go
_STRAY = 0.02  # of a border's pixels that may differ: dust, a corner of a logo
_ALONG = 4  # pixels along a seam that are looked at together, so that texture is averaged out
_BANDS = 8  # of a seam's length, the worse half of which counts
_STEP = 6  # levels across a seam
_SHARPER = 3  # times as large as the steps beside it
_MARGIN = 0.04  # of the length across: where no seam is looked for


class Params(Config):
    """No parameters."""


def borders(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """The widths of the border on the left, at the top, on the right, and at the bottom, in pixels of an image uint8
    (height, width, 3). A picture of one colour has none."""
    left = top = right = bottom = 0
    for _ in range(2):  # bars at the sides hide those at the top, and the other way round
        height, width = pixels.shape[:2]
        inside = pixels[top : height - bottom, left : width - right]
        top, bottom = top + _run(inside), bottom + _run(inside[::-1])
        inside = pixels[top : height - bottom, left : width - right].swapaxes(0, 1)
        left, right = left + _run(inside), right + _run(inside[::-1])
    return left, top, right, bottom


def _run(pixels: np.ndarray) -> int:
    """How many rows at the top are of one colour and end at once."""
    colour = np.median(pixels[0], axis=0).astype(np.int16)
    half = len(pixels) // 2
    for start in range(0, half, _STRIDE):  # mostly the first few rows tell
        uneven = (_apart(pixels[start : min(half, start + _STRIDE)], colour) > _EVEN).mean(axis=1) > _STRAY
        if uneven.any():
            rows = start + int(uneven.argmax())
            ends = (_apart(pixels[rows : rows + _BLEND], colour) > _APART).any(axis=0).mean()
            return rows if ends >= _ABRUPT else 0
    return 0  # no end that far: the picture is of one colour


def _apart(pixels: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.abs(pixels - colour).max(axis=-1)


def seam(grey: np.ndarray) -> float:
    """How much of the most seam-like straight line from edge to edge is a seam, 0 to 1. uint8 (height, width).

    Four pixels along a line are one place, and it is a seam there when the step across is larger than 6 levels and than
    three times the steps beside it. The line is cut into eight bands, and the mean of the worse four counts: the edge
    of a thing ends somewhere, a seam does not.
    """
    return max(_upright(grey), _upright(cv2.transpose(grey)))


def _upright(grey: np.ndarray) -> float:
    height, width = grey.shape
    if width < 32 or height < _ALONG * _BANDS:
        return 0.0
    grey = cv2.resize(grey, (width, height // _ALONG), interpolation=cv2.INTER_AREA)
    step = cv2.absdiff(grey[:, 2:], grey[:, :-2])  # over two pixels: halving blends those at a seam
    beside = cv2.multiply(cv2.max(step[:, :-4], step[:, 4:]), _SHARPER)  # saturates
    sharp = cv2.compare(step[:, 2:-2], cv2.max(beside, _STEP), cv2.CMP_GT)
    bands = np.sort([cv2.reduce(b, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[0] for b in np.array_split(sharp, _BANDS)], 0)
    along = bands[: _BANDS // 2].mean(0) / 255
    margin = round(_MARGIN * width)
    return float(along[margin : len(along) - margin].max(initial=0.0))


class Framing:
    """The signal `framing`."""

    Params = Params
    version = 2
    resources = Resources(cpus=1, memory=2 * GIB, batch=4)
    columns = pa.schema([("border", pa.float32()), ("border_sides", pa.int8()), ("seam", pa.float32())])

    def __init__(self, params: Params) -> None:
        self.params = params

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(image.pixels) for image in images], schema=self.columns)

    def _one(self, pixels: np.ndarray) -> dict[str, float]:
        small = reduce(pixels, _SIDE)
        height, width = small.shape[:2]
        left, top, right, bottom = found = borders(small)
        inside = small[top : height - bottom, left : width - right]
        grey = cv2.cvtColor(np.ascontiguousarray(inside), cv2.COLOR_RGB2GRAY)
        return {
            "border": 1 - inside.shape[0] * inside.shape[1] / (height * width),
            "border_sides": sum(side > 0 for side in found),
            "seam": seam(grey),
        }
