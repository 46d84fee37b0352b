"""The OCR round trip: what a recogniser reads where the annotation says that a text stands, and how far it is from it.

Each annotated line is cut out along the quadrilaterals of its characters, laid straight, and read by PP-OCRv6's
recogniser (see `dataengine.models.ocr`). So nothing has to be found, matched or put into order, and lines that are
turned, curved, seen in perspective or run downwards are read like any other. Whatever is wrong with a line shows as
errors: too small, too faint, covered, cut off by the edge, misshapen, or annotated with the wrong place or text. Text
that is in the picture and in no annotation does not show here; the signal `ocr` finds it.

The recogniser knows Latin letters (of Vietnamese, few), Chinese and Japanese. A picture with a character that it does
not know is not read: that is no error of the picture's.

Both texts are compared after folding what no reader could tell apart (`dataengine.alike`); so text in capitals must be
annotated so. In lines that run downwards the recogniser reads letters, but hardly any of the punctuation, which has
other shapes and places there: of those lines letters and digits alone are compared.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import cv2
import numpy as np
import pyarrow as pa
from pydantic import Field
from rapidfuzz.distance import Levenshtein

from dataengine.alike import fold, plain
from dataengine.config import HOW, Config
from dataengine.models.ocr import LineReader, alphabet
from dataengine.sample import Paragraph
from dataengine.stage import GIB, Image, Resources
from stages.synthesize.quality import lines_of

_MARGIN = 0.12  # of a line's height around it, as detectors leave and recognisers are used to
_TALLEST = 192  # pixels of a line that is cut out; four times what the recogniser takes
_STRAIGHT = 0.1  # of its height: how far the characters of a line may be from its edges, in the middle of them


class Params(Config):
    """`share` of the samples is read, chosen by their ids: reading a page takes as long as drawing a hundred."""

    share: float = Field(0.1, gt=0, le=1)
    threads: Annotated[int, HOW] = Field(1, ge=1)


class Reading:
    """The signal `reading`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=2 * GIB, batch=4)
    columns = pa.schema([("cer", pa.float32()), ("read_text", pa.string()), ("covered", pa.bool_())])

    def __init__(self, params: Params) -> None:
        self.params = params
        self.reader = LineReader(params.threads)
        self.known = frozenset("".join(map(plain, alphabet())))

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(image) for image in images], schema=self.columns)

    def _one(self, image: Image) -> dict[str, Any]:
        if not chosen(image.sample_id, self.params.share) or not image.text:
            return dict.fromkeys(self.columns.names)
        wanted = [line for paragraph in image.text for line in paragraph.lines.texts]
        down = np.concatenate([_downwards(paragraph.lines.quads) for paragraph in image.text])
        if not self.known.issuperset(plain("".join(wanted))):
            return {"cer": None, "read_text": None, "covered": False}
        read = [self.reader.read(strip) for paragraph in image.text for strip in strips(image.pixels, paragraph)]
        return {"cer": error_rate(wanted, read, down), "read_text": "\n".join(read), "covered": True}


def chosen(sample_id: str, share: float) -> bool:
    """Whether a sample is among a share of all. A larger share has all that a smaller one has."""
    digest = hashlib.blake2b(sample_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def error_rate(wanted: Sequence[str], read: Sequence[str], downwards: Sequence[bool]) -> float | None:
    """Characters to insert, delete or replace in what was read of each line, over the characters that stand there.

    Above 1 where more was read than stands there; None where nothing does."""
    pairs = [(fold(a, down), fold(b, down)) for a, b, down in zip(wanted, read, downwards, strict=True)]
    total = sum(len(a) for a, _ in pairs)
    return sum(Levenshtein.distance(a, b) for a, b in pairs) / total if total else None


def _downwards(quads: np.ndarray) -> np.ndarray:
    """Whether each line (n, 8) runs down the picture rather than across it, bool (n,)."""
    along = quads[:, 2:4] - quads[:, :2]
    return along[:, 1] > np.abs(along[:, 0])


def strips(pixels: np.ndarray, paragraph: Paragraph) -> Iterator[np.ndarray]:
    """The lines of a paragraph, cut out and laid straight with a margin around: uint8 (height, width, 3) each."""
    line = lines_of(paragraph)
    for number, quad in enumerate(paragraph.lines.quads.reshape(-1, 4, 2)):
        characters = paragraph.characters.quads[line == number].reshape(-1, 4, 2)
        yield _cut(pixels, _edges(quad, characters))


def _edges(quad: np.ndarray, characters: np.ndarray) -> np.ndarray:
    """The upper and the lower edge of a line as two polylines of so many points, float32 (2, n, 2).

    A straight line has its own corners, a curved one those of its characters (m, 4, 2), in reading order."""
    upper, lower = quad[:2], quad[3:1:-1]
    height = np.linalg.norm(lower - upper, axis=1).mean()
    middles = characters[:, :2].mean(axis=1)
    if not len(middles) or np.median(_distances(middles, upper)) <= _STRAIGHT * height:
        return np.stack([upper, lower])
    return np.stack([characters[:, :2].reshape(-1, 2), characters[:, 3:1:-1].reshape(-1, 2)])


def _distances(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """How far points (n, 2) are from the straight line through two others, (n,)."""
    along = line[1] - line[0]
    across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-6)
    return np.abs((points - line[0]) @ across)


def _cut(pixels: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """What lies between two edges (2, n, 2), straightened. The picture's own border goes on beyond it."""
    upper, lower = edges.astype(np.float64)
    middle = (upper + lower) / 2
    reach = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(middle, axis=0), axis=1))])
    tall = max(1.0, float(np.linalg.norm(lower - upper, axis=1).mean()))
    scale = min(1.0, _TALLEST / tall)
    rows = max(4, round(tall * scale * (1 + 2 * _MARGIN)))
    columns = max(4, round((reach[-1] + 2 * _MARGIN * tall) * scale))
    along = np.linspace(-_MARGIN * tall, reach[-1] + _MARGIN * tall, columns)
    across = np.linspace(-_MARGIN, 1 + _MARGIN, rows)[:, None, None]
    top, bottom = _at(along, reach, upper), _at(along, reach, lower)
    places = ((1 - across) * top + across * bottom).astype(np.float32)  # (rows, columns, 2)
    return cv2.remap(pixels, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _at(along: np.ndarray, reach: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """The points of an edge (n, 2), whose own are at `reach` (n,), at other places along it; beyond its ends it goes
    on straight. (m, 2)."""
    points = np.stack([np.interp(along, reach, edge[:, axis]) for axis in (0, 1)], axis=1)
    for end, inner, outside in ((0, 1, along < 0), (-1, -2, along > reach[-1])):
        length = max(float(np.linalg.norm(edge[end] - edge[inner])), 1e-6)
        beyond = (along - reach[end])[outside][:, None] * (1 if end else -1)
        points[outside] = edge[end] + (edge[end] - edge[inner]) / length * beyond
    return points
