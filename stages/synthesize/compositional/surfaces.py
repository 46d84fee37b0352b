"""What the media look like before anything is written on them: each function paints one, from tiles and ramps.

Lengths within a sheet are in `unit`, a hundredth of its shorter side, so that a sheet looks alike at every size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from stages.synthesize.compositional import pictures
from stages.synthesize.compositional.light import Light
from stages.synthesize.compositional.textures import Colour, Window, around, colour, mix, ramp, shade
from stages.synthesize.palette import COLOURS

_BUSIEST = 24  # levels: the largest standard deviation of a surface


@dataclass(frozen=True)
class Sheet:
    """What is to be painted: width and height in pixels, chance, and the light; `area` is where text goes: left, top,
    right, bottom."""

    rng: np.random.Generator
    width: int
    height: int
    light: Light
    area: tuple[float, float, float, float]

    @property
    def unit(self) -> float:
        return min(self.width, self.height) / 100

    def window(self) -> Window:
        return Window(self.rng, self.width, self.height)

    def choice(self, options: Sequence) -> int:
        return int(self.rng.integers(len(options)))


@dataclass(frozen=True)
class Surface:
    """A painted sheet. pixels: RGB uint8 (h, w, 3); mask: uint8 (h, w), where the sheet is, all of it when None;
    `material` and `details` are phrases for captions; relief: uint8 (h, w), light and shade that fall on surface and
    ink alike, 128 where they change nothing."""

    pixels: np.ndarray
    mask: np.ndarray | None
    material: str
    details: tuple[str, ...] = ()
    relief: np.ndarray | None = None


def paper(sheet: Sheet) -> Surface:
    names, tones = ("white paper", "ivory paper", "cream paper"), ((246, 245, 242), (246, 241, 228), (242, 232, 210))
    number = sheet.choice(names)
    return Surface(_paper(sheet, tones[number], 0.35), None, names[number])


def _paper(sheet: Sheet, base: Colour, rough: float) -> np.ndarray:
    window = sheet.window()
    texture = mix(
        (window.lit("fibre", sheet.light.direction, 0.5), 0.35 * rough),
        (window.of("grain"), 0.12 * rough),
        (window.of("cloud"), 0.16),
    )
    return colour(texture, around(base, 0.14))


def lined(sheet: Sheet) -> Surface:
    """Its lines are drawn where the writing stands, by `rule`."""
    names, tones = ("white lined paper", "cream lined paper"), ((248, 247, 243), (246, 239, 222))
    number = sheet.choice(names)
    pixels = _paper(sheet, tones[number], 0.3)
    left, _, right, _ = sheet.area
    on_left = left > sheet.width - right  # the wider margin is the one to be bound
    margin = round(left - 3.2 * sheet.unit if on_left else right + 3.2 * sheet.unit)
    cv2.line(
        pixels, (margin, 0), (margin, sheet.height), (226, 128, 132), max(1, round(sheet.unit * 0.22)), cv2.LINE_AA
    )
    return Surface(pixels, _holes(sheet, margin / 2 if on_left else (margin + sheet.width) / 2), names[number])


def _holes(sheet: Sheet, x: float) -> np.ndarray:
    """Three punched holes below each other."""
    mask = np.full((sheet.height, sheet.width), 255, np.uint8)
    for share in (0.14, 0.5, 0.86):
        centre = (round(x * 16), round(sheet.height * share * 16))
        cv2.circle(mask, centre, round(1.7 * sheet.unit * 16), 0, -1, cv2.LINE_AA, 4)
    return mask


def rule(pixels: np.ndarray, baselines: Sequence[float], unit: float) -> None:
    """Draw a notebook's lines from edge to edge."""
    width = pixels.shape[1]
    thickness = max(1, round(unit * 0.16))
    overlay = (158, 184, 214)
    for y in baselines:
        cv2.line(pixels, (0, round(y * 16)), (width * 16, round(y * 16)), overlay, thickness, cv2.LINE_AA, 4)


def kraft(sheet: Sheet) -> Surface:
    window = sheet.window()
    texture = mix((window.of("fibre"), 0.62), (window.of("grain"), 0.2), (window.of("cloud"), 0.2))
    return Surface(colour(texture, around((200, 163, 118), 0.28)), None, "brown kraft paper")


