"""Pure rendering: paragraphs on a clean background, composed so that the type fills its place.

The report's first way of synthesis. If one character of one paragraph cannot be written, or a paragraph does not fit,
the page is thrown away whole, with its reason.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from dataengine.errors import SampleError
from fonts.catalog import Family
from fonts.coverage import uncovered
from stages.synthesize import accents, annotation, backgrounds, palette
from stages.synthesize.composition import RIGHT_TO_LEFT, Composition, Part
from stages.synthesize.scene import Drawn, Said, Scene
from stages.synthesize.typeset import Accent, Block, Frame, Page, Setting, Story, Style, Typesetter, clean, flow
from stages.synthesize.typeset.fallback import able
from stages.synthesize.words.digits import localized
from stages.synthesize.words.supply import Supply

_TRIES = 8  # until a text differs from those that stand on the page already
_HIERARCHY = 1.4  # a heading is at least so many times as large as the text below it
_SUBHEADING = 1.25  # times the text's size
_GUTTER = 0.045  # of the page's width, between columns
_HANG = {"number": 1.9, "bullet": 1.3}  # em
_BULLETS = ("•", "•", "–", "▪", "◦", "-")
_BETWEEN = re.compile(r"\w(?=\s)|[\u3400-\u9fff](?=[\u3040-\u30ff，、。])")  # where a word ends
_STRETCHED = 0.3  # of pages are set in another width than the usual, where the family has any
_RUBY = 0.3  # of Japanese pages have readings


@dataclass(frozen=True)
class Text:
    """One paragraph of a page before it is set."""

    part: Part
    content: str
    language: str
    style: Style
    accents: tuple[Accent, ...]


@dataclass(frozen=True)
class Companion:
    """A second language on a page: its words, and the families that write it."""

    supply: Supply
    families: Sequence[Family]


@dataclass(frozen=True)
class Brief:
    """What one page is to be: everything that was drawn by lot before setting it."""

    language: str
    width: int
    height: int
    composition: Composition
    palette: palette.Palette
    field: str | None
    head: tuple[Text, ...]
    story: tuple[Text, ...]


def brief(
    rng: np.random.Generator,
    *,
    supply: Supply,
    size: tuple[int, int],
    compositions: Sequence[Composition],
    families: Sequence[Family],
    least_contrast: float,
    colours: palette.Choice = palette.Choice(),
    companion: Companion | None = None,
) -> Brief:
    """Draw by lot what a page is to be. `families` are those that write the supply's language, `compositions` suit it.
    With a `companion` every second paragraph is in its language, or a word of it stands in each paragraph.

    Raises SampleError for a text that nobody could read or spell.
    """
    composition = compositions[int(rng.integers(len(compositions)))]
    in_turn = companion is not None and not composition.vertical and rng.random() < 0.5
    written = _write(rng, composition, supply, companion if in_turn else None)
    content = "".join(w.content for w in written if not w.foreign)
    face = _Face.draw(rng, able(content, families) or families, companion)
    if colours.plain:
        face = face.regular()
    chosen = palette.choose(rng, least_contrast, colours)
    fields = list(backgrounds.FIELDS)
    field = None if chosen.flat else fields[int(rng.integers(len(fields)))]
    with_ruby = supply.language == "ja" and composition.columns == 1 and rng.random() < _RUBY

    def text(own: _Words) -> Text:
        part, content, language = own.part, own.content, own.language
        family = face.guest if own.foreign and face.guest else face.heading if part.bold else face.body
        style = face.style(part, family, language, composition.vertical, own.number)
        marked: tuple[Accent, ...] = ()
        if companion and not in_turn and part.unit == "passage" and not part.marker:
            content, marked = _with_guest(rng, content, clean(companion.supply.word()), face.guest or family)
        elif part.accents:
            marked = accents.choose(rng, content, language, family, style.weight, chosen, part.accents, least_contrast)
        elif with_ruby and part.unit == "passage" and language == "ja":
            marked = accents.ruby(content)
        return Text(part, content, language, style, marked)

    texts = [text(own) for own in written]
    head, story = (tuple(t for t in texts if t.part in parts) for parts in (composition.head, composition.story))
    return Brief(supply.language, *size, composition, chosen, field, head, story)


@dataclass(frozen=True)
class _Words:
    """What a part says, its number where there are several, and whether it is in the companion's language."""

    part: Part
    number: int
    content: str
    language: str
    foreign: bool


def _write(
    rng: np.random.Generator, composition: Composition, supply: Supply, companion: Companion | None
) -> list[_Words]:
    """The words of a page, in order; with a companion every second paragraph is in its language."""
    found: list[_Words] = []
    taken: list[str] = []
    for part in (*composition.head, *composition.story):
        for number in range(1, int(rng.integers(part.count[0], part.count[1] + 1)) + 1):
            foreign = companion is not None and len(found) % 2 == 1
            source = companion.supply if companion and foreign else supply
            content = clean(_words(rng, part, source, taken))
            found.append(_Words(part, number, content, source.language, foreign))
    return found


