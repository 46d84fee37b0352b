"""The media that text is written on, as data: what each is made of, where its text goes, and how it is seen.

To add one, write a function that paints it and an entry in MEDIA; nothing else knows their names.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.synthesize.compositional import inks, screens, surfaces
from stages.synthesize.compositional.inks import Ink
from stages.synthesize.compositional.surfaces import Sheet
from stages.synthesize.compositional.textures import Colour
from stages.synthesize.compositional.warp import Bend, curve
from stages.synthesize.palette import COLOURS

INKS: dict[str, Colour] = {
    **COLOURS,
    "blue": (32, 58, 150),
    "red": (188, 24, 32),
    "green": (14, 104, 56),
    "pale yellow": (250, 238, 170),
    "gold": (212, 172, 84),
    "neon pink": (255, 152, 212),
    "neon blue": (112, 200, 255),
    "neon green": (120, 246, 150),
    "neon orange": (255, 172, 96),
    "warm white": (255, 226, 178),
}


@dataclass(frozen=True)
class Block:
    """One text's place in a column. `share` is how much of the column's height it may take at most, `size` its type
    sizes as shares of the shorter side of the writable area, `characters` how long it is, in Latin characters."""

    role: str
    share: float
    size: tuple[float, float]
    characters: tuple[int, int]
    align: str = "start"
    bold: bool = False
    leading: float = 1.12


@dataclass(frozen=True)
class Layout:
    """Columns side by side, `gutter` (a share of the writable width) apart, each a stack of blocks with `gap` (a share
    of the writable height) between them."""

    columns: tuple[tuple[Block, ...], ...]
    gap: float = 0.05
    gutter: float = 0.0
    anchor: str = "top"


Shape = Callable[[np.random.Generator, float, float], tuple[tuple[Bend, ...], tuple[str, ...]]]


def flat(rng: np.random.Generator, width: float, height: float) -> tuple[tuple[Bend, ...], tuple[str, ...]]:
    return (), ()


def paper(rng: np.random.Generator, width: float, height: float) -> tuple[tuple[Bend, ...], tuple[str, ...]]:
    """Lies flat, or is folded once across, or has a side that rises."""
    choice = rng.random()
    if choice < 0.4:
        return (), ()
    if choice < 0.62:
        place = rng.uniform(0.42, 0.58) * height
        slope = rng.uniform(0.02, 0.05) * rng.choice([-1, 1])
        near, far = rng.uniform(0.93, 0.985, 2)
        at = np.array([0.0, place, height])
        along = np.array([0.0, place * near, place * near + (height - place) * far])
        return (Bend.of(1, at, along, np.array([0.0, slope * place, slope * (2 * place - height)])),), ("folded once",)
    t = np.linspace(-1, 1, 41)
    rise = rng.uniform(0.03, 0.07) * width * np.clip(t * rng.choice([-1, 1]) - 0.05, 0, None) ** 2
    return (curve(0, width, rise, (0.0, rng.uniform(-0.7, -0.3))),), ("with a curling edge",)


def crumple(rng: np.random.Generator, width: float, height: float) -> tuple[tuple[Bend, ...], tuple[str, ...]]:
    """Smoothed out again, but not quite flat: many slight folds both ways."""
    bends = []
    for axis, length in ((0, width), (1, height)):
        at = np.sort(rng.uniform(0.05, 0.95, 9))
        at = np.concatenate([[0], at[np.append(True, np.diff(at) > 0.03)], [1]]) * length
        along = np.concatenate([[0], np.cumsum(np.diff(at) * rng.uniform(0.96, 1.0, len(at) - 1))])
        bends.append(Bend.of(axis, at, along, rng.normal(0, 0.0035, len(at)) * length))
    return tuple(bends), ()


def note(rng: np.random.Generator, width: float, height: float) -> tuple[tuple[Bend, ...], tuple[str, ...]]:
    """Glued at its upper edge; the lower one stands off."""
    t = np.linspace(0, 1, 41)
    rise = rng.uniform(0.08, 0.16) * height * np.clip((t - 0.3) / 0.7, 0, None) ** 2
    return (curve(1, height, rise, (-0.2, rng.uniform(-0.25, 0.25))),), ("with a curling edge",)


def book(rng: np.random.Generator, width: float, height: float) -> tuple[tuple[Bend, ...], tuple[str, ...]]:
    """Two pages that rise from the gutter and fall to their outer edges."""
    t = np.linspace(-1, 1, 97)
    u = np.abs(t)
    rise = width * rng.uniform(0.045, 0.07) * (1 - np.exp(-u * 7.0)) * (1 - 0.55 * u**1.5)
    return (curve(0, width, rise, (0.0, -rng.uniform(0.55, 0.8))),), ()


def cloth(rng: np.random.Generator, width: float, height: float) -> tuple[tuple[Bend, ...], tuple[str, ...]]:
    """Hangs in soft waves."""
    t = np.linspace(0, 1, 81)
    waves = rng.uniform(1.6, 3.2)
    wave = 0.012 * np.sin(2 * np.pi * (t * waves + rng.random())) + 0.006 * np.sin(2 * np.pi * t * waves * 1.7 + 1)
    sag = rng.uniform(0.01, 0.03) * 4 * t * (1 - t)
    return (curve(0, width, width * wave, (0.15, 0.5)), Bend.of(0, t * width, t * width, sag * height)), (
        "gently waving",
    )


@dataclass(frozen=True)
class Medium:
    """`aspect` is width over height, from narrowest to widest; `share` how much of the picture's width or height it
    takes; `margins` the part without text: left, top, right, bottom. `angles` are the largest yaw, pitch and roll in
    degrees; `lift` how far it stands off what is behind it, as a share of the picture's shorter side; `props` what
    holds it, none when empty; `ruled` that lines are drawn under its writing; `level` that those never run downwards.
    `close`: it may be seen from so near that its edges are out of sight. A `wall` fills the picture, and `aspect` is
    then that of the area for text."""

    name: str
    paint: Callable[[Sheet], surfaces.Surface]
    ink: Ink
    inks: tuple[str, ...]
    layouts: tuple[Layout, ...]
    scenes: tuple[str, ...]
    aspect: tuple[float, float]
    margins: tuple[float, float, float, float]
    writing: tuple[str, ...] = ()
    share: tuple[float, float] = (0.8, 0.92)
    angles: tuple[float, float, float] = (14, 16, 5)
    lift: float = 0.014
    shape: Shape = flat
    wall: bool = False
    props: str = ""
    ruled: bool = False
    close: bool = False
    level: bool = False
    haze: float = 0.0  # how much of the ink's colour comes upon the surface about it
    reach: float = 0.12  # em: how far beyond its glyphs the ink shows


_HAND = ("handwritten", "script", "brush", "kai", "marker")
_PRINT = ("serif", "sans-serif", "slab serif", "monospace", "typewriter", "kai")
_SIGN = ("sans-serif", "display", "rounded", "slab serif")

_LETTER = Layout(
    (
        (
            Block("heading", 0.2, (0.06, 0.12), (8, 34), bold=True, leading=1.0),
            Block("body", 1.0, (0.036, 0.062), (140, 420)),
        ),
    ),
    gap=0.045,
)
_TEXT = Layout(((Block("body", 1.0, (0.036, 0.07), (120, 420)),),), anchor="middle")
_PAGE = Layout(((Block("body", 1.0, (0.045, 0.075), (120, 420)),),))
_TWO = Layout(((Block("body", 1.0, (0.036, 0.06), (90, 220)), Block("body", 1.0, (0.036, 0.06), (90, 220))),), gap=0.05)
_NOTE = Layout(((Block("body", 1.0, (0.085, 0.15), (12, 70)),),), anchor="middle")
_CENTRED_NOTE = Layout(((Block("heading", 1.0, (0.11, 0.2), (6, 32), "center"),),), anchor="middle")
_SLOGAN = Layout(((Block("heading", 1.0, (0.12, 0.3), (6, 40), "center", bold=True, leading=1.0),),), anchor="middle")
_SIGN_LAYOUT = Layout(
    (
        (
            Block("heading", 0.55, (0.12, 0.26), (6, 30), "center", bold=True, leading=1.0),
            Block("body", 0.4, (0.05, 0.1), (24, 110), "center"),
        ),
    ),
    gap=0.07,
    anchor="middle",
)
_BOARD = Layout(
    (
        (
            Block("heading", 0.28, (0.08, 0.15), (6, 30), "center", bold=True, leading=1.0),
            Block("body", 1.0, (0.05, 0.085), (70, 260)),
        ),
    ),
    gap=0.06,
    anchor="middle",
)
_PAGES = Layout(
    (
        (Block("body", 1.0, (0.032, 0.055), (140, 330), "justify", leading=1.15),),
        (Block("body", 1.0, (0.032, 0.055), (140, 330), "justify", leading=1.15),),
    ),
    gutter=0.11,
)
_CHAPTER = Layout(
    (
        (
            Block("heading", 0.2, (0.05, 0.085), (8, 30), "center", leading=1.0),
            Block("body", 1.0, (0.032, 0.055), (110, 260), "justify", leading=1.15),
        ),
        (Block("body", 1.0, (0.032, 0.055), (140, 330), "justify", leading=1.15),),
    ),
    gutter=0.11,
    gap=0.06,
)
_ARTICLE = Layout(
    (
        (
            Block("heading", 0.24, (0.075, 0.12), (8, 40), bold=True, leading=1.0),
            Block("body", 1.0, (0.045, 0.062), (110, 300)),
        ),
    ),
    gap=0.04,
)
_INSCRIPTION = Layout(
    (
        (
            Block("heading", 0.45, (0.1, 0.18), (6, 30), "center", bold=True, leading=1.0),
            Block("body", 1.0, (0.05, 0.085), (40, 150), "center"),
        ),
    ),
    gap=0.07,
    anchor="middle",
)

_TABLES = ("a wooden table", "a dark wooden desk", "a marble table", "a linen tablecloth", "a concrete floor")
_WALLS = ("a plaster wall", "a brick wall", "a concrete wall")

MEDIA: tuple[Medium, ...] = (
    Medium(
        "a sheet of paper",
        surfaces.paper,
        inks.print_,
        ("black", "charcoal", "navy blue", "blue", "dark brown", "burgundy", "forest green"),
        (_LETTER, _TEXT, _TWO),
        _TABLES,
        (0.68, 0.76),
        (0.11, 0.1, 0.11, 0.1),
        shape=paper,
        angles=(12, 16, 8),
        close=True,
    ),
    Medium(
        "a sheet of lined paper",
        surfaces.lined,
        inks.print_,
        ("blue", "black", "navy blue", "red", "forest green"),
        (_PAGE,),
        _TABLES,
        (0.68, 0.76),
        (0.16, 0.13, 0.07, 0.06),
        _HAND,
        shape=paper,
        angles=(12, 16, 8),
        ruled=True,
        level=True,
        close=True,
    ),
    Medium(
        "a sheet of kraft paper",
        surfaces.kraft,
        inks.print_,
        ("black", "dark brown", "white", "navy blue"),
        (_LETTER, _TEXT, _SIGN_LAYOUT),
        _TABLES,
        (0.68, 1.4),
        (0.11, 0.1, 0.11, 0.1),
        _HAND + _SIGN,
        shape=paper,
        angles=(12, 16, 8),
        close=True,
    ),
    Medium(
        "a sheet of crumpled paper",
        surfaces.crumpled,
        inks.print_,
        ("black", "charcoal", "navy blue", "blue", "dark brown"),
        (_LETTER, _TEXT),
        _TABLES,
        (0.7, 0.9),
        (0.12, 0.11, 0.12, 0.11),
        shape=crumple,
        angles=(10, 12, 8),
        lift=0.02,
        close=True,
    ),
    Medium(
        "a sticky note",
        surfaces.sticky,
        inks.marker,
        ("black", "navy blue", "charcoal", "red", "blue"),
        (_NOTE, _CENTRED_NOTE),
        (*_WALLS, "a wooden table", "a dark wooden desk", "a cork board"),
        (0.95, 1.05),
        (0.1, 0.12, 0.1, 0.14),
        _HAND,
        share=(0.72, 0.86),
        shape=note,
        angles=(12, 12, 7),
        lift=0.03,
    ),
    Medium(
        "a wooden board",
        surfaces.board,
        inks.paint,
        ("white", "ivory", "black", "dark brown", "cream"),
        (_SIGN_LAYOUT, _BOARD, _SLOGAN),
        (*_WALLS, "a garden out of focus"),
        (1.0, 1.7),
        (0.1, 0.12, 0.1, 0.12),
        _HAND + _SIGN,
        angles=(16, 10, 4),
        lift=0.02,
        props="ropes",
        close=True,
    ),
    Medium(
        "a chalkboard",
        surfaces.chalkboard,
        inks.chalk,
        ("white", "ivory", "pale yellow", "pale pink", "pale blue", "mint green"),
        (_BOARD, _SIGN_LAYOUT),
        _WALLS,
        (0.8, 1.5),
        (0.12, 0.13, 0.12, 0.14),
        _HAND,
        angles=(16, 8, 3),
        lift=0.02,
        close=True,
    ),
    Medium(
        "a whiteboard",
        surfaces.whiteboard,
        inks.marker,
        ("black", "blue", "red", "green", "royal blue"),
        (_BOARD, _LETTER),
        ("a plaster wall", "a concrete wall"),
        (1.1, 1.7),
        (0.09, 0.11, 0.09, 0.12),
        _HAND,
        angles=(16, 8, 2),
        level=True,
        lift=0.02,
        close=True,
    ),
    Medium(
        "a billboard",
        surfaces.billboard,
        inks.print_,
        tuple(COLOURS),
        (_SLOGAN, _SIGN_LAYOUT),
        ("a cloudy sky", "an evening sky", "city lights at night"),
        (1.3, 2.0),
        (0.08, 0.1, 0.08, 0.1),
        (*_SIGN, "serif"),
        share=(0.8, 0.93),
        angles=(20, 8, 0),
        lift=0.0,
        props="posts",
    ),
    Medium(
        "an open book",
        surfaces.book,
        inks.print_,
        ("black", "charcoal"),
        (_PAGES, _CHAPTER),
        _TABLES,
        (1.35, 1.5),
        (0.075, 0.12, 0.075, 0.12),
        _PRINT,
        share=(0.9, 0.96),
        shape=book,
        angles=(6, 14, 6),
        lift=0.03,
    ),
    Medium(
        "a piece of cardboard",
        surfaces.cardboard,
        inks.marker,
        ("black", "charcoal", "dark brown", "navy blue"),
        (_BOARD, _SIGN_LAYOUT, _NOTE),
        _TABLES + _WALLS,
        (0.9, 1.5),
        (0.1, 0.11, 0.1, 0.11),
        _HAND + _SIGN,
        angles=(14, 14, 6),
        lift=0.02,
        close=True,
    ),
    Medium(
        "a fabric banner",
        surfaces.banner,
        inks.dye,
        tuple(COLOURS),
        (_SLOGAN, _SIGN_LAYOUT),
        (*_WALLS, "a garden out of focus"),
        (1.2, 2.1),
        (0.1, 0.14, 0.1, 0.14),
        _SIGN,
        share=(0.84, 0.94),
        shape=cloth,
        angles=(10, 6, 2),
        lift=0.025,
        props="cords",
        close=True,
    ),
    Medium(
        "a phone screen",
        screens.phone,
        inks.screen,
        tuple(COLOURS),
        (_ARTICLE,),
        _TABLES,
        (0.5, 0.56),
        (0.11, 0.13, 0.11, 0.12),
        ("sans-serif",),
        share=(0.9, 0.96),
        angles=(12, 14, 10),
        level=True,
        lift=0.022,
    ),
    Medium(
        "a monitor screen",
        screens.monitor,
        inks.screen,
        tuple(COLOURS),
        (_ARTICLE, _BOARD),
        ("a desk in an office",),
        (1.45, 1.75),
        (0.075, 0.12, 0.075, 0.13),
        ("sans-serif", "monospace", "serif"),
        share=(0.86, 0.95),
        angles=(12, 3, 0),
        level=True,
        lift=0.0,
        props="stand",
    ),
    Medium(
        "a neon sign",
        surfaces.night_wall,
        inks.glow,
        ("neon pink", "neon blue", "neon green", "neon orange", "warm white"),
        (_SLOGAN, _CENTRED_NOTE),
        (),
        (1.0, 1.8),
        (0.02, 0.02, 0.02, 0.02),
        (*_HAND, "rounded", "sans-serif"),
        share=(0.78, 0.88),
        angles=(18, 8, 3),
        wall=True,
        haze=0.1,
        reach=3.0,
    ),
    Medium(
        "an engraved metal plate",
        surfaces.metal,
        inks.carve,
        ("black", "charcoal", "dark brown", "navy blue"),
        (_INSCRIPTION, _SLOGAN),
        (*_WALLS, "a dark wooden door"),
        (1.2, 1.8),
        (0.11, 0.14, 0.11, 0.14),
        ("serif", "sans-serif", "slab serif"),
        angles=(14, 8, 2),
        lift=0.012,
        close=True,
    ),
    Medium(
        "an engraved stone slab",
        surfaces.slab,
        inks.carve,
        ("black", "charcoal", "gold", "white", "dark brown"),
        (_INSCRIPTION, _BOARD),
        _WALLS,
        (0.8, 1.5),
        (0.12, 0.13, 0.12, 0.13),
        ("serif", "kai", "sans-serif"),
        angles=(14, 8, 3),
        lift=0.03,
        close=True,
    ),
)


def named(names: tuple[str, ...]) -> tuple[Medium, ...]:
    """The media of some names, in their order; all when there are none."""
    return tuple(m for m in MEDIA if not names or m.name in names)
