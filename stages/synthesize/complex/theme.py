"""Themes: the colours of a picture by what they are for, made in OKLCH so that they belong together.

A template asks for roles (`page`, `surface`, `ink`, `muted`, `line`, `accent`, `second`, …), never for colours. A mode
says how light and how strong each role is; the hue is drawn by lot.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stages.synthesize import palette
from stages.synthesize.palette import Colour

# Role: lightness, chroma, hue (a number, or the hue of the accent + degrees as a string).
_MODES: dict[str, dict[str, tuple[float, float, str | float]]] = {
    "light": {
        "page": (0.985, 0.004, "0"),
        "surface": (1.0, 0.0, "0"),
        "ink": (0.24, 0.02, "0"),
        "muted": (0.51, 0.02, "0"),
        "line": (0.905, 0.008, "0"),
        "accent": (0.54, 0.17, "0"),
        "second": (0.66, 0.15, "turn"),
    },
    "tinted": {
        "page": (0.95, 0.012, "0"),
        "surface": (0.995, 0.003, "0"),
        "ink": (0.26, 0.035, "0"),
        "muted": (0.5, 0.03, "0"),
        "line": (0.885, 0.016, "0"),
        "accent": (0.5, 0.15, "0"),
        "second": (0.68, 0.15, "turn"),
    },
    "paper": {
        "page": (0.962, 0.02, 85.0),
        "surface": (0.985, 0.012, 88.0),
        "ink": (0.26, 0.025, 60.0),
        "muted": (0.5, 0.03, 65.0),
        "line": (0.87, 0.03, 80.0),
        "accent": (0.46, 0.13, "0"),
        "second": (0.62, 0.12, "turn"),
    },
    "pastel": {
        "page": (0.92, 0.045, "0"),
        "surface": (0.975, 0.016, "0"),
        "ink": (0.29, 0.07, "0"),
        "muted": (0.45, 0.06, "0"),
        "line": (0.83, 0.05, "0"),
        "accent": (0.48, 0.16, "turn"),
        "second": (0.64, 0.15, "0"),
    },
    "dark": {
        "page": (0.2, 0.02, "0"),
        "surface": (0.26, 0.024, "0"),
        "ink": (0.96, 0.006, "0"),
        "muted": (0.74, 0.02, "0"),
        "line": (0.36, 0.025, "0"),
        "accent": (0.76, 0.14, "0"),
        "second": (0.8, 0.13, "turn"),
    },
    "brand": {
        "page": (0.4, 0.12, "0"),
        "surface": (0.46, 0.12, "0"),
        "ink": (0.985, 0.008, "0"),
        "muted": (0.87, 0.045, "0"),
        "line": (0.53, 0.11, "0"),
        "accent": (0.88, 0.115, "turn"),
        "second": (0.8, 0.11, "0"),
    },
}
MODES = tuple(_MODES)
ROLES = ("page", "surface", "ink", "muted", "line", "accent", "second", "on_accent", "soft", "white", "black")
_PALE, _STEP = 0.7, 0.015  # accents lighter than that have black type on them; how they are moved until it can be read
_CODE = re.compile("#[0-9a-fA-F]{6}")
_TURNS = (-40, 35, 60, 120, 150, 180, 210)
# Hues that a designer would start from; the yellow-greens between 105 and 140 rarely please.
_HUES = (10, 25, 40, 55, 75, 95, 145, 160, 180, 200, 220, 240, 255, 270, 290, 310, 335, 355)
_DEEP_HUES = (12, 25, 145, 160, 180, 200, 225, 245, 260, 275, 295, 335, 355)  # without those that darken to brown


@dataclass(frozen=True)
class Theme:
    """The colours of one picture by role, and those of a chart's series."""

    mode: str
    colours: dict[str, Colour]
    series: tuple[Colour, ...]

    @property
    def dark(self) -> bool:
        return palette.luminance(self.colours["page"]) < 0.2

    def colour(self, name: str, ground: Colour | None = None) -> Colour:
        """A role's colour; `accent 20%` is a fifth of it over the ground."""
        role, _, share = name.partition(" ")
        full = _hex(role) if role.startswith("#") else self.colours[role]
        return mix(ground or self.colours["page"], full, float(share[:-1]) / 100) if share else full


