"""Charts: numbers made up so that they look like something measured, scaled to round ticks, and drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from stages.synthesize.complex import paint
from stages.synthesize.complex.paint import Rect
from stages.synthesize.complex.slots import Scope
from stages.synthesize.complex.theme import Theme
from stages.synthesize.palette import Colour
from stages.synthesize.words.digits import localized

if TYPE_CHECKING:
    from stages.synthesize.complex.nodes import Chart

_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True)
class Data:
    """values: float (series, categories), 0 to 1 of the highest tick; shares of one for a pie. `ticks` from the axis'
    zero upwards; `labels` of the categories, `legend` of the series or of a pie's pieces."""

    values: np.ndarray
    ticks: tuple[str, ...]
    labels: tuple[str, ...]
    legend: tuple[str, ...]


def round_chart(kind: str) -> bool:
    return kind in ("pie", "donut")


def invent(node: "Chart", categories: int, series: int, scope: Scope, rng: np.random.Generator) -> Data:
    """Numbers and words for a chart of so many categories and series."""
    language = scope.supply.language
    if round_chart(node.chart):
        shares = np.sort(rng.dirichlet(np.full(categories, 3.0)))[::-1]
        shares = np.maximum(shares, 0.05)
        shares /= shares.sum()
        legend = tuple(scope.within(n + 1).say(node.legend) for n in range(categories))
        return Data(shares[None], (), (), legend)
    top = float(rng.choice([10, 40, 80, 100, 240, 400, 900, 2400]))
    if node.chart in ("line", "area"):
        drift = np.linspace(0, rng.uniform(-0.3, 0.5), categories)
        walk = np.cumsum(rng.normal(0, 0.12, (series, categories)), axis=1)
        values = 0.45 + rng.uniform(-0.15, 0.15, (series, 1)) + drift + walk
        values = np.clip(values, 0.06, 1)
    else:
        values = rng.uniform(0.18, 1.0, (series, categories))
    step = next((s for s in _STEPS if top / s <= 5), _STEPS[-1])
    count = int(np.ceil(top / step))
    values = values / values.max() * rng.uniform(0.82, 0.98)
    ticks = tuple(localized(f"{step * n}", language) for n in range(count + 1))
    labels = tuple(scope.within(n + 1).say(node.label) for n in range(categories))
    legend = tuple(scope.say(node.legend) for _ in range(series)) if series > 1 else ()
    return Data(values, ticks, labels, legend)


def draw(
    canvas: np.ndarray, node: "Chart", data: Data, rect: Rect, theme: Theme, ground: Colour, unit: float, mirrored: bool
) -> None:
    """Draw a chart's plot (without words) in its rectangle."""
    if round_chart(node.chart):
        _pie(canvas, data, rect, theme, ground, node.chart == "donut", mirrored)
        return
    left, top, right, bottom = rect
    line, thin = theme.colour("line"), max(1.0, unit * 0.15)
    steps = len(data.ticks) - 1
    lying = node.chart == "bars lying"
    for number in range(steps + 1):
        share = number / steps
        if lying:
            x = right - (right - left) * share if mirrored else left + (right - left) * share
            paint.box(canvas, (x - thin / 2, top, x + thin / 2, bottom), line)
        else:
            y = bottom - (bottom - top) * share
            paint.box(canvas, (left, y - thin / 2, right, y + thin / 2), line)
    if node.chart in ("bars", "bars lying"):
        _bars(canvas, data, rect, theme, lying, mirrored)
    else:
        _lines(canvas, data, rect, theme, node.chart == "area", ground, unit, mirrored)


def _bars(canvas: np.ndarray, data: Data, rect: Rect, theme: Theme, lying: bool, mirrored: bool) -> None:
    left, top, right, bottom = rect
    series, categories = data.values.shape
    along = (bottom - top) if lying else (right - left)
    step = along / categories
    thick = min(step * 0.68 / series, along * 0.12)
    for row, values in enumerate(data.values):
        for column, value in enumerate(values):
            offset = step * (column + 0.5) + thick * (row - series / 2)
            begin, end = offset + thick * 0.05, offset + thick * 0.95
            colour = theme.series[row]
            if lying:
                reach = (right - left) * value
                bar = (
                    (right - reach, top + begin, right, top + end)
                    if mirrored
                    else (left, top + begin, left + reach, top + end)
                )
            else:
                x0, x1 = (right - end, right - begin) if mirrored else (left + begin, left + end)
                bar = (x0, bottom - (bottom - top) * value, x1, bottom)
            paint.box(canvas, bar, colour, thick * 0.08)


def _lines(
    canvas: np.ndarray, data: Data, rect: Rect, theme: Theme, filled: bool, ground: Colour, unit: float, mirrored: bool
) -> None:
    left, top, right, bottom = rect
    categories = data.values.shape[1]
    x = left + (right - left) * (np.arange(categories) + 0.5) / categories
    x = left + right - x if mirrored else x
    heights = bottom - (bottom - top) * data.values
    if filled:
        for row, y in enumerate(heights):
            below = np.concatenate([np.stack([x, y], 1), [(x[-1], bottom), (x[0], bottom)]])
            x0, y0, x1, y1 = paint.clipped(canvas, rect)
            part = canvas[y0:y1, x0:x1]
            veil = part.copy()
            paint.polygon(veil, below - np.array([x0, y0]), theme.series[row])
            cv2.addWeighted(veil, 0.28, part, 0.72, 0, part)
    for row, y in reversed(list(enumerate(heights))):
        colour = theme.series[row]
        paint.stroke(canvas, np.stack([x, y], 1), colour, max(2.0, unit * 0.45))
        for px, py in zip(x, y, strict=True):
            paint.disc(canvas, px, py, max(2.5, unit * 0.75), colour)
            paint.disc(canvas, px, py, max(1.2, unit * 0.35), ground)


def _pie(
    canvas: np.ndarray, data: Data, rect: Rect, theme: Theme, ground: Colour, hollow: bool, mirrored: bool
) -> None:
    left, top, right, bottom = rect
    x, y, radius = (left + right) / 2, (top + bottom) / 2, min(right - left, bottom - top) / 2
    angle = 0.0
    edges: list[float] = []
    for number, share in enumerate(data.values[0]):
        after = angle + share * 2 * np.pi
        ends = (-after, -angle) if mirrored else (angle, after)
        outline = paint.sector(x, y, radius, *ends, inner=0.58 if hollow else 0.0)
        paint.polygon(canvas, outline, piece_colour(theme, number))
        edges.append(-angle if mirrored else angle)
        angle = after
    for edge in edges:  # white joints between the pieces
        tip = np.array([(x, y), (x + radius * 1.01 * np.sin(edge), y - radius * 1.01 * np.cos(edge))])
        paint.stroke(canvas, tip, ground, max(1.5, radius * 0.015))
    if hollow:
        paint.disc(canvas, x, y, radius * 0.58, ground)


def piece_colour(theme: Theme, number: int) -> Colour:
    """The colour of a series, or of a pie's piece."""
    return theme.series[number % len(theme.series)]


def key_places(rects: Sequence[Rect]) -> list[Rect]:
    """The small squares before the words of a legend: as high as half a line."""
    places = []
    for left, top, _, bottom in rects:
        size = (bottom - top) * 0.5
        middle = (top + bottom) / 2
        places.append((left - size * 1.7, middle - size / 2, left - size * 0.7, middle + size / 2))
    return places
