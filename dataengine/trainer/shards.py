"""Parquet files with encoded images and captions, whoever wrote them: found, checked, and read by row group.

An image is a struct with a `bytes` field, as `datasets` and this project write it, or plain binary. Two more columns
are used where they are there: `phase` to select rows, `bucket` for the aspect that a row was packed for. Files without
an image column are no shards; of these only an index (the columns of `schema.INDEX`) may lie among them.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine import schema
from dataengine.errors import ManifestError

log = logging.getLogger(__name__)

Place = tuple[int, int, int]
"""Where a row stands: file, row group, row of the selected phase."""


@dataclass(frozen=True)
class RowGroup:
    """The unit of reading."""

    file: int
    group: int
    rows: int  # at most: before the selection of a phase


@dataclass(frozen=True)
class Row:
    """One row as it was read. Anything may be null in foreign files."""

    place: Place
    encoded: bytes | None
    captions: tuple[str | None, ...]  # of each column asked for
    bucket: str | None


@dataclass(frozen=True)
class Rows:
    """The rows of one row group, still in Arrow's memory. Those of a broken one are all null."""

    group: RowGroup
    table: pa.Table  # columns encoded, bucket, then each of captions

    @classmethod
    def broken(cls, group: RowGroup) -> "Rows":
        return cls(group, pa.table({name: pa.nulls(group.rows) for name in ("encoded", "bucket")}))

    def __len__(self) -> int:
        return self.table.num_rows

    def __getitem__(self, index: int) -> Row:
        encoded, bucket, *captions = (column[index].as_py() for column in self.table.columns)
        return Row((self.group.file, self.group.group, index), encoded, tuple(captions), bucket)