def crumpled(sheet: Sheet) -> Surface:
    names, tones = ("white paper", "ivory paper"), ((228, 227, 223), (230, 222, 204))
    number = sheet.choice(names)
    pixels = _paper(sheet, tones[number], 0.4)
    zoom = max(0.7, sheet.unit / 9)
    lit = sheet.window().creased(sheet.light.direction, 0.3, zoom)
    return Surface(pixels, _ragged(sheet, 0.5), names[number], ("crumpled and smoothed out again",), lit)


def _ragged(sheet: Sheet, amount: float) -> np.ndarray:
    """A mask whose edge wanders in and out by about `amount` units."""
    n = 90
    t = np.linspace(0, 1, n, endpoint=False)
    inset = 1.2 * amount * sheet.unit

    def wander(count: int) -> np.ndarray:
        rough = sheet.rng.normal(0, 1, count)
        broad = np.convolve(np.tile(rough, 3), np.ones(9) / 9, "same")[count : 2 * count] * 2.2
        return (broad + 0.3 * rough) * amount * 0.42 * sheet.unit

    width, height = sheet.width, sheet.height
    top = np.c_[t * width, inset + np.clip(wander(n), -inset, None)]
    right = np.c_[width - inset - np.clip(wander(n), -inset, None), t * height]
    bottom = np.c_[(1 - t) * width, height - inset - np.clip(wander(n), -inset, None)]
    left = np.c_[inset + np.clip(wander(n), -inset, None), (1 - t) * height]
    outline = np.concatenate([top[1:], right[1:], bottom[1:], left[1:]])
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask


def sticky(sheet: Sheet) -> Surface:
    names = ("yellow paper", "pink paper", "pale green paper", "pale blue paper", "orange paper")
    tones = ((250, 228, 112), (250, 168, 190), (190, 226, 138), (150, 206, 234), (250, 184, 104))
    number = sheet.choice(names)
    window = sheet.window()
    texture = mix((window.of("grain"), 0.06), (window.of("cloud"), 0.12))
    pixels = colour(texture, around(tones[number], 0.14))
    # The glued strip lies flat; below it the note turns to the light.
    t = np.linspace(0, 1, 32, dtype=np.float32)
    level = 122 + 8 * np.clip((t - 0.16) / 0.1, 0, 1) + 9 * t**2 - 16 * np.clip((t - 0.86) / 0.14, 0, 1) ** 2
    return Surface(shade(pixels, ramp(level, 1, sheet.width, sheet.height)), None, names[number])


_WOODS: dict[str, tuple[Colour, ...]] = {
    "light wood": ((166, 124, 80), (214, 176, 124), (236, 204, 156)),
    "oak wood": ((92, 58, 30), (146, 100, 58), (182, 136, 86)),
    "dark wood": ((38, 24, 16), (74, 48, 32), (106, 74, 50)),
    "weathered wood": ((92, 84, 76), (142, 134, 124), (178, 170, 160)),
}


def wood(window: Window, name: str, tile: str = "wood", zoom: float = 1.0) -> np.ndarray:
    """Planed wood of a kind, its grain from left to right."""
    texture = mix((window.of(tile, zoom), 0.8), (window.of("cloud"), 0.3))
    return colour(texture, _WOODS[name])


def board(sheet: Sheet) -> Surface:
    """Planks side by side, with rounded ends and a nail at each."""
    name = list(_WOODS)[sheet.choice(_WOODS)]
    planks = int(sheet.rng.integers(3, 6))
    pixels = wood(sheet.window(), name, "knotty")
    edges = np.rint(np.linspace(0, sheet.height, planks + 1)).astype(int)
    for top, bottom in pairwise(edges):
        plank = pixels[top:bottom]
        part = Window(sheet.rng, sheet.width, bottom - top)
        factor = sheet.rng.uniform(0.9, 1.08)
        plank[:] = cv2.convertScaleAbs(wood(part, name, "knotty"), alpha=factor)
    gap = max(2, round(0.5 * sheet.unit))
    for y in edges[1:-1]:
        _groove(pixels, y, gap)
    _bevel(pixels, round(0.9 * sheet.unit), sheet.light, 0.3)
    for y0, y1 in pairwise(edges):
        for x in (3.6 * sheet.unit, sheet.width - 3.6 * sheet.unit):
            _screw(pixels, (x, (y0 + y1) / 2), 0.95 * sheet.unit, sheet.light, (70, 66, 62))
    return Surface(pixels, _rounded(sheet, 1.6), name)


