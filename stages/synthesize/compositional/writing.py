"""The texts of a medium: how long they are, where they go, and what they cover."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fonts.catalog import Family
from stages.synthesize.compositional.media import Block, Layout, Medium
from stages.synthesize.compositional.view import View
from stages.synthesize.typeset import Geometry, Page, Setting, Style, Typesetter
from stages.synthesize.words.supply import Supply

_STRETCH = 1.45  # a text that turned out short is set larger than its block asks for, but no more than so many times
_LAST_LINE = 2.2  # em: a last line that is shorter looks forgotten
_SHRINKING = (0.95, 0.9, 0.85, 0.8, 0.75)
_ROOM = 0.62  # em²: what a Latin character takes of a text's box, its share of the lines' distance included
_SLACK = 1.25  # over the smallest size is what lengths are reckoned with: fonts differ in what they take
_FULL = 0.95  # of a box is what a text is to take
_HIERARCHY = 1.2  # a heading is at least so many times as large as the text below it
_VERTICAL = {"ja": 0.4, "zh-Hant": 0.3, "zh-Hans": 0.1}  # of the media that may have them have vertical lines
_WIDEST = 1.2  # times as wide as high is a column that is set in vertical lines
_GUTTER = 0.06  # of the writable width, between columns that ask for none


@dataclass(frozen=True)
class Hand:
    """What is drawn by lot about the writing. `length`, 0 to 1: how long the texts are, and so how small. `vertical`:
    lines run downwards where a column is not much wider than high."""

    layout: Layout
    family: Family
    heading: Family
    weight: int
    length: float
    vertical: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, medium: Medium, families: Sequence[Family], language: str) -> "Hand":
        """One of the medium's layouts, and a family of a kind that suits it, or any where there is none."""
        suited = [family for family in families if family.style in medium.writing] or list(families)
        family = suited[int(rng.integers(len(suited)))]
        heading = suited[int(rng.integers(len(suited)))] if rng.random() < 0.3 else family
        usual = [weight for weight in family.weights if 400 <= weight <= 600] or list(family.weights)
        layout = medium.layouts[int(rng.integers(len(medium.layouts)))]
        weight, length = usual[int(rng.integers(len(usual)))], float(rng.random())
        vertical = not medium.level and rng.random() < _VERTICAL.get(language, 0.0)
        return cls(layout, family, heading, weight, length, vertical)

    def style(self, block: Block, vertical: bool) -> Style:
        family = self.heading if block.role == "heading" else self.family
        wanted = 700 if block.bold else self.weight
        weight = min(family.weights, key=lambda w: abs(w - wanted))
        return Style(family, weight, block.align, block.leading, hyphenate=block.align == "justify", vertical=vertical)


@dataclass(frozen=True)
class Written:
    """A text set at its place on the sheet; x, y is the upper left corner of its box."""

    block: Block
    setting: Setting
    x: float
    y: float


