"""Dedup: groups of identical and near-identical images, and which one of each group is the best.

Identical means the same decoded pixels (`pixel_digest`, which also finds the same picture in another container); near
means that the 64-bit pHash and dHash differ in at most so many bits each. Groups are connected components, and the
keeper is the first by a declared order. Whether a duplicate is dropped is for `select` to say: `duplicate_of is null`.

Near pairs come from an exact index (`stages.hamming`): 7 s for a million hashes. Images whose hashes are equal are
compared once, however many they are.
"""

import duckdb
import numpy as np
import pyarrow as pa
from pydantic import Field

from dataengine.catalog import columns, first_line
from dataengine.config import Config
from dataengine.errors import ManifestError
from stages import hamming


class Params(Config):
    """`where` limits the near comparison: pages of text look alike to a perceptual hash, so leave them out of it."""

    phash_distance: int = Field(6, ge=0, le=64)
    dhash_distance: int = Field(10, ge=0, le=64)
    where: str = "true"
    keep: list[str] = ["width * height desc", "bytes desc", "length(coalesce(caption, '')) desc"]


def near_pairs(phash: np.ndarray, dhash: np.ndarray, phash_distance: int, dhash_distance: int) -> np.ndarray:
    """Pairs i < j within both Hamming distances, int64 (n, 2), that connect all that are near: of images with the same
    hashes each is paired with the first only. Hashes are uint64 (n,)."""
    order = np.lexsort((dhash, phash))  # equal ones stay in their order
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(phash[order]) != 0) | (np.diff(dhash[order]) != 0)
    first = order[new]
    alike = np.stack([first[np.cumsum(new) - 1], order], axis=1)[~new]
    pairs = hamming.near_pairs(phash[first], phash_distance)
    close = np.bitwise_count(dhash[first[pairs[:, 0]]] ^ dhash[first[pairs[:, 1]]]) <= dhash_distance
    return np.concatenate([alike, np.sort(first[pairs[close]], axis=1)])


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


def _in_params(error: duckdb.Error, remedy: str) -> ManifestError:
    return ManifestError(f"dedup: `where` or `keep`: {first_line(error)}", remedy)


class Dedup:
    """The engine's `dedup`: writes the signal `duplicates`, one row a sample."""

    Params = Params
    version = 1
    columns = pa.schema(
        [
            ("sample_id", pa.string()),
            ("duplicate_of", pa.string()),  # the keeper's sample_id; null for a keeper and for an image without twin
            ("duplicate_kind", pa.string()),  # exact or near
            ("duplicate_distance", pa.int32()),  # bits between the pHashes of the two
            ("part", pa.int32()),
            ("row", pa.int32()),
        ]
    )

    def __init__(self, seed: int, params: Params) -> None:
        self.params = params

    def check(self, db: duckdb.DuckDBPyConnection) -> None:
        known = columns(db, "measured")
        if "phash" not in known:
            raise ManifestError("dedup compares fingerprints, which are not measured", "add `- fingerprint` to measure")
        try:
            db.execute(f"explain {self._sql()}").fetchall()
        except duckdb.Error as error:
            raise _in_params(error, f"columns: {', '.join(sorted(known))}") from None

    def rows(self, db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
        try:
            table = db.sql(self._sql()).to_arrow_table()
        except duckdb.Error as error:  # a cast, on the values at hand
            raise _in_params(error, "make both hold for every sample, for instance with try_cast") from None
        count = table.num_rows
        phash = table["phash"].combine_chunks().fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
        dhash = table["dhash"].combine_chunks().fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
        candidates = np.flatnonzero(table["comparable"].to_numpy())
        near = near_pairs(phash[candidates], dhash[candidates], self.params.phash_distance, self.params.dhash_distance)
        first_of_digest = table["first_of_digest"].to_numpy()
        exact = np.stack([first_of_digest, np.arange(count)], axis=1)
        keeper = components(count, np.concatenate([exact, candidates[near]]))
        twin = keeper != np.arange(count)
        ids = table["sample_id"].combine_chunks()
        kinds = np.where(first_of_digest == first_of_digest[keeper], "exact", "near")
        distance = np.bitwise_count(phash ^ phash[keeper]).astype(np.int32)
        result = pa.table(
            {
                "sample_id": ids,
                "duplicate_of": pa.array(ids.take(pa.array(keeper)).to_numpy(zero_copy_only=False), mask=~twin),
                "duplicate_kind": pa.array(kinds, pa.string(), mask=~twin),
                "duplicate_distance": pa.array(distance, mask=~twin),
                "part": table["part"],
                "row": table["row"],
            },
            schema=self.columns,
        )
        return result.sort_by([("part", "ascending"), ("row", "ascending")]).to_reader()

    def _sql(self) -> str:
        """Samples from best to worst, so that a smaller index is a better image, with the first of equal pixels."""
        order = "\n, ".join([*self.params.keep, "sample_id", "part", "row"])
        return f"""
            with ranked as (
                select sample_id, part, row, phash, dhash,
                    coalesce(pixel_digest, sample_id) as digest,
                    phash is not null and dhash is not null and coalesce(({self.params.where}\n), false) as comparable,
                    row_number() over (order by {order}) - 1 as rank
                from measured
            )
            select *, min(rank) over (partition by digest) as first_of_digest from ranked order by rank
        """
