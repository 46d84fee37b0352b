"""Shards into batches: streamed in a seeded order, shuffled within bounds, one shape a batch, and exactly resumable.

Each epoch, the row groups of all files are put in a seeded order and read in *windows*: consecutive row groups of at
least `shuffle` rows together, whose rows are shuffled among each other. A row joins the queue of its aspect bucket (its
`bucket` column where there is one, else the image's own proportions), and a full queue is a batch. So buckets come by
their share, and every row is used once an epoch: what is left in the queues waits for the next.

The order is a function of the seed and the files alone, so the whole state is four numbers and the places of the rows
that wait in queues, at most batch − 1 a bucket. To resume is to read one window and those rows again.

Costs: a pass over the footers at the start; in memory, one window of encoded rows, and the resized pictures of the
queues and the cache. Shuffling is as good as the window is large beside a row group: shards whose row groups are small
(some hundred rows) mix best.

A row that cannot be used (no image, no caption, broken data) is passed over and counted each epoch, and logged once.
"""

import itertools
import logging
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor

from dataengine.decode import decode, read_header
from dataengine.errors import ManifestError, SampleError
from dataengine.trainer.config import DataConfig
from dataengine.trainer.patchify import Size, bucket_size, nearest_aspect, parse_aspect
from dataengine.trainer.shards import Place, Row, RowGroup, Rows, Shards

log = logging.getLogger(__name__)

Item = TypeVar("Item")


@dataclass(frozen=True)
class ReaderState:
    """Where reading goes on: with the seed and the files it fixes all that follows."""

    epoch: int = 0
    window: int = 0
    row: int = 0  # how many of the window's shuffled rows were taken
    skipped: int = 0  # rows passed over so far
    waiting: tuple[tuple[str, tuple[Place, ...]], ...] = ()  # by bucket, the rows in its queue
    listing: str = ""  # digest of the files that the numbers refer to

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ReaderState":
        waiting = tuple((aspect, tuple(tuple(place) for place in places)) for aspect, places in data["waiting"])
        return cls(**{**data, "waiting": waiting})


@dataclass(frozen=True)
class Batch:
    """Pictures of one size, with their captions."""

    pixels: Tensor  # uint8 (B, 3, H, W)
    captions: list[str]
    places: tuple[Place, ...]
    state: ReaderState  # after this batch

    @property
    def size(self) -> Size:
        return self.pixels.shape[2], self.pixels.shape[3]


@dataclass(frozen=True)
class Waiting:
    """A row in a queue, its picture being decoded."""

    place: Place
    captions: tuple[str | None, ...]
    pixels: Future[np.ndarray]  # uint8 (H, W, 3)


