"""Pairs of embeddings with a high cosine, found within clusters (SemDeDup: Abbas et al. 2023).

Vectors are put into about 2√n clusters by k-means, and each is compared with those of the few clusters that are nearest
to it. Two that are nearly the same lie in the same cluster or in neighbouring ones; what is missed is what lies beyond
those. Up to a few thousand vectors all are compared, and nothing is missed.
"""

from typing import Any

import numpy as np

from dataengine.errors import StageError

_ALL = 8192  # vectors of which all pairs are compared
_PROBES = 4  # clusters in which each vector is looked up
_TRAIN = 64  # vectors a cluster that k-means sees
_BLOCK = 4096  # vectors looked up at once


def near_pairs(vectors: np.ndarray, similarity: float, seed: int = 0) -> np.ndarray:
    """Pairs i < j whose cosine is at least `similarity`, int64 (n, 2), that connect all that are found: of equal
    vectors each is paired with the first only. vectors: float32 (n, d), not of length zero.

    Needs faiss from 8,193 different vectors on; raises StageError where it is missing."""
    rows = np.ascontiguousarray(vectors, np.float32)
    first = _first_of_equal(rows, np.random.default_rng(0).integers(0, 2**64, rows.shape[1], dtype=np.uint64))
    kept = np.flatnonzero(first == np.arange(len(rows)))
    unit = rows[kept]
    unit /= np.sqrt(np.einsum("ij,ij->i", unit, unit))[:, None]
    pairs = _compared(unit, similarity) if len(unit) <= _ALL else _clustered(unit, similarity, seed)
    alike = np.stack([first, np.arange(len(rows))], axis=1)
    return np.concatenate([alike[alike[:, 0] != alike[:, 1]], kept[pairs]])


def _first_of_equal(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The index of the first vector that is the same, int64 (n,). Found by a hash, a sum by random weights, uint64
    (d,), so that nothing large is sorted."""
    blocks = (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
    hashes = [np.empty(0, np.uint64), *((block.view(np.uint32) * weights).sum(axis=1) for block in blocks)]
    _, place, back = np.unique(np.concatenate(hashes), return_index=True, return_inverse=True)
    first = place[back]
    for later in np.array_split(np.flatnonzero(first != np.arange(len(rows))), max(1, len(rows) // _BLOCK)):
        differ = (rows[later] != rows[first[later]]).any(axis=1)
        first[later[differ]] = later[differ]
    return first


def _compared(unit: np.ndarray, similarity: float) -> np.ndarray:
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(unit), _BLOCK):
        rows, others = np.nonzero(unit[start : start + _BLOCK] @ unit[start:].T >= similarity)
        later = others > rows
        found.append(np.stack([rows[later], others[later]], axis=1) + start)
    return np.concatenate(found)


def _clustered(unit: np.ndarray, similarity: float, seed: int) -> np.ndarray:
    faiss = _faiss()
    count, dimensions = unit.shape
    clusters = round(np.sqrt(_PROBES * count))  # finding a cluster then costs what looking into them does
    kmeans = faiss.Kmeans(dimensions, clusters, niter=5, seed=seed, max_points_per_centroid=_TRAIN, spherical=True)
    kmeans.train(unit)
    index = faiss.IndexIVFFlat(kmeans.index, dimensions, clusters, faiss.METRIC_INNER_PRODUCT)
    index.train(unit)  # its clusters are those already
    index.add(unit)
    index.nprobe = min(_PROBES, clusters)
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, count, _BLOCK):
        # faiss takes what is greater, not what is equal.
        edges, _, others = index.range_search(unit[start : start + _BLOCK], float(np.nextafter(similarity, 0)))
        rows = np.repeat(np.arange(len(edges) - 1), np.diff(edges.astype(np.int64))) + start
        pairs = np.stack([rows, others.astype(np.int64)], axis=1)
        found.append(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise StageError(f"semantic duplicates cannot be looked up: {error}", "pip install faiss-cpu") from None
    return faiss
