"""Dedup: groups of images that are the same, nearly, or in meaning, and which one of each group is the best.

- *exact*: the same decoded pixels (`pixel_digest`, which also finds the same picture in another container).
- *near*: the 64-bit pHash and dHash differ in at most so many bits each. Found by an exact index (`stages.hamming`):
  7 s for a million hashes. Images whose hashes are equal are compared once, however many they are.
- *semantic*: the cosine of two embeddings is at least so much (`stages.semantic`), where `semantic` asks for it.

With `caption_distance`, pairs of image and caption are compared: a picture with other words is another sample. Groups
are connected components, and the keeper is the first by a declared order; samples of earlier runs (`known`) come before
all. Whether a duplicate is dropped is for `select` to say: `duplicate_of is null`.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BeforeValidator, Field

from dataengine.catalog import columns, first_line
from dataengine.config import Config
from dataengine.errors import ManifestError
from stages import hamming, semantic

_KNOWN_POSITION = -1  # part and row of a sample of an earlier run


class Semantic(Config):
    """`column`: of an embedding, of any length. `similarity`: the cosine from which on two images are the same."""

    column: str = "clip_embedding"
    similarity: float = Field(0.95, gt=0, le=1)


class Known(Config):
    """A Parquet file of samples that new ones are compared with: sample_id, pixel_digest, phash, dhash, and
    caption_hash where captions count. `digest` is that of its bytes, so that another content is another recipe."""

    path: str
    digest: str


def _with_digest(given: Any) -> Any:
    path = given if isinstance(given, str) else given.get("path", "")
    try:
        with Path(path).open("rb") as file:
            return {"path": path, "digest": hashlib.file_digest(file, "blake2b").hexdigest()[:32]}
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); docs/duplicates.md says how one is made") from None


class Params(Config):
    """`where` limits the near comparison: pages of text look alike to a perceptual hash, so leave them out of it."""

    phash_distance: int = Field(6, ge=0, le=64)
    dhash_distance: int = Field(10, ge=0, le=64)
    caption_distance: int | None = Field(None, ge=0, le=64)
    semantic: Semantic | None = None
    known: list[Annotated[Known, BeforeValidator(_with_digest)]] = []
    where: str = "true"
    keep: list[str] = ["width * height desc", "bytes desc", "length(coalesce(caption, '')) desc"]

    @property
    def distances(self) -> dict[str, int]:
        """How far apart each hash may be, the one to look up by first."""
        images = {"phash": self.phash_distance, "dhash": self.dhash_distance}
        return images if self.caption_distance is None else {**images, "caption_hash": self.caption_distance}


def near_pairs(hashes: Sequence[np.ndarray], distances: Sequence[int]) -> np.ndarray:
    """Pairs i < j within all of the Hamming distances, int64 (n, 2), that connect all that are near: of images with the
    same hashes each is paired with the first only. Hashes are uint64 (n,) each; pairs are looked up by the first."""
    order = np.lexsort(hashes[::-1])  # equal ones stay in their order
    new = np.ones(len(order), bool)
    new[1:] = np.any([np.diff(h[order]) != 0 for h in hashes], axis=0)
    first = order[new]
    alike = np.stack([first[np.cumsum(new) - 1], order], axis=1)[~new]
    pairs = first[hamming.near_pairs(hashes[0][first], distances[0])]
    return np.concatenate([alike, np.sort(_within(pairs, hashes[1:], distances[1:]), axis=1)])


def _within(pairs: np.ndarray, hashes: Sequence[np.ndarray], distances: Sequence[int]) -> np.ndarray:
    for values, distance in zip(hashes, distances, strict=True):
        pairs = pairs[np.bitwise_count(values[pairs[:, 0]] ^ values[pairs[:, 1]]) <= distance]
    return pairs


def components(count: int, pairs: np.ndarray) -> np.ndarray:
    """The smallest member of each node's connected component, int64 (count,)."""
    label = np.arange(count)
    while len(pairs):
        smallest = np.minimum(label[pairs[:, 0]], label[pairs[:, 1]])
        np.minimum.at(label, pairs[:, 0], smallest)
        np.minimum.at(label, pairs[:, 1], smallest)
        label = label[label]
        if (label[pairs[:, 0]] == label[pairs[:, 1]]).all():
            break
    return label


def first_of_each(keys: pa.ChunkedArray) -> np.ndarray:
    """The index of the first row with the same key, int64 (n,)."""
    codes = keys.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(codes, return_index=True)  # codes are numbered as they come
    return first[codes]


