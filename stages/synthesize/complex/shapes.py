"""Plain shapes, the controls of interfaces, and ornaments: what a `shape` node draws in its rectangle.

Each is a function of the canvas, its rectangle and a `Look`; to add one, write it and name it in `SHAPES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from stages.synthesize.complex import icons, paint
from stages.synthesize.complex.paint import Rect
from stages.synthesize.complex.theme import mix
from stages.synthesize.palette import Colour


@dataclass(frozen=True)
class Look:
    """How a shape is drawn. `value` is 0 to 1; chance comes from `rng`; `mirrored` reads from right to left."""

    colour: Colour
    ground: Colour
    value: float
    unit: float  # pixels of a hundredth of the picture's shorter side
    rng: np.random.Generator
    mirrored: bool


def _circle(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    x, y, radius = _middle(rect)
    paint.disc(canvas, x, y, radius, look.colour)


def _ring(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    x, y, radius = _middle(rect)
    thick = max(1.5, radius * 0.12)
    paint.ring(canvas, x, y, radius - thick / 2, look.colour, thick)


def _pill(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    paint.box(canvas, rect, look.colour, 1e4)


def _block(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    paint.box(canvas, rect, look.colour)


def _triangle(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    left, top, right, bottom = rect
    tip, base = (left, right) if look.mirrored else (right, left)
    paint.polygon(canvas, np.array([(base, top), (tip, (top + bottom) / 2), (base, bottom)]), look.colour)


def _progress(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    left, top, right, bottom = rect
    paint.box(canvas, rect, look.ground, 1e4)
    reach = max(bottom - top, (right - left) * look.value)
    filled = (right - reach, top, right, bottom) if look.mirrored else (left, top, left + reach, bottom)
    paint.box(canvas, filled, look.colour, 1e4)


def _slider(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    left, top, right, bottom = rect
    middle, thin = (top + bottom) / 2, max(1.5, (bottom - top) * 0.14)
    _progress(canvas, (left, middle - thin, right, middle + thin), look)
    radius = (bottom - top) * 0.42
    along = (right - left - 2 * radius) * look.value
    paint.disc(canvas, right - radius - along if look.mirrored else left + radius + along, middle, radius, look.colour)


def _toggle(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    left, top, right, bottom = rect
    on = look.value >= 0.5
    paint.box(canvas, rect, look.colour if on else look.ground, 1e4)
    radius = (bottom - top) / 2
    at_end = on != look.mirrored
    paint.disc(canvas, right - radius if at_end else left + radius, top + radius, radius * 0.78, (255, 255, 255))


def _checkbox(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    left, top, right, _ = rect
    size = right - left
    if look.value >= 0.5:
        paint.box(canvas, rect, look.colour, size * 0.22)
        icons.draw(canvas, "check", left + size * 0.14, top + size * 0.14, size * 0.72, (255, 255, 255))
    else:
        paint.box(canvas, rect, None, size * 0.22, look.ground, size * 0.09)


def _radio(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    x, y, radius = _middle(rect)
    on = look.value >= 0.5
    thick = max(1.5, radius * 0.18)
    paint.ring(canvas, x, y, radius - thick / 2, look.colour if on else look.ground, thick)
    if on:
        paint.disc(canvas, x, y, radius * 0.5, look.colour)


def _stars(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """Five stars, as many of them filled as the value says."""
    left, top, right, bottom = rect
    radius = min((bottom - top) / 2, (right - left) / 11)
    angles = np.arange(10) * np.pi / 5
    star = np.stack([np.sin(angles), -np.cos(angles)], 1) * np.tile([1.0, 0.45], 5)[:, None] * radius
    for number in range(5):
        filled = number < round(look.value * 5)
        x = left + radius * (1 + 2.2 * number)
        x = left + right - x if look.mirrored else x
        paint.polygon(canvas, star + np.array([x, (top + bottom) / 2]), look.colour if filled else look.ground)


def _dots(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """A field of small discs."""
    left, top, right, bottom = rect
    step = max(6.0, look.unit * 3)
    for y in np.arange(top + step / 2, bottom, step):
        for x in np.arange(left + step / 2, right, step):
            paint.disc(canvas, x, y, step * 0.13, look.colour)


def _stripes(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """Slanted bands."""
    part, (width, height) = _part(canvas, rect)
    step = max(8.0, look.unit * 4)
    for x in np.arange(-height, width, step * 2):
        band = np.array([(x, height), (x + step, height), (x + step + height, 0), (x + height, 0)])
        paint.polygon(part, band, look.colour)


def _waves(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """Three swells, one above the other, from pale to full."""
    part, (width, height) = _part(canvas, rect)
    x = np.linspace(0, width, 60)
    for layer, share in enumerate((0.35, 0.6, 1.0)):
        crest = height * (0.18 + 0.27 * layer)
        phase, length = look.rng.uniform(0, 6.3), look.rng.uniform(0.7, 1.4)
        y = crest + height * 0.11 * np.sin(x / width * 6.3 * length + phase)
        body = np.concatenate([np.stack([x, y], 1), [(width, height), (0, height)]])
        paint.polygon(part, body, mix(look.ground, look.colour, share))


def _rings(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """Rings about one corner."""
    part, (width, height) = _part(canvas, rect)
    corner = (0 if look.mirrored else width, 0 if look.rng.random() < 0.5 else height)
    for number in range(1, 7):
        paint.ring(part, *corner, max(width, height) * number / 6.5, look.colour, max(1.0, look.unit * 0.5))


def _rays(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """A sunburst from the middle of the lower edge."""
    part, (width, height) = _part(canvas, rect)
    reach, count = np.hypot(width, height) * 1.1, 22
    for number in range(0, count, 2):
        outline = paint.sector(
            width / 2, height, reach, np.pi * (number / count - 0.5), np.pi * ((number + 1) / count - 0.5)
        )
        paint.polygon(part, outline, look.colour)


def _bubbles(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """Large pale discs that overlap the edges."""
    part, (width, height) = _part(canvas, rect)
    for share in (0.35, 0.6, 1.0):
        radius = min(width, height) * look.rng.uniform(0.18, 0.42)
        x, y = look.rng.uniform(0, width), look.rng.uniform(0, height)
        paint.disc(part, x, y, radius, mix(look.ground, look.colour, share))


def _confetti(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    part, (width, height) = _part(canvas, rect)
    for _ in range(26):
        x, y, turn = look.rng.uniform(0, width), look.rng.uniform(0, height), look.rng.uniform(0, 3.2)
        long, thin = look.unit * look.rng.uniform(0.8, 1.6), look.unit * look.rng.uniform(0.3, 0.6)
        along, side = np.array([np.cos(turn), np.sin(turn)]) * long, np.array([-np.sin(turn), np.cos(turn)]) * thin
        middle = np.array([x, y])
        corners = np.array([middle + along + side, middle + along - side, middle - along - side, middle - along + side])
        paint.polygon(part, corners, mix(look.ground, look.colour, float(look.rng.uniform(0.4, 1))))


def _mesh(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """Fine lines across and down, as of squared paper."""
    part, (width, height) = _part(canvas, rect)
    step = max(8.0, look.unit * 4)
    for x in np.arange(step, width, step):
        cv2.line(part, (round(x), 0), (round(x), height), look.colour, 1)
    for y in np.arange(step, height, step):
        cv2.line(part, (0, round(y)), (width, round(y)), look.colour, 1)


def _frame(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """A double line around, with squares at the corners: of a certificate."""
    left, top, right, bottom = rect
    thick, inset = max(2.0, look.unit * 0.6), look.unit * 1.5
    paint.box(canvas, rect, None, 0, look.colour, thick)
    paint.box(
        canvas, (left + inset, top + inset, right - inset, bottom - inset), None, 0, look.colour, max(1.0, thick / 3)
    )
    side = inset * 1.25
    for x in (left, right - side):
        for y in (top, bottom - side):
            paint.box(canvas, (x, y, x + side, y + side), look.colour)


def _seal(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """A toothed disc with a star."""
    x, y, radius = _middle(rect)
    angles = np.linspace(0, 2 * np.pi, 97)
    reach = radius * (1 - 0.07 * (np.arange(97) % 4 < 2))
    paint.polygon(canvas, np.stack([x + reach * np.sin(angles), y - reach * np.cos(angles)], 1), look.colour)
    paint.ring(canvas, x, y, radius * 0.76, look.ground, max(1.0, radius * 0.04))
    icons.draw(canvas, "sparkle", x - radius * 0.5, y - radius * 0.5, radius, look.ground)


def _notches(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """Half discs bitten out of the left and the right side, and a dotted line between: where a ticket is torn."""
    left, top, right, bottom = rect
    radius = (bottom - top) / 2
    for x in (left, right):
        paint.disc(canvas, x, top + radius, radius, look.ground)
    for x in np.arange(left + radius * 2, right - radius * 1.5, radius * 0.9):
        paint.disc(canvas, x, top + radius, max(1.0, radius * 0.13), look.colour)


def _sound(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """The bars of a recording, played as far as the value says."""
    left, top, right, bottom = rect
    step = max(4.0, look.unit * 0.9)
    count = int((right - left) / step)
    for number in range(count):
        high = (bottom - top) / 2 * (0.15 + 0.85 * look.rng.random())
        x = left + step * (number + 0.5)
        played = (1 - number / count if look.mirrored else number / count) < look.value
        middle = (top + bottom) / 2
        bar = (x - step * 0.28, middle - high, x + step * 0.28, middle + high)
        paint.box(canvas, bar, look.colour if played else look.ground, step * 0.28)


def _trend(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """A small line that goes up and down, over a pale ground."""
    left, top, right, bottom = rect
    count = 9
    steps = np.cumsum(look.rng.normal(0.06, 0.2, count))
    y = bottom - (steps - steps.min()) / max(1e-6, np.ptp(steps)) * (bottom - top) * 0.85 - (bottom - top) * 0.08
    line = paint.curve(np.stack([np.linspace(left, right, count), y], 1))
    line[:, 1] = np.clip(line[:, 1], top, bottom)
    below = np.concatenate([line, [(right, bottom), (left, bottom)]])
    paint.polygon(canvas, below, mix(look.ground, look.colour, 0.16))
    paint.stroke(canvas, line, look.colour, max(1.5, look.unit * 0.35))


def _arrow(canvas: np.ndarray, rect: Rect, look: Look) -> None:
    """A broad arrow towards where reading goes."""
    left, top, right, bottom = rect
    width, height = right - left, bottom - top
    shape = np.array([(0, 0.3), (0.55, 0.3), (0.55, 0), (1, 0.5), (0.55, 1), (0.55, 0.7), (0, 0.7)])
    if look.mirrored:
        shape = shape * [-1, 1] + [1, 0]
    paint.polygon(canvas, shape * [width, height] + [left, top], look.colour)


def _middle(rect: Rect) -> tuple[float, float, float]:
    left, top, right, bottom = rect
    return (left + right) / 2, (top + bottom) / 2, min(right - left, bottom - top) / 2


def _part(canvas: np.ndarray, rect: Rect) -> tuple[np.ndarray, tuple[int, int]]:
    """The part of the canvas within a rectangle, and its width and height: what is drawn there does not leave it."""
    left, top, right, bottom = paint.clipped(canvas, rect)
    return canvas[top:bottom, left:right], (right - left, bottom - top)


SHAPES: Mapping[str, Callable[[np.ndarray, Rect, Look], None]] = {
    "circle": _circle, "ring": _ring, "pill": _pill, "block": _block, "triangle": _triangle, "progress": _progress,
    "slider": _slider, "toggle": _toggle, "checkbox": _checkbox, "radio": _radio, "stars": _stars, "dots": _dots,
    "stripes": _stripes, "waves": _waves, "rings": _rings, "rays": _rays, "bubbles": _bubbles,
    "confetti": _confetti, "mesh": _mesh, "frame": _frame, "seal": _seal, "notches": _notches, "sound": _sound,
    "trend": _trend, "arrow": _arrow,
}  # fmt: skip
NAMES = tuple(SHAPES)


def draw(canvas: np.ndarray, name: str, rect: Rect, look: Look) -> None:
    """Draw a shape in a rectangle (left, top, right, bottom); nothing where that is empty."""
    left, top, right, bottom = paint.clipped(canvas, rect)
    if right - left >= 1 and bottom - top >= 1:
        SHAPES[name](canvas, rect, look)
