"""Fitting a text that has been prepared once: a label to any box for next to nothing, a paragraph for a few layouts.

Preparing costs most. A label of one line needs no other layout than that: its size is a division. Each setting uses the
draft's one layout, so only the last setting of a draft may be drawn.
"""

from dataclasses import dataclass, replace

from stages.synthesize.typeset import Setting
from stages.synthesize.typeset.fontmap import REFERENCE
from stages.synthesize.typeset.paragraph import Draft
from stages.synthesize.typeset.setter import largest_that

_SMALLER = 0.99  # what is shaped anew at the ends of its lines may take a hair more than was foretold


@dataclass(frozen=True)
class Copy:
    """Words that are ready to be set. In em: `first` is how high their first line is, `pitch` from line to line,
    `trimmed` the room above and below that the font asks for but does not get, `low` how far it is to be raised so that
    a label's letters are in the middle of its line."""

    words: str
    draft: Draft
    first: float
    pitch: float
    trimmed: float
    low: float

    def height(self, lines: int) -> float:
        return self.first + (lines - 1) * self.pitch


@dataclass(frozen=True)
class Fitted:
    """A text as it was fitted to a box of `width` pixels: `height` is what it takes. `offered` is the width, `limit`
    the height and `largest` the size that it could have had."""

    copy: Copy
    setting: Setting
    width: float
    height: float
    offered: float
    limit: float
    largest: float

    @property
    def free(self) -> bool:
        """Whether it is as large as it may be."""
        return self.setting.size >= self.largest * 0.995


def fit(copy: Copy, lines: int, width: float, height: float, smallest: float, largest: float) -> Fitted | None:
    """The largest setting of so many lines in a box, its size within bounds; None where there is none. One line is
    always set in the middle of the box: it may run against the page's direction."""
    limit = min(height, copy.height(lines) * largest + 0.05)
    found = (_one_line if lines == 1 else _paragraph)(copy, width, limit, smallest, largest)
    if found is None:
        return None
    return Fitted(copy, found, width, found.height - copy.trimmed * found.size, width, limit, largest)


def share_that_fits(copy: Copy, lines: int, width: float, height: float, smallest: float, largest: float) -> float:
    """About how much of a text's length the box that it does not fit would take, at the smallest size."""
    limit = min(height, copy.height(lines) * largest)
    fitting = 1 if lines == 1 else max(1, int((limit / smallest - copy.first) / copy.pitch) + 1)
    return fitting * width / smallest * REFERENCE / copy.draft.breaks.ends[-1]


def evened(fitted: Fitted) -> Fitted:
    """A paragraph in the same size and number of lines, which are about as long as each other."""
    setting = fitted.setting
    width = setting.draft.breaks.narrowest(fitted.width / setting.scale) * setting.scale + 1
    if width >= fitted.width:
        return fitted
    narrow = _paragraph(fitted.copy, width, fitted.limit, setting.size * 0.97, setting.size)
    if narrow is None:
        again = _paragraph(fitted.copy, fitted.width, fitted.limit, setting.size * 0.97, setting.size)
        return fitted if again is None else _with(fitted, again, fitted.width)
    return _with(fitted, narrow, width)


def _with(fitted: Fitted, setting: Setting, width: float) -> Fitted:
    height = setting.height - fitted.copy.trimmed * setting.size
    return replace(fitted, setting=setting, width=width, height=height)


def _one_line(copy: Copy, width: float, height: float, smallest: float, largest: float) -> Setting | None:
    draft, lines = copy.draft, copy.draft.in_one_line()
    size = min(largest, width * REFERENCE / (lines.width + 1), height / copy.first)
    if size < smallest:
        return None
    scale = size / REFERENCE
    across, down = lines.width * scale, lines.height * scale
    left = (width - across) / 2
    return Setting(
        draft.content, draft.language, draft.style, size, across, down, draft, lines.pieces, left, lines.last_line
    )


def _paragraph(copy: Copy, width: float, height: float, smallest: float, largest: float) -> Setting | None:
    draft, trimmed = copy.draft, copy.trimmed * REFERENCE

    def fits(size: float) -> bool:
        lines = draft.count(width * REFERENCE / size)
        return lines > 0 and (draft.height(lines) - trimmed) * size / REFERENCE <= height

    size = largest_that(fits, smallest, largest)
    while size >= smallest:
        whole, scale = width * REFERENCE / size, size / REFERENCE
        for measure in (draft.breaks.narrowest(whole), whole) if draft.style.align == "center" else (whole,):
            lines = draft.set(measure)
            if lines and (lines.height - trimmed) * scale <= height:
                across, down, left = lines.width * scale, lines.height * scale, (width - measure * scale) / 2
                last = lines.last_line
                return Setting(
                    draft.content, draft.language, draft.style, size, across, down, draft, lines.pieces, left, last
                )
        size *= _SMALLER
    return None
