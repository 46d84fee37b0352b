"""What the media look like before anything is written on them: each function paints one, from tiles and ramps.

Lengths within a sheet are in `unit`, a hundredth of its shorter side, so that a sheet looks alike at every size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from stages.synthesize.compositional import pictures, shapes
from stages.synthesize.compositional.light import Light
from stages.synthesize.compositional.textures import Colour, Window, around, colour, mix, ramp, shade
from stages.synthesize.palette import COLOURS

T = TypeVar("T")

_BUSIEST = 24  # levels: the largest standard deviation of a surface of the user's own

_PAPERS: dict[str, Colour] = {
    "white paper": (246, 245, 242),
    "ivory paper": (246, 241, 228),
    "cream paper": (242, 232, 210),
}
_LINED: dict[str, Colour] = {"white lined paper": (248, 247, 243), "cream lined paper": (246, 239, 222)}
_CRUMPLED: dict[str, Colour] = {"white paper": (228, 227, 223), "ivory paper": (230, 222, 204)}
_NOTES: dict[str, Colour] = {
    "yellow paper": (250, 228, 112),
    "pink paper": (250, 168, 190),
    "pale green paper": (190, 226, 138),
    "pale blue paper": (150, 206, 234),
    "orange paper": (250, 184, 104),
}
_PAGES: dict[str, Colour] = {
    "white pages": (246, 244, 240),
    "ivory pages": (246, 239, 224),
    "cream pages": (240, 228, 202),
}
_WOODS: dict[str, tuple[Colour, ...]] = {
    "light wood": ((166, 124, 80), (214, 176, 124), (236, 204, 156)),
    "oak wood": ((92, 58, 30), (146, 100, 58), (182, 136, 86)),
    "dark wood": ((38, 24, 16), (74, 48, 32), (106, 74, 50)),
    "weathered wood": ((92, 84, 76), (142, 134, 124), (178, 170, 160)),
}
_SLATES: dict[str, Colour] = {"green slate": (44, 74, 62), "black slate": (46, 48, 50)}
_METALS: dict[str, tuple[Colour, Colour, Colour]] = {
    "brushed steel": ((132, 136, 142), (184, 188, 193), (226, 229, 232)),
    "brass": ((150, 116, 52), (206, 172, 96), (242, 218, 150)),
    "copper": ((150, 92, 62), (204, 142, 104), (240, 188, 152)),
}
_STONES: dict[str, tuple[str, tuple[Colour, ...]]] = {  # a tile and a ramp
    "grey granite": ("stone", ((92, 92, 94), (158, 157, 156), (206, 205, 203))),
    "sandstone": ("mottle", ((168, 140, 102), (208, 182, 142), (230, 210, 176))),
    "white marble": ("marble", ((150, 150, 154), (228, 228, 228), (246, 246, 245))),
    "black granite": ("stone", ((16, 17, 19), (40, 42, 46), (84, 86, 92))),
}
_ALUMINIUM = ((120, 124, 128), (188, 192, 196), (226, 230, 232))
_STEEL = ((48, 52, 58), (92, 97, 104), (130, 136, 142))
_COVERS = ("burgundy", "navy blue", "forest green", "charcoal", "dark brown")
_FABRICS = (
    "white", "ivory", "crimson", "royal blue", "forest green", "navy blue", "mustard yellow", "teal", "black",
)  # fmt: skip
_CHALKS = ((244, 243, 238), (246, 232, 150), (240, 176, 186), (150, 196, 226))
_PENS = ((34, 36, 40), (36, 70, 176), (196, 40, 44), (24, 128, 70))


@dataclass(frozen=True)
class Sheet:
    """What is to be painted: width and height in pixels, chance, and the light; `area` is where text goes: left, top,
    right, bottom; `mirrored` when it is read from right to left."""

    rng: np.random.Generator
    width: int
    height: int
    light: Light
    area: tuple[float, float, float, float]
    mirrored: bool = False

    @property
    def unit(self) -> float:
        return min(self.width, self.height) / 100

    def window(self) -> Window:
        return Window(self.rng, self.width, self.height)

    def one_of(self, options: Sequence[T]) -> T:
        return options[int(self.rng.integers(len(options)))]

    def item_of(self, options: Mapping[str, T]) -> tuple[str, T]:
        return self.one_of(tuple(options.items()))

    def rounded(self, radius: float) -> np.ndarray:
        """A mask with round corners; `radius` in units."""
        return shapes.rounded(self.width, self.height, radius * self.unit)

    def ragged(self, amount: float) -> np.ndarray:
        """A mask with a torn edge; `amount` in units."""
        return shapes.ragged(self.rng, self.width, self.height, amount * self.unit)


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


def _paper(sheet: Sheet, base: Colour, rough: float) -> np.ndarray:
    window = sheet.window()
    texture = mix(
        (window.lit("fibre", sheet.light.direction, 0.5), 0.35 * rough),
        (window.of("grain"), 0.12 * rough),
        (window.of("cloud"), 0.16),
    )
    return colour(texture, around(base, 0.14))


def paper(sheet: Sheet) -> Surface:
    name, tone = sheet.item_of(_PAPERS)
    return Surface(_paper(sheet, tone, 0.35), None, name)


def lined(sheet: Sheet) -> Surface:
    """With a margin and three holes beside it; its lines are drawn where the writing stands, by `rule`."""
    name, tone = sheet.item_of(_LINED)
    pixels = _paper(sheet, tone, 0.3)
    left, _, right, _ = sheet.area
    margin = right + 3.2 * sheet.unit if sheet.mirrored else left - 3.2 * sheet.unit
    shapes.stroke(pixels, [(margin, 0), (margin, sheet.height)], sheet.unit * 0.22, (226, 128, 132))
    mask = np.full((sheet.height, sheet.width), 255, np.uint8)
    for share in (0.14, 0.5, 0.86):
        hole = ((margin + sheet.width) / 2 if sheet.mirrored else margin / 2, sheet.height * share)
        shapes.disc(mask, hole, 1.7 * sheet.unit, 0)
    return Surface(pixels, mask, name)


def rule(pixels: np.ndarray, baselines: Sequence[float], unit: float) -> None:
    """Draw a notebook's lines from edge to edge."""
    for y in baselines:
        shapes.stroke(pixels, [(0, y), (pixels.shape[1], y)], unit * 0.16, (158, 184, 214))


