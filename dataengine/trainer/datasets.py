"""Which Parquet rows are read, and how several datasets are mixed: the `data` of a training configuration.

A dataset's weight is its share of the rows that are used, beside the other weights and whatever the datasets' sizes; it
may change over the steps, as a list of points between which it runs straight. What a dataset leaves out is as `data`
itself has it, so `path` alone is the short form of one dataset.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from dataengine.config import Config, parse_size
from dataengine.trainer.bands import Band
from dataengine.trainer.patchify import parse_aspect

ASPECTS = ("1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "1:3", "3:1")
ONLY = "data"
"""The name of the one dataset of a `data.path`."""


def _weights_of_captions(caption: str | dict[str, float]) -> str | dict[str, float]:
    if isinstance(caption, dict) and (not caption or not all(0 < w < math.inf for w in caption.values())):
        raise ValueError("weights of captions must be above 0; leave out a column that is not wanted")
    return caption


Captions = Annotated[str | dict[str, float], AfterValidator(_weights_of_captions)]
"""A column of captions (of latents: a variant's name); or several, of which each use of a row takes one by lot."""


class RowsConfig(Config):
    """Which rows are taken, and what is looked at in them."""

    phase: int | None = None  # only rows whose `phase` column says so; files without that column are taken whole
    limit: int | None = Field(None, ge=1)  # only so many rows, the first in the order of the files' names
    bands: tuple[Band, ...] | None = None  # only pictures with so much text; see `bands`
    resolution: int = Field(256, ge=1)  # pictures are brought to about resolution² pixels; latents are as they are
    image: str = "image"  # the column of encoded images: struct{bytes, …} or plain binary
    caption: Captions = "caption"
    uncaptioned: Literal["skip", "empty"] = "skip"  # rows without a caption: passed over, or trained unconditionally
    grows: bool = False  # files are still being added: new ones are read as soon as what was there has been

    @property
    def captions(self) -> dict[str, float]:
        """The columns of captions with their weights."""
        return {self.caption: 1.0} if isinstance(self.caption, str) else self.caption

    @field_validator("bands")
    @classmethod
    def _some(cls, bands: tuple[Band, ...] | None) -> tuple[Band, ...] | None:
        if bands == ():
            raise ValueError("name at least one band, or leave it out to take all")
        return bands

    @model_validator(mode="after")
    def _grows_without_limit(self) -> "RowsConfig":
        if self.grows and self.limit is not None:
            raise ValueError("the first rows of files that are still being added are not known: `limit` or `grows`")
        return self


Weight = float | tuple[tuple[int, float], ...]


class DatasetConfig(RowsConfig):
    """One of several datasets."""

    name: str = Field(pattern=r"^[\w.-]+$")  # in the log, in state, and in the losses by dataset
    path: str  # a file, a folder (with all below it), a glob, or a URL of any of these
    weight: Weight = 1.0  # or points [[step, weight], …]; steps count from the first that this mixture is used for

    @field_validator("weight")
    @classmethod
    def _points(cls, weight: Weight) -> Weight:
        points = _points(weight)
        steps = [step for step, _ in points]
        if not points or steps != sorted(set(steps)) or not all(0 <= value < math.inf for _, value in points):
            raise ValueError("give a weight of 0 or more, or points [[step, weight], …] with rising steps")
        return weight


class DataConfig(RowsConfig):
    """What is read, in which shapes, and with how many hands."""

    path: str | None = None  # of the one dataset
    datasets: tuple[DatasetConfig, ...] = ()  # or of several, mixed by their weights
    aspects: tuple[str, ...] = ASPECTS  # the buckets, width:height
    lanes: int = Field(1, ge=1)  # streams that the rows are parted into: a multiple of the number of processes
    shuffle: int = Field(1024, ge=1)  # rows of a lane that are shuffled among each other
    workers: int = Field(1, ge=1)  # decoding threads
    readers: int = Field(2, ge=1)  # threads that fetch row groups ahead; more of them where files are far away
    # bytes of resized pictures kept, so that a small set is decoded once
    cache: Annotated[int, BeforeValidator(parse_size)] = Field(64_000_000, ge=0)

    @property
    def sources(self) -> tuple[DatasetConfig, ...]:
        """The datasets, also when there is but the one of `path`."""
        return self.datasets or (DatasetConfig(name=ONLY, path=self.path or "", **_shared(self.model_dump())),)

    def altered(self, weights: Mapping[str, Weight] | None = None, **changes: Any) -> "DataConfig":
        """The same datasets read otherwise, as in a phase of a curriculum: with `weights` by dataset, where given only
        those datasets, and with `changes` of any keys of all of them."""
        data = self.model_dump() | changes
        entries = [entry | _shared(changes) for entry in data["datasets"]]
        if weights is not None:
            if unknown := sorted(weights.keys() - {source.name for source in self.sources}):
                raise ValueError(f"no dataset {unknown[0]!r}; there are: {', '.join(s.name for s in self.sources)}")
            entries = [entry | {"weight": weights[entry["name"]]} for entry in entries if entry["name"] in weights]
        return DataConfig.model_validate(data | {"datasets": entries})

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("datasets"), Sequence):
            whole = [_shared(data) | entry if isinstance(entry, dict) else entry for entry in data["datasets"]]
            return data | {"datasets": whole}
        return data

    @model_validator(mode="after")
    def _one_way(self) -> "DataConfig":
        if (self.path is None) == (not self.datasets):
            raise ValueError("give either `path`, or `datasets` with a path each")
        names = [source.name for source in self.sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two datasets are called {twice[0]!r}")
        steps = {step for source in self.sources for step, _ in _points(source.weight)}
        if bare := [step for step in sorted(steps) if not weights_at(self.sources, step).sum() > 0]:
            raise ValueError(f"at step {bare[0]} no dataset has a weight above 0")
        return self

    @field_validator("aspects")
    @classmethod
    def _aspects(cls, aspects: tuple[str, ...]) -> tuple[str, ...]:
        bad = [aspect for aspect in aspects if parse_aspect(aspect) is None]
        if bad or not aspects:
            raise ValueError(f"each must be width:height such as 3:2, which {', '.join(bad) or 'an empty list'} is not")
        return aspects


def _shared(data: dict[str, Any]) -> dict[str, Any]:
    """The keys that a dataset has from `data` when it has none of its own."""
    return {name: data[name] for name in RowsConfig.model_fields if name in data}


def _points(weight: Weight) -> tuple[tuple[int, float], ...]:
    return ((0, weight),) if isinstance(weight, float | int) else weight


def weights_at(datasets: Sequence[DatasetConfig], step: int) -> np.ndarray:
    """The weight of each dataset at a step: straight between its points, level before the first and after the last."""
    return np.array([np.interp(step, *zip(*_points(dataset.weight), strict=True)) for dataset in datasets])


class Mixture:
    """Which dataset each row of a lane is from: by lot and weight, as a function of the row's number alone.

    `rows` are those of the lane in a step. Row n is counted to step n // rows: what is still in queues then, and what
    is passed over, must not move the mixture.
    """

    def __init__(self, datasets: Sequence[DatasetConfig], rows: int, seed: int, lane: int) -> None:
        self.datasets, self.rows = datasets, rows
        self._lots = Lots(seed, lane, 0)
        self._step, self._shares = -1, np.array([])

    def __getitem__(self, row: int) -> int:
        if len(self.datasets) == 1:
            return 0
        if row // self.rows != self._step:
            self._step = row // self.rows
            weights = weights_at(self.datasets, self._step)
            self._shares = np.cumsum(weights / weights.sum())[:-1]
        return int(np.searchsorted(self._shares, self._lots[row], side="right"))


class Lots:
    """Numbers in 0 … 1 by their index, for a purpose of a lane: drawn in blocks, for one at a time is slow."""

    BLOCK = 4096

    def __init__(self, seed: int, lane: int, purpose: int) -> None:
        self._key = (seed, lane, purpose)
        self._block, self._drawn = -1, np.array([])

    def __getitem__(self, index: int) -> float:
        block, place = divmod(index, self.BLOCK)
        if block != self._block:
            self._block, self._drawn = block, np.random.default_rng([*self._key, block]).random(self.BLOCK)
        return float(self._drawn[place])


def ever_used(datasets: Sequence[DatasetConfig]) -> list[DatasetConfig]:
    """Those that have a weight at any step. The others need not be there."""
    return [dataset for dataset in datasets if any(weight > 0 for _, weight in _points(dataset.weight))]
