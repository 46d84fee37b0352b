"""One stream of rows into shares of batches: mixed, decoded ahead, put into queues by size.

A lot by weight says which dataset the next row is from, and that dataset's order which row it is. The row joins the
queue of its size, and a full queue is the lane's share of a batch: so buckets come by their share, and what is left in
the queues at the end of an epoch waits for the next.

The whole state is a few numbers, and the places of the rows that wait in queues, at most one less than a share a size.
To resume is to read one window of each dataset and those rows again. Decoding runs ahead of what is taken, in bundles
of some rows, since small ones are not worth a task each: `AHEAD` bundles a thread. That changes nothing of the order,
for rows are counted when they are taken.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from dataengine.errors import ManifestError, SampleError
from dataengine.trainer.datasets import DataConfig, Lots, Mixture
from dataengine.trainer.latents import Latent, Latents
from dataengine.trainer.order import Order, Position, Taken, ahead
from dataengine.trainer.patchify import Size
from dataengine.trainer.pictures import Pictures
from dataengine.trainer.shards import Caption, Place, Row, Shards

AHEAD = 3
BUNDLE_ROWS, BUNDLE_PIXELS = 16, 40_000  # at which a bundle is full
CAPTIONS = 1  # the purpose of the lots that choose captions; 0 is the mixture's
BROKEN = SampleError("its row group cannot be read")  # such a row group was named as a whole

Content = np.ndarray | Latent


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


class Ready(NamedTuple):
    """A row with its content, in a queue."""

    use: Use
    size: Size
    caption: str
    content: Content


class Drawn(NamedTuple):
    """What comes next in a lane, and where its dataset stands after it: a row that can be used, or one that cannot,
    with the reason; or neither, where a window of the dataset has none."""

    dataset: str
    position: Position
    passed: int  # rows of the dataset that were gone through for it, see `Taken`
    use: Use | None = None
    row: Row | None = None
    size: Size = (0, 0)
    caption: Caption | None = None
    error: SampleError | None = None


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
        self._names = list(sources)
        self._mixture = Mixture([source.shards.dataset for source in sources.values()], share, seed, number)
        self._lots = Lots(seed, number, CAPTIONS)
        self._orders = {
            name: Order(source.shards, number, config.lanes, seed, config.shuffle) for name, source in sources.items()
        }
        self._bundles = AHEAD * config.workers
        self._queues: dict[Size, list[Ready]] = {}
        self._passed = dict.fromkeys(sources, 0)  # rows of each dataset since one was of use
        self._skipped = state.skipped
        self._tell = skip

    def shares(self, decoders: Executor, fetchers: Executor) -> Iterator[list[Ready]]:
        """Without end, each of one size. Raises ManifestError when no row of a dataset can be used."""
        positions, count = dict(self.state.positions), self.state.drawn
        for drawn, content in self._decoded(self._again(), decoders):
            self._join(drawn, content)
        full = sorted(self._queues)  # in most cases none is; after a change of the configuration one may be
        rows = self._decoded(self._draw(fetchers), decoders)
        while True:
            for size in full:
                while len(queue := self._queues[size]) >= self.share:
                    self._queues[size] = queue[self.share :]
                    left = tuple(ready.use for _, queued in sorted(self._queues.items()) for ready in queued)
                    self.state = LaneState(self.state.step + 1, count, self._skipped, dict(positions), left)
                    yield queue[: self.share]
            drawn, content = next(rows)
            positions[drawn.dataset] = drawn.position
            count += drawn.row is not None
            full = self._join(drawn, content)

    def _draw(self, fetchers: Executor) -> Iterator[Drawn]:
        """Rows in the order of the lane. One that cannot be used has no number of its own."""
        streams = {
            name: order.rows(self.state.positions.get(name, Position()), fetchers)
            for name, order in self._orders.items()
        }
        number = self.state.drawn
        while True:
            name = self._names[self._mixture[number]]
            for taken in streams[name]:
                drawn = self._look_at(name, number, taken)
                yield drawn
                if drawn.row is not None:
                    break
            number += 1

    def _again(self) -> Iterator[Drawn]:
        """The rows that waited in queues when the state was taken, in their order."""
        found: dict[Use, Row] = {}
        for name, source in self.sources.items():
            uses = [use for use in self.state.waiting if use.dataset == name]
            found |= zip(uses, source.shards.read_places([use.place for use in uses]), strict=True)
        for use in self.state.waiting:
            if use in found:
                yield self._look_at(use.dataset, use.number, Taken(found[use], Position(), 0))

    def _look_at(self, name: str, number: int, taken: Taken) -> Drawn:
        """What a row will be used for, by what can be told without decoding it."""
        row, position, passed = taken
        if row is None:
            return Drawn(name, position, passed)
        use = Use(name, row.place, number)
        contents = self.sources[name].contents
        try:
            if not row.columns:
                raise BROKEN
            captions = contents.captions(row)
            if not captions and contents.dataset.uncaptioned == "skip":
                raise SampleError("no caption")
            size = contents.size(row)
        except SampleError as error:
            return Drawn(name, position, passed, use, error=error)
        return Drawn(name, position, passed, use, row, size, self._one_of(captions, number))

    def _one_of(self, captions: Sequence[tuple[Caption, float]], number: int) -> Caption | None:
        """One of a row's captions, by lot and weight among those that it has: another one at another use."""
        if len(captions) < 2:
            return captions[0][0] if captions else None
        weights = np.cumsum([weight for _, weight in captions])
        return captions[int(np.searchsorted(weights[:-1], self._lots[number] * weights[-1], side="right"))][0]

    def _decoded(
        self, rows: Iterator[Drawn], decoders: Executor
    ) -> Iterator[tuple[Drawn, Content | SampleError | None]]:
        """The same rows with their contents, decoded in bundles ahead of the one that is handed out."""
        begun = ((bundle, decoders.submit(self._decode, bundle)) for bundle in _bundles(rows))
        for bundle, contents in ahead(begun, self._bundles):
            yield from zip(bundle, contents.result(), strict=True)

    def _decode(self, bundle: Sequence[Drawn]) -> list[Content | SampleError | None]:
        """The contents of rows; of those that have none, or turn out to have none, the reason."""
        contents: list[Content | SampleError | None] = []
        for drawn in bundle:
            content: Content | SampleError | None = drawn.error
            if drawn.row is not None:
                variant = drawn.caption[1] if drawn.caption else None
                try:
                    content = self.sources[drawn.dataset].contents.load(drawn.row, drawn.size, variant)
                except SampleError as error:
                    content = error
            contents.append(content)
        return contents

    def _join(self, drawn: Drawn, content: Content | SampleError | None) -> Sequence[Size]:
        """Put a row into its queue, or pass it over. Returns the size whose queue may be full by that."""
        name, use = drawn.dataset, drawn.use
        self._passed[name] += drawn.passed
        if use is None or isinstance(content, SampleError | None):
            if use is not None and content is not None:
                self._skipped += 1
                if content is not BROKEN:
                    self._tell(use, content)
            self._give_up_on(name)
            return ()
        self._passed[name] = 0
        caption = drawn.caption[0] if drawn.caption else ""
        self._queues.setdefault(drawn.size, []).append(Ready(use, drawn.size, caption, content))
        return (drawn.size,)

    def _give_up_on(self, name: str) -> None:
        """Raise ManifestError when a dataset was gone through and not one of its rows can be used."""
        shards = self.sources[name].shards
        # Dealt a part of the rows each turn, a lane can only be sure after many turns that it has missed none.
        patience = shards.rows if self.lanes == 1 else max(16 * shards.rows, 64 * self.lanes)
        if self._passed[name] > patience:
            raise ManifestError(
                f"{shards.path}: none of its {shards.rows} rows can be used ({self._skipped} passed over)",
                "the log says why, row by row; check data.image, data.caption, data.phase and data.bands",
            )


def _bundles(rows: Iterator[Drawn]) -> Iterator[list[Drawn]]:
    bundle: list[Drawn] = []
    pixels = 0
    for drawn in rows:
        bundle.append(drawn)
        pixels += drawn.size[0] * drawn.size[1]
        if len(bundle) == BUNDLE_ROWS or pixels >= BUNDLE_PIXELS:
            yield bundle
            bundle, pixels = [], 0
    if bundle:
        yield bundle
