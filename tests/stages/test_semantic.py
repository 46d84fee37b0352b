"""Semantic duplicates: all of them among few vectors, nearly all among many, and the same ones every time."""

import faiss
import numpy as np
import pytest

from stages import semantic
from stages.dedup import components
from stages.semantic import near_pairs


def planted(count: int, copies: int, noise: float, dimensions: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Vectors in groups, as pictures of the same things are, with copies that differ a little; which they copy."""
    rng = np.random.default_rng(0)
    themes = rng.standard_normal((50, dimensions))
    vectors = themes[rng.integers(0, 50, count)] + rng.standard_normal((count, dimensions))
    of = rng.choice(count, copies, replace=False)
    copied = vectors[of] + noise * rng.standard_normal((copies, dimensions))
    return np.concatenate([vectors, copied]).astype(np.float32), of


def brute_force(vectors: np.ndarray, similarity: float) -> set[tuple[int, int]]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return {(i, j) for i, j in np.argwhere(unit @ unit.T >= similarity).tolist() if i < j}


def test_few_vectors_are_all_compared():
    vectors, of = planted(300, 40, 0.1)
    found = {tuple(pair) for pair in near_pairs(vectors, 0.97).tolist()}
    assert found == brute_force(vectors, 0.97)
    assert {(int(i), 300 + n) for n, i in enumerate(of)} <= found


def test_among_many_nearly_all_are_found_and_nothing_else():
    vectors, of = planted(11_000, 1000, 0.1)
    pairs = near_pairs(vectors, 0.97)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert ((unit[pairs[:, 0]] * unit[pairs[:, 1]]).sum(axis=1) >= 0.97 - 1e-6).all()
    found = {tuple(pair) for pair in pairs.tolist()}
    assert sum((int(i), 11_000 + n) in found for n, i in enumerate(of)) >= 990


def test_they_are_the_same_every_time_with_however_many_threads(request):
    vectors, _ = planted(10_000, 200, 0.2)
    before = faiss.omp_get_max_threads()
    request.addfinalizer(lambda: faiss.omp_set_num_threads(before))
    found = []
    for threads in (1, 1, 3):
        faiss.omp_set_num_threads(threads)
        found.append(near_pairs(vectors, 0.9))
    assert len(found[0]) and all(np.array_equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("count", [500, 20_000])
def test_equal_vectors_are_paired_with_the_first_of_them(count: int):
    vectors = np.random.default_rng(0).standard_normal((count, 16)).astype(np.float32)
    vectors[count // 2 :] = vectors[3] * 1  # one picture, very often
    label = components(count, near_pairs(vectors, 0.999))
    assert (label[count // 2 :] == 3).all()


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (2, 1)])
def test_the_fewest_vectors(shape: tuple[int, int]):
    assert near_pairs(np.ones(shape, np.float32), 0.9).shape == (max(0, shape[0] - 1), 2)


def test_vectors_are_equal_only_when_all_of_their_numbers_are():
    """Also where their hashes are the same: without weights all are."""
    rows = np.array([[1, 2], [1, 3], [1, 2], [0, 2]], np.float32)
    assert semantic._first_of_equal(rows, np.zeros(2, np.uint64)).tolist() == [0, 1, 0, 3]
