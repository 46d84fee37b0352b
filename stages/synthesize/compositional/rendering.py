"""Compositional rendering: text on a simulated medium, in a scene, with the exact place of every character.

The report's second way of synthesis. Nothing hides text: its boxes lie wholly within the medium and the picture, and
nothing but light is laid over them. The camera's view is chosen first; if the text would come out smaller than allowed,
the medium is turned and bent less, and stands larger, until it does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from dataengine import config
from dataengine.errors import SampleError, StageError
from fonts.catalog import Family
from stages.synthesize import annotation, palette
from stages.synthesize.compositional import clutter, light, media, pictures, props, scenes, surfaces, textures, warp
from stages.synthesize.compositional.inks import Mark
from stages.synthesize.compositional.light import Light
from stages.synthesize.compositional.media import Medium
from stages.synthesize.compositional.props import Behind
from stages.synthesize.compositional.surfaces import Sheet, Surface
from stages.synthesize.compositional.textures import Window
from stages.synthesize.compositional.view import Pose, View, frame
from stages.synthesize.compositional.warp import Bend, Chain
from stages.synthesize.compositional.writing import Hand, Written, baselines, covers, write
from stages.synthesize.scene import Drawn, Said, Scene
from stages.synthesize.typeset import Geometry, Setting, Typesetter
from stages.synthesize.words.supply import Supply

_EASE = (1.0, 0.6, 0.3, 0.0)  # how much of the drawn angles and bends is kept, try by try
_RIGHT_TO_LEFT = ("ar", "fa", "he")
# How the medium is toned, darker for white ink or lighter for black, where none of its own can be read on it.
_TONED = ((1.0, 1.0), (0.86, 1.1), (0.72, 1.2), (0.6, 1.32), (0.45, 1.5), (0.3, 1.8))
_CLUTTERED = 0.6  # of the tables have something lying on them
_DIM = 0.8  # the darkest light on a text


def choices(media_names: Sequence[str], folder: Path | None) -> tuple[Medium, ...]:
    """The media of some names, all when there are none, and one for each of a folder's textures."""
    known = [medium.name for medium in media.MEDIA]
    for name in media_names:
        if name not in known:
            raise StageError(f"no medium {name!r}{config.suggest(name, known)}", f"known are: {', '.join(known)}")
    own = tuple(_textured(path) for path in pictures.listed(folder)) if folder else ()
    return media.named(tuple(media_names)) + own


def _textured(path: Path) -> Medium:
    plain = media.MEDIA[0]
    return replace(
        plain, name="a textured surface", paint=surfaces.pictured(path), inks=tuple(palette.COLOURS), aspect=(0.7, 1.5),
        shape=media.flat, layouts=plain.layouts + media.MEDIA[5].layouts,
    )  # fmt: skip


def draw(
    rng: np.random.Generator,
    *,
    setter: Typesetter,
    supply: Supply,
    families: Sequence[Family],
    size: tuple[int, int],
    smallest: float,
    contrast: float,
    media: Sequence[str] = (),
    photographs: Sequence[Path] = (),
    textures: Path | None = None,
) -> Drawn:
    """A picture of `size` (width, height) with text on a medium drawn by lot from `media` (names, all when empty) and
    the pictures of the folder `textures`, before one of `photographs`, or a painted scene when there are none.

    In the picture no type is smaller than `smallest` pixels an em, and ink and surface keep a WCAG ratio of at least
    `contrast`. `families` are those that write the supply's language. Raises SampleError when a text cannot be written
    or does not fit, StageError when a name or a file is wrong.
    """
    options = choices(media, textures)
    medium = options[int(rng.integers(len(options)))]
    pose, hand, sky = Pose.draw(rng), Hand.draw(rng, medium, families, supply.language), light.draw(rng)
    mirrored = supply.language in _RIGHT_TO_LEFT
    texts: dict[int, str] = {}
    for ease in _EASE:
        view = frame(medium, size, pose, ease, mirrored)
        try:
            written = write(view, hand, texts, setter, supply, smallest, mirrored)
        except SampleError:
            if ease == _EASE[-1]:
                raise
            continue
        break
    sheet = Sheet(rng, view.width, view.height, sky, view.area, mirrored)
    return _render(sheet, view, written, setter, size, contrast, photographs)


