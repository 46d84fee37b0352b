"""A caption without a model: only what was measured, in fixed English sentences.

The picture's orientation, its main colours by name, and every text in it verbatim, with its language and place. Texts
come from the annotation where the picture was synthesized, and else from OCR. What nothing has measured (what the
picture shows, its type, its style) is not said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from babel import Locale, UnknownLocaleError

from dataengine.models.ocr import Line
from dataengine.stage import Image
from stages.measure.language import language_of
from stages.measure.ocr import believed, covers
from stages.synthesize.captions.quotation import quote

NEEDS = ("ocr_lines", "watermark_text")
"""The columns of other signals that are looked at."""

COLOURS = {
    "black": (0, 0, 0),
    "dark grey": (70, 70, 70),
    "grey": (128, 128, 128),
    "light grey": (192, 192, 192),
    "white": (255, 255, 255),
    "dark red": (110, 15, 20),
    "red": (215, 30, 35),
    "salmon pink": (240, 135, 120),
    "pink": (250, 185, 205),
    "magenta": (205, 35, 140),
    "orange": (245, 135, 25),
    "brown": (125, 75, 40),
    "dark brown": (65, 40, 25),
    "tan": (195, 155, 110),
    "beige": (235, 220, 190),
    "yellow": (250, 220, 40),
    "olive": (120, 120, 45),
    "light green": (160, 215, 140),
    "green": (50, 150, 60),
    "dark green": (20, 70, 40),
    "teal": (20, 125, 125),
    "turquoise": (80, 205, 200),
    "light blue": (165, 205, 240),
    "blue": (45, 100, 205),
    "dark blue": (20, 35, 100),
    "grey blue": (105, 130, 155),
    "lavender": (195, 180, 225),
    "purple": (110, 45, 140),
}
"""Names of colours, each with a typical one in sRGB."""

_MARKS = ("“”", "‘’")
_SQUARE = 1.1  # a longer side of less than so many shorter ones passes for a square
_SIDE = 64  # pixels: colours are counted on a picture reduced to this
_MAIN = 0.2  # of the picture: what a main colour covers
_MOST_COLOURS = 3
_CONFIDENT = 0.5  # as the signal `ocr` believes lines when nothing else is said


@dataclass(frozen=True)
class Text:
    """Something written in the picture. `place` is where its middle is, such as "at the top left"."""

    content: str
    place: str
    language: str | None


@dataclass(frozen=True)
class Facts:
    """What is known of a picture. `unread`: whether there are lines that could not be read."""

    orientation: str
    colours: Sequence[str]
    texts: Sequence[Text]
    unread: bool
    watermarks: Sequence[str]

    @classmethod
    def of(cls, image: Image) -> "Facts":
        height, width = image.pixels.shape[:2]
        lines = [] if image.text else _lines(image.known)
        read = [line for line in lines if believed(line, _CONFIDENT)]
        texts = _annotated(image) if image.text else _gathered(read, width, height)
        unread = any(covers(line, _CONFIDENT) and not believed(line, _CONFIDENT) for line in lines)
        marks = (image.known.get("watermark_text") or "").splitlines()
        return cls(_orientation(width, height), main_colours(image.pixels), texts, unread, marks)

    def short(self) -> str:
        """One sentence."""
        said = f" that reads {_enumerated([quote(t.content, _MARKS) for t in self.texts])}" if self.texts else ""
        return f"A picture in {self.orientation} format, mainly {_enumerated(self.colours)},{said}.".replace(",.", ".")

    def long(self) -> str:
        """A sentence for the picture as a whole, and one for each text."""
        sentences = [f"A picture in {self.orientation} format, mainly {_enumerated(self.colours)}."]
        for text in self.texts:
            told = f", in {_language(text.language)}" if text.language else ""
            sentences.append(f"{text.place[0].upper()}{text.place[1:]} it reads{told}: {quote(text.content, _MARKS)}.")
        if self.unread:
            sentences.append("There is writing that cannot be read.")
        return " ".join(sentences)


def fused(raw: str, statement: str) -> str:
    """The caption that a picture came with, then what was measured."""
    raw = raw.strip()
    return f"{raw} {statement}" if raw[-1:] in ".!?…。！？" else f"{raw}. {statement}"


def main_colours(pixels: np.ndarray) -> list[str]:
    """The names of the colours that cover a fifth of a picture, uint8 (height, width, 3), or more, the most first; of
    the most frequent one where none does. A pixel has the name of the nearest colour in CIELAB."""
    small = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    shades = _lab(small).reshape(-1, 1, 3)
    named = _lab(np.array([list(COLOURS.values())], np.uint8))
    counts = np.bincount(np.linalg.norm(shades - named, axis=2).argmin(axis=1), minlength=len(COLOURS))
    order = np.argsort(-counts, kind="stable")[:_MOST_COLOURS]
    names = list(COLOURS)
    return [names[i] for i in order if counts[i] >= _MAIN * _SIDE**2] or [names[order[0]]]


def _lab(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _orientation(width: int, height: int) -> str:
    if max(width, height) < _SQUARE * min(width, height):
        return "square"
    return "landscape" if width > height else "portrait"


def _lines(known: Mapping[str, Any]) -> list[Line]:
    found = known.get("ocr_lines") or []
    return [Line(x["text"], x["confidence"], np.asarray(x["quad"], np.float32)) for x in found]


def _annotated(image: Image) -> list[Text]:
    height, width = image.pixels.shape[:2]
    texts = []
    for paragraph in sorted(image.text, key=lambda p: p.order):
        place = _place(paragraph.lines.quads.reshape(-1, 2), width, height)
        texts.append(Text(paragraph.content, place, paragraph.language))
    return texts


def _gathered(lines: Sequence[Line], width: int, height: int) -> list[Text]:
    """Lines in the same place as one text, in the order in which they were found."""
    by_place: dict[str, list[str]] = {}
    for line in lines:
        by_place.setdefault(_place(line.quad.reshape(-1, 2), width, height), []).append(line.text.strip())
    joined = {place: " ".join(texts) for place, texts in by_place.items()}
    return [Text(content, place, language_of(content)) for place, content in joined.items()]


def _place(points: np.ndarray, width: int, height: int) -> str:
    """In which ninth of the picture the middle of some points (n, 2) is."""
    x, y = (points.min(axis=0) + points.max(axis=0)) / 2
    across = ("left", "", "right")[int(np.clip(3 * x // width, 0, 2))]
    down = ("top", "", "bottom")[int(np.clip(3 * y // height, 0, 2))]
    if not across and not down:
        return "in the centre"
    return f"at the {down} {across}".rstrip() if down else f"on the {across}"


def _language(code: str) -> str:
    try:
        return Locale.parse(code, sep="-").get_display_name("en") or code
    except (UnknownLocaleError, ValueError):
        return code


def _enumerated(items: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
