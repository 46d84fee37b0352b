"""Pixel signals: known values of constructed images, direction under damage of real ones, and no image that breaks."""

import math
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture
from PIL import ImageFilter

from dataengine.decode import decode
from dataengine.stage import Image
from demo.photographs import jpeg, package_file
from stages.measure.pixels import Params, Pixels, blockiness, blur, enough_rows, reduce

PHOTOGRAPHS = ["astronaut.png", "coffee.png", "chelsea.png", "camera.png", "motorcycle_left.png", "coins.png"]


def measured(pixels: np.ndarray, encoded: bytes = b"", orientation: int = 1) -> dict[str, float]:
    """The signal's row for one image, as the engine gets it."""
    image = Image("id", np.ascontiguousarray(pixels), encoded, "png", orientation)
    [row] = Pixels(Params()).measure([image]).to_pylist()
    return row


def flat(*colour: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)


@cache
def photograph(name: str) -> np.ndarray:
    return decode(package_file(f"skimage/{name}").read_bytes())[0]


def compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    return decode(jpeg(Picture.fromarray(pixels), quality=quality))[0]


# Known values


def test_a_flat_image_has_its_colour_and_nothing_else() -> None:
    row = measured(flat(255, 0, 0))
    assert row["saturation"] == 1
    assert row["luma"] == pytest.approx(76 / 255, abs=1e-6)  # 0.299 × 255, rounded
    assert [row[k] for k in ("clarity", "entropy", "texture", "blockiness")] == [0, 0, 0, 0]
    assert [row[k] for k in ("clipped_dark", "clipped_bright")] == [0, 0]


def test_luma_is_that_of_itu_r_bt_601() -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (0, 255, 0), (40, 90, 200)):
        wanted = np.dot(colour, (0.299, 0.587, 0.114)) / 255
        assert measured(flat(*colour))["luma"] == pytest.approx(wanted, abs=0.5 / 255)


def test_saturation_is_the_spread_of_the_channels_over_the_largest() -> None:
    assert measured(flat(90, 90, 90))["saturation"] == 0
    assert measured(flat(0, 0, 0))["saturation"] == 0
    assert measured(flat(200, 150, 100))["saturation"] == pytest.approx(0.5, abs=0.01)


def test_colourfulness_is_hasler_and_suesstrunks_m3() -> None:
    assert measured(flat(70, 70, 70))["colourfulness"] == 0
    # One colour has no deviation, only the means: 0.3 √(100² + 50²).
    assert measured(flat(150, 50, 50))["colourfulness"] == pytest.approx(0.3 * math.hypot(100, 50), rel=1e-5)
    pixels = np.random.default_rng(3).integers(0, 256, (80, 90, 3), np.uint8)
    red, green, blue = (pixels[..., c].astype(float) for c in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    wanted = math.hypot(rg.std(), yb.std()) + 0.3 * math.hypot(rg.mean(), yb.mean())
    assert measured(pixels)["colourfulness"] == pytest.approx(wanted, rel=1e-5)


def test_entropy_counts_bits_of_equally_frequent_levels() -> None:
    for levels in (1, 2, 4, 64, 256):
        values = np.arange(256 * 64).reshape(64, 256) % levels
        assert measured(grey(values))["entropy"] == pytest.approx(math.log2(levels), abs=1e-6)


def test_entropy_is_the_mean_of_the_channels() -> None:
    pixels = flat(0, 0, 0, width=256)
    pixels[:, 128:, 0] = 1
    pixels[..., 1] = np.arange(256)
    assert measured(pixels)["entropy"] == pytest.approx((1 + 8 + 0) / 3, abs=1e-6)


def test_the_entropy_of_a_large_photograph_is_near_that_of_all_its_pixels() -> None:
    pixels = decode(package_file("skimage/retina.jpg").read_bytes())[0]
    shares = [np.bincount(pixels[..., c].ravel(), minlength=256) / pixels[..., c].size for c in range(3)]
    whole = np.mean([-(p[p > 0] * np.log2(p[p > 0])).sum() for p in shares])
    assert measured(pixels)["entropy"] == pytest.approx(whole, abs=0.05)


def test_clipping_is_the_share_of_all_but_black_and_all_but_white_pixels() -> None:
    values = np.full((10, 100), 128)
    values[:, :10], values[:, 10:20], values[:, 20:50], values[:, 50:60] = 4, 5, 251, 250
    row = measured(grey(values))
    assert (row["clipped_dark"], row["clipped_bright"]) == (pytest.approx(0.1), pytest.approx(0.3))


def test_clarity_is_the_logarithm_of_the_laplacians_variance() -> None:
    values = np.zeros((40, 40))
    values[20, 20] = 10  # its Laplacian: −40 once, 10 four times, mean 0
    assert measured(grey(values))["clarity"] == pytest.approx(math.log1p((40**2 + 4 * 10**2) / 1600), abs=1e-6)


def test_texture_is_0_for_a_gradient_and_1_for_noise_or_a_chessboard() -> None:
    gradient = np.broadcast_to(np.arange(200), (200, 200))
    assert measured(grey(gradient))["texture"] < 0.001
    assert measured(grey(np.random.default_rng(0).integers(0, 256, (200, 200))))["texture"] == pytest.approx(
        1, abs=0.02
    )
    assert measured(grey(np.indices((200, 200)).sum(0) % 2 * 255))["texture"] == 1


@pytest.mark.parametrize("sigma", [2, 8, 25])
def test_noise_is_its_standard_deviation_whatever_the_structure(sigma: int) -> None:
    rng = np.random.default_rng(0)
    for ground in (np.full((300, 400), 128.0), np.add.outer(np.linspace(60, 180, 300), np.linspace(0, 20, 400))):
        values = ground + rng.normal(0, sigma, ground.shape)
        assert measured(grey(np.clip(np.round(values), 0, 255)))["noise"] == pytest.approx(sigma, rel=0.12)


def test_what_has_no_noise_has_none() -> None:
    stripes = np.indices((200, 200))[0] // 10 % 2 * 255
    assert measured(grey(stripes))["noise"] == 0
    assert measured(flat(9, 90, 200, width=2, height=2))["noise"] == 0


def test_blur_is_0_for_noise_1_for_an_edge_and_4_for_what_is_smooth() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300)).astype(np.uint8)
    assert blur(noise) < 0.1
    edge = np.full((200, 300), 20, np.uint8)
    edge[:, 150:] = 220
    assert blur(edge) == blur(np.ascontiguousarray(edge.T)) == pytest.approx(1, abs=0.05)
    waves = 128 + 100 * np.sin(np.arange(300) / 8)
    assert 3.5 < blur(np.broadcast_to(waves, (200, 300)).astype(np.uint8)) <= 4
    assert blur(np.full((200, 300), 77, np.uint8)) == 0


