"""Textures for one picture: windows on tiles, mixed, and looked up in ramps of colours.

A picture takes windows of the tiles at places of its own: under a millisecond each, where fresh noise would take ten.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from stages.synthesize.compositional.tiles import SIDE, creases, relief, tile

Colour = tuple[int, int, int]


class Window:
    """A place on the tiles, drawn by lot. Several tiles seen through one window belong together."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._x, self._y = (int(n) for n in rng.integers(SIDE, size=2))

    def of(self, name: str, zoom: float = 1.0) -> np.ndarray:
        """The tile `name` through this window, magnified, uint8 (height, width)."""
        return self._see(tile(name), zoom)

    def lit(self, name: str, light: tuple[float, float], strength: float, zoom: float = 1.0) -> np.ndarray:
        """The tile's relief in a light that comes from the direction `light`: 128 where it is level."""
        right, down = relief(name)
        return self._light(right, down, light, strength, zoom)

    def creased(self, light: tuple[float, float], strength: float, zoom: float = 1.0) -> np.ndarray:
        """The facets of crumpled paper in a light: 128 where it is level."""
        right, down = creases()
        return self._light(right, down, light, strength, zoom)

    def _light(
        self, right: np.ndarray, down: np.ndarray, light: tuple[float, float], strength: float, zoom: float
    ) -> np.ndarray:
        x, y = (-strength * share for share in light)  # what rises away from the light faces it
        lit = cv2.addWeighted(self._see(right, 1, zoom), x, self._see(down, 1, zoom), y, 128 * (1 - x - y))
        return self._enlarged(lit, zoom)

    def _see(self, source: np.ndarray, zoom: float, cut: float = 1.0) -> np.ndarray:
        share = max(zoom, cut)
        width, height = max(2, round(self.width / share)), max(2, round(self.height / share))
        found = _cut(source, self._x, self._y, width, height)
        return self._enlarged(found, zoom)

    def _enlarged(self, found: np.ndarray, zoom: float) -> np.ndarray:
        if zoom == 1 and found.shape == (self.height, self.width):
            return found
        return cv2.resize(found, (self.width, self.height), interpolation=cv2.INTER_LINEAR)


def _cut(source: np.ndarray, x: int, y: int, width: int, height: int) -> np.ndarray:
    """A window of a tile that goes on at its edges; blocks are copied, which is many times faster than indexing."""
    found = np.empty((height, width), np.uint8)
    top = 0
    while top < height:
        y0 = (y + top) % SIDE
        rows = min(SIDE - y0, height - top)
        left = 0
        while left < width:
            x0 = (x + left) % SIDE
            columns = min(SIDE - x0, width - left)
            found[top : top + rows, left : left + columns] = source[y0 : y0 + rows, x0 : x0 + columns]
            left += columns
        top += rows
    return found


def mix(*parts: tuple[np.ndarray, float]) -> np.ndarray:
    """Grey textures added up: each one's distance from 128, times its weight. uint8."""
    (first, weight), *others = parts
    if not others:
        return cv2.convertScaleAbs(first, alpha=weight, beta=128 * (1 - weight))
    total, gathered = first, weight
    for part, share in others:
        total = cv2.addWeighted(total, gathered, part, share, 128 * (1 - gathered - share))
        gathered = 1.0
    return total


def colour(grey: np.ndarray, ramp: Sequence[Colour]) -> np.ndarray:
    """Each grey looked up in a ramp of colours, evenly spaced from 0 to 255: RGB."""
    return cv2.applyColorMap(grey, table(tuple(ramp)))


@cache
def table(ramp: tuple[Colour, ...]) -> np.ndarray:
    places = np.linspace(0, 255, len(ramp))
    channels = [np.interp(np.arange(256), places, [c[i] for c in ramp]) for i in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)[:, None]


def around(base: Colour, spread: float) -> tuple[Colour, Colour, Colour]:
    """A ramp from a darker to a lighter shade of a colour, `spread` (0 to 1) of it either way."""

    def shade(factor: float) -> Colour:
        red, green, blue = (int(np.clip(round(c * factor), 0, 255)) for c in base)
        return red, green, blue

    return shade(1 - spread), base, shade(1 + spread)


def shade(pixels: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """RGB pixels made darker or lighter by a grey: 128 leaves them as they are, 255 doubles them."""
    return cv2.multiply(pixels, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), scale=1 / 128)


def ramp(level: np.ndarray, axis: int, width: int, height: int) -> np.ndarray:
    """A grey that changes along one axis (0: x, 1: y) as `level` says, float (n,), spread over it: uint8 (h, w).

    It is dithered: where it changes slowly, steps of whole greys would show as stripes.
    """
    length = width if axis == 0 else height
    line = cv2.resize(level.astype(np.float32)[None], (length, 1), interpolation=cv2.INTER_LINEAR).ravel()
    whole = np.floor(line)
    parts = [whole.astype(np.uint8), np.rint((line - whole) * 255).astype(np.uint8)]
    if axis == 0:
        base, rest = (np.repeat(part[None], height, axis=0) for part in parts)
    else:
        base, rest = (np.repeat(part[:, None], width, axis=1) for part in parts)
    more = cv2.compare(rest, _cut(tile("dither"), 0, 0, width, height), cv2.CMP_GT)
    return cv2.add(base, cv2.min(more, 1))
