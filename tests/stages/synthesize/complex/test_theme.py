import numpy as np
import pytest

from stages.synthesize import palette
from stages.synthesize.complex import theme


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize("mode", theme.MODES)
def test_ink_can_be_read_on_page_and_surface_in_every_mode(mode: str):
    for seed in range(40):
        colours = theme.choose(generator(seed), [mode]).colours
        for ground in ("page", "surface"):
            assert palette.contrast(colours["ink"], colours[ground]) >= 4.5
        assert palette.contrast(colours["on_accent"], colours["accent"]) >= 4.5


def test_oklch_gives_the_colours_it_names():
    assert theme.oklch(1, 0, 0) == (255, 255, 255)
    assert theme.oklch(0, 0, 0) == (0, 0, 0)
    assert theme.oklch(0.628, 0.2577, 29.23) == pytest.approx((255, 0, 0), abs=2)  # sRGB's red


def test_a_share_of_a_colour_is_mixed_over_the_ground():
    chosen = theme.choose(generator(0), ["light"])
    assert chosen.colour("black 50%", (255, 255, 255)) == pytest.approx((136, 136, 136), abs=1)
    assert chosen.colour("#336699") == (0x33, 0x66, 0x99)


def test_legible_changes_a_colour_no_more_than_it_must():
    assert theme.legible((0, 0, 0), [(255, 255, 255)], 4.5) == ((0, 0, 0), 21)
    grey, ratio = theme.legible((150, 150, 150), [(255, 255, 255)], 4.5)
    assert 4.5 <= ratio < 8 and grey[0] < 150
    assert theme.legible((150, 150, 150), [(255, 255, 255), (0, 0, 0)], 4.5)[1] < 4.5


def test_every_name_of_the_palette_is_nearest_to_itself():
    assert {theme.name_of(colour) for colour in palette.COLOURS.values()} == set(palette.COLOURS)


@pytest.mark.parametrize("mode", theme.MODES)
def test_an_accent_is_moved_until_type_on_it_reaches_the_contrast(mode: str):
    for seed in range(20):
        colours = theme.choose(generator(seed), [mode], contrast=8).colours
        assert palette.contrast(colours["on_accent"], colours["accent"]) >= 8
