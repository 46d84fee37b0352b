"""Faces: how many, how large, and whether they were made unrecognisable.

Found by OpenCV's boosted cascade of Haar features (Viola and Jones 2001) for frontal faces: about 65 ms, whatever the
size, after the picture was halved to less than 1,024 pixels. It misses profiles, faces smaller than a thirtieth of the
picture's shorter side, and some that are turned or covered, and finds one on a coin, a statue or a drawing, now and
then where there is none. For portraits that is enough; to count a crowd it is not.

A face that was blurred on purpose is far less sharp than what surrounds it (`face_clarity` well below `clarity`), one
that was mosaicked is flat within squares and steps between them (`face_mosaic` from about 0.3 on).
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from pydantic import Field

from dataengine.config import Config
from dataengine.errors import StageError
from dataengine.stage import GIB, Image, Resources
from stages.measure.pixels import clarity, reduce

_SIDE = 512
_CASCADE = "haarcascade_frontalface_alt2.xml"


class Params(Config):
    """`min_share` of the picture's shorter side: smaller faces are not looked for."""

    min_share: float = Field(1 / 30, gt=0, le=1)


def mosaic(grey: np.ndarray) -> float:
    """How much of a picture's change stands between squares and not within them, 0 to 1: 1 − median / mean of the mean
    steps from column to column, and from row to row, the smaller of the two. uint8 (height, width). 0 where nothing
    varies; 0 to 0.15 for faces, near 1 for a mosaic of squares of four pixels or more, 0.3 and more after JPEG."""
    found = []
    for lines in (grey, cv2.transpose(grey)):
        steps = cv2.absdiff(lines[:, 1:], lines[:, :-1]).mean(axis=0)
        found.append(1 - float(np.median(steps) / steps.mean()) if steps.any() else 0.0)
    return max(0.0, min(found))


class Faces:
    """The signal `faces`. Raises StageError when OpenCV has no cascades."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=2 * GIB, batch=4)
    columns = pa.schema(
        [
            ("face_count", pa.int32()),
            ("face_area", pa.float32()),
            ("face_clarity", pa.float32()),
            ("face_mosaic", pa.float32()),
        ]
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        file = Path(cv2.__file__).parent / "data" / _CASCADE
        self._cascade = cv2.CascadeClassifier(str(file))
        if self._cascade.empty():
            raise StageError(f"the face detector is missing: {file}", "pip install opencv-contrib-python")

    def find(self, grey: np.ndarray) -> np.ndarray:
        """Faces as int (n, 4): left, top, width, height, in pixels of an image uint8 (height, width)."""
        small = reduce(grey, _SIDE)
        least = max(24, round(self.params.min_share * min(small.shape)))
        boxes = self._cascade.detectMultiScale(small, scaleFactor=1.15, minNeighbors=4, minSize=(least, least))
        return np.asarray(boxes, int).reshape(-1, 4) * grey.shape[0] // small.shape[0]

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(image.grey) for image in images], schema=self.columns)

    def _one(self, grey: np.ndarray) -> dict[str, float | None]:
        boxes = self.find(grey)
        faces = [grey[_inner(top, height), _inner(left, width)] for left, top, width, height in boxes]
        return {
            "face_count": len(faces),
            "face_area": min(1.0, float(boxes[:, 2:].prod(axis=1).sum()) / grey.size),
            "face_clarity": min(map(clarity, faces), default=None),
            "face_mosaic": max(map(mosaic, faces), default=None),
        }


def _inner(start: int, length: int) -> slice:
    """The middle two thirds: a detector's box has hair and background at its edges, which nobody blurs."""
    return slice(start + length // 6, start + length - length // 6)
