"""Shards into batches: streamed in a seeded order, mixed, shuffled within bounds, and exactly resumable.

The sequence of *global* batches is a function of the seed, the files and the configuration, never of the number of
processes or threads, nor of time. Rows are parted into `lanes`, each a stream of its own (`lane`); a step takes
batch / lanes samples of every lane, which have one size, and of W processes the r-th serves lanes r, r + W, r + 2 W and
so on. So a run goes on in another number of processes with the very batch that would have come.

Costs, for each lane that a process serves: in memory, two windows of encoded rows of each dataset, and the resized
pictures of the queues, at most batch / lanes − 1 a bucket.

A row that cannot be used (no image, no caption, broken data) is passed over and counted each epoch, and logged once.
"""

import logging
import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from dataengine.errors import ManifestError, SampleError
from dataengine.trainer.datasets import DataConfig, ever_used
from dataengine.trainer.lane import Lane, LaneState, Source, Use, Waiting
from dataengine.trainer.latents import Latent, Latents
from dataengine.trainer.order import Position
from dataengine.trainer.patchify import Size
from dataengine.trainer.pictures import Cache, Pictures
from dataengine.trainer.shards import Place, Shards

log = logging.getLogger(__name__)

Item = TypeVar("Item")


@dataclass(frozen=True)
class ReaderState:
    """Where reading goes on. What a process yields has the lanes that it serves; resuming wants those of all."""

    lanes: dict[int, LaneState] = field(default_factory=dict)

    @property
    def skipped(self) -> int:
        return sum(lane.skipped for lane in self.lanes.values())

    def joined(self, others: Iterable["ReaderState"]) -> "ReaderState":
        """This state with the lanes of other processes."""
        lanes = self.lanes | {number: lane for other in others for number, lane in other.lanes.items()}
        return ReaderState(dict(sorted(lanes.items())))

    def next_phase(self) -> "ReaderState":
        """The same places in the datasets, to be read on otherwise: the mixture's steps count from 0 again."""
        return ReaderState({number: replace(lane, drawn=0) for number, lane in self.lanes.items()})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ReaderState":
        def lane(state: dict[str, Any]) -> LaneState:
            positions = {name: Position(*position) for name, position in state["positions"].items()}
            waiting = tuple(Use(name, Place(*place), number) for name, place, number in state["waiting"])
            return LaneState(**{**state, "positions": positions, "waiting": waiting})

        return cls({int(number): lane(state) for number, state in data["lanes"].items()})


@dataclass(frozen=True)
class Batch:
    """This process's share of a step: the n-th of each sequence belongs to one sample."""

    pixels: Tensor | list[Tensor] | None  # uint8 (B, 3, H, W); where sizes differ, (3, H, W) each; None for latents
    latents: Tensor | list[Tensor] | None  # bfloat16 (B, C, h, w) likewise; None for pictures
    captions: list[str]
    states: list[Tensor | None]  # of the captions, bfloat16 (T, D), where they are at rest
    sizes: tuple[Size, ...]  # in pixels
    index: tuple[int, ...]  # within the step's global batch
    datasets: tuple[str, ...]
    uses: tuple[Use, ...]
    state: ReaderState  # after this batch

    @property
    def size(self) -> Size:
        """The one size that all have. Raises ValueError when they differ, which they do between lanes only."""
        (size,) = set(self.sizes)
        return size