def _render(
    sheet: Sheet,
    view: View,
    written: Sequence[Written],
    setter: Typesetter,
    size: tuple[int, int],
    contrast: float,
    photographs: Sequence[Path],
) -> Drawn:
    medium, rng, sky = view.medium, sheet.rng, sheet.light
    surface = medium.paint(sheet)
    inked, geometries = covers(setter, written, view)
    if medium.ruled:
        surfaces.rule(surface.pixels, baselines(written[0], view.height), sheet.unit)
    names, ratios = _choose_inks(rng, surface, view, len(written), contrast)
    for cover, name, text, geometry in zip(inked, names, written, geometries, strict=True):
        _apply(rng, surface.pixels, cover, name, text, geometry, view, sky)
    if surface.relief is not None:
        surface.pixels[:] = textures.shade(surface.pixels, surface.relief)
    for bend in view.chain.bends:
        _shade_bend(surface.pixels, bend, sky)
    ground = _ground(rng, view, sky, size, photographs)
    _place(rng, ground.pixels, surface, view, sky, ground.flat)
    pixels = _finish(rng, ground.pixels, sky)
    paragraphs = annotation.paragraphs(
        _seen(text.setting, geometry, view.chain) for text, geometry in zip(written, geometries, strict=True)
    )
    scene = Scene(
        strategy="compositional",
        kind=medium.name,
        language=written[0].setting.language,
        background=surface.material,
        texts=tuple(
            Said(text.setting.text, text.block.role, name, text.setting.style.family.style)
            for text, name in zip(written, names, strict=True)
        ),
        surroundings=ground.name,
        details=(*surface.details, *view.details, *ground.details, sky.phrase),
    )
    meta = {
        "medium": medium.name,
        "material": surface.material,
        "surroundings": ground.name,
        "photograph": ground.photograph,
        "yaw": round(view.angles[0], 2),
        "pitch": round(view.angles[1], 2),
        "roll": round(view.angles[2], 2),
        "bends": len(view.chain.bends),
        "close": view.close,
        "light": sky.source,
        "inks": list(names),
        "contrast": [round(r, 2) for r in ratios],
        "fonts": list(dict.fromkeys(t.setting.style.family.name for t in written)),
    }
    return Drawn(pixels, paragraphs, scene, meta)


def _choose_inks(
    rng: np.random.Generator, surface: Surface, view: View, count: int, contrast: float
) -> tuple[list[str], list[float]]:
    """An ink for each text and its contrast: the medium's own that are legible, or else black or white on the surface
    made a little lighter or darker, in place."""
    left, top, right, bottom = (round(v) for v in view.area)
    part = cv2.resize(surface.pixels[top:bottom, left:right], (48, 48), interpolation=cv2.INTER_AREA)
    mean, spread = (v.ravel() for v in cv2.meanStdDev(part))
    usable = _legible(view.medium.inks, mean, spread, view.medium, contrast)
    for darker, lighter in () if usable else _TONED:
        for ink, factor in (("black", lighter), ("white", darker)):
            usable = _legible((ink,), mean * factor, spread * factor, view.medium, contrast)
            if usable:
                cv2.convertScaleAbs(surface.pixels, surface.pixels, alpha=factor)
                break
        if usable:
            break
    if not usable:
        raise SampleError(f"no ink reaches a contrast of {contrast} on {surface.material}")
    names = list(usable)
    first = names[int(rng.integers(len(names)))]
    other = names[int(rng.integers(len(names)))] if rng.random() < 0.3 else first
    found = [first] + [other] * (count - 1)
    return found, [usable[name] for name in found]