def write(
    view: View, hand: Hand, texts: dict[int, str], setter: Typesetter, supply: Supply, smallest: float, mirrored: bool
) -> list[Written]:
    """Set a text for every block of the layout, none smaller in the picture than `smallest` pixels an em.

    `texts` keeps what was drawn from the supply, for another try in another view; `mirrored` columns run from right to
    left, as those of vertical lines do. Raises SampleError when a text cannot be written or does not fit.
    """
    left, top, right, bottom = view.area
    layout, count = hand.layout, len(hand.layout.columns)
    gutter = (layout.gutter or _GUTTER) * (right - left)
    width, height = (right - left - gutter * (count - 1)) / count, bottom - top
    vertical = hand.vertical and width < _WIDEST * height
    deep = width if vertical else height  # the room across the lines
    gap = layout.gap * deep
    side = min(right - left, height)
    least = smallest / view.least_scale
    common = np.inf  # all body text has one size

    def fit(text: str, block: Block, room: float, low: float, high: float) -> Setting:
        box = (room, height) if vertical else (width, room)
        return _fit(setter, text, supply.language, hand.style(block, vertical), *box, low, high)

    def taken(setting: Setting) -> float:
        return setting.width if vertical else setting.height

    columns: list[list[Setting]] = []
    key = 0
    for column in layout.columns:
        room = deep - gap * (len(column) - 1)
        most = common
        settings: list[Setting] = []
        for number, block in enumerate(column):
            share = room / sum(b.role == block.role for b in column[number:])
            if block.role == "heading":
                share = min(room, block.share * deep)
            low, high = (max(least, size * side) for size in block.size)
            largest = max(low, min(high * _STRETCH, np.inf if block.role == "heading" else most))
            if key not in texts:
                texts[key] = _text(supply, block, hand, width * height * share / deep, low, min(high, largest))
            setting = fit(texts[key], block, share, least, largest)
            if block.role == "heading":
                most = min(most, setting.size / _HIERARCHY)
            else:
                most = common = setting.size
            settings.append(setting)
            room -= taken(setting)
            key += 1
        columns.append(settings)
    written: list[Written] = []
    for place, (column, settings) in enumerate(zip(layout.columns, columns, strict=True)):
        for number, (block, setting) in enumerate(zip(column, settings, strict=True)):
            if block.role == "body" and setting.size > common:
                box = (taken(setting), height) if vertical else (width, setting.height)
                settings[number] = setter.fit(setting.text, supply.language, setting.style, *box, common, common)
        begin = left + (count - 1 - place if mirrored or vertical else place) * (width + gutter)
        used = sum(map(taken, settings)) + gap * (len(settings) - 1)
        # A little above the middle, where the eye takes it to be; vertical lines go on from the right.
        spare = (deep - used) * ((0.5 if vertical else 0.46) if layout.anchor == "middle" else 0)
        for block, setting in zip(column, settings, strict=True):
            x, y = (begin + width - spare - setting.width, top) if vertical else (begin, top + spare)
            written.append(Written(block, setting, x, y))
            spare += taken(setting) + gap
    return written


def _fit(
    setter: Typesetter, text: str, language: str, style: Style, width: float, height: float, low: float, largest: float
) -> Setting:
    """As large as it fits, or a little smaller if that spares it a last line of one or two characters."""
    first = setting = setter.fit(text, language, style, width, height, low, largest)
    for share in _SHRINKING:
        if setting.last_line >= _LAST_LINE:
            return setting
        if first.size * share < low:
            break
        setting = setter.fit(text, language, style, width, height, low, first.size * share)
    return first


def _text(supply: Supply, block: Block, hand: Hand, space: float, low: float, high: float) -> str:
    """A text that fills `space` square pixels at a size between the two."""
    size = low * max(_SLACK, (high / low) ** (0.35 + 0.6 * hand.length))
    least, most = block.characters
    longest = int(np.clip(_FULL * space / (_ROOM * block.leading * size**2), min(least, 8), most))
    if block.role == "heading":
        return supply.heading(longest)
    return supply.passage(min(least, int(longest * 0.7)), longest)


def covers(
    setter: Typesetter, written: Sequence[Written], view: View, only: int | None = None
) -> tuple[list[np.ndarray], list[Geometry]]:
    """How much of each pixel of the sheet each text covers, uint8 (h, w), and where its characters are on it. `only`
    draws one character of each, by its row."""
    found: list[np.ndarray] = []
    geometries = []
    for start in range(0, len(written), 3):  # three texts a page, each in a channel of its own: they do not overlap
        page = Page(np.zeros((view.height, view.width, 3), np.uint8))
        some = written[start : start + 3]
        for text, channel in zip(some, ((255, 0, 0), (0, 255, 0), (0, 0, 255)), strict=False):
            geometries.append(setter.draw(page, text.setting, text.x, text.y, channel, only=only))
        found += cv2.split(page.pixels())[: len(some)]
    return found, geometries


def baselines(text: Written, height: float) -> list[float]:
    """Where the lines of a notebook of some height go: under each line of writing, and on at the same distance above
    and below it."""
    draft, size = text.setting.draft, text.setting.size
    first = text.y + float(draft.baselines(text.setting.pieces[0])[0]) * text.setting.scale + 0.07 * size
    pitch = draft.pitch * text.setting.scale
    start = first - pitch * int((first - 0.06 * height) / pitch)
    return list(np.arange(start, height * 0.97, pitch))
