"""Collect the rows of Parquet, JSON Lines or CSV files.

The image of a row is a path or URL that fsspec opens (relative ones start at the table's folder), encoded bytes, or
the `image{bytes, path}` struct of the `datasets` library; JSON Lines and CSV hold bytes as base64. Rows are cut into
parts by the sizes of their images, which are found without reading them where the format allows.
"""

import base64
import binascii
from collections.abc import Iterator
from functools import cached_property
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
from stages.collect.reading import ImageParams, read_sample

_FIELDS = ("caption", "language", "category", "license")


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
        for path in self._files():
            info = self._fs.info(path)
            stamp = str(info.get("mtime") or info.get("ETag") or info.get("size"))
            for group, ranges in self._groups(path, limits):
                for start, stop in ranges:
                    yield Piece({"file": path, "stamp": stamp, "group": group, "rows": [start, stop]}, stop - start)

    def _files(self) -> list[str]:
        where = f"collect.{self.name}.path: {self.params.path}"
        _, path = fsspec.core.url_to_fs(self.params.path)
        try:
            files = sorted(self._fs.glob(path)) if any(c in path for c in "*?[") else [path]
            missing = [f for f in files if not self._fs.isfile(f)]
        except OSError as error:
            raise ManifestError(
                f"{where}: cannot be listed: {error}", "check its permissions and credentials"
            ) from None
        if missing or not files:
            raise ManifestError(f"{where}: no such table", "check the path; relative paths start where you are")
        return files

    def _groups(self, path: str, limits: Limits) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """The row ranges of each row group; the whole file is group 0 for formats without row groups."""
        try:
            if path.endswith(".parquet"):
                with self._fs.open(path, "rb") as opened:
                    file = pq.ParquetFile(opened)
                    self._require_columns(path, file.schema_arrow.names)
                    for group in range(file.num_row_groups):
                        yield group, self._ranges(path, file, group, limits)
            else:
                table = self._read_text(path)
                self._require_columns(path, table.column_names)
                yield 0, list(_cut(self._sizes(path, table[self.params.image]), limits))
        except (pa.ArrowInvalid, OSError) as error:
            message = f"collect.{self.name}: {path} cannot be read: {error}"
            raise ManifestError(message, "give a Parquet, JSON Lines (.jsonl) or CSV file") from None

    def _ranges(self, path: str, file: pq.ParquetFile, group: int, limits: Limits) -> list[tuple[int, int]]:
        """The row ranges of one row group; its bytes are read only when its footer does not show that they fit."""
        metadata = file.metadata.row_group(group)
        fits = metadata.num_rows <= limits.samples and metadata.total_byte_size <= limits.bytes
        if fits and self._holds_bytes(file, metadata):
            return [(0, metadata.num_rows)] if metadata.num_rows else []
        column = file.read_row_group(group, columns=[self.params.image])[self.params.image]
        return list(_cut(self._sizes(path, column), limits))

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

    def _require_columns(self, path: str, present: list[str]) -> None:
        for column in (self.params.image, *self._columns.values(), *self.params.meta):
            if column not in present:
                raise ManifestError(
                    f"collect.{self.name}: {path} has no column {column!r}{suggest(column, present)}",
                    f"its columns are: {', '.join(present)}",
                )

    def _read_text_once(self, path: str) -> pa.Table:
        """The last table read is kept: its pieces come one after the other."""
        if self._last is None or self._last[0] != path:
            self._last = path, self._read_text(path)
        return self._last[1]

    def _read_text(self, path: str) -> pa.Table:
        with self._fs.open(path, "rb") as file:
            if path.endswith((".jsonl", ".json", ".ndjson")):
                return pa.json.read_json(file)
            if path.endswith((".csv", ".tsv")):
                options = pa.csv.ParseOptions(delimiter="\t" if path.endswith(".tsv") else ",", newlines_in_values=True)
                return pa.csv.read_csv(file, parse_options=options)
        raise ManifestError(f"collect.{self.name}: {path}: unknown kind of table", "use .parquet, .jsonl or .csv")

    def _sizes(self, path: str, images: pa.ChunkedArray) -> list[int]:
        """Bytes of each row's image, 0 where it cannot be told: such a row will fail when it is read."""
        column = images.combine_chunks()
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
        except (OSError, ValueError):
            return 0

    def produce(self, piece: Piece) -> Iterator[Sample | Failure]:
        path, (start, stop) = piece.payload["file"], piece.payload["rows"]
        wanted = list(dict.fromkeys([self.params.image, *self._columns.values(), *self.params.meta]))
        if path.endswith(".parquet"):
            with self._fs.open(path, "rb") as file:
                table = pq.ParquetFile(file).read_row_group(piece.payload["group"], columns=wanted)
        else:
            table = self._read_text_once(path).select(wanted)
        for number, row in zip(range(start, stop), table.slice(start, stop - start).to_pylist(), strict=True):
            given = {field: row[column] for field, column in self._columns.items()}
            fields: dict[str, Any] = {field: str(value) for field, value in given.items() if value is not None}
            fields["meta"] = {column: row[column] for column in self.params.meta}
            yield read_sample(
                lambda row=row: self._encoded(path, row[self.params.image]),
                source=self.name,
                uri=f"{path}#{piece.payload['group']}.{number}",
                params=self.params,
                fields=fields,
            )

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
            except binascii.Error as error:
                raise SampleError(f"not base64: {error}") from None
        fs, path = self._locate(table_path, value)
        return fs.cat_file(path)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


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