@pytest.mark.parametrize("kernel", [np.eye(9), np.fliplr(np.eye(9)), np.ones((1, 9)), np.ones((9, 1))])
def test_movement_along_any_direction_shows_as_blur(kernel: np.ndarray) -> None:
    still = photograph("camera.png")
    moved = cv2.filter2D(still, -1, kernel / kernel.sum())
    moved = cv2.filter2D(moved, -1, kernel / kernel.sum())
    assert measured(still)["blur"] < 1.5 and measured(moved)["blur"] > 2


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_are_not_blurred_and_defocus_shows(name: str) -> None:
    image = Picture.fromarray(photograph(name))
    found = [measured(np.asarray(image.filter(ImageFilter.GaussianBlur(r))))["blur"] for r in (0, 1, 2, 4)]
    assert_rising(found)
    assert found[0] < 2 < 2.5 < found[-1]


@pytest.mark.parametrize(("smooth", "wanted"), [(16, 20), (17, 0)])
def test_the_noise_is_that_of_the_tile_that_a_quarter_of_all_are_below(smooth: int, wanted: int) -> None:
    values = 128 + np.random.default_rng(0).normal(0, 20, (128, 128))  # 8 × 8 tiles
    for tile in range(smooth):
        top, left = tile // 8 * 16, tile % 8 * 16
        values[top : top + 16, left : left + 16] = 90
    assert measured(grey(np.clip(values, 0, 255)))["noise"] == pytest.approx(wanted, rel=0.2)


@pytest.mark.parametrize(("width", "height"), [(2, 9), (3, 3), (16, 4), (17, 400)])
def test_a_picture_smaller_than_a_tile_is_one(width: int, height: int) -> None:
    ramp = np.broadcast_to(np.arange(height)[:, None] % 200, (height, width))
    assert measured(grey(ramp))["noise"] == pytest.approx(0, abs=0.01)
    board = np.indices((height, width)).sum(0) % 2 * 255
    assert measured(grey(board))["noise"] == (0 if width < 3 else pytest.approx(np.sqrt(np.pi / 2) / 6 * 8 * 255))


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_have_little_noise_and_added_noise_shows(name: str) -> None:
    whole = photograph(name)
    grain = np.random.default_rng(0).normal(0, 30, whole.shape)
    assert measured(whole)["noise"] < 5
    assert measured(np.clip(whole + grain, 0, 255).astype(np.uint8))["noise"] > 10


