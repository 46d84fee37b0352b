"""Pure rendering: paragraphs on a clean background, composed so that the type fills its place.

The report's first way of synthesis. If one character of one paragraph cannot be written, or a paragraph does not fit,
the page is thrown away whole, with its reason. About 5 ms a page of 640 × 640 on one core, its JPEG included.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from fontTools.unicodedata import script

from dataengine.sample import Paragraph
from fonts.catalog import Family
from stages.synthesize import palette
from stages.synthesize.composition import Block, Composition
from stages.synthesize.scene import Drawn, Said, Scene
from stages.synthesize.typeset import Geometry, Page, Setting, Style, Typesetter
from stages.synthesize.words.supply import Supply

_TRIES = 8  # until a text differs from those that stand on the page already
_HIERARCHY = 1.4  # a heading is at least so many times as large as the text below it
_LAST_LINE = 2.2  # em: a last line that is shorter looks forgotten, and the text is set a little smaller
_SHRINKING = np.linspace(1, 0.9, 8)
_LINE = 20  # characters that the last line of a paragraph leaves empty, about


@dataclass(frozen=True)
class Brief:
    """What one page is to be: everything that was drawn by lot before setting it."""

    language: str
    width: int
    height: int
    composition: Composition
    palette: palette.Palette
    heading_family: Family
    body_family: Family
    body_weight: int
    texts: tuple[str, ...]


def brief(
    rng: np.random.Generator,
    *,
    supply: Supply,
    size: tuple[int, int],
    compositions: Sequence[Composition],
    families: Sequence[Family],
    least_contrast: float,
) -> Brief:
    """Draw by lot what a page is to be. `families` are those that write the supply's language."""
    composition = compositions[int(rng.integers(len(compositions)))]
    body = families[int(rng.integers(len(families)))]
    heading = families[int(rng.integers(len(families)))] if rng.random() < 0.4 else body
    regular = [w for w in body.weights if 300 <= w <= 500] or list(body.weights)
    return Brief(
        supply.language,
        *size,
        composition,
        palette.choose(rng, least_contrast),
        heading,
        body,
        regular[int(rng.integers(len(regular)))],
        _texts(rng, composition, supply),
    )


def _texts(rng: np.random.Generator, composition: Composition, supply: Supply) -> tuple[str, ...]:
    """A text for each block, none twice unless the corpus has no other."""
    texts: list[str] = []
    for block in composition.blocks:
        for _ in range(_TRIES):
            text = _text(rng, block, supply)
            if text not in texts:
                break
        texts.append(text)
    return tuple(texts)


