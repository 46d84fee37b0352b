"""Gathers the quickstart's pictures: photographs that installed packages ship, and files that ought to be caught.

    python -m demo.photographs FOLDER

writes FOLDER/photos.jsonl with the captioned photographs it names, and FOLDER/found/, as one finds a folder on a disk:
more of them without captions, and one file for each thing that collecting or selecting should catch. The same
packages give the same bytes.
"""

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

_FOLDERS = {
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
}

CAPTIONED = [
    (
        "skimage/astronaut.png",
        "people",
        "A smiling astronaut in an orange flight suit before a flag and a model rocket.",
    ),
    ("skimage/camera.png", "people", "Black and white photograph of a man looking through a film camera on a tripod."),
    (
        "matplotlib/grace_hopper.jpg",
        "people",
        "Portrait of an elderly naval officer with glasses and a dark uniform cap.",
    ),
    ("skimage/chelsea.png", "nature", "Close-up of a ginger tabby cat with green eyes."),
    ("skimage/coffee.png", "nature", "A cup of espresso on a red saucer with a spoon, on a wooden table."),
    ("skimage/rocket.jpg", "nature", "A white rocket stands lit on its launch pad at dusk."),
    ("skimage/hubble_deep_field.jpg", "nature", "Hundreds of distant galaxies on a black sky."),
    ("skimage/moon.png", "nature", "The grey surface of the moon with craters."),
    ("skimage/motorcycle_left.png", "nature", "A red motorcycle parked in a garage full of shelves."),
    ("skimage/motorcycle_right.png", "nature", "A red motorcycle in a garage, seen a little from the right."),
    ("skimage/coins.png", "nature", "Rows of ancient coins on a dark ground."),
    ("skimage/retina.jpg", "nature", "The retina of a human eye with branching blood vessels."),
    ("sklearn/china.jpg", "nature", "A red and green Chinese pagoda above trees, a lake behind it."),
    ("sklearn/flower.jpg", "nature", "An orange dahlia in bloom in front of dark leaves."),
    ("skimage/ihc.png", "nature", "Stained tissue under the microscope, brown and blue."),
    ("skimage/page.png", "design", 'A printed page with the heading "Region-based segmentation".'),
    ("skimage/logo.png", "design", "A round logo of a green and an orange snake."),
    ("skimage/color.png", "design", "A colour wheel on a black ground."),
    ("matplotlib/logo2.png", "design", 'The word "matplotlib" in blue letters on black with a round chart for the o.'),
]

FOUND = [
    "skimage/brick.png",
    "skimage/grass.png",
    "skimage/gravel.png",
    "skimage/cell.png",
    "skimage/clock_motion.png",
    "skimage/horse.png",
    "skimage/text.png",
    "skimage/phantom.png",
    "skimage/chessboard_RGB.png",
    "skimage/microaneurysms.png",
    "skimage/no_time_for_that_tiny.gif",
    "matplotlib/Minduka_Present_Blue_Pack.png",
]


def package_file(name: str) -> Path:
    """The path of `package/file`. Raises SystemExit that says what to install."""
    package, _, file = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.origin:
        raise SystemExit(f"{package} is not installed; its sample pictures are needed: pip install -e '.[test]'")
    return Path(spec.origin).parent / _FOLDERS[package] / file


def jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "JPEG", **{"quality": 92, **options})
    return buffer.getvalue()