def kraft(sheet: Sheet) -> Surface:
    window = sheet.window()
    texture = mix((window.of("fibre"), 0.62), (window.of("grain"), 0.2), (window.of("cloud"), 0.2))
    return Surface(colour(texture, around((200, 163, 118), 0.28)), None, "brown kraft paper")


def crumpled(sheet: Sheet) -> Surface:
    name, tone = sheet.item_of(_CRUMPLED)
    pixels = _paper(sheet, tone, 0.4)
    creases = sheet.window().creased(sheet.light.direction, 0.3, max(0.7, sheet.unit / 9))
    return Surface(pixels, sheet.ragged(0.5), name, ("crumpled and smoothed out again",), creases)


def sticky(sheet: Sheet) -> Surface:
    name, tone = sheet.item_of(_NOTES)
    window = sheet.window()
    pixels = colour(mix((window.of("grain"), 0.06), (window.of("cloud"), 0.12)), around(tone, 0.14))
    # The glued strip lies flat; below it the note turns to the light.
    t = np.linspace(0, 1, 32)
    level = 122 + 8 * np.clip((t - 0.16) / 0.1, 0, 1) + 9 * t**2 - 16 * np.clip((t - 0.86) / 0.14, 0, 1) ** 2
    return Surface(pixels, None, name, relief=ramp(level, 1, sheet.width, sheet.height))


def wood(window: Window, name: str, tile: str = "wood", zoom: float = 1.0) -> np.ndarray:
    """Planed wood of a kind, its grain from left to right."""
    texture = mix((window.of(tile, zoom), 0.8), (window.of("cloud"), 0.3))
    return colour(texture, _WOODS[name])


