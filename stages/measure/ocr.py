"""The text in a picture: lines with their places, and what they say of how much and how small the text is.

Read with PaddleOCR and PP-OCRv6 (see `dataengine.models.ocr`): 0.2 s for an image without text on one core, 0.5 s with
ten short lines, seconds for a page of small print. The recogniser knows Latin letters, Chinese and Japanese. Hangul,
Cyrillic, Arabic, Devanagari and Thai lines are found, so their area counts, but what it reads there is not to be
believed, and their confidence is low; `others` read them.

The detector also takes round or flat things for text: a cup, an eye, a whole blurred picture. Such finds are about as
wide as high and read as one character or none. So a single character is believed from a confidence of 0.8 only, and
what is not believed counts for the area only when it is long, as lines are.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Protocol

import cv2
import numpy as np
import pyarrow as pa
from fontTools import unicodedata
from pydantic import Field, model_validator

from dataengine.config import HOW, Config
from dataengine.errors import StageError
from dataengine.models import ocr, tesseract
from dataengine.models.ocr import Line, PaddleLines, PaddleReader, model_folders
from dataengine.models.tesseract import Tesseract
from dataengine.schema import QUAD
from dataengine.stage import GIB, Image, Resources
from stages.measure.language import language_of, split_of, words_of
from stages.measure.watermark import marks, repeats

_SINGLE_CONFIDENCE = 0.8
_LINE_ASPECT = 2
_TURNED = 0.8  # confidence from which on a line is believed to stand on its head
_MARGIN = 0.08  # of a line's height that is cut out on each side of it


class Other(Config):
    """Another recogniser, for the lines that the first one cannot read: `model`, a folder of PaddleOCR's (PP-OCRv5's
    for Hangul, say), or `tesseract`, its languages. `scripts` (ISO 15924) are those that it is asked for: a reading in
    any other is not taken from it."""

    model: str | None = None
    tesseract: list[str] = []
    scripts: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _one(self) -> "Other":
        if bool(self.model) == bool(self.tesseract):
            raise ValueError("give either `model` or `tesseract`")
        return self


class Params(Config):
    """`min_confidence`: lines below it are not believed. `limit_side`: the longer side that detection sees.
    `detection`, `recognition`, `device` and `line_batch`: see `dataengine.models.ocr.PaddleReader`. Lines to which the
    recogniser gave less than `doubt` are read by `others`, and with `upside_down` by itself, turned by 180 degrees.
    `languages` are Tesseract's, where it is the engine; `tessdata` is the folder of its data."""

    engine: Literal["paddle", "tesseract"] = "paddle"
    detection: str | None = None
    recognition: str | None = None
    languages: list[str] = []
    others: list[Other] = []
    upside_down: bool = False
    doubt: float = Field(0.9, ge=0, le=1)
    device: Annotated[str, HOW] = "auto"
    line_batch: int = Field(1, ge=1)
    tessdata: Annotated[str | None, HOW] = None
    min_confidence: float = Field(0.5, ge=0, le=1)
    limit_side: int = Field(960, ge=64)
    threads: Annotated[int, HOW] = Field(1, ge=1)

    @model_validator(mode="after")
    def _of_one_engine(self) -> "Params":
        if (self.engine == "tesseract") != bool(self.languages):
            raise ValueError("`languages` are for `engine: tesseract`, which needs them; see `others` for paddle")
        if self.engine == "tesseract" and (self.detection or self.recognition or self.others or self.upside_down):
            raise ValueError("`detection`, `recognition`, `others` and `upside_down` are for `engine: paddle`")
        return self


class LinesReader(Protocol):
    """Reads lines that are cut out and lie straight."""

    def read_lines(self, lines: Sequence[np.ndarray]) -> list[tuple[str, float]]: ...


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


def sides(quad: np.ndarray) -> tuple[float, float]:
    """The shorter and the longer side of a line's quadrilateral in pixels, each the mean of two opposite ones.

    The shorter is the height of its characters, or their width when it runs down the page.
    """
    corners = quad.reshape(4, 2)
    lengths = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    shorter, longer = sorted((float(lengths[0::2].mean()), float(lengths[1::2].mean())))
    return shorter, longer


def believed(line: Line, min_confidence: float) -> bool:
    """Whether a line's reading counts as text of the picture."""
    characters = len(line.text.strip())
    least = max(min_confidence, _SINGLE_CONFIDENCE) if characters == 1 else min_confidence
    return characters > 0 and line.confidence >= least


def covers(line: Line, min_confidence: float) -> bool:
    """Whether a line's area counts: it is believed, or has the shape of a line in a script that cannot be read."""
    shorter, longer = sides(line.quad)
    return believed(line, min_confidence) or longer >= _LINE_ASPECT * shorter


def summarise(
    lines: Sequence[Line], width: int, height: int, min_confidence: float, caption: str | None = None
) -> dict[str, Any]:
    """The signal's row for the lines of an image of width × height pixels."""
    counted = [line for line in lines if covers(line, min_confidence)]
    read = [line for line in lines if believed(line, min_confidence)]
    text = "\n".join(line.text for line in read)
    characters = [sum(not c.isspace() for c in line.text) for line in read]
    total = sum(characters)
    smallest = min((sides(line.quad)[0] for line in read), default=None)
    faint = [line.text for line in lines if line.text.strip()]
    weighted = sum(line.confidence * n for line, n in zip(read, characters, strict=True))
    return {
        "ocr_lines": [
            {"text": li.text, "confidence": li.confidence, "script": script(li.text), "quad": li.quad.tolist()}
            for li in lines
        ],
        "ocr_text": text,
        "ocr_confidence": weighted / total if total else None,
        "text_script": script(text),
        "text_split": split_of(text, found=bool(counted)),
        "text_language": language_of(text),
        "text_area": min(1.0, sum(quad_area(line.quad) for line in counted) / (width * height)),
        "min_character_px": smallest,
        "min_character_share": smallest and smallest / math.sqrt(width * height),
        "character_count": total,
        "text_in_caption": share_said(text, caption),
        "watermark_text": "\n".join(marks(faint)) or None,
        "text_repeats": repeats(faint),
    }