def _legible(
    inks_of: Sequence[str], mean: np.ndarray, spread: np.ndarray, medium: Medium, contrast: float
) -> dict[str, float]:
    """The inks that reach a contrast on a surface, with the one they reach."""
    ratios = {name: _legibility(name, mean, spread, medium) for name in inks_of}
    return {name: ratio for name, ratio in ratios.items() if ratio >= contrast}


def _legibility(name: str, mean: np.ndarray, spread: np.ndarray, medium: Medium) -> float:
    """The contrast of an ink to the worse part of a surface, in the dimmest light."""
    ink = np.array(media.INKS[name], float)
    nearer = 0.8 if ink.mean() > mean.mean() else -0.8
    worse = mean + nearer * spread + medium.haze * ink
    a, b = (tuple(int(v) for v in np.clip(c * _DIM, 0, 255)) for c in (ink, worse))
    return palette.contrast(a, b)


def _apply(
    rng: np.random.Generator,
    pixels: np.ndarray,
    cover: np.ndarray,
    name: str,
    text: Written,
    geometry: Geometry,
    view: View,
    sky: Light,
) -> None:
    """Put one text on the surface, within the part of it that its ink can reach."""
    corners = geometry.lines.quads.reshape(-1, 2)
    reach = view.medium.reach * text.setting.size + 4
    left, top = np.maximum(0, np.floor(corners.min(axis=0) - reach)).astype(int)
    right, bottom = np.minimum([view.width, view.height], np.ceil(corners.max(axis=0) + reach)).astype(int)
    window = Window(rng, right - left, bottom - top)
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    mark = Mark(cover[top:bottom, left:right], media.INKS[name], text.setting.size, window, sky.direction)
    view.medium.ink(part, mark)
    pixels[top:bottom, left:right] = part


def _shade_bend(pixels: np.ndarray, bend: Bend, sky: Light) -> None:
    """Darken what a bend turns away from the light."""
    height, width = pixels.shape[:2]
    length = width if bend.axis == 0 else height
    places = (np.arange(length) + 0.5).clip(bend.at[1], bend.at[-2] - 1e-6)
    piece = np.searchsorted(bend.at, places, side="right") - 1
    slope = (np.diff(bend.across) / np.maximum(np.diff(bend.at), 1e-9))[piece]
    shorter = (np.diff(bend.along) / np.maximum(np.diff(bend.at), 1e-9))[piece]
    facing = sky.direction[0] if bend.axis == 0 else sky.direction[1]
    level = 128 * (1 + 1.1 * slope * facing - 0.45 * np.clip(1 - shorter, 0, 1))
    soft = length / 160 if len(bend.at) > 5 else max(0.8, length / 500)  # a curve is smooth, a fold is sharp
    level = cv2.GaussianBlur(level.astype(np.float32)[None], (0, 0), soft).ravel()
    grey = textures.ramp(np.clip(level, 60, 200), bend.axis, width, height)
    pixels[:] = textures.shade(pixels, grey)


@dataclass(frozen=True)
class _Ground:
    """What is behind the medium: its pixels, how captions call it, and the photograph's name; `flat` when it is a
    surface that takes a contact shadow; `details` are what lies about on it."""

    pixels: np.ndarray
    name: str | None = None
    photograph: str | None = None
    flat: bool = False
    details: tuple[str, ...] = ()


