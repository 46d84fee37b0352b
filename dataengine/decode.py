"""Encoded bytes into defined pixels: any format and colour mode becomes upright sRGB, uint8 (height, width, 3).

The one decoder of the project: collect verifies with it, signals and the trainer see its pixels. Pillow does the
decoding; what is defined here is what Pillow leaves open: the pixel limit, transparency, 16-bit depth, orientation.
Transparency is laid over white. 16-bit samples keep their upper byte. CMYK goes through its profile where it has one.
"""

import io
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from dataengine.errors import SampleError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # MPO opens as JPEG
MAX_PIXELS = 100_000_000
EXIF_ORIENTATION = 0x0112
_SRGB = ImageCms.createProfile("sRGB")

# Our own limit below is an error at the header; Pillow's is a warning, and would only repeat it.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Header:
    """What an image file says of itself before decoding. Width and height are after EXIF orientation."""

    format: str
    width: int
    height: int
    orientation: int


def read_header(encoded: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Sniff format and size without decoding. Raises SampleError when it is no image or has too many pixels."""
    return _header(_open(encoded, max_pixels))


def verify(encoded: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the whole stream and return its header. Raises SampleError for broken or truncated files.

    JPEG is decoded at an eighth of its size: all of the stream is read, most of the arithmetic is not.
    """
    image = _open(encoded, max_pixels)
    header = _header(image)
    if image.format == "JPEG":
        image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
    _load(image)
    return header


def decode(encoded: bytes, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, int]:
    """Pixels, uint8 (height, width, 3) in sRGB and upright, and the EXIF orientation (1–8) that was undone."""
    image = _open(encoded, max_pixels)
    orientation = _orientation(image)
    _load(image)
    rgb = _to_srgb(image)
    if orientation != 1:
        rgb.getexif()[EXIF_ORIENTATION] = orientation
        rgb = ImageOps.exif_transpose(rgb)
    return np.asarray(rgb), orientation


def _open(encoded: bytes, max_pixels: int) -> Image.Image:
    if not encoded:
        raise SampleError("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # malformed EXIF and the like; what matters raises
            image = Image.open(io.BytesIO(encoded), formats=FORMATS)
    except UnidentifiedImageError:
        raise SampleError("not an image of a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF)") from None
    except Exception as error:  # Pillow's parsers raise many kinds on hostile headers
        raise SampleError(f"broken header: {error}") from None
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise SampleError(f"{image.width}×{image.height} is {pixels} pixels, over the limit of {max_pixels}")
    return image


def _header(image: Image.Image) -> Header:
    orientation = _orientation(image)
    width, height = image.size if orientation < 5 else image.size[::-1]
    kind = "jpeg" if image.format == "MPO" else str(image.format).lower()
    return Header(kind, width, height, orientation)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) when there is none or it cannot be read."""
    try:
        value = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _load(image: Image.Image) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
    except Exception as error:
        raise SampleError(f"broken image data: {error}") from None


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        return _from_deep(np.asarray(image))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        colour = _convert(rgba.convert("RGB"), profile)
        white = Image.new("RGB", image.size, "white")
        white.paste(colour, mask=rgba.getchannel("A"))
        return white
    if image.mode == "RGB" and not profile:
        return image
    if image.mode in ("1", "P"):
        image = image.convert("RGB")
    return _convert(image, profile)


def _from_deep(values: np.ndarray) -> Image.Image:
    """16-bit, 32-bit and float grey: integers keep their upper byte, floats in 0–1 are scaled to it."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values)
        grey = values * 255 if values.size and values.max() <= 1 else values
    else:
        grey = values >> 8
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")


def _convert(image: Image.Image, profile: bytes | None) -> Image.Image:
    """To RGB through the embedded profile; one that is broken or of another colour space is ignored, as browsers do."""
    transform = _transform(profile, image.mode) if profile else None
    if transform is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    return ImageCms.applyTransform(image, transform)


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.buildTransform(source, _SRGB, mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
