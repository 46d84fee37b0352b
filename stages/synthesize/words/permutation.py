"""A seeded permutation of any range, computed one element at a time.

What is dealt out by it is dealt without repetition, and element i is known without dealing the others: how a set can
give each picture words of its own while any picture can be drawn alone. A Feistel network of four rounds on the next
power of four, walked until it falls into the range (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
"""

import hashlib
from functools import lru_cache

_ROUNDS = 4


def permuted(index: int, size: int, key: str) -> int:
    """Where a permutation of `size` elements sends `index`, 0 ≤ index < size. About 5 µs."""
    if not 0 <= index < size:
        raise ValueError(f"{index} is not in a range of {size}")
    half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    keys = _keys(key)
    while True:
        left, right = index >> half, index & mask
        for round_key in keys:
            left, right = right, left ^ (_mixed(right ^ round_key) & mask)
        index = left << half | right
        if index < size:
            return index


@lru_cache(maxsize=1024)
def _keys(key: str) -> tuple[int, ...]:
    digest = hashlib.blake2b(key.encode(), digest_size=8 * _ROUNDS).digest()
    return tuple(int.from_bytes(digest[8 * i : 8 * i + 8], "little") for i in range(_ROUNDS))


def _mixed(value: int) -> int:
    """The finalizer of SplitMix64: every bit of the input changes every bit of the output."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    value = (value ^ value >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return value ^ value >> 31
