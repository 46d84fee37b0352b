"""Any file becomes defined pixels or one clear error: formats, colour modes, depth, orientation, profiles, damage."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dataengine.decode import EXIF_ORIENTATION, Header, decode, read_header, verify
from dataengine.errors import SampleError
from demo.photographs import package_file

RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 160, 40), (40, 50, 190), (128, 128, 128)
LOSSLESS = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}
EXACT = {"JPEG": {"quality": 100, "subsampling": 0}, **LOSSLESS}


def quarters(width: int = 64, height: int = 32) -> np.ndarray:
    """Four flat quarters of different colours: no turn or flip of it equals another."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = BLUE, GREY
    return pixels


def encode(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels_of(encoded: bytes) -> np.ndarray:
    pixels, _ = decode(encoded)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    return pixels


def assert_near(found: np.ndarray, wanted: np.ndarray, within: int) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= within


# Formats


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_format_gives_the_colours_that_were_written(kind: str) -> None:
    encoded = encode(quarters(), kind, **EXACT.get(kind, {}))
    assert_near(pixels_of(encoded), quarters(), within=4 if kind in ("JPEG", "AVIF") else 0)
    assert read_header(encoded) == verify(encoded) == Header(kind.lower(), 64, 32, 1)


def test_a_plain_jpeg_is_what_pillow_decodes_and_nothing_else() -> None:
    encoded = package_file("skimage/retina.jpg").read_bytes()
    np.testing.assert_array_equal(pixels_of(encoded), np.asarray(Image.open(io.BytesIO(encoded))))


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in (RED, GREEN, BLUE)]
    for kind in ("GIF", "WEBP", "AVIF", "TIFF", "PNG"):
        encoded = encode(frames[0], kind, save_all=True, append_images=frames[1:], **LOSSLESS.get(kind, {}))
        assert_near(pixels_of(encoded), np.full((10, 20, 3), RED), within=3 if kind == "AVIF" else 0)


def test_a_jpeg_of_several_pictures_is_a_jpeg() -> None:
    encoded = encode(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 32))], quality=95)
    assert Image.open(io.BytesIO(encoded)).format == "MPO"
    assert read_header(encoded) == verify(encoded) == Header("jpeg", 64, 32, 1)
    assert_near(pixels_of(encoded)[4:12, 4:28], quarters()[4:12, 4:28], within=6)


def test_a_layout_that_pillow_has_no_reader_for_is_refused_like_a_file_that_is_no_image() -> None:
    three_float_channels = package_file("skimage/multipage_rgb.tif").read_bytes()
    with pytest.raises(SampleError, match="not an image of a known format"):
        decode(three_float_channels)


# Colour modes


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_one_bit_is_black_and_white(kind: str) -> None:
    flags = np.zeros((8, 24), bool)
    flags[:, 12:] = True
    encoded = encode(flags, kind)
    assert Image.open(io.BytesIO(encoded)).mode == "1"
    np.testing.assert_array_equal(pixels_of(encoded), np.repeat(flags[..., None] * np.uint8(255), 3, axis=2))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "BMP", "AVIF"])
def test_grey_has_three_equal_channels(kind: str) -> None:
    encoded = encode(np.full((16, 16), 77, np.uint8), kind)
    assert Image.open(io.BytesIO(encoded)).mode == "L"
    assert_near(pixels_of(encoded), np.full((16, 16, 3), 77), within=1)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparency_is_laid_over_white(kind: str) -> None:
    alpha = np.zeros((32, 64), np.uint8)
    alpha[:, 16:32], alpha[:, 32:] = 128, 255
    rgba = np.dstack([np.full((32, 64, 3), RED, np.uint8), alpha])
    found = pixels_of(encode(rgba, kind, **({"exact": True} if kind == "WEBP" else {}), **LOSSLESS.get(kind, {})))
    tolerance = 4 if kind == "AVIF" else 1
    assert_near(found[:, :14], np.full((32, 14, 3), 255), tolerance)
    half = np.round(255 + (np.array(RED) - 255) * 128 / 255)
    assert_near(found[:, 18:30], np.full((32, 12, 3), half), tolerance)
    assert_near(found[:, 34:], np.full((32, 30, 3), RED), tolerance)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_with_alpha_is_laid_over_white(kind: str) -> None:
    grey_alpha = np.dstack([np.full((4, 4), 100, np.uint8), np.array([[0, 0, 255, 255]] * 4, np.uint8)])
    encoded = encode(grey_alpha, kind)
    assert Image.open(io.BytesIO(encoded)).mode == "LA"
    assert pixels_of(encoded)[0, :, 0].tolist() == [255, 255, 100, 100]


