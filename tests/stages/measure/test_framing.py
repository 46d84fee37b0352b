"""Borders and seams: those that were put there are found and measured, and photographs have none."""

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

from dataengine.decode import decode
from dataengine.stage import Image
from demo.photographs import jpeg, package_file
from stages.measure.framing import Framing, Params, borders

PHOTOGRAPHS = ["astronaut.png", "coffee.png", "chelsea.png", "camera.png", "motorcycle_left.png", "rocket.jpg"]


def measured(pixels: np.ndarray) -> dict[str, float]:
    [row] = Framing(Params()).measure([Image("id", np.ascontiguousarray(pixels), b"", "png")]).to_pylist()
    return row


def photograph(name: str, width: int = 600, height: int = 400) -> np.ndarray:
    return cv2.resize(decode(package_file(f"skimage/{name}").read_bytes())[0], (width, height))


def framed(pixels: np.ndarray, left: int, top: int, right: int, bottom: int, colour: int = 255) -> np.ndarray:
    return cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(colour,) * 3)


def compressed(pixels: np.ndarray) -> np.ndarray:
    return decode(jpeg(Picture.fromarray(pixels), quality=85))[0]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_have_neither_border_nor_seam(name: str):
    row = measured(photograph(name))
    assert row["border"] == 0 and row["border_sides"] == 0
    assert row["seam"] < 0.15


@pytest.mark.parametrize("sides", [(20, 20, 20, 20), (0, 40, 0, 40), (50, 0, 50, 0), (10, 0, 0, 0), (0, 10, 0, 70)])
@pytest.mark.parametrize("colour", [0, 255])
def test_a_border_is_as_wide_as_it_was_made(sides: tuple[int, int, int, int], colour: int):
    assert borders(framed(photograph("coffee.png"), *sides, colour)) == sides


def test_a_border_is_found_through_compression():
    row = measured(compressed(framed(photograph("chelsea.png"), 24, 24, 24, 24)))
    assert row["border_sides"] == 4
    assert row["border"] == pytest.approx(1 - 600 * 400 / (648 * 448), abs=0.02)


def test_a_thing_before_white_has_no_border():
    pixels = np.full((400, 600, 3), 255, np.uint8)
    cv2.circle(pixels, (300, 200), 120, (180, 40, 30), -1)
    assert measured(pixels)["border_sides"] == 0


def test_a_sky_that_fades_is_no_border():
    fade = np.linspace(255, 120, 400)[:, None, None]
    assert measured(np.broadcast_to(fade, (400, 600, 3)).astype(np.uint8)) == {
        "border": 0,
        "border_sides": 0,
        "seam": 0,
    }


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("gutter", [0, 8])
def test_pictures_put_together_have_a_seam(axis: int, gutter: int):
    size = {0: (300, 600, 3), 1: (400, 300, 3)}[axis]
    one, two = (photograph(n, size[1], size[0]) for n in ("coffee.png", "camera.png"))
    strip = np.full((gutter, 600, 3) if axis == 0 else (400, gutter, 3), 255, np.uint8)
    assert measured(compressed(np.concatenate([one, strip, two], axis=axis)))["seam"] > 0.4


def test_a_seam_between_textures_is_seen_through_the_texture():
    one, two = (photograph(n, 300, 400) for n in ("gravel.png", "grass.png"))
    assert measured(compressed(np.concatenate([one, (two * 0.6).astype(np.uint8)], axis=1)))["seam"] > 0.2


def test_the_edge_of_a_thing_that_ends_within_the_picture_is_no_seam():
    pixels = photograph("camera.png").copy()
    pixels[40:200, 150:450] = (30, 90, 200)  # a sign two fifths as high as the picture
    assert measured(pixels)["seam"] < 0.15


def test_a_soft_horizon_is_no_seam():
    rows = np.clip((np.arange(400) - 197) / 6, 0, 1)[:, None, None] * 150 + 50
    assert measured(np.broadcast_to(rows, (400, 600, 3)).astype(np.uint8))["seam"] == 0


def test_a_picture_of_one_colour_has_nothing():
    assert measured(np.full((300, 300, 3), 90, np.uint8)) == {"border": 0, "border_sides": 0, "seam": 0}


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2), (40, 1), (33, 33)])
def test_the_smallest_pictures_are_measured(shape: tuple[int, int]):
    row = measured(np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8))
    assert 0 <= row["border"] <= 1 and 0 <= row["seam"] <= 1
