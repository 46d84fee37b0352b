"""How ink acts on a surface: it soaks in, crumbles on grain, is cut into it, or glows.

Each function changes `surface`, RGB uint8 (h, w, 3), in place: a window of the sheet. cover: uint8 (h, w), how much of
each pixel the glyphs cover; size: pixels an em, for what has to stay legible in small type.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from stages.synthesize.compositional.textures import Colour, Window, table


@dataclass(frozen=True)
class Mark:
    """One text to be put on a surface: how it covers it, in which colour, and the light there."""

    cover: np.ndarray
    colour: Colour
    size: float
    window: Window
    light: tuple[float, float]


Ink = Callable[[np.ndarray, Mark], None]


def _lay(surface: np.ndarray, cover: np.ndarray, colour: Colour) -> None:
    """`colour` over the surface, as much as `cover` says."""
    keep = cv2.cvtColor(cv2.bitwise_not(cover), cv2.COLOR_GRAY2RGB)
    cv2.multiply(surface, keep, surface, scale=1 / 255)
    cv2.add(surface, cv2.applyColorMap(cover, table(((0, 0, 0), colour))), surface)


def _broken(cover: np.ndarray, texture: np.ndarray, least: float, share: float) -> np.ndarray:
    """Cover that fails where the texture is dark: down to `least` of it below the level `share`, 0 to 1."""
    edge = int(255 * share)
    steps = np.interp(np.arange(256), [edge - 40, edge + 40], [least, 1.0])
    keep = cv2.LUT(texture, np.rint(steps * 255).astype(np.uint8))
    return cv2.multiply(cover, keep, scale=1 / 255)


def _small(size: float) -> float:
    """1 for type that is too small to lose anything, 0 for large type."""
    return float(np.clip((44 - size) / 28, 0, 1))


def print_(surface: np.ndarray, mark: Mark) -> None:
    """Printer's or pen ink: soaks in a little, and lets a trace of the paper through."""
    cover = cv2.addWeighted(mark.cover, 0.8, cv2.blur(mark.cover, (3, 3)), 0.2, 0) if mark.size > 18 else mark.cover
    least = 0.86 + 0.1 * (1 - _small(mark.size))
    _lay(surface, _broken(cover, mark.window.of("grain"), least, 0.42), mark.colour)


def marker(surface: np.ndarray, mark: Mark) -> None:
    """A felt pen: even, a little streaky."""
    _lay(surface, _broken(mark.cover, mark.window.of("brushed"), 0.9, 0.4), mark.colour)


def chalk(surface: np.ndarray, mark: Mark) -> None:
    """Chalk: dust that stays on the grain's ridges, and a faint haze about each stroke."""
    small = _small(mark.size)
    grain = mark.window.of("grain", float(np.clip(mark.size / 44, 1, 2.4)))
    cover = _broken(mark.cover, grain, 0.42 + 0.42 * small, 0.42)
    haze = cv2.blur(mark.cover, (9, 9))
    cover = cv2.max(cover, cv2.convertScaleAbs(haze, alpha=0.1))
    _lay(surface, cover, mark.colour)


def paint(surface: np.ndarray, mark: Mark) -> None:
    """Brushed on wood or cardboard: worn away along the grain."""
    small = _small(mark.size)
    cover = _broken(mark.cover, mark.window.of("wood"), 0.62 + 0.28 * small, 0.33)
    _lay(surface, _broken(cover, mark.window.of("grain"), 0.85, 0.3), mark.colour)


def dye(surface: np.ndarray, mark: Mark) -> None:
    """Printed on cloth: the weave shows through."""
    small = _small(mark.size)
    _lay(surface, _broken(mark.cover, mark.window.of("weave"), 0.82 + 0.12 * small, 0.34), mark.colour)


def screen(surface: np.ndarray, mark: Mark) -> None:
    """Pixels that shine: nothing is lost."""
    _lay(surface, mark.cover, mark.colour)


def carve(surface: np.ndarray, mark: Mark) -> None:
    """Cut into the surface and filled with colour: the edge away from the light is lit, the one towards it in shade."""
    depth = max(1.0, mark.size / 30)
    x, y = (share * depth for share in mark.light)
    near = _moved(mark.cover, -x, -y)  # the walls on the light's side throw their shadow into the cut
    far = _moved(mark.cover, x, y)
    lip = cv2.subtract(far, mark.cover)
    gleam = cv2.subtract(near, mark.cover)
    _lay(surface, mark.cover, mark.colour)
    grey = cv2.convertScaleAbs(lip, alpha=-0.42, beta=255)
    cv2.multiply(surface, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), surface, scale=1 / 255)
    shine = cv2.convertScaleAbs(gleam, alpha=0.5)
    cv2.add(surface, cv2.cvtColor(shine, cv2.COLOR_GRAY2RGB), surface)


def _moved(cover: np.ndarray, x: float, y: float) -> np.ndarray:
    height, width = cover.shape
    return cv2.warpAffine(cover, np.array([[1, 0, x], [0, 1, y]]), (width, height), flags=cv2.INTER_LINEAR)


def glow(surface: np.ndarray, mark: Mark) -> None:
    """Tubes of gas: a core that is nearly white, its colour about it, and the wall behind lit by it."""
    height, width = mark.cover.shape
    small = cv2.resize(mark.cover, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    near = cv2.GaussianBlur(small, (0, 0), max(1.0, mark.size / 40))
    tiny = cv2.resize(small, (max(1, width // 16), max(1, height // 16)), interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(tiny, (0, 0), max(1.0, mark.size / 22))
    wide = cv2.resize(wide, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_CUBIC)
    halo = cv2.addWeighted(near, 0.5, cv2.min(wide, 90), 1.1, 0)
    deep = tuple(max(0, round(255 - (255 - c) * 1.5)) for c in mark.colour)  # the glass is paler than its light
    lit = cv2.applyColorMap(halo, table(((0, 0, 0), deep)))
    lit = cv2.resize(lit, (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.add(surface, cv2.multiply(surface, lit, scale=1 / 50), surface)  # light on bricks shows the bricks
    cv2.add(surface, cv2.convertScaleAbs(lit, alpha=0.14), surface)  # and in the air
    _lay(surface, mark.cover, mark.colour)
    thin = max(1, round(mark.size / 48))
    core = cv2.blur(cv2.erode(mark.cover, np.ones((3, 3), np.uint8), iterations=thin), (2 * thin + 1, 2 * thin + 1))
    white = tuple(round(255 - (255 - c) * 0.22) for c in mark.colour)
    _lay(surface, core, white)