def _groove(pixels: np.ndarray, y: int, gap: int) -> None:
    """A dark gap between two planks, and the lit edge of the lower one."""
    for row in range(-gap, 2 * gap):
        depth = 0.24 if abs(row) <= gap // 2 else (0.72 if row < 0 else 1.12)
        if 0 <= y + row < len(pixels):
            line = pixels[y + row : y + row + 1]
            line[:] = cv2.convertScaleAbs(line, alpha=depth)


def _bevel(pixels: np.ndarray, width: int, light: Light, strength: float) -> None:
    """Edges that catch the light on its side and lie in shade on the other."""
    height, length = pixels.shape[:2]
    x, y = light.direction
    sides = (
        (pixels[:width], -y), (pixels[height - width :], y), (pixels[:, :width], -x), (pixels[:, length - width :], x),
    )  # fmt: skip
    for part, towards in sides:
        part[:] = cv2.convertScaleAbs(part, alpha=1 + strength * towards)


def _screw(pixels: np.ndarray, place: tuple[float, float], radius: float, light: Light, tone: Colour) -> None:
    """A round head: its shadow, its dome, a gleam towards the light."""
    x, y = light.direction

    def disc(shift: float, size: float, shade_of: Colour) -> None:
        centre = (round((place[0] + x * shift * radius) * 16), round((place[1] + y * shift * radius) * 16))
        cv2.circle(pixels, centre, max(8, round(size * radius * 16)), shade_of, -1, cv2.LINE_AA, 4)

    dark, _, bright = around(tone, 0.45)
    disc(-0.35, 1.12, (28, 24, 20))
    disc(0, 1.0, dark)
    disc(0.12, 0.82, tone)
    disc(0.35, 0.36, bright)


def _rounded(sheet: Sheet, radius: float) -> np.ndarray:
    """A mask with rounded corners; `radius` in units."""
    return rounded(sheet.width, sheet.height, radius * sheet.unit)


def rounded(width: int, height: int, radius: float) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    _round_box(mask, (0, 0, width, height), radius, 255)
    return mask


