"""QR codes and barcodes: an abnormal element of the report's fifth stage, and words that no caption can spell.

Read with zxing-cpp: 4 ms a megapixel. A QR code that is found but too damaged to be read counts too: its three finder
patterns are hardly met by chance. Kinds of barcodes without a check digit are not looked for: stripes of any kind pass
for them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from dataengine.config import Config
from dataengine.errors import StageError
from dataengine.schema import QUAD
from dataengine.stage import GIB, Image, Resources
from stages.measure.ocr import quad_area

_MATRIX = ("QRCode", "MicroQRCode", "RMQRCode", "DataMatrix", "Aztec", "PDF417")
_LINEAR = ("EAN13", "EAN8", "UPCA", "UPCE", "Code128", "Code93", "DataBar", "DataBarExp")
_THINNEST = 0.2  # of its length: a barcode is read along a line, which alone has no area


class Params(Config):
    """No parameters."""


class Codes:
    """The signal `codes`. Raises StageError when zxing-cpp is missing."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=2 * GIB, batch=4)
    columns = pa.schema(
        [
            ("codes", pa.list_(pa.struct([("kind", pa.string()), ("text", pa.string()), ("quad", QUAD)]))),
            ("code_count", pa.int32()),
            ("code_area", pa.float32()),
        ]
    )

    def __init__(self, params: Params) -> None:
        try:
            import zxingcpp
        except ImportError as error:
            raise StageError(f"codes cannot be read: {error}", "pip install zxing-cpp") from None
        self._read = zxingcpp.read_barcodes
        self._kinds = [getattr(zxingcpp.BarcodeFormat, kind) for kind in (*_MATRIX, *_LINEAR)]

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(image.grey) for image in images], schema=self.columns)

    def _one(self, grey: np.ndarray) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        for code in self._read(np.ascontiguousarray(grey), formats=self._kinds, return_errors=True):
            quad = _quad(code.position)
            known = code.valid or code.format.name == "QRCode"
            if known and not any(_same(quad, other["quad"]) for other in found):
                found.append({"kind": code.format.name, "text": code.text, "quad": quad})
        area = sum(_area(np.array(code["quad"], float)) for code in found)
        return {"codes": found, "code_count": len(found), "code_area": min(1.0, area / grey.size)}


def _quad(position: Any) -> list[int]:
    corners = position.top_left, position.top_right, position.bottom_right, position.bottom_left
    return [number for corner in corners for number in (corner.x, corner.y)]


def _same(quad: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two quadrilaterals have their middles within half a side: a damaged code is found more than once."""
    one, two = np.reshape(quad, (4, 2)), np.reshape(other, (4, 2))
    return bool((np.abs(one.mean(axis=0) - two.mean(axis=0)) <= np.ptp(two, axis=0) / 2).all())


def _area(quad: np.ndarray) -> float:
    """In square pixels; of a barcode at least that of the lowest ones."""
    length = float(np.hypot(*(quad[2:4] - quad[:2])))
    return max(quad_area(quad), _THINNEST * length * length)
