"""Layout in two passes: every block is asked how much room it takes, then it is given its place.

A row or a column gives each child what it takes and shares out what is left by the children's `flex`; a text is fitted
once to the room it is offered. Layout counts from left to right; for languages that read from right to left the
finished places are mirrored. All in pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf

from dataengine.errors import SampleError
from stages.synthesize.complex import charts, nodes
from stages.synthesize.complex.blocks import Block
from stages.synthesize.complex.faces import Faces
from stages.synthesize.complex.fitting import Fitted, evened, fit, share_that_fits
from stages.synthesize.complex.nodes import Container
from stages.synthesize.complex.paint import Rect

_SLACK = 0.5  # pixels that rounding may take
_EVEN = 1.02  # type that is so much larger than other type does not look it
_FEW = 4  # lines
_AGAIN = (1.0, 0.75, 0.55, 0.4)  # shares of its length that a text which does not fit is drawn again with


class Overflow(SampleError):
    """A block does not fit the room that it has; of a row or a column, its children from `number` on do not."""

    def __init__(self, block: Block, problem: str, number: int = 0) -> None:
        super().__init__(f"{block.path}: {problem}")
        self.block = block
        self.number = number

    def __reduce__(self) -> tuple:
        return SampleError, (self.message,)


@dataclass(frozen=True)
class Placed:
    """A block and its rectangle; `ground` is the colour, by name, of the nearest box that it stands in."""

    block: Block
    rect: Rect
    ground: str
    plot: Rect | None = None  # of a chart: what is drawn, without its words
    keys: tuple[Rect, ...] = ()  # of a chart: where the words of its legend stand


@dataclass
class Layout:
    """Places blocks on a page of `size` pixels; `unit` is a hundredth of its shorter side, `smallest` the least type
    size. `scale` makes all type smaller when it did not fit at first."""

    faces: Faces
    size: tuple[int, int]
    smallest: float
    scale: float = 1.0
    placed: list[Placed] = field(default_factory=list)
    most: dict[str, float] = field(default_factory=dict)  # the largest type that each group may have
    taken: dict[tuple[int, float, float], tuple[float, float]] = field(default_factory=dict)  # what has been measured

    @property
    def unit(self) -> float:
        return min(self.size) / 100

    def page(self, block: Block) -> list[Placed]:
        """Place a page; what is spare of a repeat is left out where it does not fit. Raises SampleError that names the
        node which does not fit all the same."""
        width, height = self.size
        while True:
            try:
                self.placed.clear()
                self.taken.clear()
                self.measure(block, width, height)
                self.place(block, (0, 0, width, height), "page")
                if not self._level():
                    return self.placed
            except Overflow as overflow:
                if not (_leave_out(overflow.block, overflow.number) or _leave_out(block)):
                    raise

    # ---- the room that a block takes ----

    def measure(self, block: Block, width: float, height: float) -> tuple[float, float]:
        """The width and height that a block takes when it is offered so much. What is flexible takes all of it."""
        key = id(block), width, height
        if key not in self.taken:
            self.taken[key] = self._measure(block, width, height)
        return self.taken[key]

    def _measure(self, block: Block, width: float, height: float) -> tuple[float, float]:
        node = block.node
        fixed_width, fixed_height = self._length(node.width, width), self._length(node.height, height)
        width = width if fixed_width is None else fixed_width
        height = height if fixed_height is None else fixed_height
        taken = self._natural(block, width, height)
        return (
            taken[0] if fixed_width is None else fixed_width,
            taken[1] if fixed_height is None else fixed_height,
        )

    def _natural(self, block: Block, width: float, height: float) -> tuple[float, float]:
        match block.node:
            case nodes.Text():
                fitted = self._fit(block, width, height)
                return (fitted.setting.width, fitted.height) if fitted else (0.0, 0.0)
            case nodes.Icon() as icon:
                size = self._length(icon.width, width) or 0.0
                return size, size
            case nodes.Rule() as rule:
                thick = max(1.0, rule.thickness * self.unit)
                return thick, thick
            case nodes.Gap() as gap:
                room = 0.0 if gap.gap == "flex" else self._length(gap.gap, height) or 0.0
                return room, room
            case Container():
                return self._container(block, width, height)
            case _:
                return width, height

    def _container(self, block: Block, width: float, height: float) -> tuple[float, float]:
        node = block.node
        top, end, bottom, start = self._padding(block)
        width, height = width - start - end, height - top - bottom
        if width <= 0 or height <= 0:
            raise Overflow(block, "no room is left within its padding")
        match node:
            case nodes.Column():
                sizes = self._needs(block, self._shares(block, width, height, down=True))
                gaps = self._gap(node, height) * max(0, len(sizes) - 1)
                taken = max((w for w, _ in sizes), default=0.0), sum(h for _, h in sizes) + gaps
            case nodes.Row():
                sizes = self._needs(block, self._shares(block, width, height, down=False))
                gaps = self._gap(node, width) * max(0, len(sizes) - 1)
                taken = sum(w for w, _ in sizes) + gaps, max((h for _, h in sizes), default=0.0)
            case nodes.Grid():
                taken = width, self._grid(block, width, height)[-1]
            case _:
                sizes = [self._within(child, width, height) for child in block.children if child.node.at is None]
                taken = max((w for w, _ in sizes), default=0.0), max((h for _, h in sizes), default=0.0)
                if any(child.node.at for child in block.children):
                    taken = width, height
        return taken[0] + start + end, taken[1] + top + bottom

    @staticmethod
    def _needs(block: Block, sizes: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """What children take of room that is not given yet: flexible gaps take none."""
        free = (isinstance(child.node, nodes.Gap) and child.node.gap == "flex" for child in block.children)
        return [(0.0, 0.0) if gap else size for gap, size in zip(free, sizes, strict=True)]

    def _within(self, child: Block, width: float, height: float) -> tuple[float, float]:
        """What a child of a stack takes; what only fills it (a picture, an ornament) takes nothing."""
        filling = isinstance(child.node, nodes.Picture | nodes.Shape | nodes.Drawing)
        if filling and child.node.width is None and child.node.height is None:
            return 0.0, 0.0
        return self.measure(child, width, height)

    def _shares(self, block: Block, width: float, height: float, down: bool) -> list[tuple[float, float]]:
        """What each child of a column (`down`) or a row takes of it: first those that are not flexible, in order."""
        room = height if down else width
        gap = self._gap(block.node, room)
        rest = room - gap * max(0, len(block.children) - 1)
        sizes: dict[int, tuple[float, float]] = {}
        for number, child in enumerate(block.children):
            if self._flex(child):
                continue
            share = self._length(child.node.height if down else child.node.width, room)
            offered = max(1.0, rest) if share is None else room  # shares are of the whole room
            if self._fills(child, down):
                raise Overflow(child, f"it needs a {'height' if down else 'width'} or a flex there")
            taken = self.measure(child, width, offered) if down else self.measure(child, offered, height)
            if isinstance(child.node, (nodes.Rule, nodes.Gap)):
                taken = (0.0, taken[1]) if down else (taken[0], 0.0)
            sizes[number] = taken
            rest -= taken[1] if down else taken[0]
            if rest < -_SLACK and any(later.spare for later in block.children[number:]):
                raise Overflow(block, "not all of its items fit", number)
        weights = {number: self._flex(child) for number, child in enumerate(block.children) if self._flex(child)}
        total = sum(weights.values())
        for number, weight in weights.items():
            child = block.children[number]
            share = max(0.0, rest) * weight / total
            if isinstance(child.node, nodes.Gap):
                sizes[number] = (0.0, share) if down else (share, 0.0)
                continue
            if share < 1:
                raise Overflow(child, "no room is left for it")
            across = self.measure(child, width, share) if down else self.measure(child, share, height)
            if (down and across[1] > share + _SLACK) or (not down and across[0] > share + _SLACK):
                raise Overflow(child, "it takes more than its share of the room")
            sizes[number] = (across[0], share) if down else (share, across[1])
        return [sizes[number] for number in range(len(block.children))]

    @staticmethod
    def _flex(child: Block) -> float:
        if isinstance(child.node, nodes.Gap) and child.node.gap == "flex":
            return child.node.flex or 1.0
        return child.node.flex

    @staticmethod
    def _fills(child: Block, down: bool) -> bool:
        """Whether a child has no size of its own along its parent and none was given."""
        boundless = isinstance(child.node, nodes.Picture | nodes.Shape | nodes.Drawing | nodes.Chart)
        return boundless and (child.node.height if down else child.node.width) is None

    def _grid(self, block: Block, width: float, height: float) -> tuple[int, float, list[float], float]:
        """Columns, a cell's width, the rows' heights, and the height of all. Rows share a height that is given."""
        node = block.node
        gap = self._gap(node, width)
        columns = block.columns
        if node.least:
            columns = max(1, int((width + gap) / (node.least * self.unit + gap)))
        columns = max(1, min(columns, len(block.children)))
        cell = (width - gap * (columns - 1)) / columns
        rows = [block.children[i : i + columns] for i in range(0, len(block.children), columns)]
        if node.flex or node.height:
            each = (height - gap * (len(rows) - 1)) / max(1, len(rows))
            if each < 1:
                raise Overflow(block, "no room is left for its rows")
            heights = [each] * len(rows)
            for child in block.children:
                if self.measure(child, cell, each)[1] > each + _SLACK:
                    raise Overflow(child, "it is higher than a row of the grid")
        else:
            heights = [max(self.measure(child, cell, height)[1] for child in row) for row in rows]
        return columns, cell, heights, sum(heights) + gap * max(0, len(rows) - 1)

    # ---- the place that it is given ----

    def place(self, block: Block, rect: Rect, ground: str) -> None:
        node = block.node
        if isinstance(node, nodes.Gap):
            return
        if isinstance(node, nodes.Chart):
            self._chart(block, rect, ground)
            return
        if isinstance(node, nodes.Text):
            if block.words:
                self._fit(block, rect[2] - rect[0], rect[3] - rect[1])
                self.placed.append(Placed(block, rect, ground))
            return
        self.placed.append(Placed(block, rect, ground))
        if not isinstance(node, Container):
            return
        ground = node.background or ground
        top, end, bottom, start = self._padding(block)
        inside = rect[0] + start, rect[1] + top, rect[2] - end, rect[3] - bottom
        match node:
            case nodes.Column() | nodes.Row():
                self._line_up(block, inside, ground, down=isinstance(node, nodes.Column))
            case nodes.Grid():
                self._cells(block, inside, ground)
            case _:
                for child in block.children:
                    self.place(child, self._anchored(node, child, inside), ground)

    def _line_up(self, block: Block, inside: Rect, ground: str, down: bool) -> None:
        node = block.node
        left, top, right, bottom = inside
        width, height = right - left, bottom - top
        sizes = self._shares(block, width, height, down)
        room = height if down else width
        gap = self._gap(node, room)
        lengths = [h if down else w for w, h in sizes]
        spare = room - sum(lengths) - gap * max(0, len(sizes) - 1)
        if spare < -_SLACK:
            raise Overflow(block, f"its children take {-spare:.0f} px more than it has")
        spare = max(0.0, spare)
        at = {"start": 0.0, "center": spare / 2, "end": spare, "between": 0.0}[node.justify]
        if node.justify == "between" and len(sizes) > 1:
            gap += spare / (len(sizes) - 1)
        for child, size, length in zip(block.children, sizes, lengths, strict=True):
            across, taken = (width, size[0]) if down else (height, size[1])
            place = child.node.place or node.align
            given = self._length(child.node.width if down else child.node.height, across)
            rule = isinstance(child.node, nodes.Rule)
            if (place == "stretch" and given is None) or (rule and given is None):
                taken = across
            elif given is not None:
                taken = given
            if taken > across + _SLACK:
                raise Overflow(child, f"it is {taken - across:.0f} px too {'wide' if down else 'high'}")
            spread = {"start": 0.0, "stretch": 0.0, "center": (across - taken) / 2, "end": across - taken}[place]
            if down:
                child_rect = left + spread, top + at, left + spread + taken, top + at + length
            else:
                child_rect = left + at, top + spread, left + at + length, top + spread + taken
            self.place(child, child_rect, ground)
            at += length + gap

    def _cells(self, block: Block, inside: Rect, ground: str) -> None:
        left, top, right, bottom = inside
        columns, cell, heights, total = self._grid(block, right - left, bottom - top)
        if total > bottom - top + _SLACK:
            raise Overflow(block, f"its rows take {total - bottom + top:.0f} px more than it has")
        gap = self._gap(block.node, right - left)
        for number, child in enumerate(block.children):
            row, column = divmod(number, columns)
            x, y = left + column * (cell + gap), top + sum(heights[:row]) + gap * row
            self.place(child, (x, y, x + cell, y + heights[row]), ground)

    def _anchored(self, node: Container, child: Block, inside: Rect) -> Rect:
        """The place of a stack's or a box's child: where `at` says, at its anchor, or all of it."""
        left, top, right, bottom = inside
        width, height = right - left, bottom - top
        if child.node.at:
            x, y, w, h = (share / 100 for share in child.node.at)
            return left + x * width, top + y * height, left + (x + w) * width, top + (y + h) * height
        anchor = child.node.anchor or ("center" if isinstance(node, nodes.Box) else None)
        if anchor is None and child.node.width is None and child.node.height is None:
            return inside
        words = (anchor or "top start").split()
        taken = self.measure(child, width, height)
        if taken[0] > width + _SLACK or taken[1] > height + _SLACK:
            raise Overflow(child, "it is larger than what it stands in")
        down = 0.0 if "top" in words else height - taken[1] if "bottom" in words else (height - taken[1]) / 2
        along = 0.0 if "start" in words else width - taken[0] if "end" in words else (width - taken[0]) / 2
        return left + along, top + down, left + along + taken[0], top + down + taken[1]

    def _chart(self, block: Block, rect: Rect, ground: str) -> None:
        """A chart's legend above it, or beside a round one; the axis' words at its left and below."""
        left, top, right, bottom = rect
        words = {group: [c for c in block.children if c.name == group] for group in ("tick", "label", "legend")}
        gap = self.unit * 1.4
        pieces: list[tuple[Block, Rect]] = []
        keys = 0.0
        if words["legend"]:
            sizes = [self.measure(child, (right - left) * 0.4, bottom - top) for child in words["legend"]]
            keys = sizes[0][1]
            if charts.round_chart(block.node.chart):
                wide = max(w for w, _ in sizes) + keys * 1.2
                beside = right - left - wide - gap * 2 > (bottom - top) * 0.5
                if not beside:
                    raise Overflow(block, "no room for the legend beside the chart")
                step = keys * 1.7
                y = (top + bottom - step * len(sizes)) / 2
                if y < top - _SLACK:
                    raise Overflow(block, "no room for the legend beside the chart")
                diameter = min(bottom - top, right - left - wide - gap * 3)
                begin = left + (right - left - diameter - gap * 3 - wide) / 2
                for number, (child, (w, h)) in enumerate(zip(words["legend"], sizes, strict=True)):
                    x = begin + diameter + gap * 3 + keys
                    pieces.append((child, (x, y + step * number, x + w, y + step * number + h)))
                plot = begin, (top + bottom - diameter) / 2, begin + diameter, (top + bottom + diameter) / 2
                self._finish_chart(block, rect, plot, pieces, ground)
                return
            x = left
            for child, (w, h) in zip(words["legend"], sizes, strict=True):
                if x + keys + w > right:
                    raise Overflow(block, "no room for the legend above the chart")
                pieces.append((child, (x + keys, top, x + keys + w, top + h)))
                x += keys + w + gap * 2
            top += keys + gap * 1.5
        lying = block.node.chart == "bars lying"
        beside, below = (words["label"], words["tick"]) if lying else (words["tick"], words["label"])
        wide = max(self.measure(child, (right - left) * 0.3, bottom - top)[0] for child in beside)
        plot_left = left + wide + gap
        step = (right - plot_left) / (len(below) - 1 if lying else len(below))
        room = step * 0.9
        high = max(self.measure(child, room, bottom - top)[1] for child in below)
        half = self.measure(beside[0], (right - left) * 0.3, bottom - top)[1] / 2
        end = right - (self.measure(below[-1], room, bottom - top)[0] / 2 if lying else 0)
        plot = plot_left, top + (0 if lying else half), end, bottom - high - gap
        step = (plot[2] - plot[0]) / (len(below) - 1 if lying else len(below))
        count = len(beside)
        for number, child in enumerate(beside):
            _, h = self.measure(child, (right - left) * 0.3, bottom - top)
            share = (number + 0.5) / count if lying else 1 - number / (count - 1)
            y = plot[1] + (plot[3] - plot[1]) * share
            pieces.append((child, (left, y - h / 2, left + wide, y + h / 2)))
        for number, child in enumerate(below):
            w, h = self.measure(child, room, bottom - top)
            x = plot[0] + step * (number if lying else number + 0.5)
            pieces.append((child, (x - w / 2, bottom - high, x + w / 2, bottom - high + h)))
        if plot[3] - plot[1] < 3 * high or (not lying and (plot[3] - plot[1]) / (count - 1) < half * 2.2):
            raise Overflow(block, "the chart has no room beside its words")
        self._finish_chart(block, rect, plot, pieces, ground)

    def _finish_chart(
        self, block: Block, rect: Rect, plot: Rect, pieces: Sequence[tuple[Block, Rect]], ground: str
    ) -> None:
        keys = tuple(place for child, place in pieces if child.name == "legend")
        self.placed.append(Placed(block, rect, ground, plot, keys))
        for child, place in pieces:
            self.place(child, place, ground)

    # ---- texts ----

    def _fit(self, block: Block, width: float, height: float) -> Fitted | None:
        """A text fitted to the room offered, from memory where the room is as good as what it was fitted to."""
        if not block.words:
            return None
        node, known = block.node, block.fitted
        most = self.most.get(node.same_size or "", inf)
        if known and known.setting.size <= most * _EVEN and self._serves(known, width, height):
            return known
        block.fitted = None  # its layout is going to change
        low, high = (max(self.smallest, size * self.unit * self.scale * self.faces.size) for size in node.size)
        high = max(self.smallest, min(high, most))
        problem, longest = "", 1.0
        for share in _AGAIN:
            if share > longest and share > _AGAIN[-1]:
                continue  # it would not fit either
            if share < 1:
                if block.scope is None or not _redrawn(block):
                    break
                block.words = block.scope.say(node.text, share)
                self.taken.clear()
            try:
                if block.copy is None or block.copy.words != block.words:
                    block.copy = self.faces.copy(node, block.words)
            except SampleError as error:
                problem = error.message
                continue
            found = fit(block.copy, node.lines, width, height, min(low, high), high)
            if found:
                # Few lines, as of a heading, are about as long as each other.
                few = node.lines <= _FEW and node.align == "start" and found.height > found.setting.size * 1.8
                block.fitted = evened(found) if few else found
                return block.fitted
            longest = share * share_that_fits(block.copy, node.lines, width, height, min(low, high), high)
            problem = f"{len(block.words)} characters do not fit {width:.0f}×{height:.0f} px at {min(low, high):.0f} px"
        raise Overflow(block, problem)

    @staticmethod
    def _serves(known: Fitted, width: float, height: float) -> bool:
        """Whether what is known would be found again: it fits, and nothing held it back that does no longer."""
        if known.setting.width > width + _SLACK or known.height > height + _SLACK:
            return False
        align = known.setting.style.align
        if known.height < known.setting.size * 1.8 and align == "center":
            return known.free or width <= known.offered + _SLACK
        if align in ("start", "end") and known.free:
            return width <= known.offered + _SLACK  # a box that was drawn in around its lines
        return abs(known.offered - width) <= _SLACK and (known.free or height <= known.limit + _SLACK)

    def _level(self) -> bool:
        """Bound the type of each group by the smallest that any of its texts has; whether some text is larger."""
        groups: dict[str, list[float]] = {}
        for placed in self.placed:
            if isinstance(placed.block.node, nodes.Text) and placed.block.node.same_size:
                size = placed.block.fitted.setting.size
                groups.setdefault(placed.block.node.same_size, []).append(size)
        uneven = [group for group, sizes in groups.items() if max(sizes) > min(sizes) * _EVEN]
        self.most.update({group: min(groups[group]) for group in uneven})
        return bool(uneven)

    # ---- lengths ----

    def _length(self, length: float | None, room: float) -> float | None:
        """Pixels of a length; shares of the room are kept as negative numbers."""
        if length is None:
            return None
        return -length * room if length < 0 else length * self.unit

    def _gap(self, node: Container, room: float) -> float:
        return self._length(node.gap, room) or 0.0

    def _padding(self, block: Block) -> tuple[float, float, float, float]:
        top, end, bottom, start = block.node.padding
        return top * self.unit, end * self.unit, bottom * self.unit, start * self.unit


def _leave_out(block: Block, number: int = 0) -> bool:
    """Leave out what is spare of a block's children from `number` on, or one spare item below it, where there are most
    of them; whether there was any."""
    if number and any(child.spare for child in block.children[number:]):
        before = block.children[number - 1]
        number -= before.spare and before.path.endswith(".between")
        block.children[number:] = [child for child in block.children[number:] if not child.spare]
        return True
    holders = [holder for holder in _all(block) if any(child.spare for child in holder.children)]
    if not holders:
        return False
    held = max(holders, key=lambda holder: sum(child.spare for child in holder.children)).children
    last = max(number for number, child in enumerate(held) if child.spare)
    # With what stands between it and the one before.
    between = last > 0 and held[last - 1].spare and held[last - 1].path.endswith(".between")
    del held[last - between : last + 1]
    return True


def _all(block: Block) -> Iterator[Block]:
    yield block
    for child in block.children:
        yield from _all(child)


def _redrawn(block: Block) -> bool:
    """Whether a text would be another when it is drawn again: some slot has no name and is no counter."""
    return any(slot.kind not in ("", "n") and not slot.name for slot in block.node.text.slots)


def mirrored(rect: Rect, width: float) -> Rect:
    """A rectangle as it stands on a page that is read from right to left."""
    return width - rect[2], rect[1], width - rect[0], rect[3]
