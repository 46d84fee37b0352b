"""The text in a picture: lines with their places, and what they say of how much and how small the text is.

Read with PaddleOCR and PP-OCRv6 (see `dataengine.models.ocr`): 0.2 s for an image without text on one core, 0.5 s with
ten short lines, seconds for a page of small print. The recogniser knows Latin letters, Chinese and Japanese. Hangul,
Cyrillic, Arabic, Devanagari and Thai lines are found, so their area counts, but what it reads there is not to be
believed, and their confidence is low.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from fontTools import unicodedata
from pydantic import Field

from dataengine.config import Config
from dataengine.models.ocr import Line, PaddleReader
from dataengine.schema import QUAD
from dataengine.stage import GIB, Image, Resources


class Params(Config):
    """`min_confidence`: lines below it count for the area only. `limit_side`: the longer side that detection sees."""

    engine: Literal["paddle"] = "paddle"
    min_confidence: float = Field(0.5, ge=0, le=1)
    limit_side: int = Field(960, ge=64)
    threads: int = Field(1, ge=1)


def script(text: str) -> str | None:
    """The dominant script, ISO 15924 (Latn, Hani, …); Jpan where kana stand among Han; None without letters."""
    counts = Counter(unicodedata.script(c) for c in text)
    for neutral in ("Zyyy", "Zinh", "Zzzz"):
        counts.pop(neutral, None)
    if counts["Hira"] + counts["Kana"]:
        return "Jpan"
    return counts.most_common(1)[0][0] if +counts else None


def quad_area(quad: np.ndarray) -> float:
    """Area of a quadrilateral in square pixels, by the shoelace formula."""
    x, y = quad[0::2], quad[1::2]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def character_height(quad: np.ndarray) -> float:
    """The shorter side of a line's quadrilateral in pixels: its characters' height, or their width when vertical."""
    corners = quad.reshape(4, 2)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    return float(min(sides[0::2].mean(), sides[1::2].mean()))


def summarise(lines: Sequence[Line], width: int, height: int, min_confidence: float) -> dict[str, Any]:
    """The signal's row for the lines of an image of width × height pixels."""
    believed = [line for line in lines if line.confidence >= min_confidence and line.text.strip()]
    text = "\n".join(line.text for line in believed)
    characters = [sum(not c.isspace() for c in line.text) for line in believed]
    total = sum(characters)
    weighted = sum(line.confidence * n for line, n in zip(believed, characters, strict=True))
    return {
        "ocr_lines": [
            {"text": li.text, "confidence": li.confidence, "script": script(li.text), "quad": li.quad.tolist()}
            for li in lines
        ],
        "ocr_text": text,
        "ocr_confidence": weighted / total if total else None,
        "text_script": script(text),
        "text_area": min(1.0, sum(quad_area(line.quad) for line in lines) / (width * height)),
        "min_character_px": min((character_height(line.quad) for line in believed), default=None),
        "character_count": total,
    }


class Ocr:
    """The signal `ocr`."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=2 * GIB, batch=4)
    columns = pa.schema(
        [
            (
                "ocr_lines",
                pa.list_(
                    pa.struct(
                        [("text", pa.string()), ("confidence", pa.float32()), ("script", pa.string()), ("quad", QUAD)]
                    )
                ),
            ),
            ("ocr_text", pa.string()),
            ("ocr_confidence", pa.float32()),
            ("text_script", pa.string()),
            ("text_area", pa.float32()),
            ("min_character_px", pa.float32()),
            ("character_count", pa.int32()),
        ]
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self.reader = PaddleReader(params.threads, params.limit_side)

    def measure(self, images: Sequence[Image]) -> pa.Table:
        return pa.Table.from_pylist([self._one(image) for image in images], schema=self.columns)

    def _one(self, image: Image) -> dict[str, Any]:
        height, width = image.pixels.shape[:2]
        return summarise(self.reader.read(image.pixels), width, height, self.params.min_confidence)