def test_premultiplied_alpha_is_undone_before_it_is_laid_over_white() -> None:
    stored = Image.merge("RGBA", [Image.new("L", (4, 4), value) for value in (100, 50, 0, 128)])
    tag = struct.pack("<HHI", 338, 3, 1)  # ExtraSamples: 2 is straight alpha, 1 premultiplied
    straight = encode(stored, "TIFF")
    encoded = straight.replace(tag + b"\2", tag + b"\1")
    assert encoded != straight
    # 100 of 128 shares of red on 127 shares of white
    assert_near(pixels_of(encoded), np.full((4, 4, 3), (227, 177, 127)), within=1)


def palette_image() -> Image.Image:
    image = Image.fromarray(np.array([[0, 1, 2]] * 3, np.uint8), mode=None).convert("L")
    image = Image.frombytes("P", (3, 3), image.tobytes())
    image.putpalette([*RED, *GREEN, *BLUE])
    return image


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "BMP"])
def test_a_palette_is_looked_up(kind: str) -> None:
    encoded = encode(palette_image(), kind)
    assert Image.open(io.BytesIO(encoded)).mode == "P"
    assert pixels_of(encoded)[1].tolist() == [list(RED), list(GREEN), list(BLUE)]


def test_one_transparent_entry_of_a_palette_is_white() -> None:
    for kind in ("PNG", "GIF"):
        encoded = encode(palette_image(), kind, transparency=1)
        assert "transparency" in Image.open(io.BytesIO(encoded)).info
        assert pixels_of(encoded)[1].tolist() == [list(RED), [255, 255, 255], list(BLUE)]


def test_each_entry_of_a_palette_may_have_its_own_transparency() -> None:
    encoded = encode(palette_image(), "PNG", transparency=bytes([255, 0, 128]))
    assert isinstance(Image.open(io.BytesIO(encoded)).info["transparency"], bytes)
    half = np.round(255 + (np.array(BLUE) - 255) * 128 / 255)
    assert_near(pixels_of(encoded)[1], np.array([RED, (255, 255, 255), half]), within=1)


def test_a_palette_with_an_alpha_channel_is_laid_over_white() -> None:
    image = palette_image().convert("PA")
    image.putalpha(Image.fromarray(np.array([[255, 0, 255]] * 3, np.uint8)))
    encoded = encode(image, "TIFF")
    assert Image.open(io.BytesIO(encoded)).mode == "PA"
    assert pixels_of(encoded)[1].tolist() == [list(RED), [255, 255, 255], list(BLUE)]


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (10, 20, 30)), ("L", 10), ("1", 0)])
def test_a_transparent_colour_is_white_where_it_stands(mode: str, colour: int | tuple[int, ...]) -> None:
    image = Image.new(mode, (4, 4), "white" if mode == "1" else "grey")
    image.paste(colour, (0, 0, 2, 4))
    opaque = pixels_of(encode(image, "PNG"))
    found = pixels_of(encode(image, "PNG", transparency=colour))
    assert (opaque[:, :2] < 50).all() and (found[:, :2] == 255).all()
    np.testing.assert_array_equal(found[:, 2:], opaque[:, 2:])


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_becomes_rgb_by_plain_subtraction(kind: str) -> None:
    cmyk = Image.merge("CMYK", [Image.new("L", (16, 16), ink) for ink in (0, 255, 255, 51)])
    encoded = encode(cmyk, kind, **EXACT.get(kind, {}))
    assert Image.open(io.BytesIO(encoded)).mode == "CMYK"
    assert_near(pixels_of(encoded), np.full((16, 16, 3), (204, 0, 0)), within=2)


def test_the_inks_of_a_cmyk_jpeg_are_inverted_as_adobe_stores_them_with_or_without_its_marker() -> None:
    cmyk = Image.merge("CMYK", [Image.new("L", (16, 16), ink) for ink in (10, 200, 30, 40)])
    marked = encode(cmyk, "JPEG", **EXACT["JPEG"])
    start = marked.index(b"\xff\xee")
    unmarked = marked[:start] + marked[start + 2 + struct.unpack(">H", marked[start + 2 : start + 4])[0] :]
    assert b"Adobe" in marked and b"Adobe" not in unmarked
    wanted = np.full((16, 16, 3), [round((255 - ink) * (255 - 40) / 255) for ink in (10, 200, 30)])
    assert_near(pixels_of(marked), wanted, within=3)
    assert_near(pixels_of(unmarked), wanted, within=3)