def _ground(
    rng: np.random.Generator, view: View, sky: Light, size: tuple[int, int], photographs: Sequence[Path]
) -> _Ground:
    width, height = size
    medium = view.medium
    if medium.wall:
        return _Ground(np.zeros((height, width, 3), np.uint8))
    if photographs:
        path = photographs[int(rng.integers(len(photographs)))]
        return _Ground(scenes.photograph(path, rng, width, height), "a photograph", path.name)
    place = scenes.PLACES[medium.scenes[int(rng.integers(len(medium.scenes)))]]
    if not place.flat:
        return _Ground(place.paint(rng, width, height, sky), place.name)
    corners = view.chain.view.inverse(warp.edge(width, height, 2))
    (left, top), (right, bottom) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    plane = place.paint(rng, int(right - left), int(bottom - top), sky)
    chain = Chain((), view.chain.view.before(warp.translation(left, top)))
    canvas = warp.warp(plane, chain, (0, 0, width, height))
    details: tuple[str, ...] = ()
    if place.table and not view.close and rng.random() < _CLUTTERED:
        details = clutter.lay(rng, canvas, view.chain.forward(warp.edge(view.width, view.height, 2))[::2], sky)
    return _Ground(canvas, place.name, flat=True, details=details)


def _place(rng: np.random.Generator, canvas: np.ndarray, surface: Surface, view: View, sky: Light, flat: bool) -> None:
    """Lay the sheet into the picture, in place: what holds it, its shadow, and itself."""
    height, width = canvas.shape[:2]
    if view.medium.wall:
        canvas[:] = warp.warp(surface.pixels, view.chain, (0, 0, width, height))
        return
    if view.medium.props:
        props.PROPS[view.medium.props].draw(Behind(canvas, view.chain, view.width, view.height, rng, sky))
    lift = view.medium.lift * min(width, height) * (1.0 if flat else 2.4)
    edge = view.chain.forward(warp.edge(view.width, view.height))
    left, top = np.maximum(0, np.floor(edge.min(axis=0) - 5 * lift - 2)).astype(int)
    right, bottom = np.minimum([width, height], np.ceil(edge.max(axis=0) + 5 * lift + 2)).astype(int)
    if surface.mask is None:
        sheet = cv2.cvtColor(surface.pixels, cv2.COLOR_RGB2RGBA)
    else:
        kept = cv2.multiply(surface.pixels, cv2.cvtColor(surface.mask, cv2.COLOR_GRAY2RGB), scale=1 / 255)
        sheet = cv2.merge([kept, surface.mask])
    seen = warp.warp(sheet, view.chain, (int(left), int(top), int(right), int(bottom)))
    alpha = cv2.extractChannel(seen, 3)
    behind = cv2.bitwise_not(alpha)
    if lift:
        lit = light.shadow(alpha, sky, lift, 0.62 if flat else 0.3)
        behind = cv2.multiply(behind, lit, scale=1 / 255)
    part = canvas[top:bottom, left:right]
    cv2.multiply(part, cv2.cvtColor(behind, cv2.COLOR_GRAY2RGB), part, scale=1 / 255)
    cv2.add(part, cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB), part)


def _finish(rng: np.random.Generator, canvas: np.ndarray, sky: Light) -> np.ndarray:
    """Light that falls off, a vignette, and the grain of the film."""
    height, width = canvas.shape[:2]
    canvas = cv2.multiply(canvas, sky.map(width, height, float(rng.uniform(0.05, 0.25))), scale=1 / 200)
    grain = cv2.cvtColor(Window(rng, width, height).of("speckle"), cv2.COLOR_GRAY2RGB)
    strength = float(rng.uniform(0.015, 0.06))
    return cv2.addWeighted(canvas, 1, grain, strength, -128 * strength)


def _seen(setting: Setting, geometry: Geometry, chain: Chain) -> tuple[Setting, Geometry]:
    """What was set on the sheet, as it is in the picture."""
    scale = chain.mean_scale(geometry.characters.quads.reshape(-1, 2).astype(np.float64))
    return replace(setting, size=float(setting.size) * scale), _moved(geometry, chain)


def _moved(geometry: Geometry, chain: Chain) -> Geometry:
    lines, words, characters = (
        replace(spans, quads=chain.quads(spans.quads))
        for spans in (geometry.lines, geometry.words, geometry.characters)
    )
    return Geometry(lines, words, characters, geometry.ruby and _moved(geometry.ruby, chain))
