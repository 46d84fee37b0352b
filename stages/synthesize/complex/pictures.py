"""Pictures made up on the spot, for where a template wants a photograph: landscapes, portraits, goods, plain colours.

Each is drawn in the colours of the theme's hue, so that it belongs to the page.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

import cv2
import numpy as np

from stages.synthesize.complex import paint
from stages.synthesize.complex.theme import Theme, mix, oklch
from stages.synthesize.palette import Colour


def draw(kind: str, width: int, height: int, theme: Theme, rng: np.random.Generator) -> np.ndarray:
    """A picture of a kind, uint8 (height, width, 3)."""
    return _PICTURES[kind](width, height, theme, rng)


@lru_cache(maxsize=64)
def decoded(encoded: bytes) -> np.ndarray | None:
    """A picture's pixels, uint8 (h, w, 3), RGB; None where they cannot be decoded."""
    found = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    return None if found is None else cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def fitted(encoded: bytes, width: int, height: int) -> np.ndarray | None:
    """A picture that fills so many pixels, its middle where the sides differ; None where it cannot be decoded."""
    pixels = decoded(encoded)
    if pixels is None:
        return None
    scale = max(width / pixels.shape[1], height / pixels.shape[0])
    size = max(width, round(pixels.shape[1] * scale)), max(height, round(pixels.shape[0] * scale))
    large = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return large[top : top + height, left : left + width]


def _landscape(width: int, height: int, theme: Theme, rng: np.random.Generator) -> np.ndarray:
    """Hills before hills before a sky with a sun, at some hour of the day."""
    hour = rng.random()
    if hour < 0.45:
        sky = oklch(0.72, 0.1, 240), oklch(0.92, 0.04, 220)
        ground_hue, sun = rng.uniform(130, 165), (255, 250, 225)
    elif hour < 0.8:
        sky = oklch(0.55, 0.12, rng.uniform(280, 320)), oklch(0.83, 0.13, rng.uniform(45, 75))
        ground_hue, sun = rng.uniform(280, 340), (255, 226, 160)
    else:
        sky = oklch(0.2, 0.06, 270), oklch(0.42, 0.1, rng.uniform(250, 300))
        ground_hue, sun = rng.uniform(240, 280), (244, 241, 222)
    canvas = paint.gradient(width, height, *sky)
    paint.disc(canvas, width * rng.uniform(0.2, 0.8), height * rng.uniform(0.18, 0.42), min(width, height) * 0.075, sun)
    far, near = (0.68, 0.36) if hour < 0.8 else (0.38, 0.16)
    layers = 4
    pointed = rng.random() < 0.5
    for layer in range(layers):
        level = height * (0.45 + 0.17 * layer)
        rough = height * (0.17 - 0.03 * layer)
        colour = oklch(far + (near - far) * layer / (layers - 1), 0.07, ground_hue - 6 * layer)
        paint.polygon(canvas, _ridge(width, height, level, rough, pointed and layer < 2, rng), colour)
    return canvas


def _ridge(width: int, height: int, level: float, rough: float, pointed: bool, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(5, 9))
    x = np.linspace(-0.05 * width, 1.05 * width, count)
    x[1:-1] += rng.uniform(-0.3, 0.3, count - 2) * width / count
    crest = np.stack([x, level + rng.uniform(-1, 0.5, count) * rough], 1)
    crest = crest if pointed else paint.curve(crest)
    return np.concatenate([crest, [(1.05 * width, height + 2), (-0.05 * width, height + 2)]])


def _city(width: int, height: int, theme: Theme, rng: np.random.Generator) -> np.ndarray:
    """Houses with lit windows at dusk."""
    canvas = paint.gradient(width, height, oklch(0.32, 0.09, 275), oklch(0.76, 0.12, rng.uniform(20, 60)))
    paint.disc(canvas, width * rng.uniform(0.2, 0.8), height * 0.3, min(width, height) * 0.08, (250, 226, 190))
    for row, (lightness, tall) in enumerate(((0.47, 0.55), (0.34, 0.45), (0.22, 0.34))):
        x = -width * 0.02
        house = oklch(lightness, 0.05, 275)
        while x < width:
            wide = width * rng.uniform(0.07, 0.14)
            top = height * (1 - tall * rng.uniform(0.6, 1.15))
            paint.box(canvas, (x, top, x + wide, height), house)
            if row:
                step = max(5, wide / 5)
                for wy in np.arange(top + step, height, step * 1.5):
                    for wx in np.arange(x + step * 0.7, x + wide - step, step * 1.2):
                        if rng.random() < 0.4:
                            paint.box(canvas, (wx, wy, wx + step * 0.5, wy + step * 0.7), (247, 214, 138))
            x += wide + width * rng.uniform(0, 0.01)
    return canvas


