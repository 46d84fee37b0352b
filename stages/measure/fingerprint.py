"""Fingerprints: what tells that two images are the same, or nearly.

`digest` is BLAKE2b-128 of the encoded bytes and `pixel_digest` XXH3-128 of the decoded pixels, which also finds the
same picture in another container. `phash` and `dhash` are 64-bit perceptual hashes, to be compared by Hamming
distance: 0 to about 6 bits between re-encodings and rescalings of a picture, about 32 between different ones.
`caption_hash` is a SimHash of the caption's words: few bits differ where few words do, so that pairs of image and
caption can be compared as a whole. About 1 ms a megapixel on one core, most of it for the digest.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import pyarrow as pa
import xxhash

from dataengine.config import Config
from dataengine.sample import content_id
from dataengine.stage import GIB, Image, Resources
from stages.measure.language import words_of
from stages.measure.pixels import reduce


class Params(Config):
    """Nothing to set."""


def phash(grey: np.ndarray) -> int:
    """DCT hash (Zauner 2010): 32 × 32 luma, the 8 × 8 lowest DCT-II frequencies, each over their median; 64 bits."""
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8]
    return _bits(low > np.median(low))


def dhash(grey: np.ndarray) -> int:
    """Gradient hash (Krawetz 2013): 9 × 8 luma, each pixel brighter than the one on its left; 64 bits."""
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    return _bits(small[:, 1:] > small[:, :-1])


def _bits(flags: np.ndarray) -> int:
    """64 booleans as an unsigned integer, the first one highest."""
    return int.from_bytes(np.packbits(flags).tobytes(), "big")


def pixel_digest(pixels: np.ndarray) -> str:
    """XXH3-128 hex digest of size and pixels."""
    state = xxhash.xxh3_128(np.asarray(pixels.shape, "<u4").tobytes())
    state.update(np.ascontiguousarray(pixels))
    return state.hexdigest()


def simhash(text: str) -> int:
    """SimHash (Charikar 2002) of a text's words and pairs of neighbouring words, 64 bits; 0 for a text without words.

    Each has a random hash, and a bit is that of most of them. Case, punctuation and spaces do not count."""
    words = words_of(text)
    pairs = [f"{one} {two}" for one, two in pairwise(words)]
    if not words:
        return 0
    hashes = np.array([xxhash.xxh3_64_intdigest(feature.encode()) for feature in (*words, *pairs)], ">u8")
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
    return _bits(2 * bits.sum(axis=0, dtype=np.int64) > len(hashes))


class Fingerprint:
    """The signal `fingerprint`."""

    Params = Params
    version = 4
    resources = Resources(cpus=1, memory=2 * GIB, batch=4)  # so few that they stay in the cache
    columns = pa.schema(
        [
            ("phash", pa.uint64()),
            ("dhash", pa.uint64()),
            ("digest", pa.string()),
            ("pixel_digest", pa.string()),
            ("caption_hash", pa.uint64()),
        ]
    )

    def __init__(self, params: Params) -> None:
        pass

    def measure(self, images: Sequence[Image]) -> pa.Table:
        greys = [reduce(i.grey, 128) for i in images]  # both hashes start here, so that every pixel is read once
        columns = {
            "phash": [phash(g) for g in greys],
            "dhash": [dhash(g) for g in greys],
            "digest": [content_id(i.encoded) for i in images],
            "pixel_digest": [pixel_digest(i.pixels) for i in images],
            "caption_hash": [None if i.caption is None else simhash(i.caption) for i in images],
        }
        return pa.table(columns, schema=self.columns)
