"""Drawing plain shapes with smooth edges, and what a sheet's outline and rim look like.

Coordinates are pixels with whole numbers at their edges, of any fraction. `tone` is a colour, or a grey on a mask.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from stages.synthesize.compositional.light import Light
from stages.synthesize.compositional.textures import Colour, around

Tone = Sequence[float] | float
Box = tuple[float, float, float, float]  # left, top, right, bottom

_BITS = 4  # of a coordinate are behind the point


def _fixed(places: Sequence | np.ndarray) -> np.ndarray:
    """As cv2 wants them: whole numbers are the middles of pixels."""
    return np.rint((np.asarray(places, float) - 0.5) * (1 << _BITS)).astype(np.int32)


def fill(pixels: np.ndarray, corners: Sequence | np.ndarray, tone: Tone) -> None:
    """A polygon of any shape, (n, 2)."""
    cv2.fillPoly(pixels, [_fixed(corners)], tone, cv2.LINE_AA, _BITS)


def disc(pixels: np.ndarray, place: Sequence[float] | np.ndarray, radius: float, tone: Tone) -> None:
    x, y = _fixed(place).tolist()
    cv2.circle(pixels, (x, y), max(1, round(radius * (1 << _BITS))), tone, -1, cv2.LINE_AA, _BITS)


def ellipse(pixels: np.ndarray, place: Sequence[float] | np.ndarray, radii: tuple[float, float], tone: Tone) -> None:
    x, y = _fixed(place).tolist()
    axes = tuple(max(1, round(radius * (1 << _BITS))) for radius in radii)
    cv2.ellipse(pixels, (x, y), axes, 0, 0, 360, tone, -1, cv2.LINE_AA, _BITS)


def stroke(pixels: np.ndarray, places: Sequence | np.ndarray, thickness: float, tone: Tone) -> None:
    """A line through some places, (n, 2)."""
    cv2.polylines(pixels, [_fixed(places)], False, tone, max(1, round(thickness)), cv2.LINE_AA, _BITS)


def bar(pixels: np.ndarray, start: np.ndarray, end: np.ndarray, widths: tuple[float, float], tone: Tone) -> None:
    """A straight piece, so wide at its start and at its end."""
    along = (end - start) / max(1e-6, float(np.hypot(*(end - start))))
    side = np.array([-along[1], along[0]]) / 2
    first, last = widths
    fill(pixels, [start + side * first, end + side * last, end - side * last, start - side * first], tone)


def box(pixels: np.ndarray, edges: Box, tone: Tone, radius: float = 0.0) -> None:
    """A rectangle, its corners rounded."""
    left, top, right, bottom = edges
    if not radius:
        fill(pixels, [(left, top), (right, top), (right, bottom), (left, bottom)], tone)
        return
    turn = np.linspace(0, np.pi / 2, 12)
    corners = (
        (right - radius, top + radius, -np.pi / 2),
        (right - radius, bottom - radius, 0.0),
        (left + radius, bottom - radius, np.pi / 2),
        (left + radius, top + radius, np.pi),
    )
    arcs = [np.c_[x + radius * np.cos(turn + a), y + radius * np.sin(turn + a)] for x, y, a in corners]
    fill(pixels, np.concatenate(arcs), tone)


def rounded(width: int, height: int, radius: float) -> np.ndarray:
    """The mask of a sheet with round corners, uint8 (height, width)."""
    mask = np.zeros((height, width), np.uint8)
    box(mask, (0, 0, width, height), 255, radius)
    return mask


def ragged(rng: np.random.Generator, width: int, height: int, amount: float) -> np.ndarray:
    """The mask of a sheet whose edge wanders in and out by about `amount` pixels, uint8 (height, width)."""
    count = 90
    share = np.arange(1, count) / count

    def inset() -> np.ndarray:
        rough = rng.normal(0, 1, 3 * count)
        broad = np.convolve(rough, np.ones(9) / 9, "same")[count : 2 * count - 1] * 2.2
        return np.maximum(0, amount * (1.2 + 0.42 * (broad + 0.3 * rough[count : 2 * count - 1])))

    sides = (
        np.c_[share * width, inset()],
        np.c_[width - inset(), share * height],
        np.c_[(1 - share) * width, height - inset()],
        np.c_[inset(), (1 - share) * height],
    )
    mask = np.zeros((height, width), np.uint8)
    fill(mask, np.concatenate(sides), 255)
    return mask


def dim(part: np.ndarray, factor: float) -> None:
    """Make a part of a picture darker, or lighter, in place."""
    part[:] = cv2.convertScaleAbs(part, alpha=factor)


def bevel(pixels: np.ndarray, width: float, light: Light, strength: float) -> None:
    """Edges that catch the light on its side and lie in shade on the other."""
    side = max(1, round(width))
    x, y = light.direction
    for part, towards in ((pixels[:side], -y), (pixels[-side:], y), (pixels[:, :side], -x), (pixels[:, -side:], x)):
        dim(part, 1 + strength * towards)


def frame(material: np.ndarray, inner: np.ndarray, width: float, light: Light, strength: float, shadow: float) -> None:
    """Put `inner` into a frame of `material`, in place; both RGB uint8 (h, w, 3), the grain of the material from left
    to right. The frame's sides meet in mitred corners, are lit by `strength` as they face, and throw a `shadow`."""
    side = round(width)
    height, length = material.shape[:2]
    upright = cv2.resize(cv2.rotate(material, cv2.ROTATE_90_CLOCKWISE)[:, :side], (side, height))
    x, y = light.direction
    dim(material[:side], 1 - strength * y)
    dim(material[-side:], 1 + strength * y)
    corner = np.tri(side, side, dtype=bool)  # below the diagonal: the upright's half of the upper left corner
    for place, half, factor in (
        (material[:, :side], corner, 1 - strength * x),
        (material[:, length - side :], corner[:, ::-1], 1 + strength * x),
    ):
        part = cv2.convertScaleAbs(upright, alpha=factor)
        place[side:-side] = part[side:-side]
        place[:side][half] = part[:side][half]
        place[-side:][half[::-1]] = part[-side:][half[::-1]]
    field = material[side:-side, side:-side]
    field[:] = inner[side:-side, side:-side]
    reach = max(3, round(side * 0.7))
    for row, depth in enumerate(np.linspace(shadow, 0, reach)):
        dim(field[row : row + 1], 1 - depth * max(0.0, -y))
        dim(field[:, row : row + 1], 1 - depth * max(0.0, -x))
        dim(field[:, -row - 1 : field.shape[1] - row], 1 - depth * max(0.0, x))


def screw(pixels: np.ndarray, place: tuple[float, float], radius: float, light: Light, tone: Colour) -> None:
    """A round head: its shadow, its dome, a gleam towards the light."""
    towards = np.array(light.direction) * radius
    dark, _, bright = around(tone, 0.45)
    for shift, size, shade in ((-0.35, 1.12, (28, 24, 20)), (0, 1.0, dark), (0.12, 0.82, tone), (0.35, 0.36, bright)):
        disc(pixels, place + towards * shift, max(0.5, size * radius), shade)


def groove(pixels: np.ndarray, y: int, gap: int) -> None:
    """A dark gap between two planks, and the lit edge of the lower one."""
    for row in range(-gap, 2 * gap):
        if 0 <= y + row < len(pixels):
            dim(pixels[y + row : y + row + 1], 0.24 if abs(row) <= gap // 2 else (0.72 if row < 0 else 1.12))