def _sea(width: int, height: int, theme: Theme, rng: np.random.Generator) -> np.ndarray:
    """A horizon, the sun above it and its light on the water."""
    warm = rng.random() < 0.5
    top, low = (oklch(0.6, 0.13, 30), oklch(0.88, 0.1, 80)) if warm else (oklch(0.66, 0.1, 235), oklch(0.93, 0.03, 210))
    canvas = paint.gradient(width, height, top, low)
    horizon, x = height * rng.uniform(0.5, 0.62), width * rng.uniform(0.3, 0.7)
    paint.disc(canvas, x, horizon - height * 0.08, min(width, height) * 0.12, (255, 243, 214))
    water = oklch(0.5, 0.09, 225), oklch(0.32, 0.08, 240)
    start = round(horizon)
    canvas[start:] = paint.gradient(width, height - start, *water)
    for step in range(9):
        y = horizon + (height - horizon) * (step + 0.6) / 9.5
        half = min(width, height) * (0.03 + 0.02 * step) * rng.uniform(0.7, 1.3)
        thin = max(1.0, height * 0.004)
        paint.box(canvas, (x - half, y, x + half, y + thin * 2), mix(water[0], (255, 243, 214), 0.6), thin)
    return canvas


def _portrait(width: int, height: int, theme: Theme, rng: np.random.Generator) -> np.ndarray:
    """Head and shoulders, without a face."""
    hue = rng.uniform(0, 360)
    canvas = paint.gradient(width, height, oklch(0.86, 0.06, hue), oklch(0.74, 0.09, hue), slanted=True)
    side, x = min(width, height), width / 2
    skin = oklch(rng.uniform(0.52, 0.86), 0.06, 55)
    hair = oklch(rng.uniform(0.18, 0.5), rng.uniform(0.01, 0.06), 50)
    clothes = oklch(rng.uniform(0.35, 0.65), 0.11, hue + rng.uniform(90, 270))
    base, head = height, height - side * 0.55
    if rng.random() < 0.5:  # long hair
        paint.box(canvas, (x - side * 0.235, head - side * 0.2, x + side * 0.235, head + side * 0.33), hair, side * 0.2)
    shoulders = paint.sector(x, base + side * 0.1, side * 0.42, -np.pi / 2, np.pi / 2)
    paint.polygon(canvas, shoulders * [1, 0.9] + [0, height * 0.1 * 0.9], clothes)
    paint.box(
        canvas,
        (x - side * 0.075, head, x + side * 0.075, head + side * 0.27),
        mix(skin, (60, 30, 20), 0.12),
        side * 0.07,
    )
    paint.disc(canvas, x, head - side * 0.02, side * 0.185, skin)
    fringe = paint.sector(x, head - side * 0.025, side * 0.2, -np.pi * 0.46, np.pi * 0.46)[:-1]
    parting = (x + side * rng.choice([-0.06, 0.06]), head - side * 0.13)
    paint.polygon(canvas, np.concatenate([fringe, [parting]]), hair)
    return canvas


def _goods(width: int, height: int, theme: Theme, rng: np.random.Generator) -> np.ndarray:
    """One thing to be sold, before a plain ground."""
    hue = rng.uniform(0, 360)
    ground = oklch(0.28, 0.03, hue) if theme.dark else oklch(0.945, 0.022, hue)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = ground
    side, x, y = min(width, height), width / 2, height / 2
    main, deep = oklch(0.62, 0.13, hue + 20), oklch(0.46, 0.11, hue + 20)
    pale = oklch(0.86, 0.06, hue + 50)
    shade = mix(ground, (0, 0, 0), 0.13)
    things = (_bottle, _mug, _lamp, _plant, _headphones, _watch, _jar, _chair, _backpack, _book)
    thing = things[int(rng.integers(len(things)))]
    ellipse = (round(x), round(y + side * 0.33)), (round(side * 0.25), max(1, round(side * 0.035)))
    cv2.ellipse(canvas, *ellipse, 0, 0, 360, shade, cv2.FILLED, cv2.LINE_AA)
    thing(canvas, x, y, side, main, deep, pale)
    return canvas


Thing = Callable[[np.ndarray, float, float, float, Colour, Colour, Colour], None]