def test_ycbcr_and_lab_tiffs_become_the_colours_they_stand_for() -> None:
    red = Image.new("RGB", (8, 8), RED)
    ycbcr = encode(red.convert("YCbCr"), "TIFF")
    lab = encode(red.convert("LAB"), "TIFF")
    assert [Image.open(io.BytesIO(e)).mode for e in (ycbcr, lab)] == ["YCbCr", "LAB"]
    assert_near(pixels_of(ycbcr), np.full((8, 8, 3), RED), within=2)
    assert_near(pixels_of(lab), np.full((8, 8, 3), RED), within=6)  # eight bits of a and b are coarse


# Depth


@pytest.mark.parametrize(
    ("kind", "order", "mode"), [("PNG", "<", "I;16"), ("TIFF", "<", "I;16"), ("TIFF", ">", "I;16B")]
)
def test_sixteen_bit_grey_keeps_its_upper_byte(kind: str, order: str, mode: str) -> None:
    values = np.array([[0, 255, 256, 0x8000, 0xFFFF]], f"{order}u2")
    image = Image.frombytes(mode, (5, 1), values.tobytes())
    encoded = encode(image, kind)
    assert Image.open(io.BytesIO(encoded)).mode == mode
    assert pixels_of(encoded)[0, :, 1].tolist() == [0, 0, 1, 128, 255]


def test_a_transparent_value_of_sixteen_bit_grey_is_white() -> None:
    image = Image.frombytes("I;16", (3, 1), np.array([0x1000, 0x1001, 0x2000], "<u2").tobytes())
    encoded = encode(image, "PNG", transparency=0x1001)
    assert pixels_of(encoded)[0, :, 0].tolist() == [0x10, 255, 0x20]


def test_thirty_two_bit_integers_are_taken_for_sixteen_bit_ones_and_clipped() -> None:
    values = np.array([[-5, 0, 0x7FFF, 0xFFFF, 1 << 20]], np.int32)
    assert pixels_of(encode(values, "TIFF"))[0, :, 0].tolist() == [0, 0, 127, 255, 255]


def test_floats_are_scaled_by_255_when_none_is_above_1_and_clipped_else() -> None:
    unit = np.array([[0.0, 0.5, 1.0, -1.0]], np.float32)
    wide = np.array([[0.0, 0.5, 300.0, 128.0]], np.float32)
    broken = np.array([[np.nan, 0.5, np.inf, -np.inf]], np.float32)
    assert pixels_of(encode(unit, "TIFF"))[0, :, 0].tolist() == [0, 127, 255, 0]
    assert pixels_of(encode(wide, "TIFF"))[0, :, 0].tolist() == [0, 0, 255, 128]
    assert pixels_of(encode(broken, "TIFF"))[0, :, 0].tolist() == [0, 127, 0, 0]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def test_a_png_of_sixteen_bits_a_channel_keeps_their_upper_bytes() -> None:
    pixels = np.array([[[0x1234, 0x56FF, 0xFF00], [0, 0xFFFF, 0x7F80]]], ">u2")
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    encoded = png(header, chunk(b"IDAT", zlib.compress(b"\0" + pixels.tobytes())))
    assert pixels_of(encoded)[0].tolist() == [[0x12, 0x56, 0xFF], [0, 0xFF, 0x7F]]


# Orientation

TURNED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p.swapaxes(0, 1)[:, ::-1],
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p.swapaxes(0, 1)[::-1],
}
"""What undoes each orientation (TIFF 6.0, tag 274): 6 is turned clockwise, 8 counter-clockwise."""


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[EXIF_ORIENTATION] = orientation
    return tags


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_undone_exactly_once(kind: str, orientation: int) -> None:
    encoded = encode(quarters(), kind, exif=exif(orientation), **EXACT.get(kind, {}))
    pixels, undone = decode(encoded)
    wanted = TURNED[orientation](quarters())
    assert_near(pixels, wanted, within=4 if kind in ("JPEG", "AVIF") else 0)
    assert undone == orientation
    height, width = wanted.shape[:2]
    assert read_header(encoded) == verify(encoded) == Header(kind.lower(), width, height, orientation)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_upright(value: int) -> None:
    encoded = encode(quarters(), "PNG", exif=exif(value))
    assert decode(encoded)[1] == read_header(encoded).orientation == 1
    np.testing.assert_array_equal(pixels_of(encoded), quarters())