def share_said(text: str, caption: str | None) -> float | None:
    """How much of a picture's text its caption says, 0 to 1: of its words, or characters where words are not parted,
    those that stand in the caption too, each as often as there. None without either of the two."""
    wanted = Counter(words_of(text))
    if caption is None or not wanted:
        return None
    return (wanted & Counter(words_of(caption))).total() / wanted.total()


class Ocr:
    """The signal `ocr`."""

    Params = Params
    version = 5
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
            ("text_split", pa.string()),
            ("text_language", pa.string()),
            ("text_area", pa.float32()),
            ("min_character_px", pa.float32()),
            ("min_character_share", pa.float32()),
            ("character_count", pa.int32()),
            ("text_in_caption", pa.float32()),
            ("watermark_text", pa.string()),
            ("text_repeats", pa.int32()),
        ]
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        how = (params.threads, params.device, params.line_batch)
        self.others: list[tuple[LinesReader, frozenset[str]]] = [
            (
                PaddleLines(other.model, *how) if other.model else Tesseract(other.tesseract, params.tessdata),
                frozenset(other.scripts),
            )
            for other in params.others
        ]
        recogniser = params.recognition or str(model_folders()["rec"])
        self.turned = PaddleLines(recogniser, *how) if params.upside_down else None
        if params.engine == "tesseract":
            self.reader: PaddleReader | Tesseract = Tesseract(params.languages, params.tessdata)
        else:
            models = (params.detection, params.recognition)
            self.reader = PaddleReader(params.threads, params.limit_side, *models, params.device, params.line_batch)

    @classmethod
    def missing(cls, params: Params) -> StageError | None:
        """What would keep the signal from being measured, as far as other models and Tesseract's data go."""
        languages = [*params.languages, *(name for other in params.others for name in other.tesseract)]
        if languages and (fault := tesseract.missing(languages, params.tessdata)):
            return fault
        models = (params.detection, params.recognition, *(other.model for other in params.others))
        return ocr.missing([folder for folder in models if folder], params.device)

    def measure(self, images: Sequence[Image]) -> pa.Table:
        pictures = [image.pixels for image in images]
        if isinstance(self.reader, PaddleReader):
            found = self.reader.read_many(pictures)
        else:
            found = [self.reader.read(pixels) for pixels in pictures]
        rows = []
        for image, lines in zip(images, self._read_again(pictures, found), strict=True):
            height, width = image.pixels.shape[:2]
            rows.append(summarise(lines, width, height, self.params.min_confidence, image.caption))
        return pa.Table.from_pylist(rows, schema=self.columns)

    def _read_again(self, pictures: Sequence[np.ndarray], found: list[list[Line]]) -> list[list[Line]]:
        """The lines, of which those in doubt were read by the others too, all of them together."""
        made = [list(lines) for lines in found]
        if self.turned:
            places = [(i, j) for i, lines in enumerate(made) for j, li in enumerate(lines) if self._doubts(li)]
            read = self.turned.read_lines([cut(pictures[i], _turned(made[i][j].quad)) for i, j in places])
            for (i, j), (text, confidence) in zip(places, read, strict=True):
                if confidence >= max(_TURNED, made[i][j].confidence):
                    made[i][j] = Line(text, confidence, _turned(made[i][j].quad))
        for reader, scripts in self.others:
            places = [(i, j) for i, lines in enumerate(made) for j, li in enumerate(lines) if self._doubts(li)]
            read = reader.read_lines([cut(pictures[i], made[i][j].quad) for i, j in places])
            for (i, j), (text, confidence) in zip(places, read, strict=True):
                known = made[i][j]
                sure = known.confidence if known.text.strip() else 0.0
                if script(text) in scripts and confidence > sure:
                    made[i][j] = replace(known, text=text, confidence=confidence)
        return made

    def _doubts(self, line: Line) -> bool:
        """Whether a line is read again: it is empty, or less than sure, and long enough to be one."""
        return (line.confidence < self.params.doubt or not line.text.strip()) and covers(line, self.params.doubt)


def _turned(quad: np.ndarray) -> np.ndarray:
    """The quadrilateral (8,) of a line that is read the other way round."""
    return np.roll(quad, 4)


def cut(pixels: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """What a quadrilateral (8,) of a picture shows, laid straight with a little margin: uint8 (height, width, 3)."""
    corners = quad.reshape(4, 2).astype(np.float64)
    along, below = (
        (corners[1] + corners[2] - corners[0] - corners[3]) / 2,
        (corners[2:].sum(0) - corners[:2].sum(0)) / 2,
    )
    wide, high = max(1.0, float(np.hypot(*along))), max(1.0, float(np.hypot(*below)))
    margin = _MARGIN * min(wide, high)
    right, down = along / wide * margin, below / high * margin
    whole = corners + np.array([-right - down, right - down, right + down, down - right])
    width, height = max(4, round(wide + 2 * margin)), max(4, round(high + 2 * margin))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(whole.astype(np.float32), target)
    return cv2.warpPerspective(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