def _bottle(canvas, x, y, s, main, deep, pale) -> None:
    _block(canvas, x, y, s, -0.055, -0.35, 0.055, -0.12, deep, 0.02)
    _block(canvas, x, y, s, -0.13, -0.17, 0.13, 0.34, main, 0.08)
    _block(canvas, x, y, s, -0.13, -0.02, 0.13, 0.2, pale, 0)
    _block(canvas, x, y, s, -0.07, 0.05, 0.07, 0.075, deep, 0)
    _block(canvas, x, y, s, -0.05, 0.105, 0.05, 0.125, deep, 0)


def _mug(canvas, x, y, s, main, deep, pale) -> None:
    paint.ring(canvas, x + s * 0.2, y + s * 0.06, s * 0.12, deep, s * 0.05)
    _block(canvas, x, y, s, -0.22, -0.18, 0.2, 0.33, main, 0.06)
    _block(canvas, x, y, s, -0.22, 0.0, 0.2, 0.06, pale, 0)


def _lamp(canvas, x, y, s, main, deep, pale) -> None:
    _block(canvas, x, y, s, -0.015, -0.1, 0.015, 0.31, deep, 0)
    _block(canvas, x, y, s, -0.14, 0.3, 0.14, 0.34, deep, 0.02)
    shade = np.array([(-0.12, -0.34), (0.12, -0.34), (0.23, -0.04), (-0.23, -0.04)])
    paint.polygon(canvas, shade * s + [x, y], main)
    _block(canvas, x, y, s, -0.23, -0.05, 0.23, -0.035, pale, 0)


def _plant(canvas, x, y, s, main, deep, pale) -> None:
    green, dark = oklch(0.6, 0.12, 150), oklch(0.5, 0.11, 150)
    for number, angle in enumerate((-0.9, -0.45, 0.0, 0.45, 0.9)):
        t = np.linspace(0, np.pi, 16)
        leaf = np.stack([np.sin(t) * 0.075 * np.cos(t / 2), -np.linspace(0, 0.38, 16)], 1)
        leaf = np.concatenate([leaf, (leaf * [-1, 1])[::-1]])
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        paint.polygon(canvas, leaf @ turn * s + [x, y + s * 0.08], dark if number % 2 else green)
    pot = np.array([(-0.17, 0.06), (0.17, 0.06), (0.13, 0.34), (-0.13, 0.34)])
    paint.polygon(canvas, pot * s + [x, y], main)
    _block(canvas, x, y, s, -0.19, 0.04, 0.19, 0.1, deep, 0.015)


def _headphones(canvas, x, y, s, main, deep, pale) -> None:
    band = paint.sector(x, y + s * 0.03, s * 0.29, -np.pi * 0.55, np.pi * 0.55, inner=0.84)
    paint.polygon(canvas, band, deep)
    for side in (-1, 1):
        _block(canvas, x + side * s * 0.265, y, s, -0.075, 0.0, 0.075, 0.26, main, 0.07)
        _block(canvas, x + side * s * 0.215, y, s, -0.035, 0.03, 0.035, 0.23, pale, 0.03)


def _watch(canvas, x, y, s, main, deep, pale) -> None:
    _block(canvas, x, y, s, -0.09, -0.35, 0.09, 0.35, deep, 0.04)
    _block(canvas, x, y, s, -0.19, -0.21, 0.19, 0.21, main, 0.09)
    _block(canvas, x, y, s, -0.155, -0.175, 0.155, 0.175, (28, 30, 36), 0.07)
    paint.stroke(canvas, np.array([(0, -0.11), (0, 0), (0.07, 0.05)]) * s + [x, y], (245, 245, 245), s * 0.016)


def _jar(canvas, x, y, s, main, deep, pale) -> None:
    _block(canvas, x, y, s, -0.19, -0.14, 0.19, 0.34, pale, 0.07)
    _block(canvas, x, y, s, -0.19, 0.04, 0.19, 0.34, main, 0.07)
    _block(canvas, x, y, s, -0.17, -0.27, 0.17, -0.13, deep, 0.025)
    _block(canvas, x, y, s, -0.12, 0.09, 0.12, 0.24, pale, 0.015)


def _chair(canvas, x, y, s, main, deep, pale) -> None:
    for side in (-1, 1):
        leg = np.array([(0.12, 0.1), (0.15, 0.1), (0.2, 0.34), (0.17, 0.34)]) * [side, 1]
        paint.polygon(canvas, leg * s + [x, y], deep)
    _block(canvas, x, y, s, -0.17, -0.34, 0.17, 0.06, main, 0.09)
    _block(canvas, x, y, s, -0.22, 0.03, 0.22, 0.13, mix(main, (0, 0, 0), 0.12), 0.045)


