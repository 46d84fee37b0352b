"""How many uses each class gets: shares of several dimensions at once, and of classes within classes."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_ROUNDS = 500
_CLOSE = 1e-9  # of the size: how near all shares are when raking ends


@dataclass(frozen=True)
class Quota:
    """What one dimension asks for: a share a class, or counts to the power `temper` (1 leaves shares as they are, 0
    makes them equal). `within`: of each class of the dimensions before it, not of all."""

    target: Mapping[str, float]
    temper: float | None = None
    within: bool = False

    def shares(self, names: Sequence[str], counts: np.ndarray) -> np.ndarray:
        """The share of each class, in the order of the names; classes that are not there get theirs in vain."""
        if self.temper is None:
            return np.array([self.target.get(name, 0.0) for name in names])
        powers = np.where(counts > 0, counts, 1) ** self.temper * (counts > 0)
        return powers / max(powers.sum(), 1e-300)


def uses(
    cells: Sequence[Sequence[str]], counts: np.ndarray, quotas: Sequence[Quota], size: float, most: float = np.inf
) -> np.ndarray:
    """How many uses each cell should get, float64 (n,). cells: the class in each dimension; counts: int (n,), how many
    samples are there, each of them used at most so often.

    Dimensions that are not `within` others are raked: proportions are fitted to all shares in turn until all hold
    (Deming and Stephan 1940), so that what they say nothing of stays as it is among the samples. Where not all can
    hold, those of the first dimension do, as far as its samples reach. Where a class is missing its share is not given
    to others."""
    columns = [_codes([cell[i] for cell in cells]) for i in range(len(quotas))]
    wanted = counts * (size / max(1, counts.sum()))
    crossed = [(codes, names, q) for (codes, names), q in zip(columns, quotas, strict=True) if not q.within]
    wanted = _raked(wanted, counts, crossed, size, most)
    group = _joined([codes for codes, _, _ in crossed], len(counts))
    for (codes, names), quota in zip(columns, quotas, strict=True):
        if quota.within:
            wanted = _divided(wanted, counts, group, codes, names, quota)
            group = _joined([group, codes], len(counts))
    return wanted


def whole(wanted: np.ndarray, groups: Sequence[Hashable], most: np.ndarray) -> np.ndarray:
    """Uses as whole numbers, int64 (n,), at most `most` each: those of a group of cells together are right to a half,
    however small each cell is. What is left over goes to the cells that lack the largest fractions."""
    group = _codes(groups)[0]
    wanted = np.minimum(wanted, most)
    found = np.floor(wanted)
    lacking = wanted - found
    left = np.floor(np.bincount(group, lacking) + 0.5)
    order = np.lexsort((-np.round(lacking, 9), group))  # of fractions that are the same, the first
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    return (found + ((rank < left[group]) & (lacking > 0))).astype(np.int64)


def _raked(
    wanted: np.ndarray,
    counts: np.ndarray,
    crossed: Sequence[tuple[np.ndarray, Sequence[str], Quota]],
    size: float,
    most: float,
) -> np.ndarray:
    shares = [quota.shares(names, np.bincount(codes, counts, len(names))) for codes, names, quota in crossed]
    # Shares of missing classes are in vain: where one dimension cannot be filled, no other can be.
    whole = min((float(s.sum()) for s in shares), default=1.0)
    goals = [s * (size * whole / s.sum()) if s.sum() else s for s in shares]
    turns = list(zip(crossed, goals, strict=True))
    for turn in (turns, turns[:1]):  # all of them, and where they contradict each other the first alone
        for _ in range(_ROUNDS):
            furthest = 0.0
            for (codes, names, _), goal in turn:
                now = np.bincount(codes, wanted, len(names))
                furthest = max(furthest, float(np.abs(now - goal)[now > 0].max(initial=0)))
                scale = np.divide(goal, now, out=np.zeros_like(goal), where=now > 0)
                wanted = np.minimum(wanted * scale[codes], counts * most)
            if furthest <= _CLOSE * size:
                break
    return wanted


def _divided(
    wanted: np.ndarray, counts: np.ndarray, group: np.ndarray, codes: np.ndarray, names: Sequence[str], quota: Quota
) -> np.ndarray:
    """The uses of each group, divided among its classes; of cells that agree in both, by how many samples they have."""
    divided = np.zeros_like(wanted)
    for number in range(group.max(initial=-1) + 1):
        members = group == number
        of_class = np.bincount(codes[members], counts[members], len(names))
        shares = quota.shares(names, of_class)
        each = np.divide(counts, of_class[codes], out=np.zeros(len(counts)), where=of_class[codes] > 0)
        divided[members] = wanted[members].sum() * (shares[codes] * each)[members]
    return divided


def _codes(values: Sequence[Any]) -> tuple[np.ndarray, list[Any]]:
    names = sorted(set(values))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[v] for v in values], np.int64), names


def _joined(columns: Sequence[np.ndarray], count: int) -> np.ndarray:
    """One number for each combination of several."""
    if not columns:
        return np.zeros(count, np.int64)
    return np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
