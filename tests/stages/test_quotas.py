"""Quotas: what raking and dividing give, as laws and as known numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.quotas import Quota, uses, whole


def test_one_dimension_gets_its_shares():
    found = uses([("a",), ("b",)], np.array([90, 10]), [Quota({"a": 0.25, "b": 0.75})], 100)
    assert found.tolist() == pytest.approx([25, 75])


def test_two_dimensions_hold_together_and_keep_what_else_there_is():
    cells = [("a", "en"), ("a", "zh"), ("b", "en"), ("b", "zh")]
    counts = np.array([40, 10, 30, 20])
    found = uses(cells, counts, [Quota({"a": 0.5, "b": 0.5}), Quota({"en": 0.5, "zh": 0.5})], 200)
    table = found.reshape(2, 2)
    assert table.sum(axis=1) == pytest.approx([100, 100]) and table.sum(axis=0) == pytest.approx([100, 100])
    ratio = counts[0] * counts[3] / (counts[1] * counts[2])  # raking leaves the odds ratio as it is
    assert table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0]) == pytest.approx(ratio)


def test_where_not_all_shares_can_hold_those_of_the_first_dimension_do():
    cells = [("nature", "none"), ("synthetic", "en")]  # all of nature is without text: both cannot be as asked
    found = uses(cells, np.array([50, 50]), [Quota({"nature": 0.8, "synthetic": 0.2}), Quota({}, 0)], 100)
    assert found.tolist() == pytest.approx([80, 20])


def test_what_one_cell_cannot_give_others_of_its_class_do():
    cells = [("a", "en"), ("a", "zh"), ("b", "en"), ("b", "zh")]
    shares = [Quota({"a": 0.5, "b": 0.5}), Quota({"en": 0.5, "zh": 0.5})]
    table = uses(cells, np.array([90, 2, 4, 4]), shares, 40, most=3).reshape(2, 2)
    assert table[0, 1] <= 6 and table.sum(axis=1) == pytest.approx([20, 20], abs=1e-3)


def test_a_missing_class_keeps_its_share():
    found = uses([("a",)], np.array([10]), [Quota({"a": 0.4, "b": 0.6})], 100)
    assert found.tolist() == pytest.approx([40])


def test_tempered_counts_lie_between_equal_and_as_they_are():
    cells, counts = [("a",), ("b",)], np.array([16, 4])
    for temper, wanted in ((0, [50, 50]), (0.5, [200 / 3, 100 / 3]), (1, [80, 20])):
        assert uses(cells, counts, [Quota({}, temper)], 100).tolist() == pytest.approx(wanted)


def test_classes_within_classes_divide_what_those_get():
    cells = [("a", "x"), ("a", "y"), ("b", "x")]
    counts = np.array([90, 10, 5])
    found = uses(cells, counts, [Quota({"a": 0.6, "b": 0.4}), Quota({}, 0, within=True)], 100)
    assert found.tolist() == pytest.approx([30, 30, 40])
    found = uses(cells, counts, [Quota({"a": 0.6, "b": 0.4}), Quota({"x": 0.25, "y": 0.75}, within=True)], 100)
    assert found.tolist() == pytest.approx([15, 45, 10])  # b has no y: that share is not given to its x


def test_without_quotas_everything_is_used_as_it_is():
    assert uses([(), ()], np.array([3, 4]), [], 14).tolist() == pytest.approx([6, 8])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 1000), min_size=6, max_size=6),
    st.lists(st.integers(1, 50), min_size=2, max_size=2),
    st.lists(st.integers(1, 50), min_size=3, max_size=3),
)
def test_all_shares_hold_where_every_cell_has_samples(counts, first, second):
    cells = [(a, b) for a in "ab" for b in "xyz"]
    one = {name: s / sum(first) for name, s in zip("ab", first, strict=True)}
    two = {name: s / sum(second) for name, s in zip("xyz", second, strict=True)}
    table = uses(cells, np.array(counts), [Quota(one), Quota(two)], 1000).reshape(2, 3)
    assert table.sum(axis=1) == pytest.approx([1000 * s for s in one.values()], abs=1e-3)
    assert table.sum(axis=0) == pytest.approx([1000 * s for s in two.values()], abs=1e-3)


def test_many_small_cells_get_what_their_class_should_get_together():
    found = whole(np.full(1000, 0.4), ["a"] * 500 + ["b"] * 500, np.full(1000, 3))
    assert set(found.tolist()) == {0, 1}
    assert found[:500].sum() == found[500:].sum() == 200


def test_rounding_never_passes_the_most_that_a_cell_may_have():
    assert whole(np.array([2.6, 2.6]), ["a", "a"], np.array([2, 9])).tolist() == [2, 3]
    assert whole(np.array([1.5, 0.4]), ["a", "b"], np.array([9, 9])).tolist() == [2, 0]
    assert whole(np.array([]), [], np.array([])).tolist() == []
