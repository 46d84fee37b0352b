"""How well signals tell spoilt photographs from whole ones: python benchmarks/degradation.py [--photos FOLDER …]

Photographs (those that installed packages ship, and those of any folders given, such as the one that
benchmarks/photographs.py fills; each reduced to 1,024 pixels) are spoilt in a dozen ways, and signals are asked to tell
the two apart. Printed, a line each way and signal: the area under the signal's ROC curve, and precision and recall of
the filters of manifests/qwen_image.yaml that stand on it, with as many whole pictures as spoilt ones. Near-duplicates
are told by the distances of both hashes from the original's, against those between different photographs.
"""

import argparse
import io
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import duckdb
import numpy as np
import pyarrow as pa
import yaml
from PIL import Image as Picture
from PIL import ImageDraw, ImageFilter, ImageFont
from sklearn.metrics import roc_auc_score

from dataengine.decode import decode
from dataengine.errors import SampleError
from dataengine.stage import Image, Signal
from fonts.catalog import families
from stages import dedup
from stages.measure.codes import Codes
from stages.measure.fingerprint import Fingerprint
from stages.measure.framing import Framing
from stages.measure.ocr import Ocr
from stages.measure.pixels import Pixels

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # demo/ is beside the installed packages, not one of them
from demo.photographs import CAPTIONED, FOUND, package_file  # noqa: E402

NOT_PHOTOGRAPHS = ("logo", "page", "color.png", "text.png", "phantom", "chessboard", "horse", "cell", "clock_motion")
SIDE = 1024
QUALITY = 92
Make = Callable[[Picture.Image, np.random.Generator], bytes]


@dataclass(frozen=True)
class Way:
    """A way to spoil a photograph. `told_by`: SQL that is higher for spoilt ones, and the filters that stand on it."""

    make: Make
    told_by: Mapping[str, Sequence[str]]
    signal: type[Signal]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="folders of further photographs")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    photographs = list(_photographs(options.photos))
    whole = [jpeg(p) for p in photographs]
    print(f"{len(whole)} photographs, JPEG of quality {QUALITY}, at most {SIDE} pixels wide and high\n")
    keeps = _keeps()
    measured: dict[type[Signal], pa.Table] = {}
    print("| spoilt | told by | ROC-AUC | filter | precision | recall |")
    print("|---|---|---|---|---|---|")
    for name, way in WAYS.items():
        if way.signal not in measured:
            measured[way.signal] = _measure(way.signal, whole)
        spoilt = [way.make(p, np.random.default_rng([0, i])) for i, p in enumerate(photographs)]
        good, bad = measured[way.signal], _measure(way.signal, spoilt)
        for column, filters in way.told_by.items():
            scores = [_scores(table, column) for table in (good, bad)]
            area = roc_auc_score([0] * len(good) + [1] * len(bad), np.concatenate(scores))
            dropped = [_dropped(table, [keeps[f] for f in filters]) for table in (good, bad)]
            named = ", ".join(f"`{f}`" for f in filters)
            print(f"| {name} | `{column}` | {area:.3f} | {named} | {_rates(*dropped)} |", flush=True)
    _near_duplicates(photographs, whole)


def _near_duplicates(photographs: Sequence[Picture.Image], whole: Sequence[bytes]) -> None:
    """Distances of a spoilt picture from its original, against those of all pairs of different photographs."""
    most = dedup.Params().distances
    hashes = _hashes(whole)
    apart = [_distance(a, b) for a, b in itertools.combinations(hashes, 2)]
    allowed = ", ".join(f"{bits} of {name}" for name, bits in most.items())
    print(f"\n| near-duplicate | ROC-AUC | precision | recall within {allowed} |\n|---|---|---|---|")
    for name, make in TWINS.items():
        made = _hashes([make(p, np.random.default_rng([1, i])) for i, p in enumerate(photographs)])
        near = [_distance(a, b) for a, b in zip(hashes, made, strict=True)]
        area = roc_auc_score([0] * len(apart) + [1] * len(near), [-d for d in (*apart, *near)])
        print(f"| {name} | {area:.3f} | {_rates(np.array(apart) <= 1, np.array(near) <= 1)} |")


def _rates(good: np.ndarray, bad: np.ndarray) -> str:
    """Precision and recall of what is dropped, as if there were as many whole pictures as spoilt ones."""
    false, true = float(np.mean(good)), float(np.mean(bad))
    precision = true / (true + false) if true + false else float("nan")
    return f"{precision:.2f} | {true:.2f}"


def _keeps() -> Mapping[str, str]:
    """The predicates of the recipe's filters, by name."""
    recipe = yaml.safe_load((ROOT / "manifests" / "qwen_image.yaml").read_text(encoding="utf-8"))
    return {f["name"]: f["keep"] for f in recipe["select"]["filters"] if "keep" in f}


