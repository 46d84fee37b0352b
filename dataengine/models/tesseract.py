"""Reading text with Tesseract, in the scripts that PaddleOCR's bundled recogniser does not know.

Tesseract itself comes with the `tesserocr` package; its language data come from the system (Debian:
`apt install tesseract-ocr-kor`) or from a folder. A line takes 20 ms in one language and about 80 ms in six at once.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dataengine.errors import StageError
from dataengine.models.ocr import Line

_PLACES = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tessdata", "/usr/local/share/tessdata",
           "/opt/homebrew/share/tessdata")  # fmt: skip


class Tesseract:
    """Reads whole pictures or single lines in some of Tesseract's languages (`kor`, `rus`, `chi_sim` …).

    Raises StageError when the package or a language's data are missing."""

    def __init__(self, languages: Sequence[str], tessdata: str | None = None) -> None:
        if fault := missing(languages, tessdata):
            raise fault
        import tesserocr

        self._modes = tesserocr.PSM
        self._level = tesserocr.RIL.TEXTLINE
        self._iterate = tesserocr.iterate_level
        self._api = tesserocr.PyTessBaseAPI(path=f"{_data(tessdata)}/", lang="+".join(languages))

    def read(self, pixels: np.ndarray) -> list[Line]:
        """Lines in reading order, of any confidence. pixels: uint8 (height, width, 3), RGB. Quads are upright boxes."""
        self._api.SetPageSegMode(self._modes.SPARSE_TEXT)
        self._api.SetImage(Image.fromarray(pixels))
        self._api.Recognize()
        return list(self._lines())

    def _lines(self) -> Iterator[Line]:
        for found in self._iterate(self._api.GetIterator(), self._level):
            if found.Empty(self._level):
                continue
            left, top, right, bottom = found.BoundingBox(self._level)
            quad = np.array([left, top, right, top, right, bottom, left, bottom], np.float32)
            yield Line(found.GetUTF8Text(self._level).strip(), found.Confidence(self._level) / 100, quad)

    def read_lines(self, lines: Sequence[np.ndarray]) -> list[tuple[str, float]]:
        """Text and confidence, 0 to 1, of each line that lies straight, uint8 (height, width, 3), RGB."""
        self._api.SetPageSegMode(self._modes.SINGLE_LINE)
        read = []
        for line in lines:
            self._api.SetImage(Image.fromarray(line))
            read.append((self._api.GetUTF8Text().strip(), self._api.MeanTextConf() / 100))
        return read


def missing(languages: Sequence[str], tessdata: str | None = None) -> StageError | None:
    """Why these languages could not be read, told without loading them."""
    try:
        import tesserocr  # noqa: F401
    except ImportError as error:
        return StageError(f"Tesseract cannot be loaded: {error}", "pip install tesserocr")
    folder = _data(tessdata)
    absent = [name for name in languages if not (folder / f"{name}.traineddata").is_file()]
    if not absent:
        return None
    packages = " ".join(f"tesseract-ocr-{name.replace('_', '-')}" for name in absent)
    return StageError(
        f"{folder} has no language data of {', '.join(absent)}",
        f"apt install {packages}; or put <language>.traineddata into a folder and name it with `tessdata`",
    )


def _data(tessdata: str | None) -> Path:
    """The folder of language data: the one named, TESSDATA_PREFIX, or where systems keep it."""
    named = tessdata or os.environ.get("TESSDATA_PREFIX")
    return Path(named) if named else next((Path(p) for p in _PLACES if Path(p).is_dir()), Path(_PLACES[0]))
