"""Seconds to find all pairs of hashes within 6 bits, by the index, beside comparing all pairs in blocks.

    python benchmarks/dedup.py [--sizes 10000 100000 1000000] [--distance 6]

Random 64-bit hashes, a tenth of which are copies of others with up to `distance` bits turned. For each size every
planted pair must be found, and all pairs of 200 random hashes must be those of brute force. The baseline compares all
pairs in blocks of 2,048; beyond 200,000 hashes its time is reckoned from a part of the blocks.
"""

import argparse
import resource
import sys
import time
from itertools import islice

import numpy as np

from stages import hamming

_WHOLE = 200_000  # hashes of which all blocks are compared
_SAMPLE = 4_000  # blocks that are timed where there are more


def planted(count: int, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """uint64 (count,), and which hash each of the last tenth is a copy of."""
    rng = np.random.default_rng(count)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    of = rng.integers(0, count - count // 10, count // 10)
    changed = hashes[of]
    for _ in range(distance):
        changed = changed ^ (np.uint64(1) << rng.integers(0, 64, len(of)).astype(np.uint64))
    hashes[count - len(of) :] = changed
    return hashes, of


def check(hashes: np.ndarray, of: np.ndarray, pairs: np.ndarray, distance: int) -> None:
    """Stop with a message when a planted pair is missing, or pairs of some hashes are not those of brute force."""
    count = len(hashes)
    keys = pairs[:, 0] * count + pairs[:, 1]
    if not np.isin(of * count + np.arange(count - len(of), count), keys).all():
        sys.exit("a planted pair was not found")
    for one in np.random.default_rng(0).integers(0, count, 200).tolist():
        near = np.flatnonzero(np.bitwise_count(hashes ^ hashes[one]) <= distance)
        found = np.concatenate([pairs[pairs[:, 0] == one, 1], pairs[pairs[:, 1] == one, 0]])
        if sorted(found.tolist()) != [other for other in near.tolist() if other != one]:
            sys.exit(f"the pairs of hash {one} are not those of brute force")


def blockwise(hashes: np.ndarray, distance: int) -> float:
    """Seconds to compare all pairs, reckoned from the first blocks where they are many."""
    sides = -(-len(hashes) // 2048)
    blocks = sides * (sides + 1) // 2
    timed = blocks if len(hashes) <= _WHOLE else _SAMPLE
    began = time.perf_counter()
    for _ in islice(hamming._compared(hashes, distance), timed):
        pass
    return (time.perf_counter() - began) * blocks / timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--distance", type=int, default=6)
    given = parser.parse_args()
    print(f"{'hashes':>10}{'pairs':>10}{'index s':>9}{'blocks s':>10}{'ratio':>8}{'growth':>8}{'peak MiB':>10}  bands")
    hamming.near_pairs(planted(20_000, given.distance)[0], given.distance)  # warm
    before = None
    for size in given.sizes:
        hashes, of = planted(size, given.distance)
        began = time.perf_counter()
        pairs = hamming.near_pairs(hashes, given.distance)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        check(hashes, of, pairs, given.distance)
        blocks = blockwise(hashes, given.distance)
        growth = f"{np.log(seconds / before[1]) / np.log(size / before[0]):.2f}" if before else ""
        bands = ", ".join(f"{b.width} bits within {b.radius}" for b in hamming._plan(hashes, given.distance) or [])
        print(
            f"{size:>10,}{len(pairs):>10,}{seconds:>9.2f}{blocks:>10.1f}{blocks / seconds:>7.0f}×{growth:>8}"
            f"{peak:>10.0f}  {bands or 'all pairs'}"
        )
        before = size, seconds


if __name__ == "__main__":
    main()