def _backpack(canvas, x, y, s, main, deep, pale) -> None:
    paint.ring(canvas, x, y - s * 0.27, s * 0.07, deep, s * 0.03)
    _block(canvas, x, y, s, -0.23, -0.27, 0.23, 0.34, main, 0.14)
    _block(canvas, x, y, s, -0.16, 0.06, 0.16, 0.28, deep, 0.04)
    _block(canvas, x, y, s, -0.16, 0.1, 0.16, 0.12, pale, 0)
    _block(canvas, x, y, s, -0.1, -0.12, 0.1, -0.1, pale, 0)


def _book(canvas, x, y, s, main, deep, pale) -> None:
    _block(canvas, x, y, s, -0.2, -0.3, 0.22, 0.34, deep, 0.02)
    _block(canvas, x, y, s, -0.19, 0.29, 0.21, 0.33, (250, 247, 240), 0)
    _block(canvas, x, y, s, -0.2, -0.3, 0.22, 0.29, main, 0.02)
    _block(canvas, x, y, s, -0.1, -0.18, 0.14, -0.14, pale, 0)
    paint.disc(canvas, x + s * 0.02, y + s * 0.08, s * 0.09, pale)


def _block(canvas, x, y, s, left, top, right, bottom, colour, radius) -> None:
    """A box with round corners; everything in sides of the picture from its middle."""
    paint.box(canvas, (x + left * s, y + top * s, x + right * s, y + bottom * s), colour, radius * s)


def _dish(width: int, height: int, theme: Theme, rng: np.random.Generator) -> np.ndarray:
    """A plate from above, with something on it."""
    table = oklch(rng.uniform(0.32, 0.8), 0.05, rng.uniform(40, 90))
    canvas = paint.gradient(width, height, mix(table, (255, 255, 255), 0.12), mix(table, (0, 0, 0), 0.12), slanted=True)
    x, y, side = width * rng.uniform(0.42, 0.58), height * rng.uniform(0.45, 0.55), min(width, height)
    paint.disc(canvas, x + side * 0.012, y + side * 0.025, side * 0.4, mix(table, (0, 0, 0), 0.3))
    paint.disc(canvas, x, y, side * 0.4, (248, 245, 238))
    paint.ring(canvas, x, y, side * 0.29, (226, 221, 210), max(1.0, side * 0.008))
    hues = rng.permutation([28.0, 60.0, 90.0, 135.0, 145.0])
    for number in range(26):
        angle, reach = rng.uniform(0, 6.3), side * 0.22 * np.sqrt(rng.random())
        colour = oklch(rng.uniform(0.5, 0.8), 0.14, float(hues[number % 3]))
        size = side * rng.uniform(0.02, 0.055)
        at = x + reach * np.cos(angle), y + reach * np.sin(angle)
        if number % 4 == 0:
            turn = rng.uniform(0, 3.1)
            along = np.array([np.cos(turn), np.sin(turn)]) * size * 1.6
            paint.stroke(canvas, np.array([at - along, at + along]), colour, size * 0.7)
        else:
            paint.disc(canvas, *at, size, colour)
    return canvas


def _plain(width: int, height: int, theme: Theme, rng: np.random.Generator) -> np.ndarray:
    """A gradient between the theme's two strong colours."""
    first, last = theme.colours["accent"], theme.colours["second"]
    return paint.gradient(width, height, first, mix(first, last, 0.75), slanted=True)


def _abstract(width: int, height: int, theme: Theme, rng: np.random.Generator) -> np.ndarray:
    """Large round shapes in the theme's colours, over one another."""
    canvas = _plain(width, height, theme, rng)
    side = max(width, height)
    colours = (*theme.series[:4], theme.colours["soft"])
    for number in range(int(rng.integers(3, 6))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        colour = colours[number % len(colours)]
        size = side * rng.uniform(0.12, 0.38)
        kind = rng.random()
        if kind < 0.45:
            paint.disc(canvas, x, y, size, colour)
        elif kind < 0.7:
            start = float(rng.integers(4)) * np.pi / 2
            paint.polygon(canvas, paint.sector(x, y, size * 1.3, start, start + np.pi / 2), colour)
        else:
            paint.ring(canvas, x, y, size, colour, size * 0.22)
    return canvas


_PICTURES: Mapping[str, Callable[[int, int, Theme, np.random.Generator], np.ndarray]] = {
    "landscape": _landscape,
    "city": _city,
    "sea": _sea,
    "portrait": _portrait,
    "goods": _goods,
    "dish": _dish,
    "plain": _plain,
    "abstract": _abstract,
}
KINDS = tuple(_PICTURES)
