"""All pairs of 64-bit hashes within a Hamming distance, exactly: by comparing all, or by an index where that is faster.

The index is multi-index hashing (Norouzi, Punjani and Fleet, 2012). The 64 bits are cut into bands; two hashes that
differ in few bits differ in even fewer within some band, so it is enough to look up each band's value, and the values
that differ from it in that few bits, among all values of the band. What is found so is compared in full.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb

import numpy as np

_BLOCK = 2048  # hashes a side of the blocks in which all pairs are compared
_CHUNK = 1 << 22  # pairs that are held at once: about 150 MB
# Nanoseconds, measured: a comparison within a block, a look-up, a comparison of what was looked up.
_ALL_PAIRS, _LOOK_UP, _FOUND = 1.3, 12.0, 16.0
_MOST_BANDS = 8


@dataclass(frozen=True)
class _Band:
    """Bits `shift` to `shift + width`. `radius`: in how many of them hashes that this band finds may differ."""

    shift: int
    width: int
    radius: int

    def values(self, hashes: np.ndarray) -> np.ndarray:
        """What each hash has in the band, int64 (n,)."""
        return ((hashes >> np.uint64(self.shift)) & np.uint64((1 << self.width) - 1)).astype(np.int64)

    @property
    def flips(self) -> Iterator[int]:
        """The bits to turn for each value that is looked up, none first."""
        for count in range(self.radius + 1):
            for bits in combinations(range(self.width), count):
                yield sum(1 << bit for bit in bits)


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """All pairs i < j of hashes within a Hamming distance, int64 (n, 2), sorted. Hashes are uint64; of those that are
    there many times all pairs are found too, so leave out the repetitions first."""
    bands = _plan(hashes, distance)
    found = list(_indexed(hashes, distance, bands) if bands else _compared(hashes, distance))
    pairs = np.concatenate([np.empty((0, 2), np.int64), *found])
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _bands(count: int, distance: int) -> list[_Band]:
    """`count` bands of nearly the same width. Of `distance` differing bits some band has as few as its radius: were
    there more in each, they would be more than `distance` together."""
    edges = np.linspace(0, 64, count + 1).round().astype(int).tolist()
    radius, spare = divmod(distance, count)
    return [
        _Band(low, high - low, radius if number <= spare else radius - 1)
        for number, (low, high) in enumerate(pairwise(edges))
        if number <= spare or radius > 0
    ]


def _plan(hashes: np.ndarray, distance: int) -> list[_Band] | None:
    """The bands with which it takes least time, by how often their values really are; None to compare all pairs."""
    count = len(hashes)
    best, cheapest = None, count * count / 2 * _ALL_PAIRS
    for number in range(2, _MOST_BANDS + 1):
        bands = _bands(number, distance)
        if any(band.width > 24 for band in bands):
            continue  # its table would be larger than the hashes
        cost = 0.0
        for band in bands:
            probes = sum(comb(band.width, k) for k in range(band.radius + 1))
            if probes * count * _LOOK_UP / 2 > cheapest:
                cost = float("inf")
                break
            often = np.bincount(band.values(hashes), minlength=1 << band.width).astype(float)
            cost += probes / 2 * (count * _LOOK_UP + float(often @ often) * _FOUND)
        if cost < cheapest:
            best, cheapest = bands, cost
    return best


def _compared(hashes: np.ndarray, distance: int) -> Iterator[np.ndarray]:
    starts = range(0, len(hashes), _BLOCK)
    for top, left in ((top, left) for top in starts for left in starts if left >= top):
        close = np.bitwise_count(hashes[top : top + _BLOCK, None] ^ hashes[None, left : left + _BLOCK]) <= distance
        i, j = np.nonzero(np.triu(close, 1) if left == top else close)
        yield np.stack([i + top, j + left], axis=1)


def _indexed(hashes: np.ndarray, distance: int, bands: list[_Band]) -> Iterator[np.ndarray]:
    for place, band in enumerate(bands):
        values = band.values(hashes)
        order = np.argsort(values, kind="stable")
        by_value = hashes[order]
        begins = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=1 << band.width))])
        known, first = np.unique(values[order], return_index=True)
        last = np.append(first[1:], len(order))
        for flip in band.flips:
            # Of two values that differ by the flip one is the smaller: each pair of them is looked up once.
            asked = known < (known ^ flip) if flip else np.ones(len(known), bool)
            other = known[asked] ^ flip
            for i, j in _product(first[asked], last[asked], begins[other], begins[other + 1], within=not flip):
                differing = by_value[i] ^ by_value[j]
                near = np.bitwise_count(differing) <= distance
                differing = differing[near]
                new = np.ones(len(differing), bool)  # not found by an earlier band
                for earlier in bands[:place]:
                    new &= np.bitwise_count(earlier.values(differing)) > earlier.radius
                found = order[np.stack([i[near][new], j[near][new]], axis=1)]
                yield np.sort(found, axis=1)


def _product(
    first: np.ndarray, last: np.ndarray, begin: np.ndarray, end: np.ndarray, within: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs of a place in first..last and one in begin..end, range by range, in chunks; only i < j `within` one
    range."""
    rows = last - first
    owner = np.repeat(np.arange(len(first)), rows)  # one entry for each i
    i = np.arange(len(owner)) - np.repeat(np.cumsum(rows) - rows, rows) + first[owner]
    start = i + 1 if within else begin[owner]
    count = end[owner] - start
    i, start, count = (a[count > 0] for a in (i, start, count))
    reach = np.cumsum(count)
    at = 0
    while at < len(i):
        done = int(reach[at - 1]) if at else 0
        to = max(at + 1, int(np.searchsorted(reach, done + _CHUNK, side="right")))
        part = count[at:to]
        inner = np.arange(int(part.sum())) - np.repeat(np.cumsum(part) - part, part)
        yield np.repeat(i[at:to], part), np.repeat(start[at:to], part) + inner
        at = to