def _text(rng: np.random.Generator, block: Block, supply: Supply) -> str:
    low, high = block.characters
    longest = int(rng.integers((low + high) // 2, high + 1))
    return supply.heading(longest) if block.role == "heading" else supply.passage(low, longest)


def draw(setter: Typesetter, page_brief: Brief, smallest: float, rng: np.random.Generator) -> Drawn:
    """Set and draw a page; no type is smaller than `smallest` pixels an em. Raises SampleError when it cannot be."""
    settings = _fit(setter, page_brief, smallest)
    width, height = page_brief.width, page_brief.height
    ink = palette.COLOURS[page_brief.palette.ink]
    background = palette.paint(page_brief.palette, width, height, rng)
    composition = page_brief.composition
    gap = composition.gap * height
    left, top = (margin * side for margin, side in zip(composition.margins, (width, height), strict=True))
    total = sum(s.height for s in settings) + gap * (len(settings) - 1)
    y = (height - total) / 2 if composition.anchor == "middle" else top
    places = []
    for setting in settings:
        places.append(y)
        y += setting.height + gap
    if composition.rule:
        for place in places[1:]:
            _rule(background, place - gap / 2, width, left, composition, ink)
    page = Page(background)
    drawn = [setter.draw(page, s, left, place, ink) for s, place in zip(settings, places, strict=True)]
    scene = Scene(
        strategy="pure",
        kind=composition.name,
        language=page_brief.language,
        background=page_brief.palette.background,
        texts=tuple(
            Said(setting.text, block.role, page_brief.palette.ink, setting.style.family.style)
            for block, setting in zip(composition.blocks, settings, strict=True)
        ),
        details=() if page_brief.palette.flat else ("softly shaded",),
    )
    paragraphs = [_paragraph(s, g, order) for order, (s, g) in enumerate(zip(settings, drawn, strict=True))]
    meta = {
        "layout": composition.name,
        "background": page_brief.palette.background,
        "ink": page_brief.palette.ink,
        "contrast": round(page_brief.palette.contrast, 2),
        "fonts": list(dict.fromkeys(s.style.family.name for s in settings)),
    }
    return Drawn(page.pixels(), tuple(paragraphs), scene, meta)


def _fit(setter: Typesetter, page_brief: Brief, smallest: float) -> list[Setting]:
    """Headings as large as their share of the column takes; then body text, all in one size, in what they leave."""
    composition = page_brief.composition
    blocks = list(enumerate(zip(composition.blocks, page_brief.texts, strict=True)))
    side = min(page_brief.width, page_brief.height)
    width = page_brief.width * (1 - 2 * composition.margins[0])
    gaps = composition.gap * page_brief.height * (len(blocks) - 1)
    rest = available = page_brief.height * (1 - 2 * composition.margins[1]) - gaps
    settings: dict[int, Setting] = {}

    def fit(number: int, height: float, most: float) -> Setting:
        block, text = composition.blocks[number], page_brief.texts[number]
        low, high = (max(smallest, share * side) for share in block.size)
        style = _style(page_brief, block)
        return setter.fit(text, page_brief.language, style, width, height, low, max(low, min(high, most)))

    most = np.inf
    for number, (block, _) in blocks:
        if block.role == "heading":
            settings[number] = fit(number, block.share * available, np.inf)
            rest -= settings[number].height
            most = min(most, settings[number].size / _HIERARCHY)
    lengths = {number: _LINE + len(text) for number, (block, text) in blocks if block.role == "body"}
    boxes = {
        number: min(composition.blocks[number].share * available, rest * length / sum(lengths.values()))
        for number, length in lengths.items()
    }
    bodies = {number: fit(number, box, most) for number, box in boxes.items()}
    largest = min((setting.size for setting in bodies.values()), default=0)
    for size in largest * _SHRINKING:
        bodies = {n: fit(n, boxes[n], size) if setting.size > size else setting for n, setting in bodies.items()}
        if all(setting.last_line >= _LAST_LINE for setting in bodies.values()):
            break
    settings |= bodies
    return [settings[number] for number, _ in blocks]


def _style(page_brief: Brief, block: Block) -> Style:
    family = page_brief.heading_family if block.role == "heading" else page_brief.body_family
    weight = max(w for w in family.weights if w <= 700) if block.bold else page_brief.body_weight
    if weight not in family.weights:
        weight = min(family.weights, key=lambda w: abs(w - weight))
    return Style(family, weight, block.align, block.leading)


def _rule(
    pixels: np.ndarray, y: float, width: int, margin: float, composition: Composition, ink: palette.Colour
) -> None:
    """A fine line in the ink's colour: short in a centred composition, as wide as the column otherwise."""
    thickness = max(1, round(width / 400))
    centred = composition.anchor == "middle"
    left, right = (width * 0.42, width * 0.58) if centred else (margin, width - margin)
    cv2.rectangle(pixels, (round(left), round(y)), (round(right), round(y) + thickness - 1), ink, -1)


def _paragraph(setting: Setting, geometry: Geometry, order: int) -> Paragraph:
    return Paragraph(
        content=setting.text,
        language=setting.language,
        script=_script(setting.text),
        font=f"{setting.style.family.name} {setting.style.weight}",
        size=round(setting.size, 2),
        order=order,
        lines=geometry.lines,
        words=geometry.words,
        characters=geometry.characters,
    )


def _script(text: str) -> str:
    """The script of most of a text's letters, ISO 15924; Zyyy, common to all scripts, where it has none."""
    letters = [script(c) for c in text if c.isalpha()] or ["Zyyy"]
    return max(dict.fromkeys(letters), key=letters.count)
