"""A user's own source of synthesized pictures: stripes, each picture from its index alone."""

import io

import numpy as np
from PIL import Image

from dataengine.config import Config
from dataengine.errors import SampleError
from dataengine.sample import Failure, Paragraph, Sample, Spans, synthetic_id
from dataengine.stage import Piece, Resources


class Params(Config):
    start: int = 0
    count: int = 10
    shade: int = 0
    size: float = 12.0
    refuses: int = -1  # the index that cannot be drawn
    release: str = "1"


class Stripes:
    Params = Params
    version = 1
    resources = Resources()

    def __init__(self, name, seed, params):
        self.name, self.params = name, params

    def versions(self):
        return {"stripes": self.params.release}

    def plan(self, limits):
        stop = self.params.start + self.params.count
        for start in range(self.params.start, stop, limits.samples):
            count = min(limits.samples, stop - start)
            yield Piece({"start": start, "count": count}, count)

    def produce(self, piece):
        for index in range(piece.payload["start"], piece.payload["start"] + piece.payload["count"]):
            uri = f"set://stripes/0/{index}"
            if index == self.params.refuses:
                error = SampleError(f"no stripes at {index}")
                yield Failure.of(error, source=self.name, uri=uri, stage="synthesize")
                continue
            pixels = np.full((20, 30, 3), self.params.shade, np.uint8)
            pixels[:, :: 2 + index] = 255
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            spans = Spans([f"stripe {index}"], np.arange(8, dtype=np.float32)[None] + index)
            text = Paragraph(f"stripe {index}", "en", "Latn", "None", self.params.size, 0, spans, spans, spans)
            yield Sample(
                synthetic_id("stripes", 0, index),
                self.name,
                uri,
                buffer.getvalue(),
                "png",
                30,
                20,
                caption=f"stripes, number {index}",
                text=[text],
            )
