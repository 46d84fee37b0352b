"""One stream of rows into shares of batches: mixed, put into queues by size, decoded ahead.

A lot by weight says which dataset the next row is from, and that dataset's order which row it is. The row joins the
queue of its size, and a full queue is the lane's share of a batch: so buckets come by their share, and what is left in
the queues at the end of an epoch waits for the next.

The whole state is a few numbers, and the places of the rows that wait in queues, at most one less than a share a size.
To resume is to read one window of each dataset and those rows again. What is decoded runs `AHEAD` rows a thread ahead
of what is taken; that changes nothing of the order, for rows are counted when they are taken.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from dataengine.errors import ManifestError, SampleError
from dataengine.trainer.datasets import DataConfig, Lots, Mixture
from dataengine.trainer.latents import Latent, Latents
from dataengine.trainer.order import Order, Position
from dataengine.trainer.patchify import Size
from dataengine.trainer.pictures import Pictures
from dataengine.trainer.shards import Caption, Place, Row, Shards

AHEAD = 4
CAPTIONS = 1  # the purpose of the lots that choose captions; 0 is the mixture's


class Use(NamedTuple):
    """One use of a row: of which dataset, where it stands there, and its number among the rows of its lane."""

    dataset: str
    place: Place
    number: int


@dataclass(frozen=True)
class LaneState:
    """Where a lane goes on: with the seed, the files and the configuration it fixes all that follows."""

    step: int = 0  # shares taken so far
    drawn: int = 0  # rows taken of those that can be used; the mixture's weights go by this
    skipped: int = 0  # rows passed over
    positions: dict[str, Position] = field(default_factory=dict)  # by dataset
    waiting: tuple[Use, ...] = ()  # the rows in queues


@dataclass(frozen=True)
class Waiting:
    """A row in a queue, its content being decoded."""

    use: Use
    size: Size
    caption: str
    content: Future[np.ndarray | Latent]

    @property
    def error(self) -> SampleError | None:
        """Why it did not decode, once that is known. Raises what is no fault of the row."""
        error = self.content.exception()
        if error is not None and not isinstance(error, SampleError):
            raise error
        return error


@dataclass(frozen=True)
class Drawn:
    """The next row of a lane, or why it cannot be used, and where its dataset stands after it."""

    use: Use
    position: Position
    row: Waiting | SampleError | None  # None: of a row group that is broken as a whole, and was named as such


@dataclass(frozen=True)
class Source:
    """A dataset, and what becomes of its rows."""

    shards: Shards
    contents: Pictures | Latents


class Lane:
    """`state` is that after the last share taken, and `skip` is told each row that is passed over."""

    def __init__(
        self,
        number: int,
        state: LaneState,
        sources: Mapping[str, Source],
        config: DataConfig,
        share: int,
        seed: int,
        skip: Callable[[Use, SampleError], None],
    ) -> None:
        self.state, self.sources, self.lanes, self.share = state, sources, config.lanes, share
        self._ahead_rows = AHEAD * config.workers
        self._mixture = Mixture([source.shards.dataset for source in sources.values()], share, seed, number)
        self._lots = Lots(seed, number, CAPTIONS)
        self._orders = {
            name: Order(source.shards, number, config.lanes, seed, config.shuffle) for name, source in sources.items()
        }
        self._queues: dict[Size, list[Waiting]] = {}
        self._ahead: deque[Drawn] = deque()
        self._passed = dict.fromkeys(sources, 0)  # rows of each dataset since there was a share
        self._skipped = state.skipped
        self._tell = skip

    def shares(self, decoders: Executor, fetchers: Executor) -> Iterator[list[Waiting]]:
        """Without end, each of one size. Raises ManifestError when no row of a dataset can be used."""
        positions, drawn, waiting = dict(self.state.positions), self.state.drawn, self._again(decoders)
        rows = self._draw(decoders, fetchers)
        for row in waiting:
            self._join(row)
        full = [size for size in sorted(self._queues) if self._ready(size)]  # only where the configuration has changed
        while True:
            for size in full:
                while self._ready(size):
                    share, self._queues[size] = self._queues[size][: self.share], self._queues[size][self.share :]
                    self._passed = dict.fromkeys(self.sources, 0)
                    left = tuple(item.use for _, items in sorted(self._queues.items()) for item in items)
                    self.state = LaneState(self.state.step + 1, drawn, self._skipped, dict(positions), left)
                    yield share
            while len(self._ahead) <= self._ahead_rows:
                self._ahead.append(next(rows))
            taken = self._ahead.popleft()
            positions[taken.use.dataset] = taken.position
            self._join(taken)
            drawn += isinstance(taken.row, Waiting)
            full = [taken.row.size] if isinstance(taken.row, Waiting) else []

    def _draw(self, decoders: Executor, fetchers: Executor) -> Iterator[Drawn]:
        """Rows in the order of the lane, their decoding begun. One that cannot be used does not count as drawn."""
        names = list(self.sources)
        streams = {
            name: order.rows(self.state.positions.get(name, Position()), fetchers)
            for name, order in self._orders.items()
        }
        number = self.state.drawn
        while True:
            name = names[self._mixture[number]]
            for taken in streams[name]:
                self._passed[name] += taken.passed
                self._give_up_on(name)
                if taken.row is not None:
                    drawn = self._begin(Use(name, taken.row.place, number), taken.row, taken.position, decoders)
                    yield drawn
                    if isinstance(drawn.row, Waiting):
                        break
            number += 1

    def _again(self, decoders: Executor) -> list[Drawn]:
        """The rows that waited in queues when the state was taken, in their order."""
        found: dict[Use, Row] = {}
        for name, source in self.sources.items():
            uses = [use for use in self.state.waiting if use.dataset == name]
            found |= zip(uses, source.shards.read_places([use.place for use in uses]), strict=True)
        return [self._begin(use, found[use], Position(), decoders) for use in self.state.waiting if use in found]

    def _begin(self, use: Use, row: Row, position: Position, decoders: Executor) -> Drawn:
        contents = self.sources[use.dataset].contents
        if not row.columns:
            return Drawn(use, position, None)
        try:
            captions = contents.captions(row)
            if not captions and contents.dataset.uncaptioned == "skip":
                raise SampleError("no caption")
            size = contents.size(row)
        except SampleError as error:
            return Drawn(use, position, error)
        caption, variant = self._one_of(captions, use.number)
        return Drawn(use, position, Waiting(use, size, caption, decoders.submit(contents.load, row, size, variant)))

    def _one_of(self, captions: Sequence[tuple[Caption, float]], number: int) -> tuple[str, int | None]:
        """One of a row's captions, by lot and weight among those that it has: another one at another use."""
        if len(captions) < 2:
            return captions[0][0] if captions else ("", None)
        weights = np.cumsum([weight for _, weight in captions])
        return captions[int(np.searchsorted(weights[:-1], self._lots[number] * weights[-1], side="right"))][0]

    def _join(self, drawn: Drawn) -> None:
        if drawn.row is None:
            self._skipped += 1
        elif isinstance(drawn.row, SampleError):
            self._skip(drawn.use, drawn.row)
        else:
            self._queues.setdefault(drawn.row.size, []).append(drawn.row)

    def _skip(self, use: Use, error: SampleError) -> None:
        self._skipped += 1
        self._tell(use, error)

    def _ready(self, size: Size) -> bool:
        """Whether a queue has a share of rows that did decode. Those that did not are taken out of it."""
        while len(self._queues[size]) >= self.share:
            broken = [(item, error) for item in self._queues[size][: self.share] if (error := item.error) is not None]
            if not broken:
                return True
            for item, error in broken:
                self._skip(item.use, error)
                self._queues[size].remove(item)
        return False

    def _give_up_on(self, name: str) -> None:
        """Raise ManifestError when a dataset was gone through and not one of its rows can be used."""
        shards = self.sources[name].shards
        # Dealt a part of the rows each turn, a lane can only be sure after many turns that it has missed none.
        patience = shards.rows if self.lanes == 1 else max(16 * shards.rows, 64 * self.lanes)
        if self._passed[name] <= patience:
            return
        held = [item for queue in self._queues.values() for item in queue]
        held += [drawn.row for drawn in self._ahead if isinstance(drawn.row, Waiting)]
        if not any(item.use.dataset == name and item.error is None for item in held):
            raise ManifestError(
                f"{shards.path}: none of its {shards.rows} rows can be used ({self._skipped} passed over)",
                "the log says why, row by row; check data.image, data.caption, data.phase and data.bands",
            )
        self._passed[name] = 0
