"""Quality control: what a finished picture's text looks like, measured in its pixels and its quadrilaterals.

About 1 ms for a page of 300 characters, whatever the picture's size: pixels are looked up where characters stand and
nowhere else. Spaces have no quadrilateral; punctuation counts for places, letters and digits alone for contrast and
size, since a full stop has hardly any ink.

Contrast is WCAG's ratio, 1 to 21. A character's ground is what lies in and around its quadrilateral for the most part,
its ink the end of the luminances inside it that is farther from the ground, and the ratio is lowered by the ground's
own spread, so that ink no stronger than the grain around it hardly counts. Blur, lighting and strokes thinner than a
pixel lower it too: it is at most the ratio of the two colours that were chosen, about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import bidirectional, category

import cv2
import numpy as np

from dataengine.errors import SampleError
from dataengine.sample import Paragraph
from fonts.coverage import is_invisible
from stages.synthesize.scene import Drawn

_CHARACTERS = 100  # whose contrast is measured in a picture, spread evenly over each paragraph
_FEWEST = 3  # of each paragraph
_SAMPLES, _AROUND = 96, 24  # in a quadrilateral; in each of the two bands along it
_GOLDEN = (5**0.5 - 1) / 2  # spreads them evenly, in no rows: between rows a thin stroke would be lost
_MARGIN = (0.1, 0.35)  # where those bands begin and end, in heights of the quadrilateral
_INK = 0.03  # of the samples inside are ink, at least
_WORST = 0.2  # a paragraph's contrast is that of its character at this share from the worst
_DOTS = "\u0660\u06f0"  # digits that look like one: the Arabic and the Persian zero
_SOFT_HYPHEN = "\u00ad"  # drawn where a line ends with it

# What is refused. Strokes thinner than a pixel keep about half of the chosen contrast, and lines of small letters alone
# are as high as half their type size.
_LEAST_CONTRAST = 0.5  # of what the recipe asks for
_LEAST_HEIGHT = 0.4  # of the smallest type size
_MOST_OVERLAP = 0.1  # of a character's quadrilateral, by one of another paragraph
_MOST_LINE_OVERLAP = 0.35  # by one of another line of its paragraph: tight lines touch where their ink does not
_MOST_OUTSIDE = 1.0  # pixels beyond the edges


@dataclass(frozen=True)
class Inspection:
    """What was found. `contrast` has each paragraph's ratio, None where it has no letter; `smallest` is the height in
    pixels of the smallest letter's quadrilateral, None without letters. `overlap` is the greatest share of a
    character's quadrilateral that one of another paragraph covers, `line_overlap` one of another line of the same
    paragraph; `outside` how many pixels a character reaches beyond the picture's edges; `unseen` counts the
    paragraphs that nothing can be seen of."""

    contrast: tuple[float | None, ...]
    smallest: float | None
    overlap: float
    line_overlap: float
    outside: float
    unseen: int

    @property
    def least_contrast(self) -> float | None:
        """That of the faintest paragraph."""
        return min((c for c in self.contrast if c is not None), default=None)

    def facts(self) -> dict[str, float | None]:
        """The numbers as a sample's `meta` keeps them."""
        return {
            "measured_contrast": None if self.least_contrast is None else round(self.least_contrast, 2),
            "smallest_px": None if self.smallest is None else round(self.smallest, 1),
            "overlap": round(self.overlap, 3),
            "line_overlap": round(self.line_overlap, 3),
            "outside_px": round(self.outside, 1),
        }


def inspect(drawn: Drawn) -> Inspection:
    """Measure a drawn picture."""
    return examine(drawn.pixels, drawn.paragraphs)


def examine(pixels: np.ndarray, paragraphs: Sequence[Paragraph]) -> Inspection:
    """Measure a picture, uint8 (height, width, 3) in RGB, by its annotation."""
    counts = [len(p.characters.texts) for p in paragraphs]
    if not sum(counts):
        return Inspection((None,) * len(paragraphs), None, 0.0, 0.0, 0.0, len(paragraphs))
    corners = np.concatenate([p.characters.quads for p in paragraphs]).reshape(-1, 4, 2).astype(np.float64)
    kinds = np.array([_kind(text) for p in paragraphs for text in p.characters.texts])
    # All quadrilaterals from the upper left as their line runs: across it from the first corner to the last.
    corners[kinds == _RIGHT_TO_LEFT] = np.roll(corners[kinds == _RIGHT_TO_LEFT], 1, axis=1)
    paragraph = np.repeat(np.arange(len(paragraphs)), counts)
    line = np.concatenate([lines_of(p) for p in paragraphs])
    letters = kinds > 0
    within, between = _overlaps(corners, paragraph, line)
    height, width = pixels.shape[:2]
    beyond = np.concatenate([-corners.reshape(-1, 2), corners.reshape(-1, 2) - [width, height]])
    return Inspection(
        contrast=_contrasts(pixels, corners, np.where(letters, paragraph, -1), len(paragraphs)),
        smallest=_smallest(corners[letters], np.array(counts)[paragraph[letters]]),
        overlap=between,
        line_overlap=within,
        outside=max(0.0, float(beyond.max())),
        unseen=counts.count(0),
    )


