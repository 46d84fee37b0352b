"""Parquet files of one dataset, whoever wrote them: found, checked, and read by row group.

Two kinds of rows are read. *Pictures*: encoded images and captions; an image is a struct with a `bytes` field, as
`datasets` and this project write it, or plain binary. *Latents* (`schema.LATENTS`): what `encode` made of shards. Which
it is, the columns tell. Used where they are there: `phase` and `text` to select rows, `repeats` for how often a row is
used an epoch, `bucket` for the aspect that a row was packed for. Files with neither an image nor a latent column are no
shards; of these only an index (the columns of `schema.INDEX`) may lie among them.

Costs: each file's footer once, and again for each row group that is read; of a row group only the columns that are
needed, and of one without a row of the bands asked for, their annotation alone.
"""

import hashlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine import schema
from dataengine.errors import ManifestError
from dataengine.trainer.bands import bands
from dataengine.trainer.datasets import DatasetConfig
from dataengine.trainer.listing import Diary, Folder

log = logging.getLogger(__name__)

FOOTERS = 8  # read at a time
MAX_REPEATS = 10_000  # what is more is taken for a mistake
LATENTS = {"latent": ("shape", "values"), "captions": ("name", "caption", "shape", "states")}  # fields of structs
SIZES = ("height", "width")


Caption = tuple[str, int]
"""A caption, and which one of its row it is."""


class Place(NamedTuple):
    """Where a row stands in its dataset."""

    file: int
    group: int
    row: int


@dataclass(frozen=True)
class RowGroup:
    """The unit of reading."""

    file: int
    group: int
    rows: int  # at most: before the selection of a phase


@dataclass(frozen=True)
class Turn:
    """What is read before the files are looked for again."""

    epoch: int
    groups: Sequence[RowGroup]
    listing: str  # digest of all files known by then: numbered rows are the same rows where it is the same


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a row group in Arrow's memory. Any value may be null in foreign files."""

    place: Place
    columns: dict[str, pa.ChunkedArray]

    def scalar(self, column: str) -> pa.Scalar:
        """A value that is not copied; a null where the column is not there."""
        return self.columns[column][self.place.row] if column in self.columns else pa.NULL

    def __getitem__(self, column: str) -> Any:
        return self.scalar(column).as_py()


@dataclass(frozen=True)
class Rows:
    """The rows of one row group. A broken one has no columns, so that all its rows are null."""

    group: RowGroup
    columns: dict[str, pa.ChunkedArray]
    chosen: np.ndarray  # the numbers of those that are selected, each as often as it is to be used

    def __getitem__(self, row: int) -> Row:
        return Row(Place(self.group.file, self.group.group, row), self.columns)


