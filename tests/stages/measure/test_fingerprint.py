"""Fingerprints: near for one picture in two guises, far for two pictures, and of use to plain SQL."""

import hashlib
import io
from functools import cache
from itertools import combinations
from pathlib import Path

import cv2
import duckdb
import imagehash
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from dataengine.decode import decode
from dataengine.sample import content_id
from dataengine.stage import Image
from demo.photographs import jpeg, package_file
from stages.measure.fingerprint import Fingerprint, Params, dhash, phash, pixel_digest, simhash

DIFFERENT = [
    *(f"skimage/{n}" for n in ("astronaut.png", "coffee.png", "chelsea.png", "camera.png", "motorcycle_left.png")),
    *(
        f"skimage/{n}"
        for n in ("coins.png", "rocket.jpg", "hubble_deep_field.jpg", "ihc.png", "page.png", "retina.jpg")
    ),
    *("sklearn/china.jpg", "sklearn/flower.jpg", "matplotlib/grace_hopper.jpg"),
]


def measured(encoded: bytes) -> dict[str, object]:
    pixels, orientation = decode(encoded)
    [row] = Fingerprint(Params()).measure([Image("id", pixels, encoded, "png", orientation)]).to_pylist()
    return row


@cache
def original(name: str) -> dict[str, object]:
    return measured(package_file(name).read_bytes())


def opened(name: str) -> Picture.Image:
    return Picture.fromarray(decode(package_file(name).read_bytes())[0])


def distance(one: dict[str, object], other: dict[str, object], kind: str) -> int:
    return (one[kind] ^ other[kind]).bit_count()


