"""Clean backgrounds: flat, gradients, and soft textures, all between the two end colours of a palette.

A background is a field from 0 to 1 that is looked up in a table of 256 colours: 0.2 ms flat and 2 to 3 ms else for
1024 × 1024. Noise comes from tiles that are made once; drawing it anew for each page would cost more than the type.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from math import cos, hypot, pi, sin

import cv2
import numpy as np

from stages.synthesize.palette import Palette

_TILE = 512
_COARSE = 4  # fields without detail are made at a fourth of the size


@lru_cache(maxsize=8)
def _dither(width: int, height: int) -> np.ndarray:
    """Noise from -0.5 to 0.5, float32 (height, width): half a level of colour, so that gradients show no bands."""
    tile = np.random.Generator(np.random.PCG64(0)).random((64, 64), dtype=np.float32) - 0.5
    return np.tile(tile, (height // 64 + 1, width // 64 + 1))[:height, :width].copy()


@cache
def _tile(octaves: tuple[int, ...]) -> np.ndarray:
    """Noise from 0 to 1, float32 (512, 512), that goes on at its edges: waves of as many periods as `octaves` says."""
    rng = np.random.Generator(np.random.PCG64(len(octaves)))
    total = np.zeros((_TILE, _TILE), np.float32)
    for periods in octaves:
        grid = np.pad(rng.random((periods, periods), dtype=np.float32), 2, mode="wrap")
        side = _TILE * (periods + 4) // periods
        inner = (side - _TILE) // 2
        smooth = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
        total += smooth[inner : inner + _TILE, inner : inner + _TILE] / periods**0.6
    return cv2.normalize(total, None, 0, 1, cv2.NORM_MINMAX)


def _ramp(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * pi)
    across, down = (
        np.linspace(*((0, share) if share > 0 else (-share, 0)), side, dtype=np.float32)
        for share, side in ((cos(angle), width), (sin(angle), height))
    )
    return (across[None] + down[:, None]) / (across.max() + down.max())


def _glow(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    x0, y0 = rng.uniform(0.2, 0.8, 2) * (width, height)
    small = -(-width // _COARSE), -(-height // _COARSE)
    x = (np.linspace(0, width, small[0], dtype=np.float32) - x0)[None]
    y = (np.linspace(0, height, small[1], dtype=np.float32) - y0)[:, None]
    farthest = hypot(max(x0, width - x0), max(y0, height - y0))
    return cv2.resize(cv2.sqrt(x * x + y * y) / np.float32(farthest), (width, height))


def _texture(octaves: tuple[int, ...], scale: float) -> Callable[[int, int, np.random.Generator], np.ndarray]:
    def field(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
        side = max(1, int(min(max(width, height) / scale, _TILE)))
        x, y = rng.integers(0, _TILE, 2)
        tile = np.roll(_tile(octaves), (int(y), int(x)), (0, 1))[:side, :side]
        tile = tile[:: 1 if rng.random() < 0.5 else -1]
        longer = max(width, height)
        return cv2.resize(tile, (longer, longer), interpolation=cv2.INTER_CUBIC)[:height, :width]

    return field


def _linen(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    threads = _texture((200, 256), 2.0)
    return (threads(width, 1, rng)[:1] + threads(1, height, rng)[:, :1]) / 2


FIELDS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "a soft gradient": _ramp,
    "a soft glow": _glow,
    "soft clouds": _texture((3, 6, 12), 2.5),
    "a fine grain": _texture((40, 90, 170, 256), 2.0),
    "a linen texture": _linen,
}


def paint(palette: Palette, field: str | None, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """A background, uint8 (height, width, 3), RGB. `field` is one of FIELDS, or None for a flat one."""
    first, last = np.array(palette.ends, float)
    if field is None or palette.flat:
        return cv2.rectangle(np.empty((height, width, 3), np.uint8), (0, 0), (width, height), first.tolist(), -1)
    ramp = FIELDS[field](width, height, rng)
    steps = 255 / np.abs(last - first).max()
    shades = cv2.addWeighted(ramp, 255.0, _dither(width, height), steps, 0.0, dtype=cv2.CV_8U)
    table = np.rint(first + (last - first) * np.linspace(0, 1, 256)[:, None, None]).astype(np.uint8)
    return cv2.applyColorMap(shades, table)
