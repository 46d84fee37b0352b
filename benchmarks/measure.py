"""What measuring costs beside decoding, on one core: python benchmarks/measure.py [--repeats 15]

Decoding alone against decoding and all signals that need no model (`pixels` and `fingerprint`), on the same files in
the same process: the photographs of the quickstart as their packages ship them, and the same pictures as JPEGs of
quality 92, whose decoding is quicker, so that the ratio is the worst to be met. The two take turns, and the ratio is
that of medians, so load from outside falls on both. The aim is at most 2.0. Then the other signals of pictures, each
alone, in milliseconds an image.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
from PIL import Image as Picture

from dataengine.decode import decode
from dataengine.stage import Image, Signal
from stages.measure.codes import Codes
from stages.measure.faces import Faces
from stages.measure.fingerprint import Fingerprint
from stages.measure.framing import Framing
from stages.measure.nsfw import Nsfw
from stages.measure.ocr import Ocr
from stages.measure.pixels import Pixels

sys.path.insert(0, str(Path(__file__).parents[1]))  # demo/ is beside the installed packages, not one of them
from demo.photographs import CAPTIONED, FOUND, jpeg, package_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--no-models", action="store_true", help="leave out all but those two")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    shipped = [package_file(name).read_bytes() for name in [name for name, *_ in CAPTIONED] + FOUND]
    jpegs = [jpeg(Picture.fromarray(decode(encoded)[0])) for encoded in shipped]
    signals = [kind(kind.Params()) for kind in (Pixels, Fingerprint)]
    print(f"{len(shipped)} photographs, {megapixels(shipped):.1f} megapixels, one core, medians of {options.repeats}\n")
    print(f"{'files':<20}{'decode':>12}{'with signals':>15}{'ratio':>8}{'images/s':>10}{'ms/megapixel':>14}")
    for label, files in (("as shipped", shipped), ("as JPEG, quality 92", jpegs)):
        alone, together = turns(
            lambda files=files: measured(files, []), lambda files=files: measured(files, signals), options.repeats
        )
        rate, per_megapixel = len(files) / together, 1000 * (together - alone) / megapixels(files)
        print(
            f"{label:<20}{1000 * alone:>9.1f} ms{1000 * together:>12.1f} ms{together / alone:>8.2f}"
            f"{rate:>10.0f}{per_megapixel:>14.1f}"
        )
    if not options.no_models:
        print(f"\n{'signal':<20}{'ms/image':>12}")
        for kind in (Framing, Codes, Faces, Nsfw, Ocr):
            print(f"{kind.__name__.lower():<20}{alone_ms(kind(kind.Params()), shipped):>12.1f}")


def measured(files: Sequence[bytes], signals: Sequence[Signal]) -> None:
    """Decode all files and measure them in the batches that the signals declare, as the engine's workers do."""
    batch = max((signal.resources.batch for signal in signals), default=4)
    for start in range(0, len(files), batch):
        images = []
        for encoded in files[start : start + batch]:
            pixels, orientation = decode(encoded)
            images.append(Image("", pixels, encoded, "", orientation))
        for signal in signals:
            signal.measure(images)


def turns(one: Callable[[], None], other: Callable[[], None], repeats: int) -> tuple[float, float]:
    """Median seconds of two calls that take turns, after one turn that is not counted."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for call, kept in zip((one, other), seconds, strict=True):
            gc.collect()
            started = time.perf_counter()
            call()
            if turn:
                kept.append(time.perf_counter() - started)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def alone_ms(signal: Signal, files: Sequence[bytes]) -> float:
    """Milliseconds an image, decoding not counted; the first image warms a model up."""
    images = [Image("", decode(encoded)[0], encoded, "") for encoded in files]
    signal.measure(images[:1])
    started = time.perf_counter()
    for image in images:
        signal.measure([image])
    return 1000 * (time.perf_counter() - started) / len(images)


def megapixels(files: Sequence[bytes]) -> float:
    return sum(decode(encoded)[0].size for encoded in files) / 3e6


if __name__ == "__main__":
    main()
