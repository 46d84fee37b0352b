"""What a stage is: its four kinds, and how a name in a manifest finds its class.

A Source makes samples (collect, synthesize), a Signal measures them, and an Encoder turns shards into latents (encode):
Ray drives these over files, and they declare the resources of one actor. A Query derives metadata from metadata in SQL,
on the driver (dedup, select, balance, pack). A class is found by the name it is registered under (the entry-point group
`dataengine.stages`) or as `package.module:Class`, so that a user's own stage is a first-class one.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, ClassVar, Protocol, runtime_checkable

import cv2
import duckdb
import numpy as np
import pyarrow as pa

from dataengine.config import Config, suggest
from dataengine.errors import ManifestError, StageError
from dataengine.sample import Failure, Paragraph, Sample, paragraphs

GIB = 1 << 30


@dataclass(frozen=True)
class Resources:
    """What one actor of a stage takes. `memory` in bytes of heap; `batch` is how many images a call measures."""

    cpus: float = 1
    gpus: float = 0
    memory: int = GIB
    batch: int = 16


@dataclass(frozen=True)
class Limits:
    """How large a part may become: rows and encoded bytes, whichever comes first."""

    samples: int = 4096
    bytes: int = 256 << 20


@dataclass(frozen=True)
class Piece:
    """The input of one part of samples. `payload` is plain JSON: with the stage's version and parameters it decides
    the part's content. `inputs` is how many inputs it stands for: each becomes a sample or a failure."""

    payload: Mapping[str, Any]
    inputs: int


@dataclass(frozen=True)
class Image:
    """One decoded image, shared by all signals that are measured together.

    pixels: uint8 (height, width, 3), RGB in sRGB, upright. `encoded` are the bytes it was decoded from.
    `annotation` is its row of the column `text` in samples. `known` has what other signals measured, as far as a signal
    of the batch needs it, by column.
    """

    sample_id: str
    pixels: np.ndarray
    encoded: bytes
    format: str
    orientation: int = 1
    caption: str | None = None
    language: str | None = None
    annotation: pa.ListScalar | None = None
    known: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def text(self) -> tuple[Paragraph, ...]:
        """What is written in it, with every place, as far as its source knows."""
        return paragraphs(self.annotation)

    @cached_property
    def grey(self) -> np.ndarray:
        """Luma as uint8 (height, width), ITU-R BT.601 weights."""
        return cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY)


@dataclass(frozen=True)
class Measured:
    """What a signal may return that knows which of its images are at fault: one row an image, nulls where there is a
    fault, and the faults by row. Nothing is measured again then, as it is when a batch raises."""

    table: pa.Table
    faults: Mapping[int, Exception]


@dataclass(frozen=True)
class Encoded:
    """What became of some rows of a shard: rows of `schema.LATENTS` in their order, and a failure for each other."""

    table: pa.Table
    failures: Sequence[Failure]


@runtime_checkable
class Source(Protocol):
    """Makes samples. The driver calls `plan`, actors call `produce`; construction is light on the driver's side.

    One that synthesizes takes the parameters `start` and `count`, ends its uris in `/INDEX`, and may have a method
    `versions() -> Mapping[str, str]` that names what else decides its output: then `synth --verify` can prove it.
    """

    Params: ClassVar[type[Config]]
    version: ClassVar[int]  # raised when the output changes for the same parameters
    resources: ClassVar[Resources]

    def __init__(self, name: str, seed: int, params: Any) -> None:
        """`name` is the source's own in the manifest; `seed` the run's."""

    def plan(self, limits: Limits) -> Iterator[Piece]:
        """Cut the input into parts, in a fixed order. Raises ManifestError or StageError when there is none."""

    def produce(self, piece: Piece) -> Iterator[Sample | Failure]:
        """One Sample or Failure for each of the piece's inputs, in a fixed order. May load models or fonts once."""


@runtime_checkable
class Signal(Protocol):
    """Measures images. An exception while a batch is measured makes the engine measure its images one by one; the one
    at fault goes to `failures` and has nulls in the signal. Where measuring twice is dear, return `Measured`.

    Two class methods are optional. `missing(params) -> StageError | None` tells quickly what is not there, such as
    weights: the run asks before anything is computed. `needs(params) -> Sequence[str]` names columns of other signals,
    which are then measured before and stand in `Image.known`."""

    Params: ClassVar[type[Config]]
    version: ClassVar[int]
    resources: ClassVar[Resources]
    columns: ClassVar[pa.Schema]

    def __init__(self, params: Any) -> None:
        """Load what is needed, on the actor. Raises StageError with what to install or fetch."""

    def measure(self, images: Sequence[Image]) -> pa.Table | Measured:
        """One row an image, in order, with exactly `columns`."""


@runtime_checkable
class Encoder(Protocol):
    """Turns the rows of shards into latents. Its class methods are asked on the driver, before anything is computed."""

    Params: ClassVar[type[Config]]
    version: ClassVar[int]
    resources: ClassVar[Resources]

    @classmethod
    def missing(cls, params: Any) -> StageError | None:
        """What is not there, such as weights, as far as that can be told quickly."""

    @classmethod
    def fingerprint(cls, params: Any) -> str:
        """Of the weights: what was made with others is made anew. Raises StageError when they are not there."""

    def __init__(self, params: Any, batch: int) -> None:
        """Load what is needed, on the actor, to be used on `batch` pictures or captions at a time."""

    def encode(self, rows: pa.Table, known: pa.Table) -> Encoded:
        """Encode some rows of one shard. `known` has rows of earlier latents with the same samples, made by whatever
        encoders and at whatever size: what of them still holds need not be computed."""

    def notes(self) -> Mapping[bytes, str]:
        """What to put into the metadata of each file."""


@runtime_checkable
class Query(Protocol):
    """Derives a dataset from metadata by SQL. It sees the views of `catalog`, never image bytes.

    A method `notes() -> Mapping[str, Any]` is optional: plain JSON to be kept in run.json, asked for after `rows`."""

    Params: ClassVar[type[Config]]
    version: ClassVar[int]
    columns: ClassVar[pa.Schema]

    def __init__(self, seed: int, params: Any) -> None:
        """`seed` is the run's."""

    def check(self, db: duckdb.DuckDBPyConnection) -> None:
        """Raise ManifestError for what cannot work. `db` has the run's views without rows: a misspelt column is
        found before anything is computed. Its table `recipes` has the name of every column of a signal and the recipe
        that it is measured by: where two runs have the same one, their values compare."""

    def rows(self, db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
        """The dataset's rows with exactly `columns`, in the order in which they are to stand."""


def find(name: str) -> type:
    """The class registered as `name`, or imported from `package.module:Class`. Raises ManifestError otherwise."""
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            remedy = "check the spelling and that the package is installed where Ray runs"
            raise ManifestError(f"stage {name}: {error}", remedy) from None
    known = {e.name: e for e in entry_points(group="dataengine.stages")}
    if name not in known:
        raise ManifestError(
            f"stage {name!r} is not registered{suggest(name, list(known))}",
            "use a registered name or package.module:Class",
        )
    try:
        return known[name].load()
    except ImportError as error:
        raise ManifestError(f"stage {name}: {error}", "install the extra that ships it: dataengine[engine]") from None
