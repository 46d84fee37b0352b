import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.synthesize.words.permutation import permuted


@given(size=st.integers(1, 700), key=st.text(max_size=8))
def test_every_element_is_sent_to_one_of_its_own(size: int, key: str):
    assert sorted(permuted(i, size, key) for i in range(size)) == list(range(size))


def test_keys_give_different_orders_and_the_same_key_the_same():
    orders = {key: tuple(permuted(i, 50, key) for i in range(50)) for key in ("a", "b", "c")}
    assert len(set(orders.values())) == 3
    assert tuple(permuted(i, 50, "a") for i in range(50)) == orders["a"]


def test_neighbours_are_scattered():
    order = np.array([permuted(i, 10_000, "x") for i in range(10_000)])
    assert abs(np.corrcoef(np.arange(10_000), order)[0, 1]) < 0.05
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05


@pytest.mark.parametrize("index", [-1, 5])
def test_what_is_not_in_the_range_is_refused(index: int):
    with pytest.raises(ValueError, match="not in a range of 5"):
        permuted(index, 5, "x")
