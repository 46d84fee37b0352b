"""What annotated text looks like in the picture as it is stored: contrast, smallest letters, overlaps, edges.

Needs an annotation, as synthesized pictures have; others are null. See `stages.synthesize.quality`: about 1 ms.
"""

from collections.abc import Sequence

import pyarrow as pa

from dataengine.config import Config
from dataengine.stage import GIB, Image, Resources
from stages.synthesize.quality import examine


class Params(Config):
    """No parameters."""


class TextQuality:
    """The signal `text_quality`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=2 * GIB)
    columns = pa.schema(
        [
            ("text_contrast", pa.float32()),
            ("text_smallest_px", pa.float32()),
            ("text_overlap", pa.float32()),
            ("text_line_overlap", pa.float32()),
            ("text_outside_px", pa.float32()),
        ]
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(image) for image in images], schema=self.columns)

    def _one(self, image: Image) -> dict[str, float | None]:
        if not image.text:
            return dict.fromkeys(self.columns.names)
        found = examine(image.pixels, image.text)
        values = (found.least_contrast, found.smallest, found.overlap, found.line_overlap, found.outside)
        return dict(zip(self.columns.names, values, strict=True))