def test_texture_is_one_minus_the_correlation_of_neighbours() -> None:
    values = photograph("camera.png")[:250, :250]
    plane = values[..., 0].astype(float)
    across, down = (
        np.corrcoef(plane[:, 1:].ravel(), plane[:, :-1].ravel()),
        np.corrcoef(plane[1:].ravel(), plane[:-1].ravel()),
    )
    assert measured(values)["texture"] == pytest.approx(1 - (across[0, 1] + down[0, 1]) / 2, abs=0.005)


def test_blockiness_compares_steps_at_the_edges_of_blocks_with_those_inside() -> None:
    row = np.cumsum(np.where(np.arange(64) % 8 == 0, 6, 2))  # a step of 6 between blocks, of 2 inside them
    stairs = np.broadcast_to(row, (64, 64)).astype(np.uint8)
    assert blockiness(stairs) == blockiness(np.ascontiguousarray(stairs.T)) == pytest.approx((6 / 2 - 1) / 2)
    assert blockiness(stairs[:, 1:]) == 0  # cropped off the grid


def test_enlarging_by_repeated_pixels_is_not_taken_for_jpeg_blocks() -> None:
    small = photograph("chelsea.png")[::2, ::2]
    for factor in (2, 4):
        enlarged = small.repeat(factor, axis=0).repeat(factor, axis=1)
        assert measured(enlarged)["blockiness"] < 0.05
    assert measured(photograph("moon.png"))["blockiness"] < 0.05  # a real case: its pixels come in twos


def test_the_files_own_properties_are_told() -> None:
    row = measured(flat(1, 2, 3, width=90, height=60), encoded=b"x" * 321, orientation=6)
    assert (row["file_bytes"], row["exif_orientation"]) == (321, 6)
    assert row["aspect"] == pytest.approx(1.5)


# Direction, on real photographs


def assert_rising(values: list[float], by: float = 0) -> None:
    assert all(after > before + by for before, after in pairwise(values)), values


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_blur_lowers_clarity(name: str) -> None:
    image = Picture.fromarray(photograph(name))
    blurred = [measured(np.asarray(image.filter(ImageFilter.GaussianBlur(r))))["clarity"] for r in (8, 4, 2, 1)]
    assert_rising([*blurred, measured(photograph(name))["clarity"]], by=0.1)
    assert blurred[0] < 3 < 4 < measured(photograph(name))["clarity"] < 9


@pytest.mark.parametrize("name", [n for n in PHOTOGRAPHS if n != "coins.png"])  # which keeps the grid of an older JPEG
def test_stronger_compression_raises_blockiness(name: str) -> None:
    found = {q: measured(compressed(photograph(name), q))["blockiness"] for q in (90, 75, 50, 30, 20, 10)}
    assert_rising(list(found.values()), by=0.02)
    assert found[90] < 0.1 and 0.15 < found[50] < 0.5 and found[10] > 0.8


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_noise_raises_texture(name: str) -> None:
    noise = np.random.default_rng(1).normal(0, 1, photograph(name).shape)
    found = [
        measured(np.clip(photograph(name) + noise * sigma, 0, 255).astype(np.uint8))["texture"]
        for sigma in (0, 20, 40, 80, 200)
    ]
    assert_rising(found)
    assert found[0] < 0.2


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_gain_clips_the_bright_end_and_loss_the_dark_one(name: str) -> None:
    exposed = {g: np.clip(photograph(name) * g, 0, 255).astype(np.uint8) for g in (0.02, 0.2, 1.0, 2.0, 4.0)}
    rows = {gain: measured(pixels) for gain, pixels in exposed.items()}
    assert_rising([rows[g]["luma"] for g in rows], by=0.01)
    assert_rising([rows[g]["clipped_bright"] for g in (1.0, 2.0, 4.0)], by=0.001)
    assert_rising([rows[g]["clipped_dark"] for g in (1.0, 0.2, 0.02)], by=0.001)


def test_fading_lowers_saturation_and_colourfulness() -> None:
    pixels = photograph("coffee.png").astype(float)
    plain = pixels @ (0.299, 0.587, 0.114)
    rows = [measured((plain[..., None] * (1 - k) + pixels * k).astype(np.uint8)) for k in (0.1, 0.4, 0.7, 1.0)]
    assert_rising([row["saturation"] for row in rows], by=0.05)
    assert_rising([row["colourfulness"] for row in rows], by=5)


