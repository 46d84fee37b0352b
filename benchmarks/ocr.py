"""How fast text is read, and where the time goes: python benchmarks/ocr.py [--pages 8]

Pages of ten lines, one core, in the processor's time, which other programs on the machine move little. The baseline is
PaddleOCR as the signal `ocr` calls it, a page and a line at a time. Beside it: pages and lines together, a smaller
picture for the detector, Tesseract on whole pages, and Tesseract on the lines in doubt. Then the share of the time that
is spent inside the networks, which no code around them can save.
"""

import argparse
import cProfile
import os
import pstats
import time
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from dataengine.models import tesseract
from dataengine.models.ocr import PaddleReader
from dataengine.stage import Image
from fonts.catalog import families
from stages.measure.ocr import Ocr, Other, Params

ENGLISH = (
    "The harbour was quiet that morning, and the boats lay still while a thin fog moved over the water towards the "
    "town. Nobody had expected the ferry so early. A boy with a red cap carried two baskets of bread down the steps, "
    "counted the coins in his hand, and waited for the first passengers to come ashore and ask what the day would be."
)
RUSSIAN = (
    "Утром гавань была тиха, лодки стояли неподвижно, и лёгкий туман плыл над водой к городу. Никто не ждал парома так "
    "рано. Мальчик в красной шапке нёс по ступеням две корзины хлеба, считал монеты и ждал первых пассажиров."
)
SIDE, LINES = 1024, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=8)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    os.environ["OMP_THREAD_LIMIT"] = "1"  # Tesseract's
    pages = [_page(ENGLISH, "en", i) for i in range(options.pages)]
    reader, together = PaddleReader(), PaddleReader(line_batch=8)
    baseline = _timed(lambda: [reader.read(page) for page in pages], len(pages))
    print(f"{len(pages)} pages of {SIDE} × {SIDE}, {LINES} lines, one core\n")
    print("| | ms a page | ratio |\n|---|--:|--:|")
    print(f"| PaddleOCR, one page and one line at a time | {baseline:.0f} | 1.00 × |")
    groups = [pages[i : i + 8] for i in range(0, len(pages), 8)]
    _row("eight pages and eight lines at a time", lambda: [together.read_many(g) for g in groups], len(pages), baseline)
    smaller = PaddleReader(limit_side=640)
    _row(
        "detection at 640 pixels in place of 960", lambda: [smaller.read(page) for page in pages], len(pages), baseline
    )
    empty = [np.full((SIDE, SIDE, 3), 200, np.uint8)] * 4
    _row("a picture without text: detection alone", lambda: [reader.read(page) for page in empty], 4, baseline)
    if tesseract.missing(["eng", "rus"]) is None:
        whole = tesseract.Tesseract(["eng"])
        _row("Tesseract, whole pages", lambda: [whole.read(page) for page in pages], len(pages), baseline)
        images = [Image(str(i), _page(RUSSIAN, "ru", i), b"", "png") for i in range(4)]
        plain, helped = Ocr(Params()), Ocr(Params(others=[Other(tesseract=["rus"], scripts=["Cyrl"])]))
        _row("the signal, Russian pages, not read", lambda: plain.measure(images), 4, baseline)
        _row("the signal, Russian pages, read by Tesseract", lambda: helped.measure(images), 4, baseline)
    profile = cProfile.Profile(time.process_time)
    profile.runcall(lambda: [reader.read(page) for page in pages])
    stats = pstats.Stats(profile)
    inside = sum(times[3] for (file, _, name), times in stats.stats.items() if name == "run" and "onnxruntime" in file)
    print(f"\n{100 * inside / stats.total_tt:.0f} % of the baseline's time is spent inside the two networks.")


def _timed(call: Callable[[], object], pages: int) -> float:
    """Milliseconds of the processor a page, the better of two."""
    times = []
    for _ in range(2):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return 1000 * min(times) / pages


def _row(name: str, call: Callable[[], object], pages: int, baseline: float) -> None:
    took = _timed(call, pages)
    print(f"| {name} | {took:.0f} | {took / baseline:.2f} × |", flush=True)


def _page(text: str, language: str, number: int) -> np.ndarray:
    family = next(f for f in families() if language in f.languages)
    font = ImageFont.truetype(family.paths()[0], 30, index=family.face)
    words = text.split()
    words = words[number % len(words) :] + words[: number % len(words)]
    each = -(-len(words) // LINES)
    page = Picture.new("RGB", (SIDE, SIDE), (244, 241, 232))
    draw = ImageDraw.Draw(page)
    for line in range(LINES):
        draw.text((60, 80 + 80 * line), " ".join(words[line * each : (line + 1) * each]), (24, 26, 40), font)
    return np.asarray(page)


if __name__ == "__main__":
    main()
