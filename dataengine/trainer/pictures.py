"""Rows of encoded images into pixels of a bucket's size.

A picture goes to the bucket whose proportions are nearest, is cropped in the middle to these, and resized. A JPEG much
larger than its bucket is decoded at a half, a quarter or an eighth of its size, as long as at least `SPARE` times the
pixels a side remain that are needed: this is the rule of Pillow's own thumbnails. It saves up to half the time, and on
photographs the result is within 48 dB of that from all pixels (median; `benchmarks/reader.py --quality`). All of it is
a function of the file and the size alone, with one version of libjpeg.
"""

import threading
from collections.abc import Sequence

import numpy as np
from PIL import Image

from dataengine.decode import decode_picture, read_header
from dataengine.errors import SampleError
from dataengine.trainer.datasets import DatasetConfig
from dataengine.trainer.patchify import Size, bucket_size, nearest_aspect, parse_aspect
from dataengine.trainer.shards import Caption, Place, Row

SPARE = 2.0  # pixels a side, as a multiple of those needed, that a JPEG is decoded to at least


class Pictures:
    """How the rows of one dataset become uint8 (H, W, 3). Small sets are kept in a cache, which datasets share."""

    def __init__(self, dataset: DatasetConfig, aspects: Sequence[str], patch: int, cache: "Cache") -> None:
        self.dataset, self.cache = dataset, cache
        self.ratios = {aspect: parse_aspect(aspect) for aspect in aspects}
        self.sizes = {aspect: bucket_size(dataset.resolution, aspect, patch) for aspect in aspects}

    def size(self, row: Row) -> Size:
        """The bucket of a row, by its `bucket` column or its own proportions. Raises SampleError without an image."""
        encoded = row.scalar(self.dataset.image)
        if not encoded.is_valid or not encoded.as_buffer().size:
            raise SampleError("no image")
        bucket = row["bucket"]
        ratio = parse_aspect(bucket) if bucket else None
        if ratio is None:
            header = read_header(encoded.as_py())
            ratio = header.width / header.height
        return self.sizes[nearest_aspect(ratio, self.ratios)]

    def captions(self, row: Row) -> list[tuple[Caption, float]]:
        """The captions that a row has, each with its weight."""
        found = [(row[name], at, weight) for at, (name, weight) in enumerate(self.dataset.captions.items())]
        return [((caption, at), weight) for caption, at, weight in found if caption]

    def load(self, row: Row, size: Size, variant: int | None) -> np.ndarray:
        """uint8 (H, W, 3), whichever caption it is for. Raises SampleError for what does not decode."""
        key = (self.dataset.name, row.place)
        if (kept := self.cache.get(key)) is None:
            kept = fit(decode_picture(row[self.dataset.image], least(size)), size)
            self.cache.keep(key, kept)
        return kept


class Cache:
    """Resized pictures by their row, the first that fit into a number of bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._kept: dict[tuple[str, Place], np.ndarray] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[str, Place]) -> np.ndarray | None:
        return self._kept.get(key)

    def keep(self, key: tuple[str, Place], pixels: np.ndarray) -> None:
        with self._lock:
            if pixels.nbytes <= self.room and key not in self._kept:
                self._kept[key] = pixels
                self.room -= pixels.nbytes


def least(size: Size) -> Size:
    """The height and width that a picture is decoded to at least when it is to have `size`."""
    return round(size[0] * SPARE), round(size[1] * SPARE)


def fit(picture: Image.Image, size: Size) -> np.ndarray:
    """Crop the middle in the proportions of `size` and resize it: uint8 (H, W, 3)."""
    width, height = picture.size
    scale = min(height / size[0], width / size[1])
    # rounding may put an edge beyond the picture by a billionth, which Pillow refuses
    left, top = max(0.0, (width - size[1] * scale) / 2), max(0.0, (height - size[0] * scale) / 2)
    box = (left, top, min(left + size[1] * scale, width), min(top + size[0] * scale, height))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))
