"""The order in which a lane reads a dataset: a function of seed, files and lane, resumable by three numbers.

A dataset's row groups are dealt out to the lanes anew each turn, in a seeded order and so that all get about the same
number of rows; where they are few, each is cut into several pieces. So lanes are disjoint, and each row is used once a
turn (or as often as its `repeats` say). A lane reads its pieces in *windows*: consecutive ones of at least `shuffle`
rows together, whose rows are shuffled among each other.

Costs: in memory, the window that is read and the one after it, which is fetched meanwhile. Shuffling is as good as the
window is large beside a row group: shards whose row groups are small (some hundred rows) mix best.
"""

import heapq
import itertools
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dataengine.trainer.shards import Row, RowGroup, Rows, Shards

PIECES = 8  # that each lane is to get at least, so that their numbers of rows differ by an eighth at most


class Piece(NamedTuple):
    """Rows part, part + parts, … of a row group."""

    group: RowGroup
    part: int
    parts: int

    @property
    def rows(self) -> int:
        return -((self.part - self.group.rows) // self.parts)


class Position(NamedTuple):
    """Where a lane stands in a dataset."""

    turn: int = 0
    window: int = 0
    row: int = 0  # how many of the window's shuffled rows were taken
    listing: str = ""  # digest of the files that the numbers refer to


@dataclass(frozen=True)
class Taken:
    """A row and the position after it. A window without a row has none."""

    row: Row | None
    position: Position
    passed: int  # rows, selected or not, of windows begun since the last one was taken


def deal(groups: Sequence[RowGroup], lanes: int, generator: np.random.Generator) -> list[list[Piece]]:
    """The pieces of each lane: in a drawn order, each to the lane that has the fewest rows so far."""
    parts = -(-PIECES * lanes // len(groups)) if lanes > 1 else 1
    pieces = [Piece(g, part, min(parts, g.rows)) for g in groups for part in range(min(parts, g.rows))]
    dealt: list[list[Piece]] = [[] for _ in range(lanes)]
    fewest = [(0, lane) for lane in generator.permutation(lanes).tolist()]
    heapq.heapify(fewest)
    for index in generator.permutation(len(pieces)).tolist():
        rows, lane = fewest[0]
        dealt[lane].append(pieces[index])
        heapq.heapreplace(fewest, (rows + pieces[index].rows, lane))
    return dealt


def windows(pieces: Sequence[Piece], shuffle: int) -> list[list[Piece]]:
    """Consecutive pieces, cut where a window has rows enough."""
    found: list[list[Piece]] = [[]]
    rows = 0
    for piece in pieces:
        if rows >= shuffle:
            found.append([])
            rows = 0
        found[-1].append(piece)
        rows += piece.rows
    return found


class Order:
    """The rows of one lane of one dataset."""

    def __init__(self, shards: Shards, lane: int, lanes: int, seed: int, shuffle: int) -> None:
        self.shards, self.lane, self.lanes, self.shuffle = shards, lane, lanes, shuffle
        self._seed = [
            seed,
            zlib.crc32(shards.dataset.name.encode()),
        ]  # so that another dataset beside it changes nothing

    def rows(self, position: Position, fetchers: Executor) -> Iterator[Taken]:
        """Rows without end from a position on, their row groups fetched a window ahead."""
        taken = position.row
        fetched = ((at, pieces, _fetch(self.shards, pieces, fetchers)) for at, pieces in self._windows(position))
        for at, pieces, reads in _one_ahead(fetched):
            rows = [(read.result(), piece) for read, piece in zip(reads, pieces, strict=True)]
            passed = max(1, sum(piece.rows for piece in pieces))
            order = self._shuffled(at, [_of(piece, read.chosen) for read, piece in rows])
            if taken >= len(order):
                yield Taken(None, at._replace(row=len(order)), passed)
            for number in range(taken, len(order)):
                which, row = order[number]
                yield Taken(rows[which][0][row], at._replace(row=number + 1), passed)
                passed = 0
            taken = 0

    def _windows(self, position: Position) -> Iterator[tuple[Position, list[Piece]]]:
        """The windows from a position on, each with the position of its first row."""
        for number in itertools.count(position.turn):
            turn = self.shards.turn(number)
            dealt = deal(turn.groups, self.lanes, np.random.default_rng([*self._seed, number]))[self.lane]
            for window, pieces in enumerate(windows(dealt, self.shuffle)):
                if (number, window) >= (position.turn, position.window):
                    yield Position(number, window, 0, turn.listing), pieces

    def _shuffled(self, at: Position, chosen: Sequence[np.ndarray]) -> list[tuple[int, int]]:
        """Pairs of a piece's number in the window and a row's in its row group, shuffled."""
        which = np.repeat(np.arange(len(chosen)), np.array(list(map(len, chosen)), int))
        pairs = np.stack([which, np.concatenate([np.empty(0, int), *chosen])], axis=1)
        generator = np.random.default_rng([*self._seed, at.turn, self.lane, at.window])
        return [(which, row) for which, row in generator.permutation(pairs).tolist()]


def _of(piece: Piece, chosen: np.ndarray) -> np.ndarray:
    return chosen[chosen % piece.parts == piece.part]


def _fetch(shards: Shards, pieces: Sequence[Piece], fetchers: Executor) -> list[Future[Rows]]:
    groups = dict.fromkeys(piece.group for piece in pieces)  # a row group of two pieces is read once
    reads = {group: fetchers.submit(shards.read, group) for group in groups}
    return [reads[piece.group] for piece in pieces]


def _one_ahead(items: Iterator) -> Iterator:
    """The same items, each begun while the one before it is worked on."""
    present = next(items)
    for following in items:
        yield present
        present = following
