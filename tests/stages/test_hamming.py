"""Pairs of hashes within a distance: those of brute force, by whatever way they are found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import hamming
from stages.hamming import near_pairs


def brute(hashes: np.ndarray, distance: int) -> list[list[int]]:
    close = np.bitwise_count(hashes[:, None] ^ hashes[None]) <= distance
    return np.argwhere(np.triu(close, 1)).tolist()


def planted(count: int, copies: int, most: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random hashes, the last `copies` of which are others with at most `most` bits turned; and whose copies."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    of = rng.integers(0, count - copies, copies)
    changed = hashes[of]
    for _ in range(most):
        changed = changed ^ (np.uint64(1) << rng.integers(0, 64, copies).astype(np.uint64))
    hashes[count - copies :] = changed
    return hashes, of


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=30),
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 63)), max_size=60),
    st.integers(0, 12),
    st.integers(3, 8),
)
def test_every_number_of_bands_finds_the_pairs_of_brute_force(values, flips, distance, number):
    for i, bit in flips:
        if values:
            values = [*values, values[i % len(values)] ^ (1 << bit)]
    hashes = np.array(values, np.uint64)
    expected = brute(hashes, distance)
    assert near_pairs(hashes, distance).tolist() == expected
    found = [np.empty((0, 2), np.int64), *hamming._indexed(hashes, distance, hamming._bands(number, distance))]
    pairs = np.concatenate(found).tolist()
    assert sorted(pairs) == expected, "each once"


@pytest.mark.parametrize("table", [10, 13])
@pytest.mark.parametrize("number", [3, 4, 5])
def test_values_of_many_ranges_and_in_small_blocks_give_the_same_pairs(monkeypatch, table: int, number: int):
    """Wide bands are looked up range by range; here narrow ones are too."""
    monkeypatch.setattr(hamming, "_TABLE", table)
    monkeypatch.setattr(hamming, "_ASKED", 7)
    hashes, _ = planted(300, 100, 6)
    hashes[:50] &= np.uint64(0xFFFF)  # many in one range
    found = list(hamming._indexed(hashes, 6, hamming._bands(number, 6)))
    assert sorted(np.concatenate(found).tolist()) == brute(hashes, 6)


@pytest.mark.parametrize("distance", [0, 3, 6, 9])
def test_the_index_and_the_blocks_agree(distance: int):
    hashes, _ = planted(9_000, 2_000, distance)
    assert hamming._plan(hashes, distance), "an index is faster for so many"
    compared = np.concatenate(list(hamming._compared(hashes, distance))).tolist()
    assert near_pairs(hashes, distance).tolist() == sorted(compared)


def test_what_was_planted_is_found_among_many():
    hashes, of = planted(200_000, 5_000, 6)
    found = {tuple(pair) for pair in near_pairs(hashes, 6).tolist()}
    assert {(a, b) for a, b in zip(of.tolist(), range(195_000, 200_000), strict=True)} <= found


def test_hashes_that_share_most_bits_are_compared_block_by_block():
    """Where the bands say nothing, an index would compare everything and look up besides."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**10, 5_000).astype(np.uint64) << np.uint64(20)
    assert hamming._plan(hashes, 2) is None
    assert near_pairs(hashes[:600], 2).tolist() == brute(hashes[:600], 2)