def test_fewer_levels_lower_entropy() -> None:
    pixels = photograph("astronaut.png")
    assert_rising([measured(pixels // step * step)["entropy"] for step in (64, 16, 4, 1)], by=0.5)


@pytest.mark.parametrize("signal", ["luma", "saturation", "entropy", "colourfulness", "clipped_dark"])
def test_resizing_a_photograph_hardly_moves_what_does_not_depend_on_detail(signal: str) -> None:
    image = Picture.fromarray(photograph("astronaut.png"))
    values = [measured(np.asarray(image.resize((s, s), Picture.Resampling.BOX)))[signal] for s in (1024, 512, 256)]
    scale = {"entropy": 8, "colourfulness": 100}.get(signal, 1)
    assert max(values) - min(values) < 0.03 * scale


# Reduction


@pytest.mark.parametrize("size", [(1000, 700), (511, 511), (512, 30), (4000, 1), (1, 4000), (1411, 1411), (257, 256)])
def test_reduction_is_the_mean_of_whole_blocks(size: tuple[int, int]) -> None:
    width, height = size
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    halvings = next(k for k in range(9) if max(size) >> k < 512)
    across, down = min(2**halvings, width), min(2**halvings, height)
    found = reduce(pixels)
    assert found.shape == (height // down, width // across, 3)
    assert max(found.shape[:2]) in range(256, 512)
    blocks = pixels[: height // down * down, : width // across * across].astype(float)
    wanted = blocks.reshape(height // down, down, width // across, across, 3).mean((1, 3))
    assert np.abs(found - wanted).max() <= max(0.01, 0.5 * halvings)  # each rounds once


@pytest.mark.parametrize("size", [(1, 1), (300, 100), (512, 512), (1000, 700), (1411, 1411), (4032, 3024), (1, 90000)])
def test_enough_rows_are_enough_pixels_and_meet_every_line_of_a_jpegs_blocks(size: tuple[int, int]) -> None:
    width, height = size
    rows = enough_rows(np.broadcast_to(np.arange(height)[:, None], (height, width)))
    assert rows.size >= min(width * height, 1 << 15)
    assert rows.size <= 3 * (1 << 15) + width
    if height >= 512:
        assert set(np.unique(rows[:, 0] % 8)) == set(range(8))


# Any image at all

RANGES = {
    "aspect": (0, math.inf),
    "clarity": (0, 15),
    "luma": (0, 1),
    "saturation": (0, 1),
    "entropy": (0, 8),
    "texture": (0, 1),
    "blur": (0, 4),
    "noise": (0, 427),  # a chessboard of single pixels
    "clipped_dark": (0, 1),
    "clipped_bright": (0, 1),
    "colourfulness": (0, 500),
    "blockiness": (0, math.inf),
}


def assert_sound(pixels: np.ndarray) -> None:
    row = measured(pixels)
    for name, (low, high) in RANGES.items():
        assert math.isfinite(row[name]) and low <= row[name] <= high, (name, row[name], pixels.shape)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 2), (3, 700), (15, 16), (16, 15), (600, 2), (9, 9)])
@pytest.mark.parametrize("kind", ["black", "white", "noise", "halves"])
def test_no_size_or_content_crashes_or_gives_a_value_out_of_range(size: tuple[int, int], kind: str) -> None:
    width, height = size
    pixels = {
        "black": flat(0, 0, 0, width=width, height=height),
        "white": flat(255, 255, 255, width=width, height=height),
        "noise": np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8),
        "halves": grey(np.broadcast_to(np.arange(width) * 2 // width * 255, (height, width))),
    }[kind]
    assert_sound(pixels)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_any_small_image_has_sound_values(width: int, height: int, low: int, high: int, seed: int) -> None:
    low, high = sorted((low, high))
    assert_sound(np.random.default_rng(seed).integers(low, high + 1, (height, width, 3), np.uint8))


def test_measuring_together_or_one_by_one_gives_the_same_rows_in_order() -> None:
    images = [Image(n, photograph(n), b"", "png") for n in PHOTOGRAPHS]
    signal = Pixels(Params())
    together = signal.measure(images)
    assert together.schema == Pixels.columns
    assert together.to_pylist() == [signal.measure([image]).to_pylist()[0] for image in images]


def test_pixels_that_may_not_be_written_to_are_measured_and_left_alone() -> None:
    pixels, _ = decode(package_file("sklearn/china.jpg").read_bytes())
    before = pixels.copy()
    measured(pixels)
    np.testing.assert_array_equal(pixels, before)
