"""Collect the rows of Parquet, JSON Lines or CSV files.

The image of a row is a path or URL that fsspec opens (relative ones start at the table's folder), encoded bytes, or
the `image{bytes, path}` struct of the `datasets` library; JSON Lines and CSV hold bytes as base64. Rows are cut into
parts by the sizes of their images, which are found without reading them where the format allows.
"""

import base64
from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from dataengine.config import suggest
from dataengine.errors import ManifestError, SampleError
from dataengine.sample import Failure, Sample
from dataengine.stage import GIB, Limits, Piece, Resources
from stages.collect.reading import ImageParams, read_file, read_sample

_BATCH = 64  # rows
_BUFFER = 1 << 20
_LONGEST_ROW = 1 << 30  # of a text table, in bytes


class Params(ImageParams):
    """`image`, `caption` and the `*_column` keys name columns of the table."""

    path: str  # a file or a glob
    image: str = "image"
    caption: str | None = None
    language_column: str | None = None
    category_column: str | None = None
    license_column: str | None = None
    meta: list[str] = []  # further columns to keep in `meta`
    base64: bool = False  # the image column of a JSON Lines or CSV file holds bytes, not paths


class TableSource:
    """The source `table`. A piece is a range of rows of one file (of one row group, for Parquet)."""

    Params = Params
    version = 1
    resources = Resources(cpus=1, memory=GIB)

    def __init__(self, name: str, seed: int, params: Params) -> None:
        self.name, self.params = name, params
        self._last: tuple[str, pa.Table] | None = None

    @cached_property
    def _fs(self) -> fsspec.AbstractFileSystem:
        return fsspec.core.url_to_fs(self.params.path)[0]

    @property
    def _columns(self) -> dict[str, str]:
        """The table's column of each of our fields."""
        named = {
            "caption": self.params.caption,
            "language": self.params.language_column,
            "category": self.params.category_column,
            "license": self.params.license_column,
        }
        return {field: column for field, column in named.items() if column}

    def plan(self, limits: Limits) -> Iterator[Piece]:
        empty = True
        for path in self._files():
            info = self._fs.info(path)
            stamp = str(info.get("mtime") or info.get("ETag") or info.get("size"))
            for group, ranges in self._groups(path, limits):
                for start, stop in ranges:
                    yield Piece({"file": path, "stamp": stamp, "group": group, "rows": [start, stop]}, stop - start)
                    empty = False
        if empty:
            raise ManifestError(f"collect.{self.name}.path: {self.params.path}: no rows", "give a table with images")

    def _files(self) -> list[str]:
        where = f"collect.{self.name}.path: {self.params.path}"
        try:
            _, path = fsspec.core.url_to_fs(self.params.path)
            files = [path] if self._fs.isfile(path) else sorted(self._fs.glob(path))
        except (ImportError, OSError, ValueError) as error:
            raise ManifestError(
                f"{where}: cannot be listed: {error}", "check its permissions and credentials"
            ) from None
        if not files:
            raise ManifestError(f"{where}: no such table", "check the path; relative paths start where you are")
        return files

    def _groups(self, path: str, limits: Limits) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """The row ranges of each row group; the whole file is group 0 for formats without row groups."""
        try:
            if path.endswith(".parquet"):
                with self._fs.open(path, "rb") as opened:
                    file = pq.ParquetFile(opened, buffer_size=_BUFFER)
                    self._require_columns(path, file.schema_arrow)
                    for group in range(file.num_row_groups):
                        yield group, self._ranges(path, file, group, limits)
            else:
                table = self._read_text(path)
                self._require_columns(path, table.schema)
                chunks = table[self.params.image].chunks
                yield 0, list(_cut([size for chunk in chunks for size in self._sizes(path, chunk)], limits))
        except (pa.ArrowInvalid, OSError) as error:
            message = f"collect.{self.name}: {path} cannot be read: {error}"
            raise ManifestError(message, "give a Parquet, JSON Lines (.jsonl) or CSV file") from None

    def _ranges(self, path: str, file: pq.ParquetFile, group: int, limits: Limits) -> list[tuple[int, int]]:
        """The row ranges of one row group; its bytes are read only when its footer does not show that they fit."""
        metadata = file.metadata.row_group(group)
        if metadata.total_byte_size <= limits.bytes and self._holds_bytes(file, metadata):
            sizes = [0] * metadata.num_rows
        else:
            batches = file.iter_batches(_BATCH, row_groups=[group], columns=[self.params.image])
            sizes = [size for batch in batches for size in self._sizes(path, batch[self.params.image])]
        return list(_cut(sizes, limits))

    def _holds_bytes(self, file: pq.ParquetFile, group: pq.RowGroupMetaData) -> bool:
        """Whether the footer shows that every image of a row group stands in it, and none is only named by its path."""
        kind = file.schema_arrow.field(self.params.image).type
        if not (_is_bytes(kind) or pa.types.is_struct(kind)):
            return False
        for index in range(group.num_columns):
            column = group.column(index)
            if column.path_in_schema in (self.params.image, f"{self.params.image}.bytes"):
                statistics = column.statistics
                return statistics is not None and statistics.has_null_count and statistics.null_count == 0
        return False

    def _require_columns(self, path: str, present: pa.Schema) -> None:
        for column in (self.params.image, *self._columns.values(), *self.params.meta):
            if column not in present.names:
                raise ManifestError(
                    f"collect.{self.name}: {path} has no column {column!r}{suggest(column, present.names)}",
                    f"its columns are: {', '.join(present.names)}",
                )
        for column in self._columns.values():
            if pa.types.is_nested(present.field(column).type):
                raise ManifestError(
                    f"collect.{self.name}: column {column!r} of {path} is {present.field(column).type}",
                    "name a column with one text a row",
                )

    def _read_text_once(self, path: str) -> pa.Table:
        """The last table read is kept: its pieces come one after the other."""
        if self._last is None or self._last[0] != path:
            self._last = path, self._read_text(path)
        return self._last[1]

    def _read_text(self, path: str) -> pa.Table:
        with self._fs.open(path, "rb") as file:
            if path.endswith((".jsonl", ".json", ".ndjson")):
                return pa.json.read_json(file, pa.json.ReadOptions(block_size=_LONGEST_ROW))
            if path.endswith((".csv", ".tsv")):
                delimiter = "\t" if path.endswith(".tsv") else ","
                text = dict.fromkeys([self.params.image, *self._columns.values()], pa.string())
                return pa.csv.read_csv(
                    file,
                    pa.csv.ReadOptions(block_size=_LONGEST_ROW),
                    pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                    pa.csv.ConvertOptions(column_types=text, null_values=[""], strings_can_be_null=True),
                )
        raise ManifestError(f"collect.{self.name}: {path}: unknown kind of table", "use .parquet, .jsonl or .csv")

    def _sizes(self, path: str, column: pa.Array) -> list[int]:
        """Bytes of each row's image, 0 where it cannot be told: such a row will fail when it is read."""
        if pa.types.is_struct(column.type) and "bytes" in [f.name for f in column.type]:
            paths = column.field("path") if "path" in [f.name for f in column.type] else None
            sizes = pc.binary_length(column.field("bytes")).to_pylist()
            names = paths.to_pylist() if paths is not None else [None] * len(sizes)
            return [s if s is not None else self._file_size(path, n) for s, n in zip(sizes, names, strict=True)]
        if _is_bytes(column.type):
            return [s or 0 for s in pc.binary_length(column).to_pylist()]
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            if self.params.base64:
                return [(s or 0) * 3 // 4 for s in pc.binary_length(column).to_pylist()]
            return [self._file_size(path, name) for name in column.to_pylist()]
        raise ManifestError(
            f"collect.{self.name}.image: column {self.params.image!r} of {path} is {column.type}",
            "it must hold paths, bytes, or a struct of bytes and path",
        )

    def _locate(self, table_path: str, name: str) -> tuple[fsspec.AbstractFileSystem, str]:
        if "://" in name:
            return fsspec.core.url_to_fs(name)
        return self._fs, name if name.startswith("/") else f"{table_path.rsplit('/', 1)[0]}/{name}"

    def _file_size(self, table_path: str, name: str | None) -> int:
        if not name:
            return 0
        try:
            fs, path = self._locate(table_path, name)
            return int(fs.size(path) or 0)
        except Exception:  # reading the row will say what it is
            return 0

    def produce(self, piece: Piece) -> Iterator[Sample | Failure]:
        path, group, (start, stop) = (piece.payload[key] for key in ("file", "group", "rows"))
        rows = _between(self._batches(path, group), start, stop)
        for number, row in zip(range(start, stop), rows, strict=True):
            uri = f"{path}#{group}.{number}"
            yield read_sample(partial(self._read, path, row), source=self.name, uri=uri, params=self.params)

    def _batches(self, path: str, group: int) -> Iterator[pa.RecordBatch]:
        """A row group, a few rows at a time: other tools write groups that are larger than memory."""
        wanted = list(dict.fromkeys([self.params.image, *self._columns.values(), *self.params.meta]))
        if not path.endswith(".parquet"):
            yield from self._read_text_once(path).select(wanted).to_batches(_BATCH)
            return
        with self._fs.open(path, "rb") as opened:
            file = pq.ParquetFile(opened, buffer_size=_BUFFER)
            yield from file.iter_batches(_BATCH, row_groups=[group], columns=wanted)

    def _read(self, table_path: str, row: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        fields: dict[str, Any] = {field: row[column] for field, column in self._columns.items()}
        fields = {field: str(value) for field, value in fields.items() if value is not None}
        fields["meta"] = {column: row[column] for column in self.params.meta}
        return self._encoded(table_path, row[self.params.image]), fields

    def _encoded(self, table_path: str, value: Any) -> bytes:
        """The image that a cell holds or names."""
        if isinstance(value, dict):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes):
            return value
        if not value:
            raise SampleError("the row has no image")
        if self.params.base64:
            try:
                return base64.b64decode(value, validate=True)
            except ValueError as error:
                raise SampleError(f"not base64: {error}") from None
        fs, path = self._locate(table_path, value)
        return read_file(fs, path)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _between(batches: Iterator[pa.RecordBatch], start: int, stop: int) -> Iterator[dict[str, Any]]:
    """The rows from `start` up to `stop` of consecutive batches."""
    for batch in batches:
        first = max(start, 0)
        yield from batch.slice(min(first, batch.num_rows), stop - first).to_pylist()
        start, stop = start - batch.num_rows, stop - batch.num_rows
        if stop <= 0:
            return


def _cut(sizes: list[int], limits: Limits) -> Iterator[tuple[int, int]]:
    """Row ranges of at most the limits' rows and bytes."""
    start = total = 0
    for row, size in enumerate(sizes):
        if row > start and (row - start >= limits.samples or total + size > limits.bytes):
            yield start, row
            start, total = row, 0
        total += size
    if len(sizes) > start:
        yield start, len(sizes)
