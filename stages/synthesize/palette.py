"""Colours of a page: a background and an ink that can be read on it, with the names that captions use."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from dataengine.errors import StageError

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "white": (255, 255, 255),
    "ivory": (252, 248, 236),
    "cream": (248, 239, 217),
    "light grey": (232, 234, 237),
    "pale blue": (221, 234, 246),
    "mint green": (219, 240, 228),
    "pale pink": (250, 227, 227),
    "sand": (232, 220, 196),
    "lavender": (232, 226, 245),
    "light yellow": (253, 244, 196),
    "sky blue": (164, 205, 238),
    "mustard yellow": (230, 180, 60),
    "orange": (238, 140, 62),
    "black": (17, 17, 19),
    "charcoal": (44, 47, 54),
    "navy blue": (20, 33, 78),
    "royal blue": (36, 72, 180),
    "forest green": (22, 66, 46),
    "teal": (10, 92, 98),
    "burgundy": (104, 20, 40),
    "crimson": (176, 28, 46),
    "dark brown": (66, 42, 28),
    "plum": (78, 32, 86),
}


HIGHLIGHTS: tuple[Colour, ...] = (
    (255, 236, 130),
    (198, 240, 180),
    (255, 205, 214),
    (186, 226, 255),
    (96, 40, 120),
    (20, 84, 110),
)


@dataclass(frozen=True)
class Palette:
    """A background (its two ends, equal when it is flat), an ink, and a second ink for headings and accents. `contrast`
    is WCAG's, of the ink and the worse end."""

    background: str
    ink: str
    ends: tuple[Colour, Colour]
    contrast: float
    accent: str

    @property
    def flat(self) -> bool:
        return self.ends[0] == self.ends[1]


@lru_cache(maxsize=4096)
def luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour, 0 to 1 (WCAG 2.2)."""
    c = np.asarray(colour) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@lru_cache(maxsize=4096)
def contrast(a: Colour, b: Colour) -> float:
    """WCAG 2.2 contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@dataclass(frozen=True)
class Choice:
    """What a palette is chosen from: names of grounds and inks, all where none are named; `plain`: one colour each."""

    grounds: tuple[str, ...] = ()
    inks: tuple[str, ...] = ()
    plain: bool = False


def choose(rng: np.random.Generator, least_contrast: float, among: Choice = Choice()) -> Palette:
    """A background, flat or a soft gradient, and one of the inks that reach `least_contrast` on all of it.

    Raises StageError where no ink does."""
    grounds = [g for g in COLOURS if (not among.grounds or g in among.grounds) and _inks_on(g, least_contrast, among)]
    if not grounds:
        raise StageError(f"no two colours reach a contrast of {least_contrast}", "ask for less: text is legible at 4.5")
    background = grounds[int(rng.integers(len(grounds)))]
    base = COLOURS[background]
    ends = (base, base) if rng.random() < 0.6 or among.plain else (base, _shifted(base, rng))
    if not _inks(ends, least_contrast, among.inks):
        ends = (base, base)
    ratios = _inks(ends, least_contrast, among.inks)
    inks = list(ratios)
    # Black and white are what most pages are printed in.
    weights = np.array([4.0 if name in ("black", "charcoal", "white", "ivory") else 1.0 for name in inks])
    ink = inks[int(rng.choice(len(inks), p=weights / weights.sum()))]
    accent = ink if rng.random() < 0.45 or among.plain else inks[int(rng.integers(len(inks)))]
    return Palette(background, ink, ends, ratios[ink], accent)


def highlight(rng: np.random.Generator, ink: str, least_contrast: float) -> Colour | None:
    """A light or dark colour that the ink can be read on, to mark a passage with; None where there is none."""
    grounds = [c for c in HIGHLIGHTS if contrast(COLOURS[ink], c) >= least_contrast]
    return grounds[int(rng.integers(len(grounds)))] if grounds else None


def ratio(palette: Palette, colour: Colour) -> float:
    """The contrast of a colour and the worse end of a background."""
    return min(contrast(colour, end) for end in palette.ends)


@cache
def _inks_on(ground: str, least_contrast: float, among: Choice) -> dict[str, float]:
    return _inks((COLOURS[ground], COLOURS[ground]), least_contrast, among.inks)


def _inks(ends: tuple[Colour, Colour], least_contrast: float, among: Sequence[str] = ()) -> dict[str, float]:
    """The colours, of all or of some, that can be read on a background, with their contrast to its worse end."""
    names = among or COLOURS
    ratios = {name: min(contrast(COLOURS[name], end) for end in ends) for name in names}
    return {name: ratio for name, ratio in ratios.items() if ratio >= least_contrast}


def _shifted(colour: Colour, rng: np.random.Generator) -> Colour:
    """A neighbour of the colour: a little lighter or darker, in the same hue."""
    factor = rng.uniform(0.82, 0.95) if luminance(colour) > 0.2 else rng.uniform(1.15, 1.5)
    red, green, blue = (int(min(255, round(c * factor))) for c in colour)
    return red, green, blue
