import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataengine.trainer.datasets import ASPECTS
from dataengine.trainer.patchify import (
    bucket_size,
    middle,
    nearest_aspect,
    parse_aspect,
    patchify,
    to_pixels,
    to_signal,
    unpatchify,
)

sides = st.integers(1, 6)


@given(sides, sides, st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_unpatchify_is_the_inverse_of_patchify(rows, columns, patch, channels, batch):
    images = torch.randn(batch, channels, rows * patch, columns * patch)
    tokens = patchify(images, patch)
    assert tokens.shape == (batch, rows * columns, channels * patch * patch)
    assert torch.equal(unpatchify(tokens, (rows * patch, columns * patch), patch), images)


def test_tokens_are_row_major_and_their_channels_run_by_channel_row_column():
    images = torch.arange(2 * 4 * 6).reshape(1, 2, 4, 6)
    tokens = patchify(images, 2)
    assert tokens[0, 4].tolist() == [14, 15, 20, 21, 38, 39, 44, 45]  # second row of patches, second column


@given(st.integers(0, 255))
def test_pixels_survive_the_way_to_a_signal_and_back(value):
    pixels = torch.full((1, 3, 2, 2), value, dtype=torch.uint8)
    assert to_signal(pixels).abs().max() <= 1
    assert torch.equal(to_pixels(to_signal(pixels)), pixels)


def test_a_signal_beyond_its_range_is_clamped_not_wrapped():
    assert to_pixels(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize(("resolution", "patch"), [(256, 16), (640, 16), (1328, 16), (48, 4)])
def test_bucket_sizes_are_multiples_of_the_patch_with_about_the_area_and_the_aspect(resolution, patch, aspect):
    height, width = bucket_size(resolution, aspect, patch)
    assert height % patch == 0 and width % patch == 0
    assert abs(height * width / resolution**2 - 1) < 0.15
    assert abs(width / height / parse_aspect(aspect) - 1) < 0.25
    assert nearest_aspect(width / height, ASPECTS) == aspect


def test_a_size_never_falls_below_one_patch():
    assert bucket_size(4, "1:3", 8) == (8, 8)


@pytest.mark.parametrize(
    ("text", "ratio"), [("3:2", 1.5), ("3x2", 1.5), ("768x512", 1.5), ("16_9", 16 / 9), ("square", None), ("0:2", None)]
)
def test_an_aspect_is_read_from_the_ways_buckets_are_named(text, ratio):
    assert parse_aspect(text) == ratio


def test_nearness_of_aspects_is_by_factor_not_by_difference():
    assert nearest_aspect(1.7, ["1:1", "3:1"]) == "1:1"
    assert nearest_aspect(1.8, ["1:1", "3:1"]) == "3:1"
    assert nearest_aspect(1 / 1.8, ["1:1", "1:3"]) == "1:3"


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 1500), st.integers(1, 1500))
def test_what_is_cropped_has_the_buckets_proportions_and_one_whole_side(height, width, rows, columns):
    left, top, right, bottom = middle((height, width), (rows, columns))
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    assert (right - left) * rows == pytest.approx((bottom - top) * columns)
    assert right - left == pytest.approx(width) or bottom - top == pytest.approx(height)
    assert left == pytest.approx(width - right, abs=1e-6) and top == pytest.approx(height - bottom, abs=1e-6)