def _round_box(
    pixels: np.ndarray, box: tuple[float, float, float, float], radius: float, tone: int | Colour, count: int = 12
) -> None:
    """Fill a rectangle with round corners."""
    left, top, right, bottom = box
    t = np.linspace(0, np.pi / 2, count)
    corners = (
        (right - radius, top + radius, -np.pi / 2), (right - radius, bottom - radius, 0.0),
        (left + radius, bottom - radius, np.pi / 2), (left + radius, top + radius, np.pi),
    )  # fmt: skip
    path = [np.c_[x + radius * np.cos(t + a), y + radius * np.sin(t + a)] for x, y, a in corners]
    # cv2 fills up to and with the last pixel, whose index is one less than where it ends.
    outline = np.rint((np.concatenate(path) - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(pixels, [outline], tone, cv2.LINE_AA, 4)


def _framed(sheet: Sheet, width: float, frame: np.ndarray, inner: np.ndarray, depth: float = 0.35) -> np.ndarray:
    """`inner` in a frame, `width` units wide, with mitred corners, that throws a little shadow inwards."""
    side = round(width * sheet.unit)
    pixels = frame
    box = pixels[side:-side, side:-side]
    box[:] = inner[side:-side, side:-side]
    x, y = sheet.light.direction
    reach = max(3, round(side * 0.7))
    ramp = np.linspace(1 - depth, 1, reach)
    for i, factor in enumerate(ramp):
        if y < 0:
            box[i : i + 1] = cv2.convertScaleAbs(box[i : i + 1], alpha=1 - (1 - factor) * -y)
        if x < -0.1:
            box[:, i : i + 1] = cv2.convertScaleAbs(box[:, i : i + 1], alpha=1 - (1 - factor) * -x)
        if x > 0.1:
            end = box.shape[1] - i
            box[:, end - 1 : end] = cv2.convertScaleAbs(box[:, end - 1 : end], alpha=1 - (1 - factor) * x)
    return pixels


def _frame(sheet: Sheet, width: float, along: np.ndarray, strength: float = 0.25) -> np.ndarray:
    """A frame's four sides, each lit as it faces. along: the material with its grain from left to right."""
    side = round(width * sheet.unit)
    height, length = sheet.height, sheet.width
    pixels = along.copy()
    upright = cv2.rotate(along, cv2.ROTATE_90_CLOCKWISE)
    upright = cv2.resize(upright[:, :side], (side, height))
    x, y = sheet.light.direction
    pixels[:side] = cv2.convertScaleAbs(pixels[:side], alpha=1 - strength * y)
    pixels[-side:] = cv2.convertScaleAbs(pixels[-side:], alpha=1 + strength * y)
    corner = np.tri(side, side, dtype=bool)  # below the diagonal: the upright's half of the upper left corner
    for left, factor in ((True, 1 - strength * x), (False, 1 + strength * x)):
        part = cv2.convertScaleAbs(upright, alpha=factor)
        half = corner if left else corner[:, ::-1]
        place = pixels[:, :side] if left else pixels[:, length - side :]
        place[side:-side] = part[side:-side]
        place[:side][half] = part[:side][half]
        place[-side:][half[::-1]] = part[-side:][half[::-1]]
    return pixels


def chalkboard(sheet: Sheet) -> Surface:
    names, tones = ("green slate", "black slate"), ((44, 74, 62), (46, 48, 50))
    number = sheet.choice(names)
    window = sheet.window()
    texture = mix((window.of("wiped", 1.4), 0.42), (window.of("cloud"), 0.3), (window.of("grain"), 0.1))
    base = tones[number]
    red, green, blue = base
    dusty = (red + 26, green + 26, blue + 26)
    slate = colour(texture, (base, base, dusty, (red + 44, green + 44, blue + 44)))
    frame = _frame(sheet, 4.2, wood(sheet.window(), ("oak wood", "light wood", "dark wood")[sheet.choice("123")]))
    pixels = _framed(sheet, 4.2, frame, slate, 0.45)
    tones_of = ((244, 243, 238), (246, 232, 150), (240, 176, 186), (150, 196, 226))
    _ledge(pixels, sheet, 4.2, [(tones_of[sheet.choice(tones_of)], 4.0, 0.9) for _ in range(sheet.choice("1234"))])
    return Surface(pixels, None, names[number])


def whiteboard(sheet: Sheet) -> Surface:
    window = sheet.window()
    texture = mix((window.of("wiped", 1.8), -0.1), (window.of("cloud"), 0.12))
    white = colour(texture, ((214, 218, 222), (243, 245, 246), (250, 251, 252)))
    _sheen(white, sheet, 0.1)
    metal_ = colour(mix((sheet.window().of("brushed"), 0.4)), ((120, 124, 128), (188, 192, 196), (226, 230, 232)))
    frame = _frame(sheet, 2.2, metal_)
    pixels = _framed(sheet, 2.2, frame, white, 0.2)
    tones_of = ((34, 36, 40), (36, 70, 176), (196, 40, 44), (24, 128, 70))
    _ledge(pixels, sheet, 2.2, [(tones_of[sheet.choice(tones_of)], 9.0, 1.3) for _ in range(sheet.choice("1234"))])
    return Surface(pixels, _rounded(sheet, 1.2), "white glossy enamel")


def _ledge(pixels: np.ndarray, sheet: Sheet, frame: float, sticks: list[tuple[Colour, float, float]]) -> None:
    """Chalk or pens on the frame's lower side: each a colour, a length and a thickness in units, with its shadow."""
    unit, (x, _) = sheet.unit, sheet.light.direction
    at = sheet.rng.uniform(0.15, 0.6) * sheet.width
    for tone, length, thick in sticks:
        bottom = sheet.height - 0.45 * frame * unit
        box = (at, bottom - thick * unit, at + length * unit, bottom)
        shadow = (box[0] - x * 0.5 * unit, bottom - 0.35 * unit, box[2] - x * 0.5 * unit, bottom + 0.45 * unit)
        part = pixels[int(shadow[1]) : int(shadow[3]) + 1, int(shadow[0]) : int(shadow[2]) + 1]
        part[:] = cv2.convertScaleAbs(part, alpha=0.62)
        dark, _, bright = around(tone, 0.3)
        radius = thick * unit * 0.32
        _round_box(pixels, box, radius, dark)
        _round_box(pixels, (box[0], box[1], box[2], bottom - 0.3 * thick * unit), radius, tone)
        _round_box(
            pixels,
            (box[0] + radius, box[1] + 0.14 * thick * unit, box[2] - radius, box[1] + 0.34 * thick * unit),
            radius * 0.3,
            bright,
        )
        at += (length + sheet.rng.uniform(0.8, 5)) * unit


def _sheen(pixels: np.ndarray, sheet: Sheet, strength: float) -> None:
    """A soft diagonal reflection."""
    y, x = np.mgrid[0:1:40j, 0:1:40j].astype(np.float32)
    t = (x - y * 0.6) * np.sign(sheet.light.direction[0] or 1)
    middle, spread = sheet.rng.uniform(-0.2, 0.6), sheet.rng.uniform(0.1, 0.25)
    band = np.exp(-(((t - middle) / spread) ** 2)) * 255 * strength
    wide = cv2.resize(band, (sheet.width, sheet.height)).astype(np.uint8)
    cv2.add(pixels, cv2.cvtColor(wide, cv2.COLOR_GRAY2RGB), pixels)


def billboard(sheet: Sheet) -> Surface:
    grounds = [n for n in COLOURS if n not in ("burgundy", "dark brown", "plum")]
    name = grounds[sheet.choice(grounds)]
    window = sheet.window()
    print_of = colour(mix((window.of("cloud"), 0.12), (window.of("grain"), 0.04)), around(COLOURS[name], 0.1))
    for share in (1 / 3, 2 / 3):  # sheets pasted side by side
        x = round(sheet.width * share)
        print_of[:, x : x + 1] = cv2.convertScaleAbs(print_of[:, x : x + 1], alpha=0.93)
    steel = colour(mix((sheet.window().of("brushed"), 0.3)), ((48, 52, 58), (92, 97, 104), (130, 136, 142)))
    frame = _frame(sheet, 3.0, steel, 0.4)
    return Surface(_framed(sheet, 3.0, frame, print_of, 0.3), None, f"{name} vinyl")


def book(sheet: Sheet) -> Surface:
    """Two pages, the edges of those below them, and the cover; darker towards the gutter."""
    names, tones = ("white pages", "ivory pages", "cream pages"), ((246, 244, 240), (246, 239, 224), (240, 228, 202))
    number = sheet.choice(names)
    pixels = _paper(sheet, tones[number], 0.3)
    t = np.abs(np.linspace(-1, 1, 240))
    lean = np.linspace(-1, 1, 240) * sheet.light.direction[0]
    gutter = 1 - 0.5 * np.exp(-t / 0.022) - 0.22 * np.exp(-t / 0.09)
    slope = np.exp(-t / 0.11) * np.sign(np.linspace(-1, 1, 240)) * sheet.light.direction[0] * 0.1
    level = 128 * (gutter - slope + 0.02 * lean)
    side = round(1.7 * sheet.unit)
    for start in (0, sheet.width - side):  # the fore-edges of the pages below
        for x in range(side):
            outer = x if start == 0 else side - 1 - x
            tone = 0.97 - 0.14 * ((outer * 7) % 3 == 0) - 0.2 * (outer == side - 1)
            column = pixels[:, start + x : start + x + 1]
            column[:] = cv2.convertScaleAbs(column, alpha=tone)
    cover = COLOURS[("burgundy", "navy blue", "forest green", "charcoal", "dark brown")[sheet.choice("12345")]]
    rim = round(1.1 * sheet.unit)
    for part in (pixels[:rim], pixels[-rim:], pixels[:, :rim], pixels[:, -rim:]):
        part[:] = cover
    middle = sheet.width // 2
    cv2.line(pixels, (middle, rim), (middle, sheet.height - rim), (96, 88, 78), 1, cv2.LINE_AA)
    return Surface(pixels, _rounded(sheet, 0.8), names[number], relief=ramp(level, 0, sheet.width, sheet.height))


def cardboard(sheet: Sheet) -> Surface:
    window = sheet.window()
    flutes = 128 + 2.2 * np.sin(np.arange(sheet.height) * 2 * np.pi / max(6.0, 1.5 * sheet.unit))
    texture = mix((window.of("fibre"), 0.5), (window.of("mottle"), 0.25), (window.of("cloud"), 0.28))
    pixels = colour(texture, around((198, 160, 116), 0.3))
    pixels = shade(pixels, np.repeat(np.rint(flutes).astype(np.uint8)[:, None], sheet.width, axis=1))
    mask = _ragged(sheet, 0.8)
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, round(0.35 * sheet.unit)))
    rim = cv2.subtract(mask, inner)  # the torn edge shows the light core
    cv2.add(pixels, cv2.applyColorMap(rim, cv2.applyColorMap(np.arange(256, dtype=np.uint8), _RIM)), pixels)
    return Surface(pixels, mask, "brown corrugated cardboard")


