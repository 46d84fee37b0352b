"""A story of several paragraphs flowing through frames: the columns of a page, the pages of a spread.

All paragraphs share one body size, about the largest at which the whole story fits, and all are justified or none is.
Text goes on at the top of the next frame; no paragraph leaves its first or last line alone in one, and a heading stays
with what it heads.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from dataengine.errors import SampleError
from stages.synthesize.typeset.fontmap import REFERENCE
from stages.synthesize.typeset.glyphs import Piece
from stages.synthesize.typeset.paragraph import Draft
from stages.synthesize.typeset.setter import Setting, Typesetter, largest_that
from stages.synthesize.typeset.style import Accent, Style

_HALVINGS = 10
_LAST_LINE = 2.2  # em: a last line that is shorter looks forgotten, and the text is set a little smaller
_SHRINKING = np.linspace(1, 0.88, 9)
_TOGETHER = 2  # lines of a paragraph that a frame begins or ends with, at least


@dataclass(frozen=True)
class Block:
    """A paragraph of a story. `size` is relative to the body's, `before` the space above it in em of the body, and
    `keep` holds it together with the next one."""

    text: str
    language: str
    style: Style
    size: float = 1.0
    before: float = 0.0
    keep: bool = False
    accents: tuple[Accent, ...] = ()


@dataclass(frozen=True)
class Frame:
    """A box on the page, in pixels. All frames of a story are equally wide (equally high where lines run downwards)."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Story:
    """Settings with their places on the page: they are drawn at (0, 0). `depth` is how many pixels of a frame they take
    where they take most, downwards, or across the page where lines run downwards."""

    settings: tuple[Setting, ...]
    depth: float


@dataclass(frozen=True)
class Run:
    """Lines `first` to `last` of a paragraph, `offset` pixels below the top of a frame."""

    frame: int
    offset: float
    first: int
    last: int


def flow(
    setter: Typesetter,
    blocks: Sequence[Block],
    frames: Sequence[Frame],
    smallest: float,
    largest: float,
    balance: bool = False,
) -> Story:
    """Set a story at the largest size between `smallest` and `largest` at which it fits its frames, or up to an eighth
    smaller where a paragraph would end in a few letters. With `balance` all
    frames are filled to about the same depth.

    Raises SampleError when a paragraph cannot be written, or the story does not fit at the smallest size.
    """
    if any(block.style.drop for block in blocks) and len(frames) > 1:
        raise ValueError("a drop cap stands in a single frame")
    drafts = [setter.draft(b.text, b.language, b.style, b.accents) for b in blocks]
    vertical = blocks[0].style.vertical
    across = [frame.height if vertical else frame.width for frame in frames]
    down = [frame.width if vertical else frame.height for frame in frames]
    if max(across) - min(across) > 0.5:
        raise ValueError(f"frames of one story are equally wide: {across}")

    def counts(size: float) -> list[int]:
        return [d.count(across[0] * REFERENCE / (size * b.size)) for b, d in zip(blocks, drafts, strict=True)]

    def fits(size: float) -> bool:
        lines = counts(size)
        return all(lines) and place(blocks, drafts, lines, down, size) is not None

    def last_line(size: float) -> float:
        widths = (across[0] * REFERENCE / (size * block.size) for block in blocks)
        return min(draft.last_line(width) for draft, width in zip(drafts, widths, strict=True))

    size = _good(largest_that(fits, smallest, largest), smallest, fits, last_line)
    while size >= smallest:
        lines = counts(size)
        runs = place(blocks, drafts, lines, down, size) if all(lines) else None
        widths = [across[0] * REFERENCE / (size * block.size) for block in blocks]
        even = all(d.even(w) for d, w in zip(drafts, widths, strict=True) if d.style.align == "justify")
        set_lines = [d.set(w, even) for d, w in zip(drafts, widths, strict=True)]
        foretold = all(found and found.count <= count for found, count in zip(set_lines, lines, strict=True))
        if runs is not None and foretold:
            if balance:
                runs = _balanced(blocks, drafts, lines, down, size) or runs
            settings = tuple(
                _setting(block, draft, found.pieces, found.last_line, run, frames, size)
                for block, draft, found, run in zip(blocks, drafts, set_lines, runs, strict=True)
            )
            depth = max(
                run.offset + draft.height(run.last - run.first) * setting.scale
                for draft, setting, own in zip(drafts, settings, runs, strict=True)
                for run in own
            )
            return Story(settings, depth)
        size *= 0.99
    characters = sum(len(block.text) for block in blocks)
    raise SampleError(f"{characters} characters do not fit {len(frames)} frames at {smallest:.0f} px")


def _good(largest: float, smallest: float, fits: Callable[[float], bool], last_line: Callable[[float], float]) -> float:
    """The largest size at which no paragraph ends in a short last line; of the sizes tried the best where none is."""
    tried = [size for size in largest * _SHRINKING if size >= smallest and fits(size)] or [largest]
    for size in tried:
        if last_line(size) >= _LAST_LINE:
            return size
    return max(tried, key=last_line)


