"""All pairs of 64-bit hashes within a Hamming distance, exactly: by comparing all, or by an index where that is faster.

The index is multi-index hashing (Norouzi, Punjani and Fleet, 2012). The 64 bits are cut into bands; two hashes that
differ in few bits differ in even fewer within some band, so it is enough to look up each band's value, and the values
that differ from it in that few bits, among all values of the band. What is found so is compared in full.

Values are looked up in a table of a byte each, range by range of the band's values, so that the table stays in the
cache: most look-ups find nothing. It takes 50 bytes a hash beside the pairs; docs/scaling.md has its time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from math import comb

import numpy as np

_BLOCK = 2048  # hashes a side of the blocks in which all pairs are compared
_CHUNK = 1 << 22  # pairs that are held at once: about 150 MB
_ASKED = 1 << 20  # hashes that are looked up at once
_TABLE = 22  # bits of a value that tell those of one range apart: a table of 4 MiB
# Nanoseconds, measured: a comparison within a block, a look-up, a comparison of what was looked up, a call.
_ALL_PAIRS, _LOOK_UP, _FOUND, _CALL = 1.3, 2.0, 14.0, 25_000.0
_MOST_BANDS = 8


@dataclass(frozen=True)
class _Band:
    """Bits `shift` to `shift + width`. `radius`: in how many of them hashes that this band finds may differ."""

    shift: int
    width: int
    radius: int

    def values(self, hashes: np.ndarray) -> np.ndarray:
        """What each hash has in the band, int64 (n,)."""
        found = hashes >> np.uint64(self.shift)
        found &= np.uint64((1 << self.width) - 1)
        return found.view(np.int64)

    @property
    def within(self) -> int:
        """How many of its bits tell the values of a range apart; the others number the ranges."""
        return min(self.width, _TABLE)

    @property
    def ranges(self) -> int:
        return 1 << (self.width - self.within)

    @property
    def look_ups(self) -> int:
        """How many values each one is looked up by."""
        return sum(comb(self.width, bits) for bits in range(self.radius + 1))

    def flips(self) -> Mapping[int, Sequence[int]]:
        """The bits to turn for each value that is looked up: those within a range, by those of its number."""
        found: dict[int, list[int]] = {}
        for count in range(self.radius + 1):
            for bits in combinations(range(self.width), count):
                high, low = divmod(sum(1 << bit for bit in bits), 1 << self.within)
                found.setdefault(high, []).append(low)
        return found


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """All pairs i < j of hashes within a Hamming distance, int64 (n, 2), sorted. Hashes are uint64; of those that are
    there many times all pairs are found too, so leave out the repetitions first."""
    bands = _plan(hashes, distance)
    found = _indexed(hashes, distance, bands) if bands else _compared(hashes, distance)
    keys = np.concatenate([np.empty(0, np.int64), *(pairs[:, 0] * len(hashes) + pairs[:, 1] for pairs in found)])
    keys.sort()
    return np.stack(np.divmod(keys, max(1, len(hashes))), axis=1)


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
        cost = sum(band.look_ups * (band.ranges / 2 * _CALL + count * _LOOK_UP) for band in bands)
        if cost > cheapest:
            continue
        for band in bands:
            cost += band.look_ups / 2 * _meetings(band, hashes) * _FOUND
        if cost < cheapest:
            best, cheapest = bands, cost
    return best


def _meetings(band: _Band, hashes: np.ndarray) -> int:
    """How many pairs of hashes have the same value in a band, in both orders and each with itself."""
    values = band.values(hashes)
    if band.width <= 24:
        counts = np.bincount(values)
    else:
        values.sort()
        counts = np.diff(np.flatnonzero(values[1:] != values[:-1]), prepend=-1, append=len(values) - 1)
    return int(counts @ counts)


def _compared(hashes: np.ndarray, distance: int) -> Iterator[np.ndarray]:
    starts = range(0, len(hashes), _BLOCK)
    for top, left in ((top, left) for top in starts for left in starts if left >= top):
        close = np.bitwise_count(hashes[top : top + _BLOCK, None] ^ hashes[None, left : left + _BLOCK]) <= distance
        i, j = np.nonzero(np.triu(close, 1) if left == top else close)
        yield np.stack([i + top, j + left], axis=1)


def _indexed(hashes: np.ndarray, distance: int, bands: Sequence[_Band]) -> Iterator[np.ndarray]:
    for place, band in enumerate(bands):
        order, by_value, edges = _sorted(hashes, band)
        for i, j in _looked_up(band, by_value, edges, range(band.ranges)):
            differing = by_value[i] ^ by_value[j]
            near = np.bitwise_count(differing) <= distance
            differing = differing[near]
            new = np.ones(len(differing), bool)  # not found by an earlier band
            for earlier in bands[:place]:
                new &= np.bitwise_count(earlier.values(differing)) > earlier.radius
            yield np.sort(order[np.stack([i[near][new], j[near][new]], axis=1)], axis=1)


def _sorted(hashes: np.ndarray, band: _Band) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The order of hashes by their values in a band, the hashes in it, and where each range of values begins."""
    values = band.values(hashes)
    order = np.argsort(values)
    values >>= band.within
    edges = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=band.ranges))])
    del values
    return order, hashes[order], edges


def _looked_up(
    band: _Band, by_value: np.ndarray, edges: np.ndarray, ranges: Iterable[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The places of all pairs of hashes, sorted by their values in the band, whose values differ in few enough bits and
    of which one lies in some ranges, the other not before it. Range r stands from edges[r] to edges[r + 1]."""
    flips = band.flips()
    there = np.zeros(1 << band.within, bool)
    number = np.empty(1 << band.within, np.int32)  # of each value that is there
    for here in ranges:
        if edges[here] == edges[here + 1]:
            continue
        values = _rest(band, by_value, edges, here)
        for high, lows in flips.items():
            other = here ^ high
            if other < here or edges[other] == edges[other + 1]:
                continue  # the two are compared from the other's side; or it is empty
            others = _rest(band, by_value, edges, other) if high else values
            first = np.append(0, np.flatnonzero(others[1:] != others[:-1]) + 1)
            known = others[first]
            first = np.append(first, len(others)) + edges[other]
            there[known] = True
            number[known] = np.arange(len(known))
            for low, begin in product(lows, range(0, len(values), _ASKED)):
                asking = values[begin : begin + _ASKED]
                hits = np.flatnonzero(there[asking ^ low])
                if low and not high:  # each pair of values once
                    hits = hits[asking[hits] < asking[hits] ^ low]
                at = number[asking[hits] ^ low]
                i = hits + (begin + edges[here])
                yield from _pairs(i, first[at] if high or low else i + 1, first[at + 1])
            there[known] = False


def _rest(band: _Band, by_value: np.ndarray, edges: np.ndarray, number: int) -> np.ndarray:
    """The values of a range without the bits that they share, one for each hash."""
    values = band.values(by_value[edges[number] : edges[number + 1]])
    values &= (1 << band.within) - 1
    return values


def _pairs(i: np.ndarray, start: np.ndarray, end: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each i beside all from its start to its end, in chunks."""
    count = end - start
    reach = np.cumsum(count)
    at = 0
    while at < len(i):
        done = int(reach[at - 1]) if at else 0
        to = max(at + 1, int(np.searchsorted(reach, done + _CHUNK, side="right")))
        part = count[at:to]
        inner = np.arange(reach[to - 1] - done)
        yield np.repeat(i[at:to], part), inner + np.repeat(start[at:to] - (reach[at:to] - part - done), part)
        at = to
