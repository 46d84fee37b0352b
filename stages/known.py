"""What earlier runs have, for new samples not to repeat it: the fingerprints and embeddings that they measured.

An earlier run is named by its folder or URL. Of it `run.json`, `signals` and `decisions` are read, so its images and
shards may be gone. What it kept counts: a group of duplicates of which it kept none, say because all were too small,
keeps no better copy out. A run that has decided nothing yet counts whole. A Parquet file with the same columns will do
as well, for a collection that was no run.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import model_validator

from dataengine import catalog
from dataengine.config import Config
from dataengine.errors import ManifestError
from dataengine.run import Run, fingerprint

_ROWS = 1 << 16  # of a batch


class Known(Config):
    """`path`: of a run, or of a Parquet file. `digest`: of what stands there, so that another content is another
    recipe."""

    path: str
    digest: str

    @model_validator(mode="before")
    @classmethod
    def _with_digest(cls, given: Any) -> Any:
        path = given.get("path") if isinstance(given, dict) else given
        if not isinstance(path, str) or not path:
            raise ValueError("give the folder of an earlier run, or a Parquet file")
        try:
            return {"path": path, "digest": _digest(Run(path))}
        except IsADirectoryError:
            raise ValueError(f"{path} is no run: it has no run.json") from None
        except (OSError, ValueError, ImportError) as error:
            raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None

    def check(self, names: Sequence[str], recipes: Mapping[str, str]) -> None:
        """Raise ManifestError where one of the columns is not there, or was measured by another recipe than here: such
        values cannot be compared. recipes: of this run, by column. What a file has is taken at its word."""
        run = Run(self.path)
        if _is_run(run):
            self._check_run(run, names, recipes)
            return
        needed = ["sample_id", *names]
        with self._file() as file:
            if lacking := [name for name in needed if name not in file.schema_arrow.names]:
                remedy = f"it must be a run, or Parquet with {', '.join(needed)}; see docs/duplicates.md"
                raise ManifestError(f"dedup.known: {self.path} has no {', '.join(lacking)}", remedy)

    def _check_run(self, run: Run, names: Sequence[str], recipes: Mapping[str, str]) -> None:
        holders = _holders(catalog.connect(run))
        stages = run.read_json("run.json").get("stages", {})
        for name in names:
            signal = holders.get(name, "").removeprefix("signal_")
            if not signal:
                message = f"dedup.known: {self.path} has not measured {name}"
                raise ManifestError(message, "run it with the signal that this run compares by")
            if stages.get(f"measure.{signal}", {}).get("state") != "done":
                message = f"dedup.known: {self.path} has not measured {name} to the end"
                raise ManifestError(message, "run its manifest again: it goes on where it was")
            mark = run.mark(run.files(f"signals/{signal}")[0])
            if mark is None or mark.recipe != recipes[name]:
                message = f"dedup.known: {self.path} measured {name} otherwise than this run, so they do not compare"
                remedy = "give both the same entry in `measure`, and run the earlier one again with this version"
                raise ManifestError(message, remedy)

    def rows(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """sample_id and the columns asked for of every sample that counts, in the order in which they stand."""
        run, asked = Run(self.path), ["sample_id", *names]
        if not _is_run(run):
            with self._file() as file:
                yield from file.iter_batches(_ROWS, columns=asked)
            return
        db = catalog.connect(run)
        holders = _holders(db)
        first, *others = dict.fromkeys(holders[name] for name in names)
        joined = f'"{first}"' + "".join(f' join "{view}" using (sample_id, part, row)' for view in others)
        group = "sample_id"
        if "duplicate_of" in holders:
            joined += f' left join "{holders["duplicate_of"]}" using (sample_id, part, row)'
            group = "coalesce(duplicate_of, sample_id)"
        yield from db.sql(
            f"""with decided as (select sample_id, part, row, bool_or(kept) as kept from decisions group by all)
                select {", ".join(asked)} from {joined} left join decided using (sample_id, part, row)
                qualify coalesce(bool_or(kept) over (partition by {group}), true) order by part, row"""
        ).to_arrow_reader(_ROWS)

    def _file(self) -> pq.ParquetFile:
        run = Run(self.path)
        try:
            return pq.ParquetFile(run.fs.open(run.root, "rb"))
        except (OSError, pa.ArrowException) as error:
            message = f"dedup.known: {self.path} cannot be read: {str(error).splitlines()[0]}"
            raise ManifestError(message, "it must be a run, or a Parquet file; see docs/duplicates.md") from None


def _is_run(run: Run) -> bool:
    return run.fs.exists(run.path("run.json"))


def _digest(run: Run) -> str:
    """Of a run, what run.json says of those of its stages that are read; of a file, its bytes."""
    if not _is_run(run):
        with run.fs.open(run.root, "rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    stages = run.read_json("run.json").get("stages", {})
    read = {name: s for name, s in stages.items() if name.startswith("measure.") or name in ("dedup", "select")}
    return fingerprint({name: [s.get("state"), s.get("fingerprint")] for name, s in read.items()})


def _holders(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The view of the signal that has each column."""
    views = "select view_name from duckdb_views() where starts_with(view_name, 'signal_') order by all"
    return {name: view for (view,) in db.execute(views).fetchall() for name in catalog.columns(db, view)}