def _measure(signal: type[Signal], encoded: Sequence[bytes]) -> pa.Table:
    """What a signal says of pictures, beside what filters may ask for besides, which none of these has."""
    measure = signal(signal.Params())
    tables, sizes = [], []
    for one in encoded:
        pixels, orientation = decode(one)
        tables.append(measure.measure([Image("", pixels, one, "jpeg", orientation)]))
        sizes.append(pixels.shape[:2])
    table = pa.concat_tables(tables)
    for name, sides in zip(("height", "width"), zip(*sizes, strict=True), strict=True):
        table = table.append_column(name, pa.array(sides, pa.int32()))
    for name, kind in (("category", pa.string()), ("character_count", pa.int32()), ("aesthetic", pa.float32())):
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), kind))
    return table


def _scores(measured: pa.Table, column: str) -> np.ndarray:
    rows = duckdb.sql(f"select coalesce(({column})::double, 0) from measured").fetchall()
    return np.array([v for (v,) in rows], np.float64)


def _dropped(measured: pa.Table, keeps: Sequence[str]) -> np.ndarray:
    keep = " and ".join(f"coalesce(({k}), false)" for k in keeps)
    return ~np.array([v for (v,) in duckdb.sql(f"select {keep} from measured").fetchall()], bool)


def _hashes(encoded: Sequence[bytes]) -> list[tuple[int, int]]:
    table = _measure(Fingerprint, encoded)
    return list(zip(table["phash"].to_pylist(), table["dhash"].to_pylist(), strict=True))


def _distance(a: tuple[int, int], b: tuple[int, int]) -> float:
    """1 where it is the farthest that `dedup` takes for near: every hash must be."""
    most = dedup.Params().distances.values()
    return max((x ^ y).bit_count() / bits for x, y, bits in zip(a, b, most, strict=True))


def _photographs(folders: Sequence[Path]) -> Iterator[Picture.Image]:
    shipped = [package_file(name) for name in [name for name, *_ in CAPTIONED] + FOUND]
    # The two frames of a stereo pair are near-duplicates.
    paths = [p for p in shipped if not any(n in p.name for n in (*NOT_PHOTOGRAPHS, "motorcycle_right"))]
    for folder in folders:
        paths += sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    for path in paths:
        try:
            picture = Picture.fromarray(decode(path.read_bytes())[0])
        except SampleError:
            continue
        picture.thumbnail((SIDE, SIDE), Picture.Resampling.LANCZOS)
        if min(picture.size) >= 256:
            yield picture


def jpeg(picture: Picture.Image, quality: int = QUALITY, **keys: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, **keys)
    return buffer.getvalue()


def _levels(change: Callable[[np.ndarray], np.ndarray]) -> Make:
    def make(picture: Picture.Image, rng: np.random.Generator) -> bytes:
        levels = np.clip(change(np.asarray(picture, np.float32)), 0, 255)
        return jpeg(Picture.fromarray(levels.astype(np.uint8)))

    return make


def blur(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    return jpeg(picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 150)))