def _hex(code: str) -> Colour:
    red, green, blue = (int(code[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def check(name: str) -> str:
    """A role or a colour as `#rrggbb`, a share of it such as `accent 20%`, or a gradient of two such as `accent to
    second`. Raises ValueError for anything else."""
    for part in name.split(" to "):
        role, _, share = part.partition(" ")
        known = role in ROLES or _CODE.fullmatch(role)
        if not known or (share and not (share.endswith("%") and share[:-1].isdecimal())):
            raise ValueError(f"{part!r} is no colour of a theme; known: {', '.join(ROLES)}, or a share such as ink 20%")
    return name


def choose(rng: np.random.Generator, modes: Sequence[str], contrast: float = 4.5) -> Theme:
    """A theme of one of the modes. White or black reaches a WCAG ratio of `contrast` on its accent, where one can."""
    mode = modes[int(rng.integers(len(modes)))]
    hues = _DEEP_HUES if mode == "brand" else _HUES
    hue = float(hues[int(rng.integers(len(hues)))] + rng.uniform(-6, 6))
    turn = float(_TURNS[int(rng.integers(len(_TURNS)))])
    calm = rng.uniform(0.75, 1.05)

    def made(lightness: float, chroma: float, angle: str | float) -> Colour:
        at = hue + (turn if angle == "turn" else 0) if isinstance(angle, str) else angle
        return oklch(lightness, chroma * calm, at)

    colours = {role: made(*values) for role, values in _MODES[mode].items()}
    colours["white"], colours["black"] = (255, 255, 255), (16, 16, 18)
    light, strong, angle = _MODES[mode]["accent"]
    pale = light > _PALE
    on = colours["on_accent"] = colours["black" if pale else "white"]
    while palette.contrast(on, colours["accent"]) < contrast and 0.05 < light < 0.97:
        light += _STEP if pale else -_STEP
        colours["accent"] = made(light, strong, angle)
    colours["soft"] = mix(colours["page"], colours["accent"], 0.12)
    lightness, chroma = (0.72, 0.13) if mode in ("dark", "brand") else (0.6, 0.14)
    steps = np.array([0, 1, 2, 3, 4, 5]) * (360 / 6 if rng.random() < 0.4 else 32)
    series = (
        colours["accent"],
        *(made(lightness + 0.05 * (i % 2), chroma, hue + turn + s) for i, s in enumerate(steps)),
    )
    return Theme(mode, colours, series)


def mix(ground: Colour, colour: Colour, share: float) -> Colour:
    """`share` of a colour over a ground."""
    red, green, blue = (round(g + (c - g) * share) for g, c in zip(ground, colour, strict=True))
    return red, green, blue


def legible(colour: Colour, grounds: Sequence[Colour], least: float) -> tuple[Colour, float]:
    """A colour as near as can be to the one wished that reaches a WCAG contrast of `least` on all grounds, and the
    contrast it has; the best there is where none does."""

    def worst(ink: Colour) -> float:
        return min(palette.contrast(ink, ground) for ground in grounds)

    found = worst(colour)
    if found >= least:
        return colour, found
    goal = max(((255, 255, 255), (0, 0, 0)), key=worst)
    for share in (0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0):
        nearer = mix(colour, goal, share)
        if (found := worst(nearer)) >= least:
            return nearer, found
    return goal, worst(goal)


@lru_cache(maxsize=4096)
def name_of(colour: Colour) -> str:
    """The name that captions use for a colour: the nearest of the palette's."""
    return min(palette.COLOURS, key=lambda name: float(((_oklab(palette.COLOURS[name]) - _oklab(colour)) ** 2).sum()))


def oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """An sRGB colour from OKLCH, hue in degrees; with less chroma where the screen cannot show as much."""
    angle = np.deg2rad(hue)
    for _ in range(12):
        a, b = chroma * np.cos(angle), chroma * np.sin(angle)
        cone = np.array(
            [
                lightness + 0.3963377774 * a + 0.2158037573 * b,
                lightness - 0.1055613458 * a - 0.0638541728 * b,
                lightness - 0.0894841775 * a - 1.2914855480 * b,
            ]
        )
        linear = _FROM_CONES @ cone**3
        if (linear > -2e-3).all() and (linear < 1 + 2e-3).all():
            break
        chroma *= 0.88
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(c) for c in np.rint(encoded * 255))
    return red, green, blue


_FROM_CONES = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
_TO_CONES = np.linalg.inv(_FROM_CONES)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@lru_cache(maxsize=4096)
def _oklab(colour: Colour) -> np.ndarray:
    encoded = np.asarray(colour) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return _TO_LAB @ np.cbrt(_TO_CONES @ linear)