class Reader:
    """An endless stream of batches. `batch` is that of all processes, of which this is number `rank` of `world`;
    `patch` the pixels a side of a token; `channels` those of latents that the model takes, None for any. `diary` is a
    folder that all processes see and that lasts as long as the training, for datasets that grow."""

    def __init__(
        self,
        config: DataConfig,
        batch: int,
        patch: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        channels: int | None = None,
        diary: Path | None = None,
    ) -> None:
        if config.lanes % world:
            remedy = f"set data.lanes to a multiple of {world}, once for the training: it decides the order of the data"
            raise ManifestError(f"data.lanes: {config.lanes} cannot be shared out to {world} processes", remedy)
        if batch % config.lanes:
            remedy = "make the batch a multiple of data.lanes"
            raise ManifestError(f"a batch of {batch} cannot be taken from {config.lanes} lanes alike", remedy)
        self.config, self.seed, self.share = config, seed, batch // config.lanes
        self.lanes = range(rank, config.lanes, world)
        cache = Cache(config.cache)
        self.sources: dict[str, Source] = {}
        for dataset in ever_used(config.sources):
            shards = Shards(dataset, diary)
            pictures = shards.kind == "pictures"
            contents = (
                Pictures(dataset, config.aspects, patch, cache) if pictures else Latents(dataset, patch, channels)
            )
            self.sources[dataset.name] = Source(shards, contents)
        self.encoders = _agreed(self.sources)
        self._told: set[tuple[str, Place]] = set()

    def resume(self, state: ReaderState) -> ReaderState:
        """The state to go on from: `state` itself, or one with a new epoch of the datasets whose files have changed."""
        for name, source in self.sources.items():
            positions = [lane.positions[name] for lane in state.lanes.values() if name in lane.positions]
            if all(position.listing == source.shards.turn(position.turn).listing for position in positions):
                continue
            log.warning("%s: the files changed since the checkpoint; a new epoch begins with them", source.shards.path)
            fresh = Position(max(position.turn for position in positions) + 1)
            lanes = {
                number: replace(
                    lane,
                    positions={**lane.positions, name: fresh},
                    waiting=tuple(use for use in lane.waiting if use.dataset != name),
                )
                for number, lane in state.lanes.items()
            }
            state = ReaderState(lanes)
        return state

    def batches(self, state: ReaderState) -> Generator[Batch]:
        """Batches without end. Raises ManifestError when no row of a dataset can be used."""
        lanes = {
            number: Lane(
                number,
                state.lanes.get(number, LaneState()),
                self.sources,
                self.config,
                self.share,
                self.seed,
                self._skip,
            )
            for number in self.lanes
        }
        with _pool(self.config.workers, "decode") as decoders, _pool(self.config.readers, "fetch") as fetchers:
            streams = [lane.shares(decoders, fetchers) for lane in lanes.values()]
            while True:
                rows = [row for stream in streams for row in next(stream)]
                yield self._batch(rows, ReaderState({number: lane.state for number, lane in lanes.items()}))

    def _batch(self, rows: Sequence[Waiting], state: ReaderState) -> Batch:
        contents = [row.content.result() for row in rows]
        latents = [content.values for content in contents if isinstance(content, Latent)]
        return Batch(
            pixels=_pixels([content for content in contents if isinstance(content, np.ndarray)]),
            latents=torch.stack(latents) if len({values.shape for values in latents}) == 1 else latents or None,
            captions=[row.caption for row in rows],
            states=[content.states if isinstance(content, Latent) else None for content in contents],
            sizes=tuple(row.size for row in rows),
            index=tuple(lane * self.share + place for lane in self.lanes for place in range(self.share)),
            datasets=tuple(row.use.dataset for row in rows),
            uses=tuple(row.use for row in rows),
            state=state,
        )

    def _skip(self, use: Use, error: SampleError) -> None:
        if (key := (use.dataset, use.place)) not in self._told:
            self._told.add(key)
            log.warning("passed over %s: %s", self.sources[use.dataset].shards.name(use.place), error.message)


def _agreed(sources: dict[str, Source]) -> dict[str, str]:
    """The fingerprints of what made the latents. Raises ManifestError when datasets do not go together."""
    kinds = {source.shards.kind: name for name, source in sources.items()}
    if len(kinds) > 1:
        message = "data.datasets: " + ", ".join(f"{name!r} holds {kind}" for kind, name in kinds.items())
        raise ManifestError(message, "train on pictures or on latents: `encode` makes these of those")
    found: dict[str, str] = {}
    for name, source in sources.items():
        for key, encoder in source.shards.encoders.items():
            if found.setdefault(key, encoder) != encoder:
                message = f"data.datasets: {name!r} has latents by {key} {encoder}, another dataset by {found[key]}"
                raise ManifestError(message, "encode all of them with one encoder")
    return found


def _pixels(pictures: list[np.ndarray]) -> Tensor | list[Tensor] | None:
    """uint8 (H, W, 3) each → channels first, as one tensor where all have one size."""
    if len({picture.shape for picture in pictures}) == 1:
        return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return [torch.from_numpy(picture.copy()).permute(2, 0, 1) for picture in pictures] or None


@contextmanager
def _pool(threads: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that are ended with whoever uses them, also when work is left."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def prefetch(items: Iterable[Item], depth: int = 2) -> Generator[Item]:
    """The same items in the same order, made ahead of time by a thread. Close it to end the thread."""
    ready: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Item | None, error: BaseException | None) -> None:
        while not stop.is_set():
            try:
                return ready.put((item, error), timeout=0.1)
            except queue.Full:
                continue

    def produce() -> None:
        try:
            for item in items:
                put(item, None)
                if stop.is_set():
                    break
        except BaseException as error:  # handed to the consumer, where it is raised
            put(None, error)
        finally:
            put(None, StopIteration())
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]  # only an error comes without an item
    finally:
        stop.set()
        thread.join()