def test_a_png_may_tell_its_orientation_behind_the_pixels() -> None:
    written = encode(quarters(), "PNG", exif=exif(6))
    start = written.index(b"eXIf") - 4
    length = struct.unpack(">I", written[start : start + 4])[0] + 12
    tag, rest = written[start : start + length], written[:start] + written[start + length :]
    behind = rest[:-12] + tag + rest[-12:]
    assert behind.index(b"IDAT") < behind.index(b"eXIf")
    assert read_header(behind) == verify(behind) == Header("png", 32, 64, 6)
    np.testing.assert_array_equal(pixels_of(behind), TURNED[6](quarters()))


def test_the_header_of_a_png_is_read_without_its_pixels() -> None:
    whole = encode(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8), "PNG")
    assert read_header(whole[:2000]) == Header("png", 300, 300, 1)


# Profiles


def rgb_profile(primaries: list[tuple[float, float, float]], gamma: float, description: str) -> bytes:
    """A matrix ICC profile, version 2, with the given D50 colorants (XYZ of red, green, blue)."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    text = description.encode() + b"\0"
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        b"rXYZ": xyz(primaries[0]),
        b"gXYZ": xyz(primaries[1]),
        b"bXYZ": xyz(primaries[2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    return icc(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    text = b"grey\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    return icc(b"GRAY", {b"desc": described, b"wtpt": white, b"kTRC": curve})


def icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += content
    white = struct.pack(">iii", 63190, 65536, 54061)
    head = struct.pack(">I4sI4s4s4s12x4s", 0, b"none", 0x02100000, b"mntr", space, b"XYZ ", b"acsp")
    head = head.ljust(68, b"\0") + white
    profile = head.ljust(128, b"\0") + table + data
    return struct.pack(">I", len(profile)) + profile[4:]


# Adobe RGB (1998): its primaries adapted to D50, and its gamma.
ADOBE = rgb_profile(
    [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)], 2.2, "wide"
)


def test_a_wide_gamut_profile_is_converted_to_srgb() -> None:
    """The expected value by the two matrices: Adobe RGB (100, 150, 100) is sRGB (65, 151, 98)."""
    image = Image.new("RGB", (8, 8), (100, 150, 100))
    linear = (np.array([100, 150, 100]) / 255) ** (563 / 256)
    adobe = np.array([(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]).T
    srgb = np.array([(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]).T
    light = np.linalg.solve(srgb, adobe @ linear)
    wanted = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.abs(light) ** (1 / 2.4) - 0.055) * 255
    for kind in ("PNG", "WEBP", "TIFF"):
        found = pixels_of(encode(image, kind, icc_profile=ADOBE, **LOSSLESS.get(kind, {})))
        assert_near(found, np.full((8, 8, 3), np.round(wanted)), within=2)


def test_a_grey_profile_changes_greys_also_beside_alpha_and_in_sixteen_bits() -> None:
    linear = grey_profile(1.0)
    wanted = round((1.055 * (64 / 255) ** (1 / 2.4) - 0.055) * 255)  # 137
    grey = Image.new("L", (4, 4), 64)
    with_alpha = Image.merge("LA", [grey, Image.new("L", (4, 4), 255)])
    deep = Image.frombytes("I;16", (4, 4), np.full((4, 4), 64 << 8, "<u2").tobytes())
    for image in (grey, with_alpha, deep):
        assert_near(pixels_of(encode(image, "PNG", icc_profile=linear)), np.full((4, 4, 3), wanted), within=2)


def test_an_srgb_profile_leaves_the_pixels_as_they_are() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(pixels_of(encode(quarters(), "PNG", icc_profile=srgb)), quarters())


@pytest.mark.parametrize(
    "profile",
    [b"not a profile", ADOBE[:200], ADOBE.replace(b"acsp", b"xxxx"), grey_profile(1.0)],
    ids=["garbage", "cut", "without its signature", "of another colour space"],
)
def test_a_profile_that_is_broken_or_does_not_fit_is_ignored(profile: bytes) -> None:
    np.testing.assert_array_equal(pixels_of(encode(quarters(), "PNG", icc_profile=profile)), quarters())


def test_a_cmyk_picture_with_an_rgb_profile_is_still_shown() -> None:
    cmyk = Image.merge("CMYK", [Image.new("L", (16, 16), ink) for ink in (0, 255, 255, 51)])
    encoded = encode(cmyk, "JPEG", icc_profile=ADOBE, **EXACT["JPEG"])
    assert_near(pixels_of(encoded), np.full((16, 16, 3), (204, 0, 0)), within=2)


# Limits and damage


def test_the_pixel_limit_is_refused_before_anything_is_decoded() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb = png(header, chunk(b"IDAT", b""))  # decoding would end in a complaint about the data, not the size
    for work in (read_header, verify, decode):
        with pytest.raises(SampleError, match=r"60000×60000 is 3600000000 pixels, over the limit of 100000000"):
            work(bomb)


def test_the_pixel_limit_is_the_callers() -> None:
    encoded = encode(quarters(), "PNG")
    assert decode(encoded, max_pixels=64 * 32)[0].shape == (32, 64, 3)
    with pytest.raises(SampleError, match="over the limit of 2047"):
        decode(encoded, max_pixels=64 * 32 - 1)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"", "empty file"),
        (b"\0" * 100, "not an image"),
        (b"This has the name of a picture, but it is text.\n", "not an image"),
        (b"\xff\xd8\xff", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),  # would start a program
    ],
    ids=["empty", "zeros", "text", "the start of a JPEG", "another format"],
)
def test_what_is_no_image_is_a_sample_error_that_says_so(encoded: bytes, message: str) -> None:
    for work in (read_header, verify, decode):
        with pytest.raises(SampleError, match=message):
            work(encoded)


PHOTOGRAPH = Image.open(package_file("sklearn/china.jpg")).crop((200, 100, 360, 220))
REAL = {
    kind: encode(PHOTOGRAPH, kind, **({"quality": 80} if kind == "JPEG" else {})) for kind in EXACT | {"PNG": {}}
} | {
    "TIFF": encode(PHOTOGRAPH, "TIFF", compression="tiff_lzw", exif=exif(6)),
    "GIF": encode(PHOTOGRAPH, "GIF"),
    "BMP": encode(PHOTOGRAPH.resize((40, 30)), "BMP"),
    "progressive JPEG": encode(PHOTOGRAPH, "JPEG", progressive=True, exif=exif(5)),
    "CMYK JPEG": encode(PHOTOGRAPH.convert("CMYK"), "JPEG"),
    "palette PNG": encode(PHOTOGRAPH.quantize(16), "PNG", transparency=bytes(range(16)), icc_profile=ADOBE),
}


@pytest.mark.parametrize("kind", REAL)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_is_a_sample_error_for_verify_and_decode_alike(kind: str, share: float) -> None:
    cut = REAL[kind][: int(len(REAL[kind]) * share)]
    for work in (verify, decode):
        with pytest.raises(SampleError):
            work(cut)


def test_the_message_tells_a_broken_stream_from_a_broken_header() -> None:
    with pytest.raises(SampleError, match=r"broken image data: .*truncated"):
        verify(REAL["JPEG"][: len(REAL["JPEG"]) // 2])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real file with some bytes changed, a piece taken out, or its end cut off; mostly near the start, where the
    structure stands."""
    data = bytearray(REAL[draw(st.sampled_from(sorted(REAL)))])
    near = st.one_of(st.integers(0, 200), st.integers(0, len(data) - 1))
    for _ in range(draw(st.integers(0, 6))):
        data[draw(near) % len(data)] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        start = draw(near)
        del data[start : start + draw(st.integers(1, 64))]
    if draw(st.booleans()):
        del data[draw(near) :]
    return bytes(data)


@settings(max_examples=1000, deadline=None)
@given(damaged())
def test_damage_gives_pixels_or_a_sample_error_and_never_anything_else(encoded: bytes) -> None:
    try:
        header = read_header(encoded, max_pixels=1_000_000)
    except SampleError as error:
        assert error.message
        for work in (verify, decode):  # what has no header has nothing else
            with pytest.raises(SampleError):
                work(encoded, max_pixels=1_000_000)
        return
    try:
        verify(encoded, max_pixels=1_000_000)
    except SampleError as error:
        assert error.message
    try:
        pixels, orientation = decode(encoded, max_pixels=1_000_000)
    except SampleError as error:
        assert error.message
        return
    assert pixels.shape == (header.height, header.width, 3)
    assert (pixels.dtype, orientation) == (np.uint8, header.orientation)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBPVP8 ", b"GIF89a", b"BM", b"II*\0"]),
    st.binary(max_size=300),
)
def test_garbage_behind_a_known_signature_is_a_sample_error_or_a_picture(signature: bytes, rest: bytes) -> None:
    for work in (read_header, verify, decode):
        try:
            work(signature + rest, max_pixels=1_000_000)
        except SampleError as error:
            assert error.message