def motion(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    """As of a camera that moved along a line."""
    length = max(picture.size) // 40
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    middle = (length - 1) / 2
    cv2.line(kernel, tuple(np.int32(middle - reach)), tuple(np.int32(middle + reach)), 1.0)
    return jpeg(Picture.fromarray(cv2.filter2D(np.asarray(picture), -1, kernel / kernel.sum())))


def noise(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    levels = np.asarray(picture, np.float32)
    return jpeg(Picture.fromarray(np.clip(levels + rng.normal(0, 60, levels.shape), 0, 255).astype(np.uint8)))


def oversaturated(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    """Every colour as strong as it gets; greyscale photographs are tinted."""
    hue, saturation, value = picture.convert("HSV").split()
    if not np.asarray(saturation).any():
        hue = Picture.new("L", picture.size, int(rng.integers(256)))
    return jpeg(Picture.merge("HSV", (hue, Picture.new("L", picture.size, 250), value)).convert("RGB"))


def flat(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    """Small on a large even ground."""
    ground = Picture.new("RGB", picture.size, tuple(int(v) for v in rng.integers(0, 256, 3)))
    ground.paste(picture.resize((picture.width // 4, picture.height // 4)), (picture.width // 3, picture.height // 3))
    return jpeg(ground)


def rotated(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    exif = Picture.Exif()
    exif[0x0112] = int(rng.integers(2, 9))
    return jpeg(picture, exif=exif)


def marked(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    """A line of copyright in a corner, half transparent."""
    words = ("© Anna Berger Photography", "www.skylinepictures.com", "Shutterstock", "@north.light.studio")
    layer = Picture.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    said = words[rng.integers(len(words))]
    size = max(14, picture.height // 22)
    draw.text((picture.width // 20, picture.height - 2 * size), said, (255, 255, 255, 190), _font(size), stroke_width=1,
              stroke_fill=(0, 0, 0, 120))  # fmt: skip
    return jpeg(Picture.alpha_composite(picture.convert("RGBA"), layer).convert("RGB"))


def tiled(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    """The same words all over the picture, aslant and half transparent."""
    side = 2 * max(picture.size)
    layer = Picture.new("RGBA", (side, side))
    draw = ImageDraw.Draw(layer)
    size = max(16, max(picture.size) // 24)
    for row, top in enumerate(range(0, side, 4 * size)):
        for left in range((row % 2) * 5 * size, side, 10 * size):
            draw.text((left, top), "stockphoto", (255, 255, 255, 150), _font(size))
    layer = layer.rotate(20).crop((side // 4, side // 4, side // 4 + picture.width, side // 4 + picture.height))
    return jpeg(Picture.alpha_composite(picture.convert("RGBA"), layer).convert("RGB"))


def coded(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    """A QR code in a corner, a sixth of the picture's shorter side."""
    code = cv2.QRCodeEncoder.create().encode(f"https://example.org/{rng.integers(10**6)}")
    side = max(min(picture.size) // 6, 2 * code.shape[0])
    made = picture.copy()
    at = int(rng.integers(0, picture.width - side)), int(rng.integers(0, picture.height - side))
    made.paste(Picture.fromarray(code).resize((side, side), Picture.Resampling.NEAREST), at)
    return jpeg(made)


def framed(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    shade = (0, 0, 0) if rng.integers(2) else (255, 255, 255)
    made = Picture.new("RGB", (picture.width + picture.width // 5, picture.height + picture.height // 5), shade)
    made.paste(picture, (picture.width // 10, picture.height // 10))
    return jpeg(made)


def collage(picture: Picture.Image, rng: np.random.Generator) -> bytes:
    """Two pictures side by side: it, and itself mirrored, upside down and darker."""
    half = picture.resize((picture.width // 2, picture.height))
    other = half.rotate(180).point(lambda level: int(level * 0.6))
    made = Picture.new("RGB", (2 * half.width, picture.height))
    made.paste(half, (0, 0))
    made.paste(other, (half.width, 0))
    return jpeg(made)


def _font(size: int) -> ImageFont.FreeTypeFont:
    [path, *_] = next(f for f in families() if f.name == "Inter").paths()
    return ImageFont.truetype(path, size)


WAYS: Mapping[str, Way] = {
    "blurred": Way(blur, {"-clarity": ["clarity"], "blur": ["blur"]}, Pixels),
    "moved": Way(motion, {"blur": ["blur"]}, Pixels),
    "noise": Way(noise, {"noise": ["noise"]}, Pixels),
    "JPEG of quality 10": Way(lambda p, rng: jpeg(p, 10), {"blockiness": ["compression"]}, Pixels),
    "dark": Way(_levels(lambda x: x * 0.08), {"-luma": ["luma"]}, Pixels),
    "overexposed": Way(
        _levels(lambda x: x * 2 + 120), {"luma": ["luma"], "clipped_bright": ["luma", "exposure"]}, Pixels
    ),
    "oversaturated": Way(oversaturated, {"saturation": ["saturation"]}, Pixels),
    "flat": Way(flat, {"-entropy": ["entropy"]}, Pixels),
    "turned by EXIF": Way(rotated, {"(exif_orientation <> 1)::int": ["rotation"]}, Pixels),
    "frame": Way(framed, {"border": ["frame"]}, Framing),
    "collage": Way(collage, {"seam": ["collage"]}, Framing),
    "QR code": Way(coded, {"code_count": ["codes"]}, Codes),
    "watermark": Way(marked, {"(watermark_text is not null)::int": ["watermark"]}, Ocr),
    "tiled watermark": Way(tiled, {"text_repeats": ["watermark"]}, Ocr),
}

TWINS: Mapping[str, Make] = {
    "re-encoded, quality 30": lambda p, rng: jpeg(p, 30),
    "resized to a half": lambda p, rng: jpeg(p.resize((p.width // 2, p.height // 2))),
    "cropped by 2 %": lambda p, rng: jpeg(p.crop((p.width // 50, p.height // 50, p.width, p.height))),
    "cropped by 5 %": lambda p, rng: jpeg(p.crop((p.width // 20, p.height // 20, p.width, p.height))),
    "colours shifted": _levels(lambda x: x * np.array([1.15, 1.0, 0.88], np.float32) + 6),
    "brighter": _levels(lambda x: x * 1.2 + 10),
}


if __name__ == "__main__":
    main()
