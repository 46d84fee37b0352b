"""Seconds to find pairs of embeddings with a high cosine within clusters, beside comparing all pairs, and the recall.

    python benchmarks/semantic.py [--sizes 20000 50000 200000] [--dimensions 512] [--similarity 0.95]

Vectors lie in themes, as pictures of the same things do; a tenth are copies of others with noise, so that their cosines
lie about the threshold. The baseline compares all pairs in blocks, with the same BLAS; beyond 60,000 vectors its time
is reckoned from a part of the rows, and the recall is that of those rows.
"""

import argparse
import resource
import sys
import time

import numpy as np

from stages import semantic

_ROWS = 8192  # of the baseline, where there are more than _WHOLE vectors
_WHOLE = 60_000


def planted(count: int, dimensions: int) -> np.ndarray:
    """float32 (count, dimensions) of unit length."""
    rng = np.random.default_rng(count)
    themes = rng.standard_normal((max(10, count // 500), dimensions)).astype(np.float32)
    vectors = themes[rng.integers(0, len(themes), count)]
    vectors += rng.standard_normal((count, dimensions)).astype(np.float32)
    copies = count // 10
    noise = rng.uniform(0.05, 0.5, (copies, 1)).astype(np.float32)
    of = rng.integers(0, count - copies, copies)
    vectors[-copies:] = vectors[of] + noise * 1.4 * rng.standard_normal((copies, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def brute_force(unit: np.ndarray, similarity: float) -> tuple[np.ndarray, float]:
    """Pairs i < j as i · n + j, of all rows or the first ones, and seconds for all rows."""
    rows = len(unit) if len(unit) <= _WHOLE else _ROWS
    began = time.perf_counter()
    found = []
    for start in range(0, rows, 2048):
        one, other = np.nonzero(unit[start : start + 2048] @ unit.T >= similarity)
        found.append((one + start) * len(unit) + other)
    seconds = (time.perf_counter() - began) * len(unit) / rows / 2  # each pair once
    keys = np.concatenate(found)
    return keys[keys // len(unit) < keys % len(unit)], seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[20_000, 50_000, 200_000])
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--similarity", type=float, default=0.95)
    given = parser.parse_args()
    print(f"{'vectors':>9}{'pairs':>9}{'recall':>9}{'clusters s':>12}{'all pairs s':>13}{'ratio':>8}{'peak MiB':>10}")
    for size in given.sizes:
        unit = planted(size, given.dimensions)
        began = time.perf_counter()
        pairs = semantic.near_pairs(unit, given.similarity)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        wanted, all_pairs = brute_force(unit, given.similarity)
        recall = np.isin(wanted, pairs[:, 0] * size + pairs[:, 1]).mean()
        print(
            f"{size:>9,}{len(pairs):>9,}{recall:>9.4f}{seconds:>12.1f}{all_pairs:>13.1f}{all_pairs / seconds:>7.1f}×"
            f"{peak:>10.0f}"
        )


if __name__ == "__main__":
    main()
