"""A run's folder on disk: where each dataset lies, how a part is committed, and how one tells that it still stands.

A part is written beside its place and renamed into it, so a reader never sees half of one. What it was made from
stands in its own footer (a Mark), so no database can disagree with the files: a part stands when its footer carries
the fingerprint that the plan asks for. Failures of a part are committed before the part itself, which thus vouches
for both.
"""

import errno
import hashlib
import json
import os
import platform
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from fsspec.implementations.local import LocalFileSystem

from dataengine.errors import RunError

_MARK = b"dataengine"
_TEMPORARY = ".tmp-"
# Columns whose values repeat; all others (ids, bytes, text) would only fill a dictionary page in vain.
_REPETITIVE = ["source", "format", "language", "category", "license", "phase", "bucket", "stage", "error", "dropped_by"]
_INCOMPRESSIBLE = "image.bytes"


def fingerprint(*values: Any) -> str:
    """BLAKE2b-128 hex digest of plain values, by their canonical JSON."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Mark:
    """What a part was made by and from; kept in its Parquet footer."""

    stage: str
    recipe: str  # digest of the stage's version and parameters
    upstream: str  # digest of what it was made from
    inputs: int = 0  # how many inputs it accounts for, as rows or as failures

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.stage, self.recipe, self.upstream)


class PartWriter:
    """Writes one Parquet file beside its place; `commit` renames it there."""

    def __init__(self, run: "Run", path: str, schema: pa.Schema) -> None:
        self.run, self.path, self.schema = run, path, schema
        self.rows = self.bytes = 0
        self._temporary = f"{path}{_TEMPORARY}{uuid.uuid4().hex[:8]}" if run.local else path
        run.fs.makedirs(run.fs._parent(path), exist_ok=True)
        names = set(schema.names)
        leaves = [c for c in _leaves(schema) if c != _INCOMPRESSIBLE]
        self._file = run.fs.open(self._temporary, "wb")
        self._writer = pq.ParquetWriter(
            self._file,
            schema,
            compression={**dict.fromkeys(leaves, "zstd"), **({_INCOMPRESSIBLE: "none"} if "image" in names else {})},
            use_dictionary=[c for c in _REPETITIVE if c in names],
            write_statistics=leaves,
        )

    def write(self, table: pa.Table) -> None:
        """Append the rows as one row group."""
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self.rows += table.num_rows

    def note(self, key: bytes, value: str) -> None:
        """Put a value into the file's metadata."""
        self._writer.add_key_value_metadata({key: value})

    def commit(self, mark: Mark) -> None:
        self._writer.add_key_value_metadata({_MARK: json.dumps(asdict(mark))})
        self._writer.close()
        if self.run.local:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        self.bytes = self.run.fs.size(self._temporary)
        if self.run.local:
            Path(self._temporary).replace(self.path)

    def discard(self) -> None:
        """Leave nothing behind of a part that will not be committed."""
        self._writer.is_open = False  # pyarrow would write the footer when it is collected
        if not self.run.local:
            if hasattr(self._file, "discard"):
                self._file.discard()
            if self.run.fs.exists(self.path) and self.run.mark(self.path) is None:  # some write where they are opened
                self.run.fs.rm_file(self.path)
            return
        with suppress(OSError):  # what is buffered may not fit on the disk that refused the rest
            self._file.close()
        with suppress(OSError):
            Path(self._temporary).unlink(missing_ok=True)