class Shards:
    """All shards below a path. Opening reads each file's footer once; nothing else is held."""

    def __init__(
        self, path: str, image: str, captions: Sequence[str], phase: int | None, limit: int | None = None
    ) -> None:
        self.path, self.image, self.captions, self.phase = path, image, captions, phase
        self._filesystem, self.files = _find(path)
        self.groups: list[RowGroup] = []
        other_phases: set[str] = set()
        for index, file in enumerate(self.files):
            metadata = self._footer(file)
            columns = metadata.schema.to_arrow_schema()
            if image not in columns.names and set(schema.INDEX.names) <= set(columns.names):
                continue
            self._check(file, columns)
            for group in range(metadata.num_row_groups):
                if held := self._outside_phase(metadata.row_group(group)):
                    other_phases.add(held)
                elif rows := metadata.row_group(group).num_rows:
                    self.groups.append(RowGroup(index, group, rows))
        if not self.groups:
            if other_phases:
                message = f"{path}: no rows of phase {phase}; there are {', '.join(sorted(other_phases))}"
                raise ManifestError(message, "set data.phase to one of these, or leave it out to take all")
            raise ManifestError(f"{path}: its Parquet files hold no rows", "pack shards first, or check data.path")
        if limit is not None:
            self.groups = _first(self.groups, limit)
        self.rows = sum(group.rows for group in self.groups)
        self.listing = self._digest()

    def name(self, place: Place) -> str:
        """A row for people: file, row group and row."""
        return f"{self.files[place[0]]}, row group {place[1]}, row {place[2]}"

    def read(self, group: RowGroup) -> Rows:
        """The rows of the selected phase. Raises OSError or pyarrow's errors when the row group is broken."""
        with self._filesystem.open(self.files[group.file], "rb") as stream:
            file = pq.ParquetFile(stream)
            columns = file.schema_arrow
            nested = pa.types.is_struct(columns.field(self.image).type)
            wanted = [f"{self.image}.bytes" if nested else self.image, *self.captions]
            wanted += [name for name in ("bucket", "phase") if name in columns.names]
            table = file.read_row_group(group.group, columns=wanted)
        if self.phase is not None and "phase" in table.column_names:
            table = table.filter(pc.equal(table["phase"], self.phase))
        table = table.slice(0, group.rows)
        images = table[self.image]
        buckets = table["bucket"].cast(pa.string()) if "bucket" in table.column_names else pa.nulls(len(table))
        encoded = pc.struct_field(images, "bytes") if nested else images
        # By position: a column of captions may have any name, that of another one too.
        return Rows(
            group,
            pa.table([encoded, buckets, *map(table.column, self.captions)], ["encoded", "bucket", *self.captions]),
        )

    def read_places(self, places: Sequence[Place]) -> list[Row]:
        """Single rows, in the order given; each row group is read once."""
        groups = {(group.file, group.group): group for group in self.groups}
        read = {key: self.read(groups[key]) for key in sorted({(file, group) for file, group, _ in places})}
        return [read[file, group][row] for file, group, row in places]

    def _footer(self, file: str) -> pq.FileMetaData:
        try:
            with self._filesystem.open(file, "rb") as stream:
                return pq.read_metadata(stream)
        except (OSError, pa.ArrowException) as error:
            raise ManifestError(
                f"{file}: not a readable Parquet file: {error}", "write it again or remove it"
            ) from None

    def _check(self, file: str, columns: pa.Schema) -> None:
        for key, name in (("image", self.image), *(("caption", name) for name in self.captions)):
            if name not in columns.names:
                raise ManifestError(
                    f"{file}: no column {name!r}; there are: {', '.join(columns.names)}",
                    f"name the column with data.{key}, or leave the file out of data.path",
                )
        image = columns.field(self.image).type
        if pa.types.is_struct(image) and image.get_field_index("bytes") >= 0:
            image = image.field("bytes").type
        if not (pa.types.is_binary(image) or pa.types.is_large_binary(image) or pa.types.is_binary_view(image)):
            message = f"{file}: column {self.image!r} is {image}, not encoded images"
            raise ManifestError(message, "it must be binary, or a struct with a binary field `bytes`")
        for name in self.captions:
            kind = columns.field(name).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
                raise ManifestError(f"{file}: column {name!r} is {kind}, not text", "name others with data.caption")

    def _outside_phase(self, group: pq.RowGroupMetaData) -> str:
        """The phases that a row group holds, when its statistics rule out the selected one; else the empty string."""
        if self.phase is None:
            return ""
        for index in range(group.num_columns):
            column = group.column(index)
            statistics = column.statistics
            if column.path_in_schema == "phase" and statistics is not None and statistics.has_min_max:
                low, high = statistics.min, statistics.max
                if not low <= self.phase <= high:
                    return str(low) if low == high else f"{low} to {high}"
        return ""

    def _digest(self) -> str:
        """Of names below the path and row counts: enough to know that numbered rows are still the same rows."""
        shared = self.files[0].rsplit("/", 1)[0] if len(self.files) == 1 else _shared_folder(self.files)
        lines = [f"{self.files[g.file].removeprefix(shared)}\t{g.group}\t{g.rows}" for g in self.groups]
        return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _find(path: str) -> tuple[fsspec.AbstractFileSystem, list[str]]:
    """The file system and the sorted Parquet files that a path, a folder, a glob or a URL stands for."""
    try:
        filesystem, root = fsspec.core.url_to_fs(path)
        if any(character in root for character in "*?["):
            found = [file for file, info in filesystem.glob(root, detail=True).items() if info["type"] == "file"]
        elif filesystem.isfile(root):
            found = [root]
        else:
            found = [file for file in filesystem.find(root) if file.endswith(".parquet")]
    except (OSError, ImportError, ValueError) as error:  # the last two: a protocol not installed, or not known
        raise ManifestError(f"{path}: cannot be listed: {error}", "check data.path and its permissions") from None
    if not found:
        raise ManifestError(f"{path}: no Parquet file here", "data.path is a file, a folder, a glob, or a URL of these")
    return filesystem, sorted(found)


def _first(groups: Sequence[RowGroup], limit: int) -> list[RowGroup]:
    """The row groups that hold the first `limit` rows, the last one cut to size."""
    kept: list[RowGroup] = []
    for group in groups:
        if limit > 0:
            kept.append(replace(group, rows=min(group.rows, limit)))
            limit -= group.rows
    return kept


def _shared_folder(files: Sequence[str]) -> str:
    first, last = min(files), max(files)
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[: first.rfind("/", 0, shared) + 1]
