"""Encoded bytes into defined pixels: any format and colour mode becomes upright sRGB, uint8 (height, width, 3).

The one decoder of the project: collect verifies with it, signals and the trainer see its pixels. Pillow does the
decoding; what is defined here is what Pillow leaves open:

- the pixel limit is an error at the header, before anything is decoded;
- of an animation the first frame counts, of a TIFF the first page;
- transparency is laid over white;
- 16-bit samples keep their upper byte, 32-bit integers are taken for 16-bit ones in a wider container, and floats
  are scaled by 255 when none is above 1;
- the inks of a CMYK JPEG are taken as inverted, the way Adobe stores them, whether its marker is there or not;
- embedded profiles are converted to sRGB; a broken one, or one of another colour space, is ignored, as browsers do;
- EXIF orientation is undone, once: Pillow turns TIFF upright by itself and the other formats not.

What Pillow has no reader for, such as TIFFs of three float channels, is refused like a file that is no image. A JPEG
in plain RGB costs Pillow's decoding and one copy into the array, nothing else. Who needs it much smaller may have it
decoded at a half, a quarter or an eighth of its size, which libjpeg does for a part of the time.
"""

import io
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from dataengine.errors import SampleError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # MPO opens as JPEG
MAX_PIXELS = 100_000_000
EXIF_ORIENTATION = 0x0112
_SRGB = ImageCms.createProfile("sRGB")
_PROFILED = ("L", "RGB", "CMYK", "LAB")  # the modes that a profile can describe
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

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
    """Format, upright size and orientation without decoding. Raises SampleError for no image, or too many pixels."""
    return _header(_open(encoded, max_pixels), encoded)


def verify(encoded: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the whole stream and return its header. Raises SampleError for broken or truncated files.

    JPEG is decoded at an eighth of its size: all of the stream is read, most of the arithmetic is not.
    """
    image = _open(encoded, max_pixels)
    header = _header(image, encoded)
    if image.format == "JPEG":
        image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
    _load(image)
    return header


def decode(encoded: bytes, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, int]:
    """Pixels, uint8 (height, width, 3) in sRGB and upright, and the EXIF orientation (1–8) that was undone.

    The array may be read-only. Raises SampleError for whatever cannot be decoded.
    """
    rgb, orientation = _decode(encoded, max_pixels)
    return np.asarray(rgb), orientation


def decode_picture(encoded: bytes, least: tuple[int, int] = (0, 0), max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The same as a Pillow picture. A JPEG at least twice as large as `least`, which is height and width, is decoded by
    libjpeg at 1/2, 1/4 or 1/8 of its size: the smallest of these that is not below `least`."""
    return _decode(encoded, max_pixels, least)[0]


def _decode(encoded: bytes, max_pixels: int, least: tuple[int, int] = (0, 0)) -> tuple[Image.Image, int]:
    image = _open(encoded, max_pixels)
    orientation = _orientation(image, encoded)
    if image.format == "JPEG" and all(least):
        image.draft(None, least if orientation in _SIDEWAYS else least[::-1])
    _load(image)
    try:
        rgb = _to_srgb(image)
    except Exception as error:  # a damaged palette or tag shows itself only here, as any kind of exception
        raise SampleError(f"cannot be converted from {image.mode} to RGB: {error}") from None
    if orientation != 1 and image.format != "TIFF":
        rgb = rgb.transpose(_UPRIGHT[orientation])
    return rgb, orientation


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


def _header(image: Image.Image, encoded: bytes) -> Header:
    orientation = _orientation(image, encoded)
    turned = orientation in _SIDEWAYS
    if image.format == "TIFF" and image.tag_v2.get(EXIF_ORIENTATION) in _SIDEWAYS:
        turned = False  # its size is upright already
    width, height = image.size[::-1] if turned else image.size
    kind = "jpeg" if image.format == "MPO" else str(image.format).lower()
    return Header(kind, width, height, orientation)


def _orientation(image: Image.Image, encoded: bytes) -> int:
    """EXIF orientation of an image that is not loaded yet, 1 (upright) when there is none or it cannot be read.

    A PNG may hold its EXIF behind the pixels, and Pillow decodes any PNG without EXIF to find out. That is done here
    only if the chunk's name occurs in the file, so that a header stays cheap.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = image.format == "PNG" and b"eXIf" not in encoded
            exif = Image.Image.getexif(image) if plain else image.getexif()
            value = exif.get(EXIF_ORIENTATION, 1)
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
    if image.mode == "RGB" and not profile and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        colour, alpha = _from_deep(image)
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        colour = rgba.getchannel("R") if image.mode in ("1", "L", "LA") else rgba.convert("RGB")
        alpha = rgba.getchannel("A")
    else:
        colour, alpha = image, None
    rgb = _convert(colour, profile)
    if alpha is None:
        return rgb
    white = Image.new("RGB", rgb.size, "white")
    white.paste(rgb, mask=alpha)
    return white


def _from_deep(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """16-bit, 32-bit and float grey as mode L, and its mask where one value means transparent."""
    values = np.asarray(image)
    if values.dtype.kind == "f":
        finite = np.where(np.isfinite(values), values, 0)
        grey = finite * 255 if finite.max() <= 1 else finite
    else:
        grey = values >> 8
    mask = None
    if isinstance(transparent := image.info.get("transparency"), int):
        mask = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)), mask


def _convert(image: Image.Image, profile: bytes | None) -> Image.Image:
    """To RGB through the embedded profile, or by Pillow's own formulas where it has none that fits."""
    if image.mode not in _PROFILED:
        image = image.convert("L" if image.mode == "1" else "RGB")
    transform = _transform(profile, image.mode) if profile else None
    if transform is not None:
        return ImageCms.applyTransform(image, transform)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.buildTransform(source, _SRGB, mode, "RGB")
    except Exception:  # whatever is wrong with a profile, the picture can be seen without it
        return None
