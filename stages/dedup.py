"""Dedup: groups of images that are the same, nearly, or in meaning, and which one of each group is the best.

- *exact*: the same decoded pixels (`pixel_digest`, which also finds the same picture in another container).
- *near*: the 64-bit pHash and dHash differ in at most so many bits each. Found by an exact index (`stages.hamming`):
  4 s for a million hashes. Images whose hashes are equal are compared once, however many they are.
- *semantic*: the cosine of two embeddings is at least so much (`stages.semantic`), where `semantic` asks for it.

With `caption_distance`, pairs of image and caption are compared: a picture with other words is another sample. Groups
are connected components, and the keeper is the first by a declared order; samples of earlier runs (`stages.known`) come
before all. Whether a duplicate is dropped is for `select` to say: `duplicate_of is null`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from pydantic import Field

from dataengine.catalog import columns, first_line, measured
from dataengine.config import Config
from dataengine.errors import ManifestError
from stages import hamming, semantic
from stages.known import Known


class Semantic(Config):
    """`column`: of an embedding, of any length. `similarity`: the cosine from which on two images are the same."""

    column: str = "clip_embedding"
    similarity: float = Field(0.95, gt=0, le=1)


class Params(Config):
    """`where` limits the near comparison: pages of text look alike to a perceptual hash, so leave them out of it."""

    phash_distance: int = Field(6, ge=0, le=64)
    dhash_distance: int = Field(14, ge=0, le=64)
    caption_distance: int | None = Field(None, ge=0, le=64)
    semantic: Semantic | None = None
    known: list[Known] = []
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


@dataclass(frozen=True)
class _Embedded:
    """Samples by their ranks, int64 (n,), and their embeddings, float32 (n, d)."""

    ranks: np.ndarray
    vectors: np.ndarray


class Dedup:
    """The engine's `dedup`: writes the signal `duplicates`, one row a sample."""

    Params = Params
    version = 3
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
        there = columns(db, "measured")
        if lacking := [name for name in self.params.distances if name not in there]:
            message = f"dedup compares fingerprints, and {', '.join(lacking)} is not measured"
            raise ManifestError(message, "add `- fingerprint` to measure")
        if asked := self.params.semantic:
            kind = there.get(asked.column, "")
            if kind not in ("FLOAT[]", "DOUBLE[]"):
                message = f"dedup.semantic.column: {asked.column} is {f'a {kind}' if kind else 'not measured'}"
                raise ManifestError(message, "add a signal that embeds, for instance `- clip`, and name its column")
        try:
            db.execute(f"explain {self._own()}").fetchall()
            [[_, kind, *_]] = db.execute(f"describe select ({self.params.where}\n) from measured").fetchall()
        except duckdb.Error as error:
            raise self._fault(error, f"columns: {', '.join(sorted(there))}") from None
        if kind != "BOOLEAN":
            message = f"dedup.where: {self.params.where!r} is a {kind}, not true or false"
            raise ManifestError(message, "write a comparison such as source <> 'pages'")
        if self.params.known:
            recipes = dict(db.execute("select name, recipe from recipes").fetchall())
            for known in self.params.known:
                known.check(self._compared, recipes)

    def rows(self, db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
        # A row's number is its rank, from best to worst. Ids and keys stay in DuckDB, which spills them to disk.
        hashes = ", ".join(f"{name} ubigint" for name in self.params.distances)
        fields = f"sample_id varchar, part int, row int, key varchar, comparable boolean, {hashes}"
        db.execute(f"create or replace temp table _ranked ({fields})")
        embedded = [self._insert_known(db, known) for known in self.params.known]
        try:
            db.execute(f"insert into _ranked {self._own()}")
        except duckdb.Error as error:  # a cast, on the values at hand
            raise self._fault(error, "make both hold for every sample, for instance with try_cast") from None
        if self.params.semantic:
            embedded.append(_own_embedded(db, self.params.semantic.column))
        db.register("_twins", self._twins(db, embedded))
        return db.sql(
            """select own.sample_id, best.sample_id as duplicate_of, kind as duplicate_kind,
                    bits as duplicate_distance, own.part, own.row
                from _ranked own left join _twins on rank = own.rowid left join _ranked best on best.rowid = keeper
                where own.part is not null order by own.part, own.row"""
        ).to_arrow_reader(1 << 16)

    def _twins(self, db: duckdb.DuckDBPyConnection, embedded: Sequence[_Embedded]) -> pa.Table:
        """Of every sample that is not its group's best: rank, rank of the keeper, kind, and bits between the two."""
        names = list(self.params.distances)
        found = db.execute(f"select comparable, {', '.join(names)} from _ranked").fetchnumpy()
        comparable, *hashes = (np.asarray(found[name]) for name in ("comparable", *names))
        first = _first_of_each(db, len(comparable))
        exact = np.stack([first, np.arange(len(first))], axis=1)[first != np.arange(len(first))]
        candidates = np.flatnonzero(comparable)
        near = candidates[near_pairs([h[candidates] for h in hashes], list(self.params.distances.values()))]
        pairs = np.concatenate([exact, near])
        keeper = of_near = components(len(first), pairs)
        if self.params.semantic:
            alike = _alike(embedded, comparable, self.params.semantic.similarity)
            if self.params.caption_distance is not None:
                alike = _within(alike, hashes[-1:], [self.params.caption_distance])
            keeper = components(len(first), np.concatenate([pairs, alike]))
        rank = np.flatnonzero(keeper != np.arange(len(keeper)))
        best = keeper[rank]
        kind = np.where(best != of_near[rank], "semantic", np.where(first[rank] == first[best], "exact", "near"))
        bits = np.bitwise_count(hashes[0][rank] ^ hashes[0][best]).astype(np.int32)
        return pa.table({"rank": rank, "keeper": best, "kind": pa.array(kind, pa.string()), "bits": bits})

    @property
    def _compared(self) -> list[str]:
        """The columns of an earlier run that are compared."""
        asked = self.params.semantic
        return ["pixel_digest", *self.params.distances, *([asked.column] if asked else [])]

    def _insert_known(self, db: duckdb.DuckDBPyConnection, known: Known) -> _Embedded:
        """Rank the samples of an earlier run; their embeddings, where those are compared."""
        found = []
        for batch in known.rows(self._compared):
            [(rank,)] = db.execute("select count(*) from _ranked").fetchall()
            db.register("_batch", pa.table(batch))
            db.execute(f"insert into _ranked select {self._columns('null', 'null', 'true')} from _batch")
            if self.params.semantic:
                ranks = np.arange(rank, rank + batch.num_rows)
                found.append(_of_batch(ranks, batch[self.params.semantic.column]))
        return _joined(found)

    def _own(self) -> str:
        """SQL for this run's samples, from best to worst."""
        order = "\n, ".join([*self.params.keep, "sample_id", "part", "row"])
        return f"select {self._columns('part', 'row', self.params.where)} from measured order by {order}"

    def _columns(self, part: str, row: str, where: str) -> str:
        """SQL for the columns of the ranking."""
        key = "coalesce(pixel_digest, sample_id)"
        if self.params.caption_distance is not None:
            key += " || ':' || coalesce(caption_hash, 0)"
        comparable = f"phash is not null and dhash is not null and coalesce(({where}\n), false)"
        hashes = ", ".join(f"coalesce({name}, 0)" for name in self.params.distances)
        return f"sample_id, {part}, {row}, {key}, {comparable}, {hashes}"

    def _fault(self, error: duckdb.Error, remedy: str) -> ManifestError:
        return ManifestError(f"dedup: `where` or `keep`: {first_line(error)}", remedy)


def _first_of_each(db: duckdb.DuckDBPyConnection, count: int) -> np.ndarray:
    """The rank of the first with the same key, int64 (count,)."""
    found = db.execute(
        """with often as (select key, min(rowid) as first from _ranked group by key having count(*) > 1)
            select rowid as rank, first from _ranked join often using (key)"""
    ).fetchnumpy()
    first = np.arange(count)
    first[found["rank"]] = found["first"]
    return first


def _own_embedded(db: duckdb.DuckDBPyConnection, column: str) -> _Embedded:
    own = f'select _ranked.rowid, "{column}" from _ranked join {measured(db, [column])} using (part, row)'
    return _joined(_of_batch(batch[0].to_numpy(), batch[1]) for batch in db.sql(own).to_arrow_reader(1 << 14))


def _of_batch(ranks: np.ndarray, lists: pa.Array) -> _Embedded:
    there = lists.is_valid()
    rows = lists.filter(there)
    flat = rows.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return _Embedded(ranks[there.to_numpy(zero_copy_only=False)], flat.reshape(len(rows), -1 if len(rows) else 0))


def _joined(found: Iterable[_Embedded]) -> _Embedded:
    """In order of ranks, so that what is found does not depend on how they came."""
    some = [one for one in found if len(one.ranks)]
    if not some:
        return _Embedded(np.empty(0, np.int64), np.empty((0, 0), np.float32))
    ranks = np.concatenate([one.ranks for one in some])
    order = np.argsort(ranks)
    return _Embedded(ranks[order], np.concatenate([one.vectors for one in some])[order])


def _alike(embedded: Sequence[_Embedded], comparable: np.ndarray, similarity: float) -> np.ndarray:
    """Pairs of ranks whose embeddings have a high cosine, int64 (n, 2)."""
    widths = sorted({one.vectors.shape[1] for one in embedded if len(one.ranks)})
    if len(widths) > 1:
        message = f"dedup.known: embeddings have {' and '.join(map(str, widths))} numbers, so they do not compare"
        raise ManifestError(message, "measure both by the same model, or leave out `semantic`")
    every = _joined(embedded)
    asked = comparable[every.ranks]
    ranks = every.ranks[asked]
    return ranks[semantic.near_pairs(every.vectors[asked], similarity)] if len(ranks) else np.empty((0, 2), np.int64)