@pytest.mark.parametrize("name", DIFFERENT)
def test_hashes_of_re_encodings_and_rescalings_are_near(name: str) -> None:
    image = opened(name)
    variants = [
        jpeg(image, quality=90),
        jpeg(image, quality=30),
        jpeg(image.resize((image.width * 3 // 2, image.height * 3 // 2), Picture.Resampling.BICUBIC)),
        jpeg(image.resize((image.width * 2 // 3, image.height * 2 // 3), Picture.Resampling.LANCZOS)),
        jpeg(image.resize((image.width // 2, image.height // 2)), quality=60),
    ]
    for variant in map(measured, variants):
        assert distance(variant, original(name), "phash") <= 6
        assert distance(variant, original(name), "dhash") <= 4


@pytest.mark.parametrize("kind", ["phash", "dhash"])
def test_hashes_of_different_photographs_are_far(kind: str) -> None:
    distances = [distance(original(a), original(b), kind) for a, b in combinations(DIFFERENT, 2)]
    assert min(distances) >= 12
    assert 26 <= np.median(distances) <= 38


def test_two_views_of_one_scene_are_nearer_than_different_scenes() -> None:
    left, right = original("skimage/motorcycle_left.png"), original("skimage/motorcycle_right.png")
    assert 0 < distance(left, right, "phash") < 12 and 0 < distance(left, right, "dhash") < 26


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_bits_mean_what_imagehash_means_by_them(name: str) -> None:
    """Only the way of shrinking differs: a few DCT bits near the median feel it; gradients do more, so both are given
    the same small picture."""
    image = opened(name)
    assert (original(name)["phash"] ^ int(str(imagehash.phash(image)), 16)).bit_count() <= 4
    small = image.convert("L").resize((9, 8), Picture.Resampling.BOX)
    assert dhash(np.asarray(small)) == int(str(imagehash.dhash(small)), 16)
    assert (original(name)["dhash"] ^ dhash(np.asarray(small))).bit_count() <= 4


def test_the_first_bit_is_the_highest() -> None:
    values = np.zeros((8, 9), np.uint8)
    values[0, 1:] = 255  # one step up, at the top left
    assert dhash(values) == 1 << 63
    values[:] = np.arange(9)
    assert dhash(values) == (1 << 64) - 1


def test_brightness_does_not_change_the_gradient_hash_nor_much_of_the_other() -> None:
    grey = cv2.resize(cv2.cvtColor(np.asarray(opened("sklearn/china.jpg")), cv2.COLOR_RGB2GRAY), (128, 96))
    darker = (grey * 0.6).astype(np.uint8)
    assert (dhash(grey) ^ dhash(darker)).bit_count() <= 4
    assert (phash(grey) ^ phash(darker)).bit_count() <= 2


def test_digest_is_the_blake2b_of_the_bytes_and_the_sample_id_of_a_collected_image() -> None:
    encoded = package_file("sklearn/china.jpg").read_bytes()
    assert original("sklearn/china.jpg")["digest"] == hashlib.blake2b(encoded, digest_size=16).hexdigest()
    assert original("sklearn/china.jpg")["digest"] == content_id(encoded)


def test_the_pixel_digest_finds_the_same_pixels_in_another_container_and_only_those() -> None:
    image = opened("skimage/coffee.png")
    stored = io.BytesIO()
    image.save(stored, "WEBP", lossless=True)
    other = measured(stored.getvalue())
    assert other["digest"] != original("skimage/coffee.png")["digest"]
    assert other["pixel_digest"] == original("skimage/coffee.png")["pixel_digest"]
    changed = np.array(image)
    changed[-1, -1, -1] ^= 1
    assert pixel_digest(changed) != other["pixel_digest"]


def test_the_pixel_digest_tells_shapes_apart_that_hold_the_same_bytes() -> None:
    pixels = np.zeros((6, 4, 3), np.uint8)
    assert pixel_digest(pixels) != pixel_digest(pixels.reshape(4, 6, 3))


def test_the_pixel_digest_does_not_depend_on_how_the_array_lies_in_memory() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert pixel_digest(pixels) == pixel_digest(np.asfortranarray(pixels)) == pixel_digest(pixels[::-1][::-1])


def test_duckdb_finds_near_duplicates_on_the_stored_column(tmp_path: Path) -> None:
    image = opened("sklearn/china.jpg")
    files = [jpeg(image, quality=95), jpeg(image, quality=40), jpeg(opened("sklearn/flower.jpg"))]
    images = [Image(str(i), decode(f)[0], f, "jpeg") for i, f in enumerate(files)]
    table = Fingerprint(Params()).measure(images).append_column("sample_id", [["0", "1", "2"]])
    pq.write_table(table, tmp_path / "part.parquet")
    pairs = duckdb.sql(
        f"""select a.sample_id, b.sample_id, bit_count(xor(a.phash, b.phash)) as bits
        from '{tmp_path}/part.parquet' a join '{tmp_path}/part.parquet' b on a.sample_id < b.sample_id
        where bit_count(xor(a.phash, b.phash)) <= 6"""
    ).fetchall()
    assert [(a, b) for a, b, _ in pairs] == [("0", "1")]
    assert pairs[0][2] == (table["phash"][0].as_py() ^ table["phash"][1].as_py()).bit_count()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_any_image_has_hashes_of_64_bits(width: int, height: int, spread: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, spread + 1, (height, width, 3), np.uint8)
    table = Fingerprint(Params()).measure([Image("id", pixels, b"", "png")])
    assert table.schema == Fingerprint.columns
    assert table.column("phash")[0].as_py() < 1 << 64
    assert table.to_pylist() == Fingerprint(Params()).measure([Image("id", pixels.copy(), b"", "png")]).to_pylist()


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (9, 8), (700, 3)])
def test_thin_and_tiny_images_have_fingerprints(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (size[1], size[0], 3), np.uint8)
    [row] = Fingerprint(Params()).measure([Image("id", pixels, b"", "png")]).to_pylist()
    assert len(row["pixel_digest"]) == len(row["digest"]) == 32


def test_a_flat_image_has_no_gradients() -> None:
    assert dhash(np.full((64, 64), 200, np.uint8)) == 0


def test_captions_with_nearly_the_same_words_have_nearly_the_same_hash():
    long = "A wooden ship with three masts sails on the open sea before a red sunset while gulls circle above it"
    assert simhash(long) == simhash(f"  {long.upper()}!")
    assert (simhash(long) ^ simhash(long.replace("three", "two"))).bit_count() <= 12
    others = ["A cat on a sofa", "The front of a shop that sells bread and cakes", "Ein Hund läuft über eine Wiese"]
    assert all(16 <= (simhash(long) ^ simhash(other)).bit_count() <= 48 for other in others)
    assert simhash("") == simhash("…!") == 0


def test_a_picture_without_a_caption_has_no_hash_of_one():
    pixels = np.zeros((20, 20, 3), np.uint8)
    images = [Image("a", pixels, b"", "png"), Image("b", pixels, b"", "png", caption="a cat")]
    assert Fingerprint(Params()).measure(images)["caption_hash"].to_pylist() == [None, simhash("a cat")]