def board(sheet: Sheet) -> Surface:
    """Planks below each other, with round corners and a nail at each end."""
    name = sheet.one_of(tuple(_WOODS))
    pixels = np.empty((sheet.height, sheet.width, 3), np.uint8)
    edges = np.rint(np.linspace(0, sheet.height, int(sheet.rng.integers(4, 7)))).astype(int).tolist()
    for top, bottom in pairwise(edges):
        plank = wood(Window(sheet.rng, sheet.width, bottom - top), name, "knotty")
        pixels[top:bottom] = cv2.convertScaleAbs(plank, alpha=sheet.rng.uniform(0.9, 1.08))
    for y in edges[1:-1]:
        shapes.groove(pixels, y, max(2, round(0.5 * sheet.unit)))
    shapes.bevel(pixels, 0.9 * sheet.unit, sheet.light, 0.3)
    for top, bottom in pairwise(edges):
        for x in (3.6 * sheet.unit, sheet.width - 3.6 * sheet.unit):
            shapes.screw(pixels, (x, (top + bottom) / 2), 0.95 * sheet.unit, sheet.light, (70, 66, 62))
    return Surface(pixels, sheet.rounded(1.6), name)


def chalkboard(sheet: Sheet) -> Surface:
    name, base = sheet.item_of(_SLATES)
    window = sheet.window()
    texture = mix((window.of("wiped", 1.4), 0.42), (window.of("cloud"), 0.3), (window.of("grain"), 0.1))
    red, green, blue = base
    dusty, dustier = ((red + more, green + more, blue + more) for more in (26, 44))
    slate = colour(texture, (base, base, dusty, dustier))
    pixels = wood(sheet.window(), sheet.one_of(("oak wood", "light wood", "dark wood")))
    shapes.frame(pixels, slate, 4.2 * sheet.unit, sheet.light, 0.25, 0.45)
    _ledge(pixels, sheet, 4.2, _CHALKS, 4.0, 0.9)
    return Surface(pixels, None, name)


def whiteboard(sheet: Sheet) -> Surface:
    window = sheet.window()
    texture = mix((window.of("wiped", 1.8), -0.1), (window.of("cloud"), 0.12))
    enamel = colour(texture, ((214, 218, 222), (243, 245, 246), (250, 251, 252)))
    _sheen(enamel, sheet)
    pixels = colour(mix((sheet.window().of("brushed"), 0.4)), _ALUMINIUM)
    shapes.frame(pixels, enamel, 2.2 * sheet.unit, sheet.light, 0.25, 0.2)
    _ledge(pixels, sheet, 2.2, _PENS, 9.0, 1.3)
    return Surface(pixels, sheet.rounded(1.2), "white glossy enamel")


def _ledge(
    pixels: np.ndarray, sheet: Sheet, frame: float, tones: Sequence[Colour], length: float, thick: float
) -> None:
    """Up to three chalks or pens on the lower side of a frame, with their shadows; lengths in units."""
    unit, (x, _) = sheet.unit, sheet.light.direction
    left = sheet.rng.uniform(0.15, 0.6) * sheet.width
    high, bottom = thick * unit, sheet.height - 0.45 * frame * unit
    for _ in range(int(sheet.rng.integers(4))):
        right, top = left + length * unit, bottom - high
        dark, tone, bright = around(sheet.one_of(tones), 0.3)
        rows = slice(int(bottom - 0.35 * unit), int(bottom + 0.45 * unit) + 1)
        shapes.dim(pixels[rows, int(left - x * 0.5 * unit) : int(right - x * 0.5 * unit) + 1], 0.62)
        radius = 0.32 * high
        shapes.box(pixels, (left, top, right, bottom), dark, radius)
        shapes.box(pixels, (left, top, right, bottom - 0.3 * high), tone, radius)
        shapes.box(pixels, (left + radius, top + 0.14 * high, right - radius, top + 0.34 * high), bright, 0.09 * high)
        left = right + sheet.rng.uniform(0.8, 5) * unit


def _sheen(pixels: np.ndarray, sheet: Sheet) -> None:
    """A soft diagonal reflection, in place."""
    y, x = np.mgrid[0:1:40j, 0:1:40j].astype(np.float32)
    across = (x - y * 0.6) * np.sign(sheet.light.direction[0] or 1)
    middle, spread = sheet.rng.uniform(-0.2, 0.6), sheet.rng.uniform(0.1, 0.25)
    band = np.exp(-(((across - middle) / spread) ** 2)) * 25
    wide = cv2.resize(band, (sheet.width, sheet.height)).astype(np.uint8)
    cv2.add(pixels, cv2.cvtColor(wide, cv2.COLOR_GRAY2RGB), pixels)