@dataclass(frozen=True)
class _Face:
    """The type of a page: families of body, headings and foreign words, weight, widths, and the bullet of its lists."""

    body: Family
    heading: Family
    guest: Family | None
    weight: int
    widths: tuple[int, int]
    bullet: str

    @classmethod
    def draw(cls, rng: np.random.Generator, families: Sequence[Family], companion: Companion | None) -> "_Face":
        body = families[int(rng.integers(len(families)))]
        heading = families[int(rng.integers(len(families)))] if rng.random() < 0.4 else body
        widths = tuple(family.widths[int(rng.integers(len(family.widths)))] for family in (body, heading))
        bullets = [b for b in _BULLETS if not uncovered(body, b)]
        return cls(
            body,
            heading,
            companion and companion.families[int(rng.integers(len(companion.families)))],
            _weight(body, int(rng.choice([300, 400, 400, 400, 500]))),
            widths if rng.random() < _STRETCHED else (100, 100),
            bullets[int(rng.integers(len(bullets)))],
        )

    def regular(self) -> "_Face":
        """The body's family throughout, in its regular cut."""
        return replace(self, heading=self.body, weight=_weight(self.body, 400), widths=(100, 100))

    def style(self, part: Part, family: Family, language: str, vertical: bool, number: int) -> Style:
        marker = {"bullet": self.bullet, "number": localized(f"{number}.", language), None: ""}
        width = {self.body: self.widths[0], self.heading: self.widths[1]}.get(family, 100)
        return Style(
            family,
            max(w for w in family.weights if w <= 700) if part.bold else _weight(family, self.weight),
            part.align,
            part.leading,
            stretch=width,
            indent=part.indent,
            hang=_HANG[part.marker] if part.marker else 0.0,
            marker=marker[part.marker],
            drop=part.drop,
            hyphenate=part.align == "justify",
            vertical=vertical,
        )