_RIM = np.stack([np.arange(256) * share for share in (0.13, 0.12, 0.1)], axis=-1).astype(np.uint8)[:, None]


def banner(sheet: Sheet) -> Surface:
    grounds = (
        "white",
        "ivory",
        "crimson",
        "royal blue",
        "forest green",
        "navy blue",
        "mustard yellow",
        "teal",
        "black",
    )
    name = grounds[sheet.choice(grounds)]
    window = sheet.window()
    texture = mix((window.of("weave"), 0.5), (window.of("cloud"), 0.25))
    red, green, blue = COLOURS[name]
    base = (max(red, 26), max(green, 26), max(blue, 28))
    pixels = colour(texture, around(base, 0.26))
    inset = 2.2 * sheet.unit
    thread = around(base, 0.3)[2 if sum(base) < 300 else 0]
    for y in (inset, sheet.height - inset):
        _stitches(pixels, y, thread, sheet.unit)
    for x in np.linspace(3, sheet.width / sheet.unit - 3, 2) * sheet.unit:
        for y in (3.4 * sheet.unit, sheet.height - 3.4 * sheet.unit):
            _eyelet(pixels, (x, y), 1.5 * sheet.unit, sheet.light)
    return Surface(pixels, None, f"{name} fabric")


def _stitches(pixels: np.ndarray, y: float, thread: Colour, unit: float) -> None:
    step = max(6, round(1.5 * unit))
    for x in range(step // 2, pixels.shape[1] - step // 2, step):
        cv2.line(
            pixels, (x, round(y)), (x + round(step * 0.6), round(y)), thread, max(1, round(unit * 0.2)), cv2.LINE_AA
        )


def _eyelet(pixels: np.ndarray, place: tuple[float, float], radius: float, light: Light) -> None:
    _screw(pixels, place, radius, light, (168, 150, 104))
    centre = (round(place[0] * 16), round(place[1] * 16))
    cv2.circle(pixels, centre, max(8, round(0.5 * radius * 16)), (34, 30, 26), -1, cv2.LINE_AA, 4)


_SCREENS: dict[str, tuple[Colour, Colour]] = {  # the page, and a bar or a button on it
    "white": ((252, 252, 253), (58, 116, 232)),
    "light grey": ((240, 241, 244), (72, 78, 92)),
    "charcoal": ((30, 32, 38), (96, 140, 255)),
    "black": ((14, 14, 17), (120, 214, 172)),
    "navy blue": ((18, 26, 54), (255, 170, 84)),
    "ivory": ((250, 245, 232), (176, 92, 58)),
}


def phone(sheet: Sheet) -> Surface:
    """A phone: its rim, the glass, a camera hole, the status bar's signs and the bar at the bottom."""
    name = list(_SCREENS)[sheet.choice(_SCREENS)]
    page, accent = _SCREENS[name]
    unit, width, height = sheet.unit, sheet.width, sheet.height
    pixels = np.full((height, width, 3), (20, 21, 23), np.uint8)
    rim = ((150, 152, 158), (64, 66, 72), (196, 178, 150), (42, 52, 70))[sheet.choice("1234")]
    steel = cv2.convertScaleAbs(np.full((1, 1, 3), rim, np.uint8))
    pixels[:] = steel
    _round_box(pixels, (0.9 * unit, 0.9 * unit, width - 0.9 * unit, height - 0.9 * unit), 13 * unit, (12, 12, 14))
    glass = (3.0 * unit, 3.0 * unit, width - 3.0 * unit, height - 3.0 * unit)
    _round_box(pixels, glass, 11.2 * unit, page)
    _round_box(pixels, (width / 2 - 11 * unit, 5.6 * unit, width / 2 + 11 * unit, 11.6 * unit), 3 * unit, (8, 8, 10))
    sign = (32, 34, 40) if sum(page) > 380 else (228, 230, 236)
    for i in range(4):  # signal
        x = width - (25 - 2.2 * i) * unit
        _round_box(pixels, (x, (9.6 - 0.8 * i) * unit, x + 1.3 * unit, 10.4 * unit), 0.4 * unit, sign)
    x = width - 13.5 * unit  # battery
    _round_box(pixels, (x, 7.0 * unit, x + 6.4 * unit, 10.4 * unit), 1 * unit, sign)
    _round_box(
        pixels,
        (width / 2 - 15 * unit, height - 6.6 * unit, width / 2 + 15 * unit, height - 5.2 * unit),
        0.6 * unit,
        sign,
    )
    _icons(pixels, sheet, accent, sign)
    _gleam(pixels, sheet, glass)
    return Surface(pixels, _rounded(sheet, 14), name)


def _icons(pixels: np.ndarray, sheet: Sheet, accent: Colour, sign: Colour) -> None:
    """A back arrow and a menu above the text, a button below it: none of them is writing."""
    unit, (left, top, right, bottom) = sheet.unit, sheet.area
    y = top - 6.5 * unit
    arrow = np.array([[left + 2.4 * unit, y - 2.2 * unit], [left, y], [left + 2.4 * unit, y + 2.2 * unit]])
    cv2.polylines(
        pixels, [np.rint(arrow * 16).astype(np.int32)], False, sign, max(1, round(0.7 * unit)), cv2.LINE_AA, 4
    )
    for dy in (-2, 0, 2):
        cv2.circle(
            pixels, (round(right * 16), round((y + dy * unit) * 16)), round(0.55 * unit * 16), sign, -1, cv2.LINE_AA, 4
        )
    y = bottom + 7.6 * unit
    for i in range(4):
        x = left + (right - left) * (i + 0.5) / 4
        tone = accent if i == 0 else around(sign, 0.1)[1]
        box = (x - 2.1 * unit, y - 2.1 * unit, x + 2.1 * unit, y + 2.1 * unit)
        _round_box(pixels, box, (2.1 if i % 2 else 0.8) * unit, tone)


def _gleam(pixels: np.ndarray, sheet: Sheet, glass: tuple[float, float, float, float]) -> None:
    """A window's faint reflection across a corner of the glass."""
    left, top, right, bottom = glass
    width, height = right - left, bottom - top
    lean = sheet.rng.uniform(0.25, 0.5)
    band = np.array(
        [[left + width * 0.55, top], [right, top], [right, top + height * 0.75], [left + width * (0.55 - lean), top]]
    )
    layer = np.zeros((sheet.height // 4 + 1, sheet.width // 4 + 1), np.uint8)
    cv2.fillConvexPoly(layer, np.rint(band * 4).astype(np.int32), 12, cv2.LINE_AA, 4)
    wide = cv2.resize(layer, (sheet.width, sheet.height))
    cv2.add(pixels, cv2.cvtColor(wide, cv2.COLOR_GRAY2RGB), pixels)


def monitor(sheet: Sheet) -> Surface:
    """A monitor: its rim, and a window with a bar and three buttons."""
    name = list(_SCREENS)[sheet.choice(_SCREENS)]
    page, accent = _SCREENS[name]
    unit, width, height = sheet.unit, sheet.width, sheet.height
    body = ((24, 25, 28), (52, 54, 58), (186, 188, 192))[sheet.choice("123")]
    pixels = np.full((height, width, 3), body, np.uint8)
    side, chin = 1.6 * unit, 4.6 * unit
    cv2.rectangle(pixels, (round(side), round(side)), (round(width - side), round(height - chin)), page, -1)
    bar = around(page, 0.12)[0] if sum(page) > 380 else around(page, 0.5)[2]
    cv2.rectangle(pixels, (round(side), round(side)), (round(width - side), round(side + 5 * unit)), bar, -1)
    for i, tone in enumerate(((236, 96, 88), (240, 188, 72), (96, 196, 92))):
        cv2.circle(
            pixels,
            (round((side + (3.4 + 2.9 * i) * unit) * 16), round((side + 2.5 * unit) * 16)),
            round(0.95 * unit * 16),
            tone,
            -1,
            cv2.LINE_AA,
            4,
        )
    _round_box(
        pixels, (width * 0.3, side + 1.2 * unit, width * 0.7, side + 3.8 * unit), 1.3 * unit, around(bar, 0.08)[2]
    )
    cv2.rectangle(
        pixels, (round(side), round(side + 5 * unit)), (round(side + 0.9 * unit), round(height - chin)), accent, -1
    )
    cv2.circle(
        pixels,
        (round(width / 2 * 16), round((height - chin / 2) * 16)),
        round(0.6 * unit * 16),
        around(body, 0.3)[2],
        -1,
        cv2.LINE_AA,
        4,
    )
    _gleam(pixels, sheet, (side, side, width - side, height - chin))
    _bevel(pixels, max(1, round(0.35 * unit)), sheet.light, 0.4)
    return Surface(pixels, _rounded(sheet, 1.3), name)


def night_wall(sheet: Sheet) -> Surface:
    """A wall in the dark, to be lit by the sign itself."""
    window = sheet.window()
    kind = sheet.choice("123")
    if kind == 0:
        tone = colour(window.of("brick_tone"), ((30, 18, 20), (52, 32, 32), (44, 38, 42)))
        return Surface(shade(tone, window.lit("brick", sheet.light.direction, 0.5)), None, "dark brick wall")
    if kind == 1:
        texture = mix((window.of("plaster"), 0.25), (window.of("cloud"), 0.35))
        tone = colour(texture, ((20, 22, 32), (36, 40, 54), (52, 56, 72)))
        return Surface(shade(tone, window.lit("plaster", sheet.light.direction, 0.35)), None, "dark plaster wall")
    return Surface(cv2.convertScaleAbs(wood(window, "dark wood"), alpha=0.62), None, "dark wood")


_METALS: dict[str, tuple[Colour, ...]] = {
    "brushed steel": ((132, 136, 142), (184, 188, 193), (226, 229, 232)),
    "brass": ((150, 116, 52), (206, 172, 96), (242, 218, 150)),
    "copper": ((150, 92, 62), (204, 142, 104), (240, 188, 152)),
}


def metal(sheet: Sheet) -> Surface:
    name = list(_METALS)[sheet.choice(_METALS)]
    window = sheet.window()
    y, x = np.mgrid[0:1:48j, 0:1:48j].astype(np.float32)
    t = x * 0.8 + y * 0.35
    shine = 128 + 26 * np.cos(2 * np.pi * (t * 1.25 + sheet.rng.random())) + 12 * np.cos(2 * np.pi * (t * 2.7 + 0.2))
    wide = cv2.resize(shine, (sheet.width, sheet.height)).astype(np.uint8)
    pixels = colour(mix((window.of("brushed"), 0.42), (wide, 1.0), (window.of("cloud"), 0.12)), _METALS[name])
    _bevel(pixels, max(2, round(1.1 * sheet.unit)), sheet.light, 0.4)
    inset, thickness = 4.6 * sheet.unit, max(1, round(0.28 * sheet.unit))
    corners = [(round(inset), round(inset)), (round(sheet.width - inset), round(sheet.height - inset))]
    cv2.rectangle(pixels, *corners, around(_METALS[name][0], 0.35)[0], thickness, cv2.LINE_AA)
    place = 2.9 * sheet.unit + inset
    for px in (place, sheet.width - place):
        for py in (place, sheet.height - place):
            _screw(pixels, (px, py), 1.7 * sheet.unit, sheet.light, _METALS[name][1])
    return Surface(pixels, _rounded(sheet, 1.4), name)


_STONES: dict[str, tuple[str, tuple[Colour, ...]]] = {
    "grey granite": ("stone", ((92, 92, 94), (158, 157, 156), (206, 205, 203))),
    "sandstone": ("mottle", ((168, 140, 102), (208, 182, 142), (230, 210, 176))),
    "white marble": ("marble", ((150, 150, 154), (228, 228, 228), (246, 246, 245))),
    "black granite": ("stone", ((16, 17, 19), (40, 42, 46), (84, 86, 92))),
}


def slab(sheet: Sheet) -> Surface:
    name = list(_STONES)[sheet.choice(_STONES)]
    tile, tones = _STONES[name]
    window = sheet.window()
    pixels = colour(mix((window.of(tile), 0.8), (window.of("cloud"), 0.3)), tones)
    if name == "sandstone":
        pixels = shade(pixels, window.lit("plaster", sheet.light.direction, 0.22))
    _bevel(pixels, max(2, round(1.6 * sheet.unit)), sheet.light, 0.34)
    return Surface(pixels, _ragged(sheet, 0.22), name)


def pictured(path: Path) -> Callable[[Sheet], Surface]:
    """The surface of a user's own texture: a part of it, its contrast lowered where it would swallow the text."""

    def paint(sheet: Sheet) -> Surface:
        pixels = pictures.cover(path, sheet.rng, sheet.width, sheet.height)
        mean, spread = (float(values.mean()) for values in cv2.meanStdDev(pixels))
        if spread > _BUSIEST:
            pixels = cv2.convertScaleAbs(pixels, alpha=_BUSIEST / spread, beta=mean * (1 - _BUSIEST / spread))
        return Surface(pixels, None, path.stem.replace("-", " ").replace("_", " "))

    return paint
