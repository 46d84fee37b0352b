"""Tiles of texture, made once a process from a fixed seed: noise, fibres, wood, weave, stone, creases.

A tile is grey, uint8 (1024, 1024), about 128 on average, and goes on at its edges.
"""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

SIDE = 1024
MAKERS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {}


def _tile(maker: Callable[[np.random.Generator], np.ndarray]) -> Callable[[np.random.Generator], np.ndarray]:
    MAKERS[maker.__name__.strip("_")] = maker
    return maker


@cache
def tile(name: str) -> np.ndarray:
    """The tile of a name."""
    return MAKERS[name](np.random.Generator(np.random.PCG64([20240607, *name.encode()])))


@cache
def relief(name: str) -> tuple[np.ndarray, np.ndarray]:
    """How a tile, taken as heights, rises to the right and downwards: two tiles, 128 where it is level."""
    soft = _blurred(tile(name).astype(np.float32), 1.1)  # what is too steep would look like noise
    height = _wrap(soft, 2)
    found = []
    for dx, dy in ((1, 0), (0, 1)):
        slope = cv2.Scharr(height, cv2.CV_32F, dx, dy)[2:-2, 2:-2]
        found.append(_normal(slope, 36))
    return found[0], found[1]


def _wrap(picture: np.ndarray, margin: int) -> np.ndarray:
    return cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_WRAP)


def _blurred(picture: np.ndarray, sigma_x: float, sigma_y: float | None = None) -> np.ndarray:
    margin = int(4 * max(sigma_x, sigma_y or 0)) + 2
    wide = cv2.GaussianBlur(_wrap(picture, margin), (0, 0), sigma_x, sigmaY=sigma_y or sigma_x)
    return wide[margin:-margin, margin:-margin]


def _normal(values: np.ndarray, spread: float) -> np.ndarray:
    """As uint8, 128 on average with a standard deviation of `spread`."""
    values = (values - values.mean()) / max(float(values.std()), 1e-6)
    return np.clip(np.rint(128 + spread * values), 0, 255).astype(np.uint8)


def _fractal(
    rng: np.random.Generator, power: float, stretch: tuple[float, float] = (1, 1), least: float = 0
) -> np.ndarray:
    """Noise of all scales, float (1024, 1024): the amplitude of a wave falls with `power` of its frequency. `stretch`
    draws it out to the right and downwards; waves longer than 1 / `least` of the tile are left out."""
    fx = np.fft.rfftfreq(SIDE)[None] * SIDE * stretch[0]
    fy = np.fft.fftfreq(SIDE)[:, None] * SIDE * stretch[1]
    frequency = np.hypot(fx, fy)
    amplitude = np.where(frequency > least, np.maximum(frequency, 1e-3) ** -power, 0)
    amplitude[0, 0] = 0
    waves = np.exp(2j * np.pi * rng.random(frequency.shape))
    return np.fft.irfft2(amplitude * waves, s=(SIDE, SIDE))


@_tile
def _cloud(rng: np.random.Generator) -> np.ndarray:
    """Stains and unevenness: large soft patches."""
    return _normal(_fractal(rng, 1.7), 42)


@_tile
def _mottle(rng: np.random.Generator) -> np.ndarray:
    """Patches of all sizes, down to a pixel."""
    return _normal(_fractal(rng, 1.0, least=4), 42)


@_tile
def _grain(rng: np.random.Generator) -> np.ndarray:
    """Fine grain of a pixel or two."""
    white = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
    return _normal(_blurred(white, 0.8) * 2 + _blurred(white, 2.2) * 3, 42)


@_tile
def _speckle(rng: np.random.Generator) -> np.ndarray:
    """Grain for the film: sharper than the paper's."""
    return _normal(_blurred(rng.standard_normal((SIDE, SIDE)).astype(np.float32), 0.6), 42)


@_tile
def _dither(rng: np.random.Generator) -> np.ndarray:
    """Every grey as often as any other, without any pattern."""
    return rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)


@_tile
def _fibre(rng: np.random.Generator) -> np.ndarray:
    """Short curved fibres, light and dark, as in unbleached paper."""
    page = np.full((SIDE + 128, SIDE + 128), 128, np.uint8)
    count = 5200
    start = rng.random((count, 2)) * SIDE + 64
    angle = rng.random(count) * 2 * np.pi
    bend = rng.normal(0, 0.5, count)
    length = rng.gamma(2.0, 7.0, count) + 3
    tones = rng.normal(0, 44, count)
    for i in range(count):
        t = np.linspace(0, 1, 5)
        heading = angle[i] + bend[i] * t
        path = start[i] + np.stack([np.cos(heading), np.sin(heading)], axis=1) * (t * length[i])[:, None]
        tone = int(np.clip(128 + tones[i], 10, 245))
        cv2.polylines(page, [np.rint(path * 16).astype(np.int32)], False, tone, 1, cv2.LINE_AA, 4)
    core = page[64:-64, 64:-64].astype(np.float32)
    return _normal(_blurred(core, 0.5) + 0.35 * (tile("grain").astype(np.float32) - 128), 34)