def _words(rng: np.random.Generator, part: Part, supply: Supply, taken: list[str]) -> str:
    """What a part says, not twice on a page unless the corpus has nothing else."""
    low, high = part.characters
    for _ in range(_TRIES):
        longest = int(rng.integers((low + high) // 2, high + 1))
        match part.unit:
            case "heading":
                found = supply.heading(longest)
            case "passage":
                found = supply.passage(low, longest)
            case "line":
                found = supply.line(longest)
            case "word":
                found = supply.word()
            case "character":
                found = supply.character()
        if found not in taken:
            break
    taken.append(found)
    return found


def _with_guest(rng: np.random.Generator, content: str, word: str, family: Family) -> tuple[str, tuple[Accent, ...]]:
    """A text with a foreign word in brackets after one of its own, in the foreign word's type."""
    places = [m.end() for m in _BETWEEN.finditer(content)] or [len(content)]
    place = places[int(rng.integers(len(places)))]
    start = place + (2 if content[place : place + 1] in ("", " ") else 1)
    before = " (" if start == place + 2 else "("
    return f"{content[:place]}{before}{word}){content[place:]}", (Accent(start, start + len(word), family=family),)


def _weight(family: Family, wanted: int) -> int:
    return min(family.weights, key=lambda weight: (abs(weight - wanted), weight))


def draw(setter: Typesetter, page_brief: Brief, smallest: float, rng: np.random.Generator) -> Drawn:
    """Set and draw a page; no type is smaller than `smallest` pixels an em. Raises SampleError when it cannot be.

    Readings are left out where they would be smaller than that.
    """
    if any(accent.ruby for text in (*page_brief.head, *page_brief.story) for accent in text.accents):
        try:
            return _draw(setter, page_brief, smallest, rng)
        except SampleError:
            head, story = (
                tuple(replace(text, accents=tuple(a for a in text.accents if not a.ruby)) for text in texts)
                for texts in (page_brief.head, page_brief.story)
            )
            page_brief = replace(page_brief, head=head, story=story)
    return _draw(setter, page_brief, smallest, rng)


def _draw(setter: Typesetter, page_brief: Brief, smallest: float, rng: np.random.Generator) -> Drawn:
    width, height = page_brief.width, page_brief.height
    composition, colours = page_brief.composition, page_brief.palette
    background = backgrounds.paint(colours, page_brief.field, width, height, rng)
    left, top = (margin * side for margin, side in zip(composition.margins, (width, height), strict=True))
    across, deep, gap = width - 2 * left, height - 2 * top, composition.gap * height
    head = _head(setter, page_brief, smallest)
    below = sum(setting.height + gap for setting in head)
    frames = _frames(page_brief, left, top + below, across, deep - below)
    story = _story(setter, page_brief, frames, smallest, min((s.size for s in head), default=np.inf) / _HIERARCHY)
    down = 0.0
    if composition.anchor == "middle":
        used = below + story.depth if story.settings else below - gap
        down = ((across if composition.vertical else deep) - used) / 2
    places, y = [], top + down
    for setting in head:
        places.append((left, y))
        y += setting.height + gap
    places += [(-down, 0.0) if composition.vertical else (0.0, down)] * len(story.settings)
    if composition.rule:
        ends = [y + setting.height for (_, y), setting in zip(places, head, strict=False)]
        _rules(background, [end + gap / 2 for end in (ends if story.settings else ends[:-1])], page_brief)
        _column_rules(background, frames, story.depth, colours)
    texts, settings = (*page_brief.head, *page_brief.story), (*head, *story.settings)
    inks = [colours.accent if text.part.bold else colours.ink for text in texts]
    page = Page(background)
    drawn = [
        (setting, setter.draw(page, setting, *place, palette.COLOURS[ink], glyphs))
        for setting, place, ink, glyphs in zip(settings, places, inks, setter.read(settings), strict=True)
    ]
    said = tuple(
        Said(
            setting.text,
            "heading" if text.part.unit == "heading" else "body",
            ink,
            setting.style.family.style,
            language=None if text.language == page_brief.language else text.language,
        )
        for text, setting, ink in zip(texts, settings, inks, strict=True)
    )
    details = (page_brief.field,) if page_brief.field else ()
    scene = Scene("pure", composition.name, page_brief.language, colours.background, said, details=details)
    meta = {
        "layout": composition.name,
        "background": colours.background,
        "texture": page_brief.field,
        "ink": colours.ink,
        "accent": colours.accent,
        "contrast": [round(palette.ratio(colours, palette.COLOURS[ink]), 2) for ink in inks],
        "fonts": list(dict.fromkeys(setting.style.family.name for setting in settings)),
    }
    return Drawn(page.pixels(), annotation.paragraphs(drawn), scene, meta)


def _head(setter: Typesetter, page_brief: Brief, smallest: float) -> list[Setting]:
    """The paragraphs of the head, each as large as its share of the page's height allows."""
    composition, side = page_brief.composition, min(page_brief.width, page_brief.height)
    width = page_brief.width * (1 - 2 * composition.margins[0])
    gaps = composition.gap * page_brief.height * (len(page_brief.head) - 1)
    available = page_brief.height * (1 - 2 * composition.margins[1]) - gaps
    settings: list[Setting] = []
    for text in page_brief.head:
        least = 2 * smallest if any(a.ruby for a in text.accents) else smallest
        low, high = (max(least, share * side) for share in text.part.size)
        if settings and not text.part.bold:
            high = max(low, min(high, settings[0].size / _HIERARCHY))
        height = min(text.part.share * available, available - sum(s.height for s in settings))
        settings.append(setter.fit(text.content, text.language, text.style, width, height, low, high, text.accents))
    return settings


def _frames(page_brief: Brief, x: float, y: float, width: float, height: float) -> list[Frame]:
    """The columns of the story, in the order of reading."""
    columns = page_brief.composition.columns
    gutter = _GUTTER * page_brief.width if columns > 1 else 0.0
    each = (width - gutter * (columns - 1)) / columns
    frames = [Frame(x + number * (each + gutter), y, each, height) for number in range(columns)]
    return frames[::-1] if page_brief.language in RIGHT_TO_LEFT else frames


def _story(setter: Typesetter, page_brief: Brief, frames: Sequence[Frame], smallest: float, most: float) -> Story:
    """The story in its frames, at the largest size that fits."""
    if not page_brief.story:
        return Story((), 0.0)
    side = min(page_brief.width, page_brief.height)
    # Readings are half as large as what they stand above, and are to be read too.
    least = 2 * smallest if any(a.ruby for text in page_brief.story for a in text.accents) else smallest
    low, high = (max(least, share * side) for share in page_brief.composition.size)
    blocks = [
        Block(
            text.content,
            text.language,
            text.style,
            _SUBHEADING if text.part.unit == "heading" else 1.0,
            text.part.before,
            text.part.unit == "heading",
            text.accents,
        )
        for text in page_brief.story
    ]
    high = max(low, min(high, most))
    return flow(setter, blocks, frames, low, high, balance=True)


def _rules(pixels: np.ndarray, places: Sequence[float], page_brief: Brief) -> None:
    """Fine lines across, in the ink's colour: short in a centred composition, as wide as the page's text otherwise."""
    width, thickness = page_brief.width, max(1, round(page_brief.width / 400))
    margin = 0.42 if page_brief.composition.anchor == "middle" else page_brief.composition.margins[0]
    for y in places:
        corners = (round(width * margin), round(y)), (round(width * (1 - margin)), round(y) + thickness - 1)
        cv2.rectangle(pixels, *corners, palette.COLOURS[page_brief.palette.ink], -1)


def _column_rules(pixels: np.ndarray, frames: Sequence[Frame], depth: float, colours: palette.Palette) -> None:
    """Fine lines down between columns."""
    thickness = max(1, round(pixels.shape[1] / 700))
    for one, other in pairwise(sorted(frames, key=lambda frame: frame.x)):
        x = round((one.x + one.width + other.x) / 2)
        ends = (x, round(one.y)), (x, round(one.y + depth))
        cv2.line(pixels, *ends, palette.COLOURS[colours.ink], thickness)