def _balanced(
    blocks: Sequence[Block], drafts: Sequence[Draft], lines: Sequence[int], down: Sequence[float], size: float
) -> list[list[Run]] | None:
    """The placement that fills the frames least deep."""
    best = None
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if runs := place(blocks, drafts, lines, [depth * middle for depth in down], size):
            best, high = runs, middle
        else:
            low = middle
    return best


def place(
    blocks: Sequence[Block], drafts: Sequence[Draft], lines: Sequence[int], down: Sequence[float], size: float
) -> list[list[Run]] | None:
    """Where the lines of each paragraph go, at a body size; None when they do not all fit. `lines` is how many each
    has, `down` the depth of each frame in pixels."""
    runs: list[list[Run]] = []
    frame, offset = 0, 0.0
    for number, (block, draft, count) in enumerate(zip(blocks, drafts, lines, strict=True)):
        scale = size * block.size / REFERENCE
        line, pitch = (draft.above + draft.line) * scale, draft.pitch * scale
        found: list[Run] = []
        begin = 0
        if offset:  # its first line is as far from the line above as its own lines are from each other
            offset += block.before * size + max(0.0, draft.pitch - draft.line) * scale
        following = _first_lines(blocks, drafts, lines, number + 1, size) if block.keep else 0.0
        while begin < count:
            if frame == len(down):
                return None
            room = down[frame] - offset
            left = count - begin
            taken = min(left, int((room - line) / pitch + 1 + 1e-6) if room >= line else 0)
            taken = _kept(taken, left, count, whole=block.keep)
            if taken == left and line + (left - 1) * pitch + following > room + 1e-6 and offset:
                taken = 0
            if taken:
                found.append(Run(frame, offset, begin, begin + taken))
                begin += taken
                offset += line + (taken - 1) * pitch
            if begin < count:
                if not taken and not offset:
                    return None  # not even an empty frame takes it
                frame, offset = frame + 1, 0.0
        runs.append(found)
    return runs


def _kept(taken: int, left: int, count: int, whole: bool) -> int:
    """How many lines stay, so that neither the frame left nor the next one has one line alone."""
    if taken >= left:
        return left
    if whole or count < 2 * _TOGETHER:
        return 0
    taken = min(taken, left - _TOGETHER)
    return taken if taken >= _TOGETHER else 0


def _first_lines(
    blocks: Sequence[Block], drafts: Sequence[Draft], lines: Sequence[int], number: int, size: float
) -> float:
    """The depth in pixels of what a kept paragraph needs below it."""
    if number == len(blocks):
        return 0.0
    scale = size * blocks[number].size / REFERENCE
    count = lines[number] if lines[number] < 2 * _TOGETHER else _TOGETHER
    draft = drafts[number]
    return blocks[number].before * size + (draft.height(count) + max(0.0, draft.pitch - draft.line)) * scale


def _setting(
    block: Block,
    draft: Draft,
    pieces: Sequence[Piece],
    last_line: float,
    runs: Sequence[Run],
    frames: Sequence[Frame],
    size: float,
) -> Setting:
    """A setting in page coordinates, its lines in their frames."""
    own = size * block.size
    scale = own / REFERENCE
    vertical = block.style.vertical
    moved = [
        replace(piece, **_moved(piece, run, frames[run.frame], draft, scale, vertical))
        for run in runs
        for piece in _cut(pieces, run, draft)
    ]
    frame = frames[runs[0].frame]
    height = sum(draft.height(run.last - run.first) for run in runs) * scale
    return Setting(
        draft.content,
        block.language,
        block.style,
        own,
        0.0 if vertical else frame.width,
        height,
        draft,
        tuple(moved),
        0.0,
        last_line if len(runs) == 1 else inf,
    )


def _cut(pieces: Sequence[Piece], run: Run, draft: Draft) -> Iterator[Piece]:
    for piece in pieces:
        lines = piece.lines or (0, len(draft.baselines(piece)))
        first, last = piece.line, piece.line + lines[1] - lines[0]
        begin, end = max(first, run.first), min(last, run.last)
        if draft.style.drop:
            yield piece
        elif begin < end:
            yield replace(piece, lines=(lines[0] + begin - first, lines[0] + end - first), line=begin)


def _moved(piece: Piece, run: Run, frame: Frame, draft: Draft, scale: float, vertical: bool) -> dict[str, float]:
    up = 0.0
    if piece.lines:
        baselines = draft.baselines(piece)
        up = float(baselines[piece.lines[0]] - baselines[0])
    if vertical:  # drawn at (0, 0) by a quarter turn: along the lines is down the page, across them to the left
        return {"x": piece.x + frame.y / scale, "y": piece.y - up - (frame.x + frame.width - run.offset) / scale}
    return {"x": piece.x + frame.x / scale, "y": piece.y - up + (frame.y + run.offset) / scale}