def _board(rng: np.random.Generator, knots: int) -> np.ndarray:
    """Wood cut along the grain, from left to right: wavy growth rings, pores, and some knots; float."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    drift = _fractal(rng, 2.2, (6, 1))
    across = y / SIDE + 0.055 * (drift / drift.std()).astype(np.float32)
    halo = np.zeros_like(x)
    for _ in range(knots):
        cx, cy = rng.random(2) * SIDE
        size = rng.uniform(10, 20)
        dx = (x - cx + SIDE / 2) % SIDE - SIDE / 2
        dy = (y - cy + SIDE / 2) % SIDE - SIDE / 2
        near = np.exp(-np.sqrt((dx / (size * 4.2)) ** 2 + (dy / (size * 1.7)) ** 2))
        across += near * np.sign(dy) * 0.05 * np.tanh(np.abs(dy) / size)
        halo = np.maximum(halo, np.exp(-(((dx / (size * 1.3)) ** 2 + (dy / (size * 0.9)) ** 2) ** 1.4)))
    ring = across * 17 % 1
    early = ring**2.2  # wood darkens through a year and starts pale again
    fine = _fractal(rng, 0.75, (42, 1), least=24)
    medium = _fractal(rng, 1.3, (18, 1))
    pores = _fractal(rng, 0.15, (30, 1), least=60)
    pores = np.minimum((pores / pores.std()) + 1.3, 0)
    value = -0.75 * early + 0.5 * fine / fine.std() + 0.55 * medium / medium.std() + 0.5 * pores
    return value - 3.0 * halo


@_tile
def _wood(rng: np.random.Generator) -> np.ndarray:
    return _normal(_blurred(_board(rng, 0).astype(np.float32), 0.6), 40)


@_tile
def _knotty(rng: np.random.Generator) -> np.ndarray:
    return _normal(_blurred(_board(rng, 3).astype(np.float32), 0.6), 40)


@_tile
def _weave(rng: np.random.Generator) -> np.ndarray:
    """Plain weave, threads four pixels wide, uneven as linen is."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    drift = _fractal(rng, 1.6)
    drift = (drift / drift.std()).astype(np.float32)
    period = SIDE / 128
    warp_thread = np.cos(2 * np.pi * (x / period) + 0.35 * drift)
    weft_thread = np.cos(2 * np.pi * (y / period) + 0.35 * drift.T)
    over = np.sign(np.sin(np.pi * x / period) * np.sin(np.pi * y / period))
    thread = np.where(over > 0, warp_thread * (0.75 + 0.25 * np.abs(weft_thread)), weft_thread)
    streak_x, streak_y = (_fractal(rng, 0.5, s, least=8) for s in ((20, 1), (1, 20)))
    return _normal(_blurred(thread + 0.5 * streak_x / streak_x.std() + 0.5 * streak_y / streak_y.std(), 0.7), 36)


@_tile
def _brushed(rng: np.random.Generator) -> np.ndarray:
    """Metal brushed from left to right."""
    fine, broad = _fractal(rng, 0.45, (90, 1), least=10), _fractal(rng, 1.0, (60, 1))
    return _normal(fine / fine.std() + 0.6 * broad / broad.std(), 38)