def billboard(sheet: Sheet) -> Surface:
    name, tone = sheet.item_of({n: c for n, c in COLOURS.items() if n not in ("burgundy", "dark brown", "plum")})
    window = sheet.window()
    vinyl = colour(mix((window.of("cloud"), 0.12), (window.of("grain"), 0.04)), around(tone, 0.1))
    for share in (1 / 3, 2 / 3):  # sheets pasted side by side
        x = round(sheet.width * share)
        shapes.dim(vinyl[:, x : x + 1], 0.93)
    pixels = colour(mix((sheet.window().of("brushed"), 0.3)), _STEEL)
    shapes.frame(pixels, vinyl, 3.0 * sheet.unit, sheet.light, 0.4, 0.3)
    return Surface(pixels, None, f"{name} vinyl")


def book(sheet: Sheet) -> Surface:
    """Two pages, the edges of those below them, and the cover; darker towards the gutter."""
    name, tone = sheet.item_of(_PAGES)
    pixels = _paper(sheet, tone, 0.3)
    side, rim = round(1.7 * sheet.unit), round(1.1 * sheet.unit)
    for inset in range(side):  # the fore-edges of the pages below
        for x in (inset, sheet.width - 1 - inset):
            shapes.dim(pixels[:, x : x + 1], 0.97 - 0.14 * (inset % 3 == 0) - 0.2 * (inset == side - 1))
    cover = COLOURS[sheet.one_of(_COVERS)]
    for part in (pixels[:rim], pixels[-rim:], pixels[:, :rim], pixels[:, -rim:]):
        part[:] = cover
    middle = sheet.width / 2
    shapes.stroke(pixels, [(middle, rim), (middle, sheet.height - rim)], 1, (96, 88, 78))
    t = np.linspace(-1, 1, 240)
    gutter = 1 - 0.5 * np.exp(-np.abs(t) / 0.022) - 0.22 * np.exp(-np.abs(t) / 0.09)
    slope = sheet.light.direction[0] * (0.1 * np.exp(-np.abs(t) / 0.11) * np.sign(t) - 0.02 * t)
    relief = ramp(128 * (gutter - slope), 0, sheet.width, sheet.height)
    return Surface(pixels, sheet.rounded(0.8), name, relief=relief)


def cardboard(sheet: Sheet) -> Surface:
    window = sheet.window()
    texture = mix((window.of("fibre"), 0.5), (window.of("mottle"), 0.25), (window.of("cloud"), 0.28))
    flutes = 128 + 2.2 * np.sin(np.arange(sheet.height) * 2 * np.pi / max(6.0, 1.5 * sheet.unit))
    pixels = shade(colour(texture, around((198, 160, 116), 0.3)), ramp(flutes, 1, sheet.width, sheet.height))
    mask = sheet.ragged(0.8)
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, round(0.35 * sheet.unit)))
    torn = cv2.subtract(mask, inner)  # shows the light core
    cv2.add(pixels, colour(torn, ((0, 0, 0), (33, 31, 26))), pixels)
    return Surface(pixels, mask, "brown corrugated cardboard")


