import cv2
import numpy as np
import pytest

from stages.synthesize.compositional import inks, light
from stages.synthesize.compositional.inks import Mark
from stages.synthesize.compositional.light import Light
from stages.synthesize.compositional.textures import Window

INKS = [inks.print_, inks.marker, inks.chalk, inks.paint, inks.dye, inks.screen, inks.carve, inks.glow]


def put(ink: inks.Ink, ground: int, colour: tuple[int, int, int], size: float = 40) -> tuple[np.ndarray, np.ndarray]:
    """A square in the middle of a plain surface: the pixels after, and where the square is."""
    surface = np.full((160, 200, 3), ground, np.uint8)
    cover = np.zeros((160, 200), np.uint8)
    cv2.rectangle(cover, (70, 50), (129, 109), 255, -1)
    window = Window(np.random.default_rng(1), 200, 160)
    ink(surface, Mark(cover, colour, size, window, (-0.7, -0.7)))
    return surface, cover > 0


@pytest.mark.parametrize("ink", INKS, ids=lambda i: i.__name__)
def test_ink_is_where_the_glyph_is(ink: inks.Ink):
    light_on_dark = ink in (inks.chalk, inks.glow)
    ground, colour = (40, (240, 230, 200)) if light_on_dark else (220, (20, 30, 60))
    pixels, inside = put(ink, ground, colour)
    if ink is inks.glow:  # a tube is nearly white
        colour = tuple(round(255 - (255 - c) * 0.22) for c in colour)
    distance = np.abs(pixels.astype(int) - colour).mean(axis=2)
    assert np.median(distance[inside]) < 40
    assert np.abs(pixels[:8].astype(int) - ground).max() < (40 if ink is inks.glow else 12)
    assert distance[inside].mean() < distance[~inside].mean() / 2


@pytest.mark.parametrize("ink", INKS, ids=lambda i: i.__name__)
def test_no_cover_leaves_the_surface(ink: inks.Ink):
    surface = np.full((60, 80, 3), 90, np.uint8)
    window = Window(np.random.default_rng(1), 80, 60)
    ink(surface, Mark(np.zeros((60, 80), np.uint8), (255, 200, 100), 30, window, (-1.0, 0.0)))
    assert (surface == 90).all()


def test_small_chalk_loses_less_than_large():
    lost = []
    for size in (16, 60):
        pixels, inside = put(inks.chalk, 30, (250, 250, 250), size)
        lost.append((250 - pixels[inside].astype(float)).mean())
    assert lost[0] < lost[1]


def test_a_cut_is_lit_on_the_side_away_from_the_light():
    """The light is at the upper left: the lower right rim shines, the upper left one lies in shade."""
    pixels, _ = put(inks.carve, 128, (10, 10, 10), 90)
    rim = pixels[..., 0].astype(int)
    assert rim[110:113, 80:120].max() > 140 and rim[47:50, 80:120].max() <= 128


def test_neon_lights_the_wall_about_it():
    pixels, inside = put(inks.glow, 40, (255, 120, 60), 60)
    beside = pixels[75:85, 132:136].reshape(-1, 3).mean(axis=0)
    assert beside[0] > 60 and beside[0] > beside[2] + 15
    assert pixels[inside].mean() > 200


def test_a_shadow_falls_away_from_the_light():
    alpha = np.zeros((200, 200), np.uint8)
    alpha[60:140, 60:140] = 255
    left = light.shadow(alpha, Light("the left", (-1.0, 0.0), 0.3, 0.0), 12, 0.6)
    assert left[100, 146] < left[100, 53] and left[100, 146] < 215
    assert (left[:10] > 250).all()


def test_light_is_brighter_where_it_comes_from():
    found = Light("the left", (-1.0, 0.0), 0.5, 0.0).map(300, 200, 0.1)
    assert found.shape == (200, 300, 3)
    assert found[100, 10].mean() > found[100, 290].mean() + 20