def refuse(found: Inspection, contrast: float, smallest: float) -> None:
    """Raise SampleError, with the number and what was asked, when a picture is not good enough for a recipe that asks
    for a least `contrast` of ink and ground and type of `smallest` pixels an em."""
    if found.unseen:
        raise SampleError("a paragraph has no character that could be seen")
    faintest, least = found.least_contrast, max(1.0, contrast * _LEAST_CONTRAST)
    if faintest is not None and faintest < least:
        number = found.contrast.index(faintest) + 1
        raise SampleError(
            f"paragraph {number} has a contrast of {faintest:.2f} in the picture; {least:.2f} is the least"
        )
    if found.smallest is not None and found.smallest < smallest * _LEAST_HEIGHT:
        least = smallest * _LEAST_HEIGHT
        raise SampleError(f"the smallest letter is {found.smallest:.1f} px high; {least:.1f} is the least")
    if found.outside > _MOST_OUTSIDE:
        raise SampleError(f"text reaches {found.outside:.1f} px beyond the picture's edges")
    if found.overlap > _MOST_OVERLAP:
        raise SampleError(f"two paragraphs overlap: by {found.overlap:.0%} of a character")
    if found.line_overlap > _MOST_LINE_OVERLAP:
        raise SampleError(f"two lines of a paragraph overlap: by {found.line_overlap:.0%} of a character")


_LEFT_TO_RIGHT, _RIGHT_TO_LEFT = 1, 2


@lru_cache(maxsize=1 << 16)
def _kind(text: str) -> int:
    """The direction of a letter or digit, which says at which corner its quadrilateral begins; 0 for anything else."""
    if category(text[0])[0] not in "LN" or text[0] in _DOTS:
        return 0
    return _RIGHT_TO_LEFT if bidirectional(text[0]) in ("R", "AL") else _LEFT_TO_RIGHT


def lines_of(paragraph: Paragraph) -> np.ndarray:
    """The line of each character, int (n,): both spell the same text. All on one where they do not."""
    ends = np.cumsum([_visible(text) for text in paragraph.lines.texts])
    sizes = np.array([_visible(text) for text in paragraph.characters.texts])
    if not len(ends) or ends[-1] != sizes.sum():
        return np.zeros(len(sizes), int)
    return np.searchsorted(ends, np.cumsum(sizes), side="left")


@lru_cache(maxsize=1 << 16)
def _visible(text: str) -> int:
    """How many code points of a text can be seen."""
    return sum(c == _SOFT_HYPHEN or not is_invisible(c) for c in text)


def _smallest(corners: np.ndarray, alone: np.ndarray) -> float | None:
    """The least height of letters' quadrilaterals, (n, 4, 2), in pixels. `alone` counts the characters of each one's
    paragraph: where there is but one it is as large as its longer side, since a dash-like letter has no height."""
    if not len(corners):
        return None
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    across = (sides[:, 1] + sides[:, 3]) / 2
    along = (sides[:, 0] + sides[:, 2]) / 2
    return float(np.where(alone == 1, np.maximum(across, along), across).min())


def _overlaps(corners: np.ndarray, paragraph: np.ndarray, line: np.ndarray) -> tuple[float, float]:
    """The greatest overlaps of characters of two lines of a paragraph, and of two paragraphs."""
    low, high = corners.min(axis=1), corners.max(axis=1)
    first, second = _pairs(low, high)
    shared = np.minimum(high[first], high[second]) - np.maximum(low[first], low[second])
    areas = np.maximum(_areas(corners), 1e-6)
    smaller = np.minimum(areas[first], areas[second])
    bounds = np.prod(shared, axis=1) / smaller
    apart = paragraph[first] != paragraph[second]
    lines = ~apart & (line[first] != line[second])
    pairs = np.stack([first, second], axis=1)
    within, between = (_most(corners, pairs[kind], bounds[kind], smaller[kind]) for kind in (lines, apart))
    return within, between


