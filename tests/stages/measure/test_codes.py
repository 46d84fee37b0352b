"""Codes: each kind that is looked for is read where it was put, and what looks a little like one is not."""

import cv2
import numpy as np
import pytest
import zxingcpp

from dataengine.decode import decode
from dataengine.stage import Image
from demo.photographs import package_file
from stages.measure.codes import Codes, Params

CODES = Codes(Params())
PHOTOGRAPHS = ["astronaut.png", "coffee.png", "chelsea.png", "brick.png", "coins.png", "page.png", "text.png"]


def measured(pixels: np.ndarray) -> dict:
    [row] = CODES.measure([Image("id", np.ascontiguousarray(pixels), b"", "png")]).to_pylist()
    return row


def photograph(name: str) -> np.ndarray:
    return decode(package_file(f"skimage/{name}").read_bytes())[0]


def code(kind: str, text: str, scale: int = 3) -> np.ndarray:
    """A code with its quiet zone, uint8 (height, width, 3)."""
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    return cv2.cvtColor(np.array(made.to_image(scale=scale, add_quiet_zones=True)), cv2.COLOR_GRAY2RGB)


def with_code(kind: str, text: str) -> np.ndarray:
    """A photograph with a code at (120, 100)."""
    pixels, pasted = photograph("astronaut.png").copy(), code(kind, text)
    height, width = pasted.shape[:2]
    pixels[100 : 100 + height, 120 : 120 + width] = pasted
    return pixels


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("QRCode", "https://example.org/long/enough"),
        ("DataMatrix", "parts 1234"),
        ("Aztec", "a ticket"),
        ("PDF417", "boarding"),
        ("EAN13", "4006381333931"),
        ("Code128", "SHIP42"),
    ],
)
def test_a_code_is_read_where_it_stands(kind: str, text: str):
    row = measured(with_code(kind, text))
    assert row["code_count"] == 1
    [found] = row["codes"]
    assert found["kind"] == kind and found["text"] == text
    corners = np.array(found["quad"]).reshape(4, 2)
    height, width = code(kind, text).shape[:2]
    assert (corners >= (118, 98)).all() and (corners <= (122 + width, 102 + height)).all()
    assert 0 < row["code_area"] <= 1.1 * width * height / 512**2


def test_a_qr_code_that_lost_a_piece_still_counts():
    pixels = with_code("QRCode", "https://example.org/a/rather/long/address?with=parameters")
    height, width = code("QRCode", "https://example.org/a/rather/long/address?with=parameters").shape[:2]
    pixels[100 + height // 3 : 100 + 2 * height // 3, 120 + width // 3 : 120 + 2 * width // 3] = 255
    assert measured(pixels)["code_count"] == 1


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_and_pages_have_none(name: str):
    assert measured(photograph(name)) == {"codes": [], "code_count": 0, "code_area": 0}


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 2), (7, 3)])
def test_the_smallest_pictures_are_measured(shape: tuple[int, int]):
    assert measured(np.zeros((*shape, 3), np.uint8))["code_count"] == 0