def truncated() -> bytes:
    whole = package_file("sklearn/china.jpg").read_bytes()
    return whole[: len(whole) * 2 // 5]


def rotated() -> bytes:
    """Stored on its side, with the EXIF tag that turns it upright."""
    image = Image.open(package_file("sklearn/china.jpg")).crop((0, 60, 330, 420)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(image, exif=exif)


def blurred() -> bytes:
    image = Image.open(package_file("skimage/motorcycle_left.png")).crop((0, 0, 400, 330))
    return jpeg(image.filter(ImageFilter.GaussianBlur(9)))


def text_dense() -> bytes:
    """More text than a picture of this size can show."""
    image = Image.new("RGB", (720, 720), (238, 232, 218))
    draw = ImageDraw.Draw(image)
    words = re.findall(r"\w+", text_dense.__doc__ or "")
    font = ImageFont.load_default(9)
    for line in range(62):
        text = " ".join(words[(line * 7 + i) % len(words)] for i in range(32))
        draw.text((12, 10 + line * 11.3), text, fill="black", font=font)
    return jpeg(image, quality=95)


def exposed(factor: float) -> Callable[[], bytes]:
    def make() -> bytes:
        image = np.asarray(Image.open(package_file("skimage/coffee.png")).convert("RGB").crop((200, 20, 600, 320)))
        return jpeg(Image.fromarray(np.clip(image * factor, 0, 255).astype(np.uint8)))

    return make


def noise() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    return jpeg(Image.fromarray(pixels))


def cmyk() -> bytes:
    buffer = BytesIO()
    Image.open(package_file("skimage/rocket.jpg")).crop((60, 20, 420, 400)).convert("CMYK").save(buffer, "JPEG")
    return buffer.getvalue()


def saturated() -> bytes:
    image = Image.open(package_file("skimage/chelsea.png")).convert("HSV")
    hue, _, value = image.split()
    return jpeg(Image.merge("HSV", (hue, Image.new("L", image.size, 255), value)))


def strip() -> bytes:
    """Five times as wide as high."""
    return jpeg(Image.open(package_file("sklearn/china.jpg")).crop((0, 300, 640, 420)).resize((1400, 262)))


def diagram() -> bytes:
    """Sharp, and all but empty."""
    image = Image.new("RGB", (640, 480), (205, 205, 205))
    draw = ImageDraw.Draw(image)
    for x in (120, 320, 520):
        draw.line((x, 60, x, 420), fill="black")
        draw.line((60, x - 60, 580, x - 60), fill="black")
    return jpeg(image, quality=100)


def small_text() -> bytes:
    """A few lines that no picture of this size can show as text."""
    image = Image.open(package_file("sklearn/china.jpg")).convert("RGB").crop((60, 30, 600, 390))
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, 300, 60), fill=(246, 244, 238))
    font = ImageFont.load_default(8)
    for line in range(4):
        draw.text((24, 22 + line * 9), "The pagoda stands on a hill above the lake", fill="black", font=font)
    return jpeg(image, quality=95)


def bomb() -> bytes:
    """A few kilobytes that would decode to 400 megapixels."""
    buffer = BytesIO()
    Image.new("1", (20000, 20000)).save(buffer, "PNG")
    return buffer.getvalue()


MADE: dict[str, Callable[[], bytes]] = {
    "truncated.jpg": truncated,
    "empty.jpg": lambda: b"",
    "notes.jpg": lambda: b"This file has the name of a picture, but it is text.\n",
    "bomb.png": bomb,
    "tiny.jpg": lambda: jpeg(Image.open(package_file("sklearn/flower.jpg")).resize((48, 32))),
    "blank.jpg": lambda: jpeg(Image.new("RGB", (640, 480), "white")),
    "dark.jpg": exposed(0.05),
    "overexposed.jpg": exposed(8.0),
    "noise.jpg": noise,
    "blurred.jpg": blurred,
    "copy of flower.jpg": lambda: package_file("sklearn/flower.jpg").read_bytes(),
    "china re-encoded.jpg": lambda: jpeg(Image.open(package_file("sklearn/china.jpg")), quality=60),
    "rotated.jpg": rotated,
    "text-dense.jpg": text_dense,
    "cmyk.jpg": cmyk,
    "saturated.jpg": saturated,
    "strip.jpg": strip,
    "diagram.jpg": diagram,
    "small-text.jpg": small_text,
}


def gather(folder: Path) -> None:
    """Write everything into `folder`, replacing what an earlier call wrote there."""
    photos, found = folder / "photos", folder / "found"
    for made in (photos, found):
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
    rows = []
    for name, category, caption in CAPTIONED:
        copy = photos / Path(name).name
        shutil.copy2(package_file(name), copy)
        package = name.partition("/")[0]
        rows.append(
            {"file": f"photos/{copy.name}", "caption": caption, "category": category, "license": f"as in {package}"}
        )
    (folder / "photos.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in FOUND:
        shutil.copy2(package_file(name), found)
    for name, make in MADE.items():
        path = found / name
        path.write_bytes(make())
        _set_time(path)


def _set_time(path: Path) -> None:
    """A fixed time of change, so that gathering again leaves what was computed from these files standing."""
    os.utime(path, (0, 0))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    gather(Path(sys.argv[1]))
    print(f"{len(CAPTIONED)} captioned photographs and {len(FOUND) + len(MADE)} found files in {sys.argv[1]}")
