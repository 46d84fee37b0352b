"""Screens that text stands on: a phone and a monitor, with what is on them besides text. None of it is writing."""

import cv2
import numpy as np

from stages.synthesize.compositional import shapes
from stages.synthesize.compositional.shapes import Box
from stages.synthesize.compositional.surfaces import Sheet, Surface
from stages.synthesize.compositional.textures import Colour, around

_THEMES: dict[str, tuple[Colour, Colour]] = {  # the page, and what stands out on it
    "white": ((252, 252, 253), (58, 116, 232)),
    "light grey": ((240, 241, 244), (72, 78, 92)),
    "charcoal": ((30, 32, 38), (96, 140, 255)),
    "black": ((14, 14, 17), (120, 214, 172)),
    "navy blue": ((18, 26, 54), (255, 170, 84)),
    "ivory": ((250, 245, 232), (176, 92, 58)),
}
_RIMS: tuple[Colour, ...] = ((150, 152, 158), (64, 66, 72), (196, 178, 150), (42, 52, 70))
_BODIES: tuple[Colour, ...] = ((24, 25, 28), (52, 54, 58), (186, 188, 192))
_BUTTONS: tuple[Colour, ...] = ((236, 96, 88), (240, 188, 72), (96, 196, 92))
_DARK_SIGN, _LIGHT_SIGN = (32, 34, 40), (228, 230, 236)


def _is_light(page: Colour) -> bool:
    return sum(page) > 380


def phone(sheet: Sheet) -> Surface:
    """A phone: its rim, the glass, the camera, signs of signal and battery, a few icons."""
    name, (page, accent) = sheet.item_of(_THEMES)
    unit, width, height = sheet.unit, sheet.width, sheet.height
    sign = _DARK_SIGN if _is_light(page) else _LIGHT_SIGN
    pixels = np.full((height, width, 3), sheet.one_of(_RIMS), np.uint8)
    shapes.box(pixels, (0.9 * unit, 0.9 * unit, width - 0.9 * unit, height - 0.9 * unit), (12, 12, 14), 13 * unit)
    glass = (3 * unit, 3 * unit, width - 3 * unit, height - 3 * unit)
    shapes.box(pixels, glass, page, 11.2 * unit)
    middle = width / 2
    shapes.box(pixels, (middle - 11 * unit, 5.6 * unit, middle + 11 * unit, 11.6 * unit), (8, 8, 10), 3 * unit)
    for bar in range(4):
        x = width - (25 - 2.2 * bar) * unit
        shapes.box(pixels, (x, (9.6 - 0.8 * bar) * unit, x + 1.3 * unit, 10.4 * unit), sign, 0.4 * unit)
    shapes.box(pixels, (width - 13.5 * unit, 7 * unit, width - 7.1 * unit, 10.4 * unit), sign, unit)
    low = height - 5.2 * unit
    shapes.box(pixels, (middle - 15 * unit, low - 1.4 * unit, middle + 15 * unit, low), sign, 0.6 * unit)
    _icons(pixels, sheet, accent, sign)
    _gleam(pixels, sheet, glass)
    return Surface(pixels, sheet.rounded(14), name)


def _icons(pixels: np.ndarray, sheet: Sheet, accent: Colour, sign: Colour) -> None:
    """An arrow and three dots above the text, four icons below it."""
    unit, (left, top, right, bottom) = sheet.unit, sheet.area
    y = top - 6.5 * unit
    start, end, ahead = (right, left, -1) if sheet.mirrored else (left, right, 1)
    tip = start + ahead * 2.4 * unit
    shapes.stroke(pixels, [(tip, y - 2.2 * unit), (start, y), (tip, y + 2.2 * unit)], 0.7 * unit, sign)
    for step in (-2, 0, 2):
        shapes.disc(pixels, (end, y + step * unit), 0.55 * unit, sign)
    y, half = bottom + 7.6 * unit, 2.1 * unit
    for number in range(4):
        x = start + (end - start) * (number + 0.5) / 4
        tone, radius = (sign if number else accent), (half if number % 2 else 0.8 * unit)
        shapes.box(pixels, (x - half, y - half, x + half, y + half), tone, radius)


def monitor(sheet: Sheet) -> Surface:
    """A monitor: its rim, and a window with a bar, three buttons and a stripe."""
    name, (page, accent) = sheet.item_of(_THEMES)
    unit, width, height = sheet.unit, sheet.width, sheet.height
    body = sheet.one_of(_BODIES)
    pixels = np.full((height, width, 3), body, np.uint8)
    side, chin, bar = 1.6 * unit, height - 4.6 * unit, 6.6 * unit
    tone = around(page, 0.12)[0] if _is_light(page) else around(page, 0.5)[2]
    shapes.box(pixels, (side, side, width - side, chin), page)
    shapes.box(pixels, (side, side, width - side, bar), tone)
    shapes.box(pixels, (side, bar, side + 0.9 * unit, chin), accent)
    for number, button in enumerate(_BUTTONS):
        shapes.disc(pixels, (side + (3.4 + 2.9 * number) * unit, side + 2.5 * unit), 0.95 * unit, button)
    field = (width * 0.3, side + 1.2 * unit, width * 0.7, side + 3.8 * unit)
    shapes.box(pixels, field, around(tone, 0.08)[2], 1.3 * unit)
    shapes.disc(pixels, (width / 2, height - 2.3 * unit), 0.6 * unit, around(body, 0.3)[2])
    _gleam(pixels, sheet, (side, side, width - side, chin))
    shapes.bevel(pixels, 0.35 * unit, sheet.light, 0.4)
    return Surface(pixels, sheet.rounded(1.3), name)


def _gleam(pixels: np.ndarray, sheet: Sheet, glass: Box) -> None:
    """A window's faint reflection across a corner of the glass, in place."""
    left, top, right, bottom = (edge / 4 for edge in glass)
    lean = sheet.rng.uniform(0.05, 0.3)
    corners = [
        (left + (right - left) * 0.55, top),
        (right, top),
        (right, top + (bottom - top) * 0.75),
        (left + (right - left) * lean, top),
    ]
    layer = np.zeros((sheet.height // 4 + 1, sheet.width // 4 + 1), np.uint8)
    shapes.fill(layer, corners, 12)
    wide = cv2.resize(layer, (sheet.width, sheet.height))
    cv2.add(pixels, cv2.cvtColor(wide, cv2.COLOR_GRAY2RGB), pixels)