@_tile
def _stone(rng: np.random.Generator) -> np.ndarray:
    """Granite: crystals of several sizes."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for sigma, weight in ((1.1, 1.0), (2.2, 1.0), (4.0, 0.7)):
        field = _blurred(rng.standard_normal((SIDE, SIDE)).astype(np.float32), sigma)
        total += weight * np.tanh(3 * field / field.std())
    return _normal(_blurred(total, 0.6), 40)


@_tile
def _marble(rng: np.random.Generator) -> np.ndarray:
    """Veins: thin dark lines where two warped noises meet."""
    total = np.zeros((SIDE, SIDE))
    for weight, power, width in ((1.0, 1.9, 0.05), (0.55, 1.6, 0.035)):
        field = _fractal(rng, power, (1.7, 1))
        total -= weight * np.exp(-np.abs(field / field.std()) / width)
    cloud = _fractal(rng, 1.6)
    return _normal(_blurred((total * 2.4 + 0.55 * cloud / cloud.std()).astype(np.float32), 1.0), 34)


@_tile
def _plaster(rng: np.random.Generator) -> np.ndarray:
    """A hand-trowelled wall, as heights."""
    return _normal(_fractal(rng, 1.25, (1.5, 1), least=3), 42)


@_tile
def _wiped(rng: np.random.Generator) -> np.ndarray:
    """What a wet cloth or a felt leaves on a board: broad arcs of dust."""
    page = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(60):
        layer = np.zeros((SIDE, SIDE), np.uint8)
        x, y = rng.random(2) * SIDE
        radius = rng.uniform(150, 420)
        begin = rng.uniform(0, 360)
        sweep = rng.uniform(25, 80)
        thick = int(rng.uniform(30, 90))
        for dx in (-SIDE, 0, SIDE):
            for dy in (-SIDE, 0, SIDE):
                centre, axes = (round(x + dx), round(y + dy)), (round(radius), round(radius * 0.7))
                cv2.ellipse(layer, centre, axes, 0, begin, begin + sweep, 255, thick, cv2.LINE_AA)
        page += layer * float(rng.uniform(0.2, 1.0))
    streaks = _fractal(rng, 0.8, (14, 3), least=6)
    page = _blurred(page, 14) * (1 + 0.22 * (streaks / streaks.std()).astype(np.float32))
    return _normal(page, 40)


def _brick_layout() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A wall of 8 × 16 bricks: which brick each pixel is in, and its distance in pixels from the joint; and its row."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    wide, high = SIDE // 8, SIDE // 16
    row = y // high
    shifted = (x + (row % 2) * wide // 2) % SIDE
    inside = np.minimum.reduce([shifted % wide, wide - 1 - shifted % wide, y % high, high - 1 - y % high])
    return row * 8 + shifted // wide, inside.astype(np.float32), row


@_tile
def _brick(rng: np.random.Generator) -> np.ndarray:
    """A brick wall as heights: joints are low."""
    _, inside, _ = _brick_layout()
    wobble = _fractal(rng, 1.3, least=12)
    rough = _fractal(rng, 1.0, least=20)
    edge_of = inside + 1.6 * (wobble / wobble.std())
    height = np.clip((edge_of - 3.0) / 4.0, 0, 1)
    return np.clip(40 + 150 * height + 11 * rough / rough.std() * (0.5 + 0.5 * height), 0, 255).astype(np.uint8)


@_tile
def _brick_tone(rng: np.random.Generator) -> np.ndarray:
    """How light each brick is, and its mottling; joints are about 230."""
    number, inside, _ = _brick_layout()
    tones = rng.normal(0, 26, number.max() + 1)[number]
    rough = _fractal(rng, 1.0, least=10)
    tone = 105 + tones + 13 * rough / rough.std()
    joint = np.clip(1 - (inside - 2.2) / 2.0, 0, 1)
    return np.clip(np.clip(tone, 20, 190) * (1 - joint) + (218 + 8 * rough / rough.std()) * joint, 0, 255).astype(
        np.uint8
    )


@cache
def creases() -> tuple[np.ndarray, np.ndarray]:
    """Crumpled paper as slopes to the right and downwards: facets between creases, small ones within large ones."""
    rng = np.random.Generator(np.random.PCG64(77))
    slope_x, slope_y = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for count, weight in ((34, 1.0), (130, 0.75), (460, 0.4)):
        points = rng.random((count, 2)) * SIDE
        heights = rng.normal(0, 1, count)
        around_it = [points + np.array([dx * SIDE, dy * SIDE]) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        everywhere = np.concatenate(around_it)
        height_of = {
            (round(float(px), 2), round(float(py), 2)): heights[i % count] for i, (px, py) in enumerate(everywhere)
        }
        plan = cv2.Subdiv2D((-SIDE - 8, -SIDE - 8, 3 * SIDE + 16, 3 * SIDE + 16))
        plan.insert([(round(float(px), 2), round(float(py), 2)) for px, py in everywhere])
        gx, gy = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
        for ax, ay, bx, by, cx, cy in plan.getTriangleList():
            corners = np.array([[ax, ay], [bx, by], [cx, cy]], float)
            if corners.max() < 0 or corners.min() > SIDE:
                continue
            z = [height_of.get((round(float(px), 2), round(float(py), 2))) for px, py in corners]
            if None in z:
                continue
            gradient = np.linalg.lstsq(np.c_[corners, np.ones(3)], np.array(z, float), rcond=None)[0]
            triangle = np.rint(corners * 16).astype(np.int32)
            for layer, value in ((gx, gradient[0]), (gy, gradient[1])):
                cv2.fillConvexPoly(layer, triangle, float(value), cv2.LINE_8, 4)
        size = SIDE / np.sqrt(count)
        for total, layer in ((slope_x, gx), (slope_y, gy)):
            soft = _blurred(np.clip(layer * size, -2.5, 2.5), 2.2)
            total += weight * (0.75 * soft + 0.25 * _blurred(soft, 12))
    return _normal(slope_x, 42), _normal(slope_y, 42)
