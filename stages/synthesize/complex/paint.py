"""Painting plain things on an RGB canvas: boxes with round corners, shadows, gradients, polygons, masks.

Coordinates are pixels; a rectangle is left, top, right, bottom. Everything is antialiased by cv2 or by masks that were
drawn four times as large and are kept.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from stages.synthesize.palette import Colour

Rect = tuple[float, float, float, float]
_FINE = 4  # bits of a pixel's fraction that cv2 draws with


def whole(rect: Rect) -> tuple[int, int, int, int]:
    """The rectangle on whole pixels: edges that are not are blurred."""
    left, top, right, bottom = (round(v) for v in rect)
    return left, top, right, bottom


def clipped(canvas: np.ndarray, rect: Rect) -> tuple[int, int, int, int]:
    height, width = canvas.shape[:2]
    left, top, right, bottom = whole(rect)
    return max(0, left), max(0, top), max(0, min(width, right)), max(0, min(height, bottom))


def box(
    canvas: np.ndarray,
    rect: Rect,
    fill: Colour | tuple[Colour, Colour] | np.ndarray | None,
    radius: float = 0.0,
    border: Colour | None = None,
    border_width: float = 1.0,
) -> None:
    """A box with round corners, filled with a colour, a gradient of two or a picture of its size; a border is drawn
    within it."""
    left, top, right, bottom = clipped(canvas, rect)
    if right <= left or bottom <= top:
        return
    radius = min(round(radius), (right - left) // 2, (bottom - top) // 2)
    corners = _corners(left, top, right, bottom, radius)
    before = [canvas[ys, xs].copy() for ys, xs in corners] if radius else []
    inside = canvas[top:bottom, left:right]
    if border is not None:
        thick = max(1, round(border_width))
        kept = inside.copy() if fill is None else None
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), border, cv2.FILLED)
        inner = (left + thick, top + thick, right - thick, bottom - thick)
        if kept is None:
            box(canvas, inner, fill, max(0, radius - thick))
        else:
            box(canvas, inner, kept[thick:-thick, thick:-thick], max(0, radius - thick))
    elif isinstance(fill, np.ndarray):
        inside[:] = fill
    elif isinstance(fill, tuple) and isinstance(fill[0], tuple):
        inside[:] = gradient(right - left, bottom - top, *fill, slanted=True)
    elif fill is not None:
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), fill, cv2.FILLED)
    for mask, old, (ys, xs) in zip(_quarters(radius), before, corners, strict=True):
        blend(canvas, xs.start, ys.start, old, mask)


def blend(canvas: np.ndarray, left: int, top: int, colour: np.ndarray | Colour, mask: np.ndarray) -> None:
    """Lay a colour, or a picture as large as the mask, over the canvas. mask: uint8 (h, w), 255 covers."""
    height, width = mask.shape
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(canvas.shape[1], left + width), min(canvas.shape[0], top + height)
    if x1 <= x0 or y1 <= y0:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    below = canvas[y0:y1, x0:x1].astype(np.int16)
    above = np.asarray(colour, np.int16)
    if above.ndim == 3:
        above = above[part]
    cover = mask[part][..., None].astype(np.int32)
    canvas[y0:y1, x0:x1] = below + ((above - below) * cover + 127) // 255


def _corners(left: int, top: int, right: int, bottom: int, radius: int) -> list[tuple[slice, slice]]:
    if not radius:
        return []
    low, high = slice(top, top + radius), slice(bottom - radius, bottom)
    begin, end = slice(left, left + radius), slice(right - radius, right)
    return [(low, begin), (low, end), (high, end), (high, begin)]


@lru_cache(maxsize=256)
def _quarters(radius: int) -> tuple[np.ndarray, ...]:
    """What lies outside of the round corner: upper left, upper right, lower right, lower left."""
    if not radius:
        return ()
    large = np.full((radius * 4, radius * 4), 255, np.uint8)
    cv2.circle(large, (radius * 4, radius * 4), radius * 4, 0, cv2.FILLED)
    corner = cv2.resize(large, (radius, radius), interpolation=cv2.INTER_AREA)
    return corner, corner[:, ::-1], corner[::-1, ::-1], corner[::-1]


def gradient(width: int, height: int, first: Colour, last: Colour, slanted: bool = False) -> np.ndarray:
    """uint8 (height, width, 3), from the top to the bottom, or from the upper left corner to the lower right."""
    share = np.linspace(0, 1, 256 if slanted else height)[:, None, None]
    colours = np.rint(np.array(first) + (np.array(last) - np.array(first)) * share).astype(np.uint8)
    if not slanted:
        return np.repeat(colours, width, axis=1)
    across, down = (np.linspace(0, 127.5, side, dtype=np.float32) for side in (width, height))
    return cv2.applyColorMap((down[:, None] + across[None]).astype(np.uint8), colours)


def shadow(canvas: np.ndarray, rect: Rect, radius: float, reach: float, strength: float) -> None:
    """A soft shadow below a box that is going to be painted there."""
    reach = max(2, round(reach))
    left, top, right, bottom = whole(rect)
    top, bottom = top + reach // 3, bottom + reach // 3
    pieces = _falling(reach, max(1, min(round(radius), (right - left) // 2, (bottom - top) // 2)))
    edge, corner = pieces
    size = len(corner)
    tile = (corner * strength).astype(np.uint8)
    line = (edge * strength).astype(np.uint8)
    x0, y0, x1, y1 = left - reach, top - reach, right + reach, bottom + reach
    wide, high = x1 - x0 - 2 * size, y1 - y0 - 2 * size
    for flip_x, flip_y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        mask = tile[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
        blend(canvas, x1 - size if flip_x else x0, y1 - size if flip_y else y0, (0, 0, 0), mask)
    if wide > 0:
        blend(canvas, x0 + size, y0, (0, 0, 0), np.repeat(line[:, None], wide, axis=1))
        blend(canvas, x0 + size, y1 - size, (0, 0, 0), np.repeat(line[::-1, None], wide, axis=1))
    if high > 0:
        blend(canvas, x0, y0 + size, (0, 0, 0), np.repeat(line[None], high, axis=0))
        blend(canvas, x1 - size, y0 + size, (0, 0, 0), np.repeat(line[None, ::-1], high, axis=0))


@lru_cache(maxsize=64)
def _falling(reach: int, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """How a shadow fades at an edge and at the upper left corner, 0 to 255; sides of 2 × reach + radius."""
    size = 2 * reach + radius
    mask = np.zeros((2 * size, 2 * size), np.float32)
    box_mask = np.zeros((2 * size, 2 * size, 3), np.uint8)
    box(box_mask, (reach, reach, 2 * size - reach, 2 * size - reach), (255, 255, 255), radius)
    mask = cv2.GaussianBlur(box_mask[..., 0].astype(np.float32), (0, 0), reach / 2)
    return mask[:size, size], mask[:size, :size]


def polygon(canvas: np.ndarray, points: np.ndarray, colour: Colour) -> None:
    """A filled polygon. points: float (n, 2)."""
    cv2.fillPoly(canvas, [_fine(points)], colour, cv2.LINE_AA, _FINE)


def stroke(canvas: np.ndarray, points: np.ndarray, colour: Colour, thickness: float, closed: bool = False) -> None:
    """Lines from point to point. points: float (n, 2)."""
    cv2.polylines(canvas, [_fine(points)], closed, colour, max(1, round(thickness)), cv2.LINE_AA, _FINE)


def disc(canvas: np.ndarray, x: float, y: float, radius: float, colour: Colour) -> None:
    cv2.circle(canvas, *_circle(x, y, radius), colour, cv2.FILLED, cv2.LINE_AA, _FINE)


def ring(canvas: np.ndarray, x: float, y: float, radius: float, colour: Colour, thickness: float) -> None:
    cv2.circle(canvas, *_circle(x, y, radius), colour, max(1, round(thickness)), cv2.LINE_AA, _FINE)


def sector(x: float, y: float, radius: float, start: float, end: float, inner: float = 0.0) -> np.ndarray:
    """The outline of a piece of a disc or ring, angles in radians clockwise from the top; float
    (n, 2). `inner` is how much of the radius is hollow."""
    angles = np.linspace(start, end, max(3, int(abs(end - start) * 24)))
    around = np.stack([np.sin(angles), -np.cos(angles)], axis=1)
    inside = around[::-1] * radius * inner if inner else np.zeros((1, 2))
    return np.concatenate([around * radius, inside]) + np.array([x, y])


def curve(points: np.ndarray, steps: int = 12) -> np.ndarray:
    """A smooth line through points, float (n, 2): Catmull and Rom's."""
    p = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5
        * (
            2 * p[i]
            + (p[i + 1] - p[i - 1]) * t
            + (2 * p[i - 1] - 5 * p[i] + 4 * p[i + 1] - p[i + 2]) * t**2
            + (3 * p[i] - p[i - 1] - 3 * p[i + 1] + p[i + 2]) * t**3
        )
        for i in range(1, len(p) - 2)
    ]
    return np.concatenate([*pieces, points[-1:]])


def darken(canvas: np.ndarray, rect: Rect, colour: Colour, first: float, last: float) -> None:
    """A veil over a part of the canvas, whose share of cover runs from the top to the bottom."""
    left, top, right, bottom = clipped(canvas, rect)
    part = canvas[top:bottom, left:right]
    if not part.size:
        return
    if first == last:
        levels = np.arange(256)[:, None] * (1 - first) + np.array(colour) * first
        part[:] = cv2.LUT(part, np.rint(levels).astype(np.uint8)[None])
        return
    cover = np.linspace(first, last, bottom - top, dtype=np.float32)
    ramp = np.repeat(cover[:, None], right - left, axis=1)
    ground = np.empty_like(part)
    ground[:] = colour
    part[:] = cv2.blendLinear(ground, part, ramp, 1 - ramp)


def _circle(x: float, y: float, radius: float) -> tuple[tuple[int, int], int]:
    scale = 1 << _FINE
    return (round((x - 0.5) * scale), round((y - 0.5) * scale)), max(1, round((radius - 0.5) * scale))


def _fine(points: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
    return np.rint((np.asarray(points, float) - 0.5) * (1 << _FINE)).astype(np.int32)