@dataclass(frozen=True)
class Run:
    """A run's folder, local or any fsspec URL. Cheap to make, and picklable: actors are given one."""

    url: str
    options: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _opened(self) -> tuple[fsspec.AbstractFileSystem, str]:
        fs, root = fsspec.core.url_to_fs(self.url, **self.options)
        return fs, root.rstrip("/")

    def __reduce__(self) -> tuple:
        return Run, (self.url, self.options)

    @property
    def fs(self) -> fsspec.AbstractFileSystem:
        return self._opened[0]

    @property
    def root(self) -> str:
        return self._opened[1]

    @property
    def local(self) -> bool:
        return isinstance(self.fs, LocalFileSystem)

    @property
    def location(self) -> str:
        """What `${RUN}` stands for: the absolute path of a local folder, or the URL."""
        return self.root if self.local else self.url.rstrip("/")

    def path(self, *names: str) -> str:
        return "/".join((self.root, *names))

    def part(self, dataset: str, index: int) -> str:
        return self.path(dataset, f"part-{index:05d}.parquet")

    def create(self) -> None:
        """Make the folder. Raises RunError when it cannot be written."""
        try:
            self.fs.makedirs(self.root, exist_ok=True)
            if self.local and not os.access(self.root, os.W_OK):
                raise PermissionError(errno.EACCES, "not writable")
        except OSError as error:
            raise RunError(f"{self.url}: cannot be created: {error}", "choose another folder with --out") from None

    def require(self) -> "Run":
        """Itself, when a run stands there. Raises RunError otherwise."""
        if not self.fs.exists(self.path("run.json")):
            raise RunError(f"{self.url}: no run there (no run.json)", "give the folder that `dataengine run` printed")
        return self

    def files(self, dataset: str) -> list[str]:
        """The Parquet files under a dataset's folder, at any depth, in order of their paths."""
        try:
            found = self.fs.find(self.path(dataset))
        except FileNotFoundError:
            return []
        return sorted(f for f in found if f.endswith(".parquet"))

    @contextmanager
    def writer(self, path: str, schema: pa.Schema) -> Iterator[PartWriter]:
        """A part to be written and committed; when the block raises, nothing of it stays."""
        try:
            writer = PartWriter(self, path, schema)
        except OSError as error:
            raise self._full(error) from None
        try:
            yield writer
        except OSError as error:
            writer.discard()
            raise self._full(error) from error
        except BaseException:
            writer.discard()
            raise

    def _full(self, error: OSError) -> Exception:
        """A RunError for a disk that is full, a quota or a limit on file size; else the error itself."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "space" in str(error).lower():
            return RunError(
                f"{self.url}: no space left to write: {error}",
                "free some space, then run the same command again: finished parts are kept",
            )
        return error

    def mark(self, path: str) -> Mark | None:
        """The mark of the part at `path`; None when there is no whole part."""
        try:
            with self.fs.open(path, "rb") as file:
                metadata = pq.read_metadata(file).metadata or {}
            return Mark(**json.loads(metadata[_MARK]))
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
            return None

    def rows(self, path: str) -> int:
        """How many rows a Parquet file has, by its footer; 0 where there is no whole one."""
        try:
            with self.fs.open(path, "rb") as file:
                return pq.read_metadata(file).num_rows
        except (OSError, pa.ArrowException):
            return 0

    def digest(self, path: str) -> str:
        """BLAKE2b-128 hex digest of a file."""
        state = hashlib.blake2b(digest_size=16)
        with self.fs.open(path, "rb") as file:
            while block := file.read(1 << 20):
                state.update(block)
        return state.hexdigest()

    def stands(self, path: str, expected: str) -> bool:
        mark = self.mark(path)
        return mark is not None and mark.fingerprint == expected

    def remove_others(self, dataset: str, wanted: Sequence[str]) -> int:
        """Remove the files of a dataset that the plan does not hold: parts of an earlier plan, torn temporaries."""
        keep = set(wanted)
        folder = self.path(dataset)
        if not self.fs.exists(folder):
            return 0
        stale = [f for f in self.fs.find(folder) if f not in keep]
        for path in stale:
            self.fs.rm_file(path)
        return len(stale)

    def write_text(self, name: str, text: str) -> None:
        path = self.path(name)
        if not self.local:
            self.fs.pipe_file(path, text.encode())
            return
        temporary = Path(f"{path}{_TEMPORARY}{uuid.uuid4().hex[:8]}")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._full(error) from None

    def manifest(self) -> dict[str, Any]:
        """What the run was asked to do, as its folder has it."""
        return yaml.safe_load(self.fs.cat_file(self.path("manifest.yaml"))) or {}

    def read_json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads(self.fs.cat_file(self.path(name)))
        except (FileNotFoundError, ValueError):
            return {}

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Refuse a second run on a local folder. The kernel frees the lock when its holder dies."""
        if not self.local:
            yield
            return
        import fcntl

        with Path(self.path(".lock")).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(f"{self.url}: another run is working on it", "wait for it, or stop it first") from None
            except OSError as error:
                raise RunError(f"{self.url}: cannot be locked: {error}", "choose another folder with --out") from None
            yield


class State:
    """run.json: versions, and each stage's state, fingerprint, counts and time."""

    def __init__(self, run: Run, name: str, seed: int) -> None:
        self.run = run
        previous = run.read_json("run.json")
        self.data = {"name": name, "seed": seed, "versions": _versions(), "stages": previous.get("stages", {})}

    def set(self, stage: str, **values: Any) -> None:
        self.data["stages"].setdefault(stage, {}).update(values)
        self.save()

    def get(self, stage: str) -> dict[str, Any]:
        return self.data["stages"].get(stage, {})

    def keep_only(self, stages: Sequence[str]) -> None:
        """Forget stages that the manifest no longer has, and put the others in its order."""
        known = self.data["stages"]
        self.data["stages"] = {s: known.get(s, {"state": "pending"}) for s in stages}
        self.save()

    def save(self) -> None:
        self.run.write_text("run.json", json.dumps(self.data, indent=1, ensure_ascii=False) + "\n")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("dataengine", "ray", "pyarrow", "duckdb", "pillow", "numpy", "opencv-contrib-python"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _leaves(schema: pa.Schema) -> list[str]:
    """The dotted paths of a schema's leaf columns, as Parquet names them."""

    def walk(name: str, kind: pa.DataType) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for child in kind:
                yield from walk(f"{name}.{child.name}", child.type)
        elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
            yield from walk(f"{name}.list.element", kind.value_type)
        else:
            yield name

    return [leaf for f in schema for leaf in walk(f.name, f.type)]
