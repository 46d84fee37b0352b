"""Small things that lie about on a table, below the sheet and beside it: they never cover it."""

from collections.abc import Callable

import cv2
import numpy as np

from stages.synthesize.compositional import shapes
from stages.synthesize.compositional.light import Light
from stages.synthesize.compositional.textures import Colour, around

_PENS: tuple[Colour, ...] = ((228, 178, 58), (188, 44, 40), (36, 78, 140), (40, 100, 70), (38, 38, 42), (206, 208, 212))


def lay(rng: np.random.Generator, canvas: np.ndarray, sheet: np.ndarray, light: Light) -> tuple[str, ...]:
    """Put one or two things on the table `canvas` (RGB, in place), and say which. sheet: its four corners in the
    picture, clockwise, (4, 2)."""
    kinds = list(_THINGS)
    chosen = [kinds[int(number)] for number in rng.permutation(len(kinds))[: int(rng.integers(1, 3))]]
    return tuple(f"{kind} beside it" for kind in chosen if _THINGS[kind](rng, canvas, sheet, light))


def _beside(
    rng: np.random.Generator, canvas: np.ndarray, sheet: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """A place near the sheet's left or right edge, and the direction of that edge; None where there is no room."""
    height, width = canvas.shape[:2]
    top_left, top_right, bottom_right, bottom_left = sheet
    left = rng.random() < 0.5
    start, end = (top_left, bottom_left) if left else (top_right, bottom_right)
    along = (end - start) / np.hypot(*(end - start))
    out = np.array([-along[1], along[0]]) * (1 if left else -1)
    away = rng.uniform(0.025, 0.075) * min(width, height)
    place = start + (end - start) * rng.uniform(0.35, 0.7) + out * away
    margin = 0.03 * min(width, height)
    if not (margin < place[0] < width - margin and margin < place[1] < height - margin):
        return None, None
    return place, along


def _turned(direction: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ direction


def _darken(canvas: np.ndarray, shape: Callable[[np.ndarray], None], soft: float, depth: float) -> None:
    """A shadow: what `shape` draws in white on black, blurred, takes the light away. At a quarter of the size."""
    height, width = canvas.shape[:2]
    mask = np.zeros((height // 4 + 1, width // 4 + 1), np.uint8)
    shape(mask)
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.6, soft / 4))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    part = canvas[4 * top : 4 * bottom, 4 * left : 4 * right]
    keep = cv2.convertScaleAbs(mask[top:bottom, left:right], alpha=-depth, beta=255)
    keep = cv2.resize(keep, (part.shape[1], part.shape[0]))
    cv2.multiply(part, cv2.cvtColor(keep, cv2.COLOR_GRAY2RGB), part, scale=1 / 255)


def _rod(
    canvas: np.ndarray,
    start: np.ndarray,
    along: np.ndarray,
    pieces: list[tuple[float, float, float, Colour]],
    thick: float,
    light: Light,
) -> None:
    """A round rod of pieces (length, width at its start and end, as shares of `thick`; tone), lit from one side."""
    off = -np.array(light.direction) * thick * 0.55
    total = sum(length for length, *_ in pieces)

    def silhouette(mask: np.ndarray) -> None:
        shapes.bar(mask, (start + off) / 4, (start + along * total + off) / 4, (thick / 4, thick / 5), 255)

    _darken(canvas, silhouette, thick * 0.45, 0.6)
    side = np.array([-along[1], along[0]])
    towards = float(np.sign(side @ np.array(light.direction)) or 1)
    at = start
    for length, first, last, tone in pieces:
        end = at + along * length
        dark, middle, bright = around(tone, 0.32)
        for share in np.linspace(0, 1, 8):
            move = side * towards * 0.2 * share * thick
            width = thick * (1 - 0.86 * share)
            ends = (middle, bright) if share > 0.5 else (dark, middle)
            tone_of = [a + (b - a) * (2 * share % 1) for a, b in zip(*ends, strict=True)]
            shapes.bar(canvas, at + move, end + move, (first * width, last * width), tone_of)
        at = end


def _pencil(rng: np.random.Generator, canvas: np.ndarray, sheet: np.ndarray, light: Light) -> bool:
    unit = min(canvas.shape[:2])
    place, along = _beside(rng, canvas, sheet)
    if place is None or along is None:
        return False
    along = _turned(along, rng.uniform(-14, 14)) * rng.choice([-1, 1])
    thick, length = 0.017 * unit, rng.uniform(0.3, 0.45) * unit
    tone = _PENS[int(rng.integers(5))]
    pieces: list[tuple[float, float, float, Colour]] = [
        (0.022 * unit, 0.92, 0.92, (224, 142, 146)),
        (0.02 * unit, 1.0, 1.0, (190, 186, 172)),
        (length, 1.0, 1.0, tone),
        (0.036 * unit, 1.0, 0.3, (222, 188, 140)),
        (0.012 * unit, 0.3, 0.04, (52, 50, 50)),
    ]
    _rod(canvas, place - along * length / 2, along, pieces, thick, light)
    return True


def _pen(rng: np.random.Generator, canvas: np.ndarray, sheet: np.ndarray, light: Light) -> bool:
    unit = min(canvas.shape[:2])
    place, along = _beside(rng, canvas, sheet)
    if place is None or along is None:
        return False
    along = _turned(along, rng.uniform(-18, 18)) * rng.choice([-1, 1])
    thick, length = 0.021 * unit, rng.uniform(0.26, 0.32) * unit
    tone = _PENS[int(rng.integers(1, len(_PENS)))]
    steel: Colour = (186, 188, 192)
    pieces: list[tuple[float, float, float, Colour]] = [
        (0.016 * unit, 0.5, 0.62, steel),
        (length * 0.45, 0.9, 1.0, tone),
        (0.012 * unit, 1.04, 1.04, steel),
        (length * 0.55, 1.0, 0.9, tone),
        (0.03 * unit, 0.86, 0.36, steel),
        (0.01 * unit, 0.24, 0.12, (60, 60, 62)),
    ]
    _rod(canvas, place - along * length / 2, along, pieces, thick, light)
    return True


def _cup(rng: np.random.Generator, canvas: np.ndarray, sheet: np.ndarray, light: Light) -> bool:
    """A cup of coffee on its saucer, from above, in the corner farthest from the sheet, if there is room."""
    height, width = canvas.shape[:2]
    unit = min(height, width)
    radius = rng.uniform(0.15, 0.19) * unit
    outline = sheet.astype(np.float32).reshape(-1, 1, 2)
    best, room = None, 0.0
    for x in (-0.02 * unit, width + 0.02 * unit):
        for y in (0.06 * unit, height - 0.06 * unit):
            centre = np.array([x, y]) + rng.uniform(-0.03, 0.03, 2) * unit
            free = -cv2.pointPolygonTest(outline, (float(centre[0]), float(centre[1])), True)
            if free > room:
                best, room = centre, free
    if best is None or room < radius * 1.12:
        return False
    glaze = ((238, 236, 230), (74, 92, 112), (176, 84, 62), (52, 54, 58))[int(rng.integers(4))]
    toward = np.array(light.direction)
    dark, middle, bright = around(glaze, 0.12)

    def disc(target: np.ndarray, share: float, tone: shapes.Tone, shift: float = 0.0, scale: float = 1.0) -> None:
        shapes.disc(target, (best + toward * shift * radius) * scale, share * radius * scale, tone)

    _darken(canvas, lambda mask: disc(mask, 1.0, 255, -0.12, 0.25), radius * 0.12, 0.55)
    disc(canvas, 1.0, dark)
    disc(canvas, 0.985, middle)
    disc(canvas, 0.8, bright, 0.015)
    disc(canvas, 0.78, middle, -0.01)
    _darken(canvas, lambda mask: disc(mask, 0.6, 255, -0.14, 0.25), radius * 0.1, 0.5)
    disc(canvas, 0.6, dark)
    disc(canvas, 0.595, bright, 0.01)
    disc(canvas, 0.535, around(glaze, 0.3)[0])
    disc(canvas, 0.52, (52, 30, 18))
    for step in range(8):  # the coffee, lighter towards the light
        disc(canvas, 0.5 - 0.05 * step, (56 + 3 * step, 33 + 2.2 * step, 19 + 1.6 * step), 0.018 * step)
    (left, top), (right, bottom) = (
        np.clip(best + side * radius * 1.1, 0, [width, height]).astype(int) for side in (-1, 1)
    )
    part = canvas[top:bottom, left:right]
    part[:] = cv2.GaussianBlur(part, (0, 0), max(0.6, radius * 0.012))
    return True


_THINGS: dict[str, Callable[[np.random.Generator, np.ndarray, np.ndarray, Light], bool]] = {
    "a pencil": _pencil,
    "a pen": _pen,
    "a cup of coffee": _cup,
}