class Reader:
    """An endless stream of batches from the shards at `config.path`."""

    def __init__(self, config: DataConfig, batch: int, patch: int, seed: int) -> None:
        self.config = config
        self.batch = batch
        self.seed = seed
        self.sizes = {aspect: bucket_size(config.resolution, aspect, patch) for aspect in config.aspects}
        self.shards = Shards(config.path, config.image, tuple(config.captions), config.phase, config.limit)
        self._cache: dict[Place, np.ndarray] = {}
        self._cached_bytes = 0
        self._told: set[Place] = set()

    def resume(self, state: ReaderState) -> ReaderState:
        """The state to go on from: `state` itself, or a new epoch when the files are no longer those it knew."""
        if state.listing in ("", self.shards.listing):
            return state
        log.warning("%s: the files changed since the checkpoint; a new epoch begins with them", self.config.path)
        return ReaderState(epoch=state.epoch + 1, skipped=state.skipped)

    def batches(self, state: ReaderState) -> Generator[Batch]:
        """Batches without end. Raises ManifestError when no row can be used."""
        with ThreadPoolExecutor(self.config.workers, thread_name_prefix="decode") as pool:
            queues: dict[str, list[Waiting]] = {aspect: [] for aspect in self.config.aspects}
            for aspect, places in state.waiting:
                queues[aspect] += [self._decoding(row, aspect, pool) for row in self.shards.read_places(places)]
            skipped = state.skipped
            fruitless = 0  # rows since the last batch
            for epoch, window, position, row in self._rows(state):
                fruitless += 1
                try:
                    aspect = self._aspect(row)
                    queues[aspect].append(self._decoding(row, aspect, pool))
                except SampleError as error:
                    skipped += self._skip(row.place, error)
                else:
                    if len(queues[aspect]) == self.batch:
                        skipped += self._drop_broken(queues[aspect])
                    if len(queues[aspect]) == self.batch:
                        full, queues[aspect] = queues[aspect], []
                        fruitless = 0
                        waiting = tuple((a, tuple(w.place for w in q)) for a, q in queues.items() if q)
                        yield Batch(
                            pixels=torch.from_numpy(np.stack([w.pixels.result() for w in full])).permute(0, 3, 1, 2),
                            captions=[self._caption(w, epoch) for w in full],
                            places=tuple(w.place for w in full),
                            state=ReaderState(epoch, window, position + 1, skipped, waiting, self.shards.listing),
                        )
                if fruitless and fruitless % self.shards.rows == 0:  # an epoch without a batch: is there any picture?
                    skipped += sum(self._drop_broken(waiting) for waiting in queues.values())
                    if not any(queues.values()):
                        raise self._unusable(skipped)

    def _rows(self, state: ReaderState) -> Iterator[tuple[int, int, int, Row]]:
        """Rows in training order from `state` on, each with its epoch, window and position in the window."""
        first_window, first_row = state.window, state.row
        for epoch in itertools.count(state.epoch):
            whole, rows = first_window == 0, 0
            for window, groups in enumerate(self._windows(epoch)):
                if window < first_window:
                    continue
                places = [(read, index) for read in self._read(groups) for index in range(len(read))]
                order = np.random.default_rng([self.seed, epoch, window]).permutation(len(places))
                rows += len(order)
                for position in range(first_row, len(order)):
                    read, index = places[order[position]]
                    yield epoch, window, position, read[index]
                first_row = 0
            first_window = 0
            if whole and not rows:
                raise self._unusable(0)

    def _windows(self, epoch: int) -> list[list[RowGroup]]:
        """The epoch's row groups in seeded order, cut where a window has rows enough."""
        windows: list[list[RowGroup]] = [[]]
        rows = 0
        for index in np.random.default_rng([self.seed, epoch]).permutation(len(self.shards.groups)):
            if rows >= self.config.shuffle:
                windows.append([])
                rows = 0
            windows[-1].append(self.shards.groups[index])
            rows += self.shards.groups[index].rows
        return windows

    def _read(self, groups: list[RowGroup]) -> Iterator[Rows]:
        for group in groups:
            try:
                yield self.shards.read(group)
            except (OSError, pa.ArrowException) as error:
                rows = Rows.broken(group)
                if rows[0].place not in self._told:
                    self._told.update(rows[index].place for index in range(len(rows)))
                    name = f"{self.shards.files[group.file]}, row group {group.group}"
                    log.warning("%s cannot be read, its %d rows are passed over: %s", name, group.rows, error)
                yield rows

    def _aspect(self, row: Row) -> str:
        """The row's bucket. Raises SampleError when the row cannot be used at all."""
        if not any(row.captions) and self.config.uncaptioned == "skip":
            raise SampleError("no caption")
        if not row.encoded:
            raise SampleError("no image")
        ratio = parse_aspect(row.bucket) if row.bucket else None
        if ratio is None:
            header = read_header(row.encoded)
            ratio = header.width / header.height
        return nearest_aspect(ratio, self.config.aspects)

    def _decoding(self, row: Row, aspect: str, pool: ThreadPoolExecutor) -> Waiting:
        return Waiting(row.place, row.captions, pool.submit(self._pixels, row, self.sizes[aspect]))

    def _caption(self, waiting: Waiting, epoch: int) -> str:
        """One of a row's captions, by lot and weight among those that it has: another one in another epoch. It depends
        on the epoch in which the row is used, so that nothing more need be known to resume."""
        weighted = zip(waiting.captions, self.config.captions.values(), strict=True)
        there = [(caption, weight) for caption, weight in weighted if caption]
        if len(there) < 2:
            return there[0][0] if there else ""
        captions, weights = zip(*there, strict=True)
        drawn = np.random.default_rng([self.seed, epoch, *waiting.place]).random() * sum(weights)
        return captions[int(np.searchsorted(np.cumsum(weights[:-1]), drawn, side="right"))]

    def _pixels(self, row: Row, size: Size) -> np.ndarray:
        if (cached := self._cache.get(row.place)) is not None:
            return cached
        pixels = fit(decode(row.encoded or b"")[0], size)
        if self._cached_bytes + pixels.nbytes <= self.config.cache:
            self._cache[row.place] = pixels
            self._cached_bytes += pixels.nbytes
        return pixels

    def _drop_broken(self, waiting: list[Waiting]) -> int:
        """Take out of a queue what did not decode, and say how many these were."""
        broken = [(item, error) for item in waiting if (error := item.pixels.exception()) is not None]
        for item, error in broken:
            if not isinstance(error, SampleError):
                raise error
            self._skip(item.place, error)
            waiting.remove(item)
        return len(broken)

    def _skip(self, place: Place, error: SampleError) -> int:
        if place not in self._told:
            self._told.add(place)
            log.warning("passed over %s: %s", self.shards.name(place), error.message)
        return 1

    def _unusable(self, skipped: int) -> ManifestError:
        return ManifestError(
            f"{self.config.path}: none of its {self.shards.rows} rows can be used ({skipped} passed over)",
            "the log says why, row by row; check data.image, data.caption and data.phase",
        )


def fit(pixels: np.ndarray, size: Size) -> np.ndarray:
    """Crop the middle in the proportions of `size` and resize it: uint8 (h, w, 3) → (H, W, 3)."""
    height, width = pixels.shape[:2]
    scale = min(height / size[0], width / size[1])
    top, left = (height - size[0] * scale) / 2, (width - size[1] * scale) / 2
    box = (left, top, left + size[1] * scale, top + size[0] * scale)
    image = Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    return np.asarray(image)


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
