"""Faces: those of two portraits are found, and blur and mosaic tell on them."""

import cv2
import numpy as np
import pytest

from dataengine.decode import decode
from dataengine.stage import Image
from demo.photographs import package_file
from stages.measure.faces import Faces, Params, mosaic

FACES = Faces(Params())
PORTRAITS = {"skimage/astronaut.png": (225, 115), "matplotlib/grace_hopper.jpg": (263, 215)}  # between the eyes: x, y
WITHOUT = ["coffee.png", "chelsea.png", "camera.png", "brick.png", "page.png", "rocket.jpg"]


def portrait(name: str) -> np.ndarray:
    return decode(package_file(name).read_bytes())[0]


def measured(pixels: np.ndarray) -> dict:
    [row] = FACES.measure([Image("id", np.ascontiguousarray(pixels), b"", "png")]).to_pylist()
    return row


def face(pixels: np.ndarray) -> tuple[slice, slice]:
    [(left, top, width, height)] = FACES.find(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)).tolist()
    return slice(top, top + height), slice(left, left + width)


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_portrait_has_one_face(name: str):
    pixels, (x, y) = portrait(name), PORTRAITS[name]
    row = measured(pixels)
    rows, columns = face(pixels)
    assert row["face_count"] == 1
    assert columns.start < x < columns.stop and rows.start < y < rows.stop
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / (pixels.shape[0] * pixels.shape[1])
    assert row["face_area"] == pytest.approx(share)
    assert row["face_clarity"] > 5 and row["face_mosaic"] < 0.15


def test_a_large_picture_has_the_same_faces():
    pixels = portrait("skimage/astronaut.png")
    row, large = measured(pixels), measured(cv2.resize(pixels, None, fx=4, fy=4))
    assert large["face_count"] == 1
    assert large["face_area"] == pytest.approx(row["face_area"], rel=0.2)


@pytest.mark.parametrize("name", WITHOUT)
def test_where_nobody_is_there_is_no_face(name: str):
    assert measured(portrait(f"skimage/{name}")) == {
        "face_count": 0,
        "face_area": 0,
        "face_clarity": None,
        "face_mosaic": None,
    }


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_blurred_face_is_not_clear(name: str):
    pixels = portrait(name).copy()
    pixels[face(pixels)] = cv2.GaussianBlur(pixels[face(pixels)], (0, 0), 3)
    assert measured(pixels)["face_clarity"] < 4


@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("squares", [12, 16, 24])
def test_a_mosaic_tells(name: str, squares: int):
    pixels = portrait(name).copy()
    place = face(pixels)
    height, width = pixels[place].shape[:2]
    coarse = cv2.resize(pixels[place], (squares, squares), interpolation=cv2.INTER_AREA)
    pixels[place] = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    assert measured(pixels)["face_mosaic"] > 0.8
    compressed = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR)
    assert measured(compressed)["face_mosaic"] > 0.3


def test_mosaic_of_known_pictures():
    squares = np.kron(np.random.default_rng(0).integers(0, 256, (8, 8)), np.ones((8, 8))).astype(np.uint8)
    assert mosaic(squares) == 1
    assert mosaic(np.full((50, 50), 7, np.uint8)) == 0
    assert mosaic(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)) < 0.1


@pytest.mark.parametrize("shape", [(1, 1), (5, 200), (24, 24)])
def test_the_smallest_pictures_are_measured(shape: tuple[int, int]):
    assert measured(np.zeros((*shape, 3), np.uint8))["face_count"] == 0