class Dedup:
    """The engine's `dedup`: writes the signal `duplicates`, one row a sample."""

    Params = Params
    version = 2
    columns = pa.schema(
        [
            ("sample_id", pa.string()),
            ("duplicate_of", pa.string()),  # the keeper's sample_id; null for a keeper and for an image without twin
            ("duplicate_kind", pa.string()),  # exact, near or semantic: the strictest that makes them one group
            ("duplicate_distance", pa.int32()),  # bits between the pHashes of the two
            ("part", pa.int32()),
            ("row", pa.int32()),
        ]
    )

    def __init__(self, seed: int, params: Params) -> None:
        self.params = params

    def check(self, db: duckdb.DuckDBPyConnection) -> None:
        known = columns(db, "measured")
        if lacking := [name for name in self.params.distances if name not in known]:
            message = f"dedup compares fingerprints, and {', '.join(lacking)} is not measured"
            raise ManifestError(message, "add `- fingerprint` to measure")
        asked = self.params.semantic
        if asked and asked.column not in known:
            message = f"dedup.semantic.column: {asked.column} is not measured"
            raise ManifestError(message, "add the signal that embeds, for instance `- clip`, to measure")
        try:
            db.execute(f"explain {self._sql()}").fetchall()
        except duckdb.Error as error:
            raise self._fault(error, f"columns: {', '.join(sorted(known))}") from None

    def rows(self, db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
        try:
            new = db.sql(self._sql()).to_arrow_table()
        except duckdb.Error as error:  # a cast, on the values at hand
            raise self._fault(error, "make both hold for every sample, for instance with try_cast") from None
        table = pa.concat_tables([*self._earlier(new.schema), new])  # from best to worst
        count = table.num_rows
        first = first_of_each(table["key"])
        exact = np.stack([first, np.arange(count)], axis=1)
        near = np.concatenate([exact, self._near(table)])
        of_near = keeper = components(count, near)
        if self.params.semantic:
            keeper = components(count, np.concatenate([near, self._semantic(table)]))
        kinds = np.where(keeper != of_near, "semantic", np.where(first == first[keeper], "exact", "near"))
        single = keeper == np.arange(count)
        phash, ids = _hash(table, "phash"), table["sample_id"].combine_chunks()
        result = pa.table(
            {
                "sample_id": ids,
                "duplicate_of": pa.array(ids.take(pa.array(keeper)).to_numpy(zero_copy_only=False), mask=single),
                "duplicate_kind": pa.array(kinds, pa.string(), mask=single),
                "duplicate_distance": pa.array(np.bitwise_count(phash ^ phash[keeper]).astype(np.int32), mask=single),
                "part": table["part"],
                "row": table["row"],
            },
            schema=self.columns,
        )
        own = result.filter(pc.not_equal(result["part"], _KNOWN_POSITION))
        return own.sort_by([("part", "ascending"), ("row", "ascending")]).to_reader()

    def _near(self, table: pa.Table) -> np.ndarray:
        """Pairs of rows, int64 (n, 2)."""
        candidates = np.flatnonzero(table["comparable"].to_numpy())
        hashes = [_hash(table, name)[candidates] for name in self.params.distances]
        return candidates[near_pairs(hashes, list(self.params.distances.values()))]

    def _semantic(self, table: pa.Table) -> np.ndarray:
        """Pairs of rows, int64 (n, 2). Samples of earlier runs have no embeddings here."""
        assert self.params.semantic is not None
        whole = pc.and_(table["comparable"], pc.is_valid(table["embedding"])).to_numpy()
        rows = table["embedding"].filter(pa.array(whole)).combine_chunks()
        flat = rows.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        vectors = flat.reshape(len(rows), -1) if len(rows) else np.empty((0, 1), np.float32)
        candidates = np.flatnonzero(whole)
        pairs = candidates[semantic.near_pairs(vectors, self.params.semantic.similarity)]
        if self.params.caption_distance is None:
            return pairs
        return _within(pairs, [_hash(table, "caption_hash")], [self.params.caption_distance])

    def _earlier(self, like: pa.Schema) -> list[pa.Table]:
        """Samples of earlier runs, in the columns of this one's. Raises ManifestError for a file that has others."""
        tables = []
        for known in self.params.known:
            names = ["sample_id", "pixel_digest", *self.params.distances]
            try:
                found = pq.read_table(known.path, columns=names)
            except (OSError, pa.ArrowException) as error:
                message = f"dedup.known: {known.path} cannot be read: {str(error).splitlines()[0]}"
                raise ManifestError(
                    message, f"it must be Parquet with {', '.join(names)}; see docs/duplicates.md"
                ) from None
            rows = found.num_rows
            key = found["pixel_digest"]
            if "caption_hash" in names:
                text = found["caption_hash"].cast(pa.string()).fill_null("0")
                key = pc.binary_join_element_wise(key, text, ":")
            position = pa.array(np.full(rows, _KNOWN_POSITION, np.int32))
            made = {**{n: found[n] for n in names}, "key": key, "part": position, "row": position}
            made["comparable"] = pc.and_(pc.is_valid(found["phash"]), pc.is_valid(found["dhash"]))
            nothing = {f.name: pa.nulls(rows, f.type) for f in like if f.name not in made}
            tables.append(pa.table({f.name: {**made, **nothing}[f.name] for f in like}).cast(like))
        return tables

    def _sql(self) -> str:
        """Samples from best to worst, so that a smaller index is a better image."""
        order = "\n, ".join([*self.params.keep, "sample_id", "part", "row"])
        key = "coalesce(pixel_digest, sample_id)"
        if self.params.caption_distance is not None:
            key += " || ':' || coalesce(caption_hash, 0)"
        hashes = ", ".join(f"{name}::ubigint as {name}" for name in self.params.distances)
        embedding = f', "{self.params.semantic.column}" as embedding' if self.params.semantic else ""
        return f"""
            select sample_id, part, row, {hashes}, {key} as key{embedding},
                phash is not null and dhash is not null and coalesce(({self.params.where}\n), false) as comparable
            from measured order by {order}
        """

    def _fault(self, error: duckdb.Error, remedy: str) -> ManifestError:
        return ManifestError(f"dedup: `where` or `keep`: {first_line(error)}", remedy)


def _hash(table: pa.Table, name: str) -> np.ndarray:
    """A column of hashes as uint64 (n,), 0 where it is null."""
    return table[name].combine_chunks().fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
