import numpy as np
import pytest

from stages.synthesize.compositional import textures, tiles
from stages.synthesize.compositional.textures import Window

NAMES = sorted(tiles.MAKERS)


@pytest.mark.parametrize("name", NAMES)
def test_a_tile_goes_on_at_its_edges(name: str):
    tile = tiles.tile(name).astype(int)
    assert tile.shape == (tiles.SIDE, tiles.SIDE)
    for axis in (0, 1):
        steps = np.abs(np.diff(tile, axis=axis)).mean(axis=1 - axis)
        seam = np.abs(tile.take(0, axis) - tile.take(-1, axis)).mean()
        assert seam <= steps.max() * 1.05 + 1


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("brick")])
def test_a_tile_is_middle_grey_on_average(name: str):
    assert 124 < tiles.tile(name).mean() < 132
    assert tiles.tile(name).std() > 20


def test_a_window_wraps_and_is_the_same_for_the_same_lots():
    first, again = (Window(np.random.default_rng(5), 1500, 1300).of("cloud") for _ in range(2))
    assert first.shape == (1300, 1500) and np.array_equal(first, again)
    assert np.array_equal(first[:, :476], first[:, 1024:])
    assert not np.array_equal(first, Window(np.random.default_rng(6), 1500, 1300).of("cloud"))


def test_a_relief_is_lit_from_where_the_light_is():
    """Light from the left brightens what rises to the right, light from the right darkens it."""
    window = Window(np.random.default_rng(0), 400, 300)
    left, right = (window.lit("plaster", (x, 0.0), 0.5).astype(int) for x in (-1.0, 1.0))
    assert np.corrcoef(left.ravel(), right.ravel())[0, 1] < -0.95
    rise = np.diff(window.of("plaster").astype(int), axis=1)
    assert np.corrcoef(rise.ravel(), left[:, 1:].ravel())[0, 1] > 0.3


def test_greys_are_mixed_about_their_middle():
    dark, light, middle = (np.full((2, 2), grey, np.uint8) for grey in (28, 228, 128))
    assert (textures.mix((dark, 0.5), (light, 0.5)) == 128).all()
    assert (textures.mix((light, 0.5), (middle, 3.0)) == 178).all()
    assert (textures.mix((dark, 0.5)) == 78).all()


def test_colours_come_from_the_ramp():
    grey = np.array([[0, 128, 255]], np.uint8)
    found = textures.colour(grey, ((0, 10, 20), (100, 100, 100), (200, 210, 220)))
    assert np.abs(found[0].astype(int) - [[0, 10, 20], [100, 100, 100], [200, 210, 220]]).max() <= 1


def test_middle_grey_shades_nothing():
    pixels = np.arange(0, 240, dtype=np.uint8).reshape(8, 10, 3)
    assert np.array_equal(textures.shade(pixels, np.full((8, 10), 128, np.uint8)), pixels)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_ramp_keeps_fractions_of_grey(axis: int):
    found = textures.ramp(np.array([100.0, 101.0]), axis, 600, 400)
    assert found.shape == (400, 600) and set(np.unique(found)) <= {100, 101}
    share = found.mean(axis=axis) - 100
    middle = share[len(share) // 2 - 20 : len(share) // 2 + 20].mean()
    assert abs(middle - 0.5) < 0.05 and share[0] < 0.1 and share[-1] > 0.9
