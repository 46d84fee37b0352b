"""Where lines will break at any width, foretold from one unbroken line, without laying the paragraph out again.

A paragraph is broken greedily at the places that Pango allows, so the widths of its pieces are all that is needed to
count its lines: 20 µs a width, a layout of 300 characters about 300 µs. Shaping at the end of a line may differ by a
hair from what it is within one; the layout proper has the last word.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from types import MappingProxyType

_STEPS = 24  # halvings when a width or a size is sought


@dataclass(frozen=True)
class Breaks:
    """A paragraph cut into pieces wherever a line may break. `ends` is where each piece ends without the spaces after
    it, `begins` where the next one begins, in pixels along the unbroken line; `last` and `next` are the same places in
    characters; `spaces` (n + 1) counts the spaces before each character."""

    ends: list[float]
    begins: list[float]
    last: list[int]
    next: list[int]
    spaces: list[int]

    @classmethod
    def of(
        cls,
        advances: Sequence[float],
        may_break: Sequence[bool],
        white: Sequence[bool],
        hyphens: Mapping[int, float] = MappingProxyType({}),
    ) -> "Breaks":
        """advances: pixels of each character, in logical order; may_break: whether a line may end before it; white:
        whether it is a space; hyphens: pixels of the hyphen that is set where a line ends with a character."""
        found = cls([], [], [], [], [0])
        reach = inked_reach = 0.0
        last = spaces = 0  # `last`: where the ink so far ends
        for place, (advance, blank) in enumerate(zip(advances, white, strict=True)):
            if place and may_break[place]:
                found._cut(inked_reach + hyphens.get(last - 1, 0.0), reach, last, place)
            reach += advance
            spaces += blank
            found.spaces.append(spaces)
            if not blank:
                inked_reach, last = reach, place + 1
        found._cut(inked_reach + hyphens.get(last - 1, 0.0), reach, last, len(advances))
        return found

    def _cut(self, end: float, begin: float, last: int, following: int) -> None:
        self.ends.append(end)
        self.begins.append(begin)
        self.last.append(last)
        self.next.append(following)

    def lines(self, width: float, indents: Sequence[float] = ()) -> list[int]:
        """The number of the last piece of each line at a width in pixels; empty when one piece alone is wider. The
        first lines are shorter by `indents`, in pixels."""
        found: list[int] = []
        start, piece = 0.0, 0
        while piece < len(self.ends):
            room = width - indents[len(found)] if len(found) < len(indents) else width
            after = bisect_right(self.ends, start + room, lo=piece)
            if after == piece:
                return []
            found.append(after - 1)
            start, piece = self.begins[after - 1], after
        return found

    def last_line(self, width: float, indents: Sequence[float] = ()) -> float:
        """The width in pixels of the last of several lines; infinite where there is but one."""
        found = self.lines(width, indents)
        return self.ends[-1] - self.begins[found[-2]] if len(found) > 1 else inf

    def narrowest(self, width: float) -> float:
        """The least width that needs no more lines than `width` does: lines of centred text come out even."""
        count = len(self.lines(width))
        low, high = 0.0, width
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if 0 < len(self.lines(middle)) <= count:
                high = middle
            else:
                low = middle
        return high

    def loosest(self, width: float, indents: Sequence[float] = ()) -> float:
        """The widest gap, in pixels, that justifying would add to a space; between characters where a line has none."""
        worst, begin, start = 0.0, 0, 0.0
        for number, piece in enumerate(self.lines(width, indents)[:-1]):
            room = width - indents[number] if number < len(indents) else width
            gaps = self.spaces[self.last[piece]] - self.spaces[begin] or self.last[piece] - begin - 1
            worst = max(worst, (room - (self.ends[piece] - start)) / max(1, gaps))
            begin, start = self.next[piece], self.begins[piece]
        return worst