def banner(sheet: Sheet) -> Surface:
    """Seamed at its upper and lower edge, an eyelet in each corner."""
    name = sheet.one_of(_FABRICS)
    window = sheet.window()
    red, green, blue = COLOURS[name]
    base = (max(red, 26), max(green, 26), max(blue, 28))  # black cloth too shows its weave
    pixels = colour(mix((window.of("weave"), 0.5), (window.of("cloud"), 0.25)), around(base, 0.26))
    unit, width, height = sheet.unit, sheet.width, sheet.height
    thread = around(base, 0.3)[2 if sum(base) < 300 else 0]
    step = max(6, round(1.5 * unit))
    for y in (2.2 * unit, height - 2.2 * unit):
        for x in range(step // 2, width - step // 2, step):
            shapes.stroke(pixels, [(x, y), (x + step * 0.6, y)], unit * 0.2, thread)
    for x in (3 * unit, width - 3 * unit):
        for y in (3.4 * unit, height - 3.4 * unit):
            shapes.screw(pixels, (x, y), 1.5 * unit, sheet.light, (168, 150, 104))
            shapes.disc(pixels, (x, y), 0.75 * unit, (34, 30, 26))
    return Surface(pixels, None, f"{name} fabric")


def _brick_at_night(sheet: Sheet, window: Window) -> np.ndarray:
    pixels = colour(window.of("brick_tone"), ((30, 18, 20), (52, 32, 32), (44, 38, 42)))
    return shade(pixels, window.lit("brick", sheet.light.direction, 0.5))


def _plaster_at_night(sheet: Sheet, window: Window) -> np.ndarray:
    texture = mix((window.of("plaster"), 0.25), (window.of("cloud"), 0.35))
    pixels = colour(texture, ((20, 22, 32), (36, 40, 54), (52, 56, 72)))
    return shade(pixels, window.lit("plaster", sheet.light.direction, 0.35))


def _wood_at_night(sheet: Sheet, window: Window) -> np.ndarray:
    return cv2.convertScaleAbs(wood(window, "dark wood"), alpha=0.62)


_NIGHT: dict[str, Callable[[Sheet, Window], np.ndarray]] = {
    "dark brick wall": _brick_at_night,
    "dark plaster wall": _plaster_at_night,
    "dark wood": _wood_at_night,
}


def night_wall(sheet: Sheet) -> Surface:
    """A wall in the dark, to be lit by the sign itself."""
    name, paint = sheet.item_of(_NIGHT)
    return Surface(paint(sheet, sheet.window()), None, name)


def metal(sheet: Sheet) -> Surface:
    """A brushed plate that mirrors broad bands of light, with a fine border and a screw in each corner."""
    name, tones = sheet.item_of(_METALS)
    unit, window = sheet.unit, sheet.window()
    y, x = np.mgrid[0:1:48j, 0:1:48j].astype(np.float32)
    across = 2 * np.pi * (x * 0.8 + y * 0.35)
    bands = 128 + 26 * np.cos(1.25 * across + 2 * np.pi * sheet.rng.random()) + 12 * np.cos(2.7 * across + 1.3)
    shine = cv2.resize(bands, (sheet.width, sheet.height)).astype(np.uint8)
    pixels = colour(mix((window.of("brushed"), 0.42), (shine, 1.0), (window.of("cloud"), 0.12)), tones)
    shapes.bevel(pixels, 1.1 * unit, sheet.light, 0.4)
    left, top, right, bottom = 4.6 * unit, 4.6 * unit, sheet.width - 4.6 * unit, sheet.height - 4.6 * unit
    border = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    shapes.stroke(pixels, border, 0.28 * unit, around(tones[0], 0.35)[0])
    for px in (left + 2.9 * unit, right - 2.9 * unit):
        for py in (top + 2.9 * unit, bottom - 2.9 * unit):
            shapes.screw(pixels, (px, py), 1.7 * unit, sheet.light, tones[1])
    return Surface(pixels, sheet.rounded(1.4), name)


def slab(sheet: Sheet) -> Surface:
    name, (tile, tones) = sheet.item_of(_STONES)
    window = sheet.window()
    pixels = colour(mix((window.of(tile), 0.8), (window.of("cloud"), 0.3)), tones)
    if name == "sandstone":
        pixels = shade(pixels, window.lit("plaster", sheet.light.direction, 0.22))
    shapes.bevel(pixels, 1.6 * sheet.unit, sheet.light, 0.34)
    return Surface(pixels, sheet.ragged(0.22), name)


def pictured(path: Path) -> Callable[[Sheet], Surface]:
    """The surface of a user's own texture: a part of it, its contrast lowered where it would swallow the text."""

    def paint(sheet: Sheet) -> Surface:
        pixels = pictures.cover(path, sheet.rng, sheet.width, sheet.height)
        mean, spread = (float(values.mean()) for values in cv2.meanStdDev(pixels))
        if spread > _BUSIEST:
            pixels = cv2.convertScaleAbs(pixels, alpha=_BUSIEST / spread, beta=mean * (1 - _BUSIEST / spread))
        return Surface(pixels, None, path.stem.replace("-", " ").replace("_", " "))

    return paint