class Shards:
    """The files below the path of a dataset. Opening reads each one's footer; nothing else is held."""

    def __init__(self, dataset: DatasetConfig, diary: Path | None = None) -> None:
        self.dataset = dataset
        self.path = dataset.path
        self.kind: Literal["pictures", "latents"] | None = None  # None as long as there is no file
        self.encoders: dict[str, str] = {}  # of latents: the fingerprints of what made them
        self.files: list[str] = []  # in the order in which they came to be known, named below the folder
        self.groups: list[RowGroup] = []  # of all these
        self._folder = Folder(dataset.path)
        self._diary = Diary(diary, dataset.name)
        self._other_phases: set[str] = set()
        self._lock = threading.Lock()
        self._told: set[RowGroup] = set()
        self._open(self._diary.found(0, self._new) if dataset.grows else self._new())
        if not self.groups:
            if self._other_phases:
                phases = ", ".join(sorted(self._other_phases))
                message = f"{self.path}: no rows of phase {dataset.phase}; there are {phases}"
                raise ManifestError(message, "set data.phase to one of these, or leave it out to take all")
            raise ManifestError(f"{self.path}: its Parquet files hold no rows", "pack shards first, or check data.path")
        if dataset.limit is not None:
            self.groups = _first(self.groups, dataset.limit)
        self._turns = [Turn(0, tuple(self.groups), self._digest())]

    @property
    def rows(self) -> int:
        """How many there are, before any selection."""
        return sum(group.rows for group in self.groups)

    def turn(self, number: int) -> Turn:
        """What is read in a turn, counted from 0. Of a dataset that grows, this is when new files are looked for."""
        if not self.dataset.grows:
            return replace(self._turns[0], epoch=number)
        with self._lock:
            while len(self._turns) <= number:
                self._turns.append(self._next_turn(self._turns[-1].epoch))
            return self._turns[number]

    def name(self, place: Place) -> str:
        """A row for people: file, row group and row."""
        return f"{self._folder.root}{self.files[place.file]}, row group {place.group}, row {place.row}"

    def read(self, group: RowGroup) -> Rows:
        """The selected rows. Those of a row group that is broken are all null; it is named once in the log."""
        try:
            with self._stream(self.files[group.file]) as stream:
                return self._select(group, pq.ParquetFile(stream, pre_buffer=True))
        except (OSError, pa.ArrowException) as error:
            if group not in self._told:
                self._told.add(group)
                name = f"{self._folder.root}{self.files[group.file]}, row group {group.group}"
                log.warning("%s cannot be read, its %d rows are passed over: %s", name, group.rows, error)
            return Rows(group, {}, np.arange(group.rows))

    def _select(self, group: RowGroup, file: pq.ParquetFile) -> Rows:
        names = file.schema_arrow.names

        def read(columns: Sequence[str]) -> pa.Table:
            return file.read_row_group(group.group, columns=list(columns))

        chosen = np.arange(file.metadata.row_group(group.group).num_rows)
        if self.dataset.phase is not None and "phase" in names:
            chosen = chosen[_numbers(read(["phase"])["phase"]) == self.dataset.phase]
        chosen = chosen[: group.rows]
        if self.dataset.bands is not None and len(chosen):
            found = np.array(bands(read(_text_columns(file))["text"].combine_chunks()))
            chosen = chosen[np.isin(found[chosen], self.dataset.bands)]
        if "repeats" in names and len(chosen):
            chosen = np.repeat(chosen, self._repeats(group, read(["repeats"])["repeats"])[chosen])
        if not len(chosen):
            return Rows(group, {}, chosen)
        table = read(self._wanted(file.schema_arrow))
        columns = {name: table[name] for name in table.column_names}
        if self.kind == "pictures" and pa.types.is_struct(columns[self.dataset.image].type):
            columns[self.dataset.image] = pc.struct_field(columns[self.dataset.image], "bytes")
        return Rows(group, columns, chosen)

    def read_places(self, places: Sequence[Place]) -> list[Row]:
        """Single rows, in the order given; each row group is read once."""
        groups = {(group.file, group.group): group for group in self.groups}
        read = {key: self.read(groups[key]) for key in sorted({(file, group) for file, group, _ in places})}
        return [read[file, group][row] for file, group, row in places]

    def _new(self) -> list[str]:
        """The files that are there and not known. Of those that grow, one that cannot be read yet is left for later."""
        files = sorted(set(self._folder.files()) - set(self.files))
        if not files and not self.files:
            remedy = (
                "wait for the first file"
                if self.dataset.grows
                else "data.path is a file, a folder, a glob, or a URL of these"
            )
            raise ManifestError(f"{self.path}: no Parquet file here", remedy)
        if not self.dataset.grows:
            return files
        whole = []
        for file in files:
            try:
                self._footer(file)
                whole.append(file)
            except ManifestError as error:
                log.warning("%s; left for later", error.message)
        return whole

    def _next_turn(self, epoch: int) -> Turn:
        new = self._diary.found(len(self._turns), self._new)
        before = len(self.groups)
        self._open(new)
        if added := self.groups[before:]:
            log.info("%s: %d new files with %d rows", self.path, len(new), sum(group.rows for group in added))
            return Turn(epoch, tuple(added), self._digest())
        return Turn(epoch + 1, tuple(self.groups), self._digest())

    def _open(self, files: Sequence[str]) -> None:
        """Take files up, with the row groups that may hold rows of the phase."""
        with ThreadPoolExecutor(FOOTERS, thread_name_prefix="footer") as pool:
            for file, metadata in zip(files, pool.map(self._footer, files), strict=True):
                self.files.append(file)
                columns = metadata.schema.to_arrow_schema()
                contents = {self.dataset.image, "latent"} & set(columns.names)
                if not contents and set(schema.INDEX.names) <= set(columns.names):
                    continue
                self._check(file, columns)
                for group in range(metadata.num_row_groups):
                    held = metadata.row_group(group)
                    if other := self._outside_phase(held):
                        self._other_phases.add(other)
                    elif held.num_rows:
                        self.groups.append(RowGroup(len(self.files) - 1, group, held.num_rows))
                        self._note_encoders(file, held)

    def _stream(self, file: str) -> Any:
        path = self._folder.root + file
        # pyarrow's own files are read without asking Python for each block
        return pa.OSFile(path) if self._folder.local else self._folder.filesystem.open(path, "rb")

    def _footer(self, file: str) -> pq.FileMetaData:
        path = self._folder.root + file
        try:
            with self._stream(file) as stream:
                return pq.read_metadata(stream)
        except FileNotFoundError:
            message = f"{path}: gone, though it was listed"
            raise ManifestError(message, "bring it back, or set `out` to another folder to train anew") from None
        except (OSError, pa.ArrowException) as error:
            raise ManifestError(
                f"{path}: not a readable Parquet file: {error}", "write it again or remove it"
            ) from None

    def _check(self, file: str, columns: pa.Schema) -> None:
        """Whether a file has what is asked of it, and the same kind of rows as those before it."""
        kind = "latents" if "latent" in columns.names and self.dataset.image not in columns.names else "pictures"
        if self.kind not in (None, kind):
            message = f"{self._folder.root}{file} holds {kind}, and other files of {self.path} {self.kind}"
            raise ManifestError(message, "name one kind with data.path; of a run these are RUN/shards and RUN/latents")
        self.kind = kind
        if kind == "latents":
            self._check_latents(file, columns)
        else:
            self._check_pictures(file, columns)
        if self.dataset.bands is not None and "text" not in columns.names:
            message = f"{self._folder.root}{file}: no column 'text', by which data.bands selects"
            raise ManifestError(message, "leave out data.bands, or annotate what is written in the pictures")
        if "repeats" in columns.names and not pa.types.is_integer(columns.field("repeats").type):
            kind = columns.field("repeats").type
            message = f"{self._folder.root}{file}: column 'repeats' is {kind}, not whole numbers"
            raise ManifestError(message, "it says how often a row is used an epoch: cast it, or rename it")

    def _check_pictures(self, file: str, columns: pa.Schema) -> None:
        path = self._folder.root + file
        for key, name in (("image", self.dataset.image), *(("caption", name) for name in self.dataset.captions)):
            if name not in columns.names:
                raise ManifestError(
                    f"{path}: no column {name!r}; there are: {', '.join(columns.names)}",
                    f"name the column with data.{key}, or leave the file out of data.path",
                )
        image = columns.field(self.dataset.image).type
        if pa.types.is_struct(image) and image.get_field_index("bytes") >= 0:
            image = image.field("bytes").type
        if not (pa.types.is_binary(image) or pa.types.is_large_binary(image) or pa.types.is_binary_view(image)):
            message = f"{path}: column {self.dataset.image!r} is {image}, not encoded images"
            raise ManifestError(message, "it must be binary, or a struct with a binary field `bytes`")
        for name in self.dataset.captions:
            kind = columns.field(name).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
                raise ManifestError(f"{path}: column {name!r} is {kind}, not text", "name others with data.caption")

    def _check_latents(self, file: str, columns: pa.Schema) -> None:
        path, remedy = self._folder.root + file, "encode the shards again with this version"
        for name in (*LATENTS, *SIZES):
            if name not in columns.names:
                raise ManifestError(f"{path}: no column {name!r}; there are: {', '.join(columns.names)}", remedy)
        for name, fields in LATENTS.items():
            kind = columns.field(name).type
            kind = kind.value_type if pa.types.is_list(kind) else kind
            if not pa.types.is_struct(kind) or any(kind.get_field_index(field) < 0 for field in fields):
                raise ManifestError(f"{path}: column {name!r} is {kind}, not of latents at rest", remedy)

    def _note_encoders(self, file: str, group: pq.RowGroupMetaData) -> None:
        """Remember what made the latents of a row group, by its statistics. Raises ManifestError for a second one."""
        for index in range(group.num_columns if self.kind == "latents" else 0):
            column = group.column(index)
            if column.path_in_schema in ("image_encoder", "text_encoder") and column.statistics is not None:
                if not column.statistics.has_min_max:
                    continue
                for found in (column.statistics.min, column.statistics.max):
                    if (known := self.encoders.setdefault(column.path_in_schema, found)) != found:
                        raise ManifestError(
                            f"{self._folder.root}{file}: {column.path_in_schema} {found}, in other files {known}",
                            "latents of one training come from one encoder: encode all of them with it",
                        )

    def _outside_phase(self, group: pq.RowGroupMetaData) -> str:
        """The phases that a row group holds, when its statistics rule out the selected one; else the empty string."""
        if self.dataset.phase is None:
            return ""
        for index in range(group.num_columns):
            column = group.column(index)
            statistics = column.statistics
            if column.path_in_schema == "phase" and statistics is not None and statistics.has_min_max:
                low, high = statistics.min, statistics.max
                if not low <= self.dataset.phase <= high:
                    return str(low) if low == high else f"{low} to {high}"
        return ""

    def _wanted(self, columns: pa.Schema) -> list[str]:
        if self.kind == "latents":
            return [*LATENTS, *SIZES]
        nested = pa.types.is_struct(columns.field(self.dataset.image).type)
        image = f"{self.dataset.image}.bytes" if nested else self.dataset.image
        return [image, *self.dataset.captions, *(["bucket"] if "bucket" in columns.names else [])]

    def _repeats(self, group: RowGroup, column: pa.ChunkedArray) -> np.ndarray:
        """How often each row is used an epoch: null is once, and nothing is less than never."""
        repeats = _numbers(pc.fill_null(column, 1)).clip(min=0)
        if repeats.max(initial=0) > MAX_REPEATS:
            name = f"{self._folder.root}{self.files[group.file]}, row group {group.group}"
            message = f"{name}: a row is to be repeated {repeats.max()} times"
            raise ManifestError(message, f"`repeats` is at most {MAX_REPEATS}: mend the column, or rename it")
        return repeats

    def _digest(self) -> str:
        """Of names below the folder and row counts: enough to know that numbered rows are still the same rows."""
        lines = [f"{self.files[g.file]}\t{g.group}\t{g.rows}" for g in self.groups]
        return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.int64()).to_numpy() if column.null_count == 0 else column.to_numpy()


def _text_columns(file: pq.ParquetFile) -> list[str]:
    """Of the annotation, what tells how much of it there is: the texts, not the quadrilaterals."""
    leaves = [file.schema.column(index).path for index in range(len(file.schema))]
    texts = [leaf for leaf in leaves if leaf.startswith("text.") and leaf.endswith(".text")]
    return texts or ["text"]


def _first(groups: Sequence[RowGroup], limit: int) -> list[RowGroup]:
    """The row groups that hold the first `limit` rows, the last one cut to size."""
    kept: list[RowGroup] = []
    for group in groups:
        if limit > 0:
            kept.append(replace(group, rows=min(group.rows, limit)))
            limit -= group.rows
    return kept