def _most(corners: np.ndarray, pairs: np.ndarray, bounds: np.ndarray, smaller: np.ndarray) -> float:
    """The greatest share of the `smaller` area that a pair of quadrilaterals has in common. What their bounding boxes
    have in common bounds it: pairs are intersected from the greatest of `bounds` on, until none is above the most."""
    quads, most = corners.astype(np.float32), 0.0
    for pair in np.argsort(-bounds, kind="stable").tolist():
        if bounds[pair] <= most:
            break
        area = cv2.intersectConvexConvex(quads[pairs[pair, 0]], quads[pairs[pair, 1]])[0]
        most = max(most, min(1.0, area / float(smaller[pair])))
    return most


def _pairs(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of boxes (n, 2) that meet, by a sweep along the axis on which fewer do."""
    orders = [np.argsort(low[:, axis], kind="stable") for axis in (0, 1)]
    places = np.arange(len(low))
    # Each meets those that begin after it does and before it ends.
    reaches = [np.searchsorted(low[o, axis], high[o, axis]) - places - 1 for axis, o in enumerate(orders)]
    axis = int(np.argmin([reach.sum() for reach in reaches]))
    order, reach = orders[axis], np.maximum(reaches[axis], 0)
    first = np.repeat(places, reach)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(reach) - reach, reach)
    first, second = order[first], order[second]
    meet = (low[first, 1 - axis] < high[second, 1 - axis]) & (low[second, 1 - axis] < high[first, 1 - axis])
    return first[meet], second[meet]


def _areas(corners: np.ndarray) -> np.ndarray:
    """The areas of quadrilaterals (n, 4, 2) by their diagonals."""
    one, other = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    return np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]) / 2


def _weights() -> np.ndarray:
    """Where the samples of a quadrilateral are, as weights of its corners (samples, 4): inside, then along it."""
    near, far = _MARGIN
    inside, (before, after) = _spread(_SAMPLES), (_spread(_AROUND), _spread(_AROUND))
    before[1] = -(near + (far - near) * before[1])
    after[1] = 1 + near + (far - near) * after[1]
    u, v = np.concatenate([inside, before, after], axis=1)
    return np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1)


def _spread(count: int) -> np.ndarray:
    """Points that fill the unit square evenly, (2, count)."""
    number = np.arange(count)
    return np.stack([(number + 0.5) / count, (number + 0.5) * _GOLDEN % 1])


def _luminances() -> np.ndarray:
    """What each value of red, green and blue adds to the relative luminance (WCAG 2.2), float32 (1, 256, 3)."""
    c = np.arange(256) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.outer(linear, [0.2126, 0.7152, 0.0722]).astype(np.float32)[None]


_WEIGHTS = _weights()
_LUMINANCES = _luminances()
_SUM = np.ones((1, 3), np.float32)


def _contrasts(pixels: np.ndarray, corners: np.ndarray, paragraph: np.ndarray, count: int) -> tuple[float | None, ...]:
    """The contrast of each of `count` paragraphs; `paragraph` (n,) is that of each character, -1 where it is to be
    left out."""
    most = max(_FEWEST, _CHARACTERS // count)
    chosen = [np.flatnonzero(paragraph == number) for number in range(count)]
    chosen = [c[np.linspace(0, len(c) - 1, min(most, len(c))).astype(int)] for c in chosen]
    sizes = [len(c) for c in chosen]
    if not sum(sizes):
        return (None,) * count
    ratios = np.split(_ratios(pixels, corners[np.concatenate(chosen)]), np.cumsum(sizes)[:-1])
    return tuple(float(np.sort(r)[int(len(r) * _WORST)]) if len(r) else None for r in ratios)


def _ratios(pixels: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The contrast of ink and ground in each quadrilateral, (n,); corners (n, 4, 2)."""
    points = np.floor(_WEIGHTS @ corners).astype(np.int16)  # (n, samples, 2)
    colours = cv2.remap(pixels, points, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    light = cv2.transform(cv2.LUT(colours, _LUMINANCES), _SUM) + np.float32(0.05)
    inside, around = light[:, :_SAMPLES], light[:, _SAMPLES:]
    (ground,) = _ranked(light, 0.5)
    darkest, lightest = _ranked(inside, _INK, 1 - _INK)
    # The ground's own spread: the lesser to either side, since rules and neighbours in the ink's colour lie on one.
    dark_end, light_end = _ranked(around, 0.25, 0.75)
    spread = np.minimum(ground / dark_end, light_end / ground).clip(1.0)
    return (np.maximum(ground / darkest, lightest / ground) / spread).clip(1.0)


def _ranked(values: np.ndarray, *shares: float) -> list[np.ndarray]:
    """The values of each row (n, m) at some shares of its order, each (n,)."""
    places = [round(share * (values.shape[1] - 1)) for share in shares]
    ordered = np.partition(values, places, axis=1)
    return [ordered[:, place] for place in places]
