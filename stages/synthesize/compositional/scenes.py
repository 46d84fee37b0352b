"""What is around a medium: tables and walls it lies on or hangs at, and places out of focus behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from stages.synthesize.compositional import pictures
from stages.synthesize.compositional.light import Light
from stages.synthesize.compositional.surfaces import wood
from stages.synthesize.compositional.textures import Colour, Window, around, colour, mix, shade

Painter = Callable[[np.random.Generator, int, int, Light], np.ndarray]


@dataclass(frozen=True)
class Place:
    """`flat`: a surface that the medium lies on or hangs at, seen in the same perspective; if not, a view far behind
    it, on which nothing casts a sharp shadow. `table`: things lie about on it."""

    name: str
    paint: Painter
    flat: bool = True
    table: bool = False


def photograph(path: Path, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A photograph, cut to the picture's shape, and more often than not a little out of focus."""
    pixels = pictures.cover(path, rng, width, height)
    return _soft(pixels, rng.uniform(1.5, 5)) if rng.random() < 0.75 else pixels


def _soft(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred, at a part of the size."""
    height, width = pixels.shape[:2]
    factor = max(1, min(4, int(sigma)))
    small = cv2.resize(pixels, (max(2, width // factor), max(2, height // factor)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.6, sigma / factor))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _table(kind: str) -> Painter:
    def paint(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
        upright = rng.random() < 0.5
        across, down = (height, width) if upright else (width, height)
        pixels = wood(Window(rng, across, down), kind, "wood", 1.25)
        plank = int(down / rng.integers(3, 6))
        start = int(rng.integers(plank // 2, plank))
        edges = [0, *range(start, down, plank), down]
        for top, bottom in pairwise(edges):
            part = wood(Window(rng, across, bottom - top), kind, "wood", 1.25)
            pixels[top:bottom] = cv2.convertScaleAbs(part, alpha=rng.uniform(0.9, 1.07))
            for row, level in ((0, 0.45), (1, 0.3), (2, 0.8), (3, 1.08)):
                if top and top + row < bottom:
                    line = pixels[top + row : top + row + 1]
                    line[:] = cv2.convertScaleAbs(line, alpha=level)
        return cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE) if upright else pixels

    return paint


def _marble(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
    window = Window(rng, width, height)
    grey = mix((window.of("marble", 1.3), 0.85), (window.of("cloud"), 0.4))
    dark = rng.random() < 0.4
    ramp = (
        ((150, 138, 120), (44, 46, 50), (30, 32, 36)) if dark else ((132, 132, 138), (222, 221, 219), (240, 239, 237))
    )
    return colour(grey, ramp)


def _linen(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
    tones: tuple[Colour, ...] = ((204, 194, 178), (120, 134, 148), (178, 92, 84), (132, 146, 122), (224, 220, 212))
    window = Window(rng, width, height)
    grey = mix((window.of("weave"), 0.55), (window.of("cloud"), 0.55))
    return colour(grey, around(tones[int(rng.integers(len(tones)))], 0.3))


def _concrete(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
    window = Window(rng, width, height)
    grey = mix(
        (window.of("mottle"), 0.32), (window.of("cloud"), 0.5), (window.lit("plaster", light.direction, 0.12), 0.7)
    )
    return colour(grey, ((112, 110, 106), (154, 152, 148), (186, 184, 180)))


def _plaster(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
    tones: tuple[Colour, ...] = ((226, 221, 212), (196, 204, 206), (214, 196, 170), (178, 188, 172), (210, 178, 166))
    window = Window(rng, width, height)
    grey = mix((window.lit("plaster", light.direction, 0.3), 0.8), (window.of("cloud"), 0.25))
    return colour(grey, around(tones[int(rng.integers(len(tones)))], 0.3))


def _bricks(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
    ramps: tuple[tuple[Colour, ...], ...] = (
        ((92, 40, 30), (150, 78, 58), (176, 108, 84), (196, 186, 174)),
        ((170, 166, 160), (214, 210, 204), (226, 222, 216), (200, 196, 190)),
        ((104, 74, 54), (158, 120, 88), (184, 150, 116), (176, 168, 156)),
    )
    window = Window(rng, width, height)
    pixels = colour(window.of("brick_tone"), ramps[int(rng.integers(len(ramps)))])
    return shade(pixels, window.lit("brick", light.direction, 0.45))


def _cork(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
    window = Window(rng, width, height)
    grey = mix((window.of("stone", 1.6), 0.7), (window.of("fibre", 1.5), 0.5), (window.of("cloud"), 0.2))
    return colour(grey, ((110, 70, 36), (184, 134, 82), (214, 172, 120)))


# Places out of focus are painted at a quarter of the size and drawn large.


def _spots(
    rng: np.random.Generator, width: int, height: int, base: np.ndarray, tones: list[Colour], count: int, size: float
) -> np.ndarray:
    """Lights out of focus: discs, a little brighter at their rims, on `base`."""
    pixels = base
    for _ in range(count):
        radius = max(2.0, size * rng.uniform(0.5, 1.3))
        x, y = rng.random() * width, rng.random() * height
        tone = np.array(tones[int(rng.integers(len(tones)))]) * rng.uniform(0.25, 0.8)
        left, top = int(x - radius - 3), int(y - radius - 3)
        side = int(2 * radius + 7)
        x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + side), min(height, top + side)
        if x1 <= x0 or y1 <= y0:
            continue
        disc = np.zeros((side, side, 3), np.uint8)
        centre = (round((x - left) * 16), round((y - top) * 16))
        cv2.circle(disc, centre, round(radius * 16), (tone * 0.85).tolist(), -1, cv2.LINE_AA, 4)
        cv2.circle(disc, centre, round(radius * 15), tone.tolist(), max(1, round(radius / 9)), cv2.LINE_AA, 4)
        part = pixels[y0:y1, x0:x1]
        cv2.add(part, disc[y0 - top : y1 - top, x0 - left : x1 - left], part)
    return pixels


def _ramp(width: int, height: int, stops: list[Colour]) -> np.ndarray:
    """Colours from top to bottom."""
    places = np.linspace(0, 1, len(stops))
    column = np.stack([np.interp(np.linspace(0, 1, height), places, [s[i] for s in stops]) for i in range(3)], axis=-1)
    return np.repeat(np.rint(column).astype(np.uint8)[:, None], width, axis=1)


def _large(small: np.ndarray, width: int, height: int, sigma: float) -> np.ndarray:
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma), (width, height), interpolation=cv2.INTER_CUBIC)


def _quarter(width: int, height: int) -> tuple[int, int]:
    return max(16, width // 4), max(16, height // 4)


def _night(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
    w, h = _quarter(width, height)
    base = _ramp(w, h, [(10, 14, 30), (24, 24, 46), (52, 38, 48), (20, 18, 28)])
    tones: list[Colour] = [
        (255, 196, 110),
        (255, 150, 80),
        (240, 90, 80),
        (120, 180, 255),
        (255, 230, 190),
        (110, 220, 190),
    ]
    small = _spots(rng, w, h, base, tones, int(rng.integers(34, 60)), min(w, h) * 0.05)
    return _large(small, width, height, 1.0)


def _garden(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
    w, h = _quarter(width, height)
    window = Window(rng, w, h)
    grey = mix((window.of("cloud", 0.5), 1.0), (window.of("mottle", 1.5), 0.6))
    base = colour(grey, ((22, 40, 20), (58, 88, 40), (120, 150, 66), (206, 214, 140)))
    sky = _ramp(w, h, [(96, 104, 90), (40, 40, 28), (8, 8, 4), (0, 0, 0)])
    cv2.add(base, sky, base)
    base = cv2.GaussianBlur(base, (0, 0), 5)
    tones: list[Colour] = [(150, 180, 90), (214, 220, 150), (110, 150, 70), (240, 240, 200)]
    return _large(_spots(rng, w, h, base, tones, int(rng.integers(16, 34)), min(w, h) * 0.06), width, height, 1.6)


def _office(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
    w, h = _quarter(width, height)
    base = _ramp(w, h, [(206, 208, 208), (192, 192, 190), (156, 152, 146), (120, 112, 104)])
    for _ in range(int(rng.integers(2, 5))):  # windows, shelves, doors
        x, wide = int(rng.uniform(-0.1, 0.9) * w), int(rng.uniform(0.12, 0.3) * w)
        y, high = int(rng.uniform(0.0, 0.25) * h), int(rng.uniform(0.3, 0.6) * h)
        bright = rng.random() < 0.55
        tone = (236, 242, 248) if bright else tuple(int(v) for v in rng.integers(70, 150, 3))
        cv2.rectangle(base, (x, y), (x + wide, y + high), tone, -1)
    return _large(base, width, height, w * 0.035)


def _sky(stops: list[Colour], cloud: tuple[Colour, float]) -> Painter:
    def paint(rng: np.random.Generator, width: int, height: int, light: Light) -> np.ndarray:
        w, h = max(16, width // 3), max(16, height // 3)
        base = _ramp(w, h, stops)
        window = Window(rng, w, h)
        grey = window.of("cloud", 0.8)
        tone, strength = cloud
        cover = np.clip((np.arange(256) - 120) * 2.2, 0, 255) * strength
        veil = cv2.LUT(grey, cover.astype(np.uint8))
        fade = np.linspace(1, 0.35, h, dtype=np.float32)[:, None]
        veil = cv2.multiply(veil, np.repeat(fade, w, axis=1), dtype=cv2.CV_8U)
        keep = cv2.cvtColor(cv2.bitwise_not(veil), cv2.COLOR_GRAY2RGB)
        base = cv2.multiply(base, keep, scale=1 / 255)
        cv2.add(base, cv2.applyColorMap(veil, _tone_table(tone)), base)
        _skyline(rng, base, stops[-1])
        return cv2.resize(cv2.GaussianBlur(base, (0, 0), 3), (width, height), interpolation=cv2.INTER_LINEAR)

    return paint


def _tone_table(tone: Colour) -> np.ndarray:
    return np.rint(np.arange(256)[:, None] * np.array(tone) / 255).astype(np.uint8)[:, None]


def _skyline(rng: np.random.Generator, pixels: np.ndarray, haze: Colour) -> None:
    """Hills and trees along the lower edge, paler the farther they are."""
    height, width = pixels.shape[:2]
    for distance, top, zoom in ((0.6, 0.8, 3.0), (0.25, 0.87, 1.2)):
        tone = [int(c * distance + d * (1 - distance)) for c, d in zip(haze, (38, 50, 42), strict=True)]
        roughness = Window(rng, width, 2).of("plaster", zoom)[0].astype(np.float32) - 128
        rise = cv2.GaussianBlur(roughness[None], (0, 0), 2 * zoom)[0] * 0.0011
        outline = np.stack([np.arange(width), (top - rise) * height], axis=1)
        corners = [[width, height], [0, height]]
        cv2.fillPoly(pixels, [np.rint(np.concatenate([outline, corners])).astype(np.int32)], tone, cv2.LINE_AA)


PLACES: dict[str, Place] = {
    place.name: place
    for place in (
        Place("a wooden table", _table("oak wood"), table=True),
        Place("a dark wooden desk", _table("dark wood"), table=True),
        Place("a dark wooden door", _table("dark wood")),
        Place("a marble table", _marble, table=True),
        Place("a linen tablecloth", _linen, table=True),
        Place("a concrete floor", _concrete),
        Place("a concrete wall", _concrete),
        Place("a plaster wall", _plaster),
        Place("a brick wall", _bricks),
        Place("a cork board", _cork),
        Place("city lights at night", _night, flat=False),
        Place("a garden out of focus", _garden, flat=False),
        Place(
            "a cloudy sky",
            _sky([(70, 124, 196), (128, 172, 222), (206, 224, 236)], ((255, 255, 255), 0.85)),
            flat=False,
        ),
        Place(
            "an evening sky",
            _sky([(44, 52, 104), (150, 92, 120), (244, 164, 108), (252, 210, 150)], ((255, 190, 160), 0.5)),
            flat=False,
        ),
        Place("a desk in an office", _office, flat=False),
    )
}
