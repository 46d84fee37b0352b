from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.synthesize.typeset.breaking import Breaks


def breaks_of(text: str) -> Breaks:
    """Of a text whose characters are 10 pixels wide and which may break after spaces."""
    white = [c == " " for c in text]
    return Breaks.of([10.0] * len(text), [False, *(a and not b for a, b in pairwise(white))], white)


def test_lines_end_where_the_next_word_would_no_longer_fit():
    breaks = breaks_of("aa bb cccc d")
    assert breaks.lines(50) == [1, 2, 3]  # aa bb | cccc | d
    assert breaks.lines(70) == [1, 3]
    assert breaks.lines(1000) == [3]


def test_the_space_at_the_end_of_a_line_takes_no_room():
    assert breaks_of("aaaa bbbb").lines(40) == [0, 1]


def test_a_word_wider_than_the_line_cannot_be_set():
    assert breaks_of("a bbbbbb c").lines(50) == []


def test_the_narrowest_width_with_as_many_lines_evens_them_out():
    breaks = breaks_of("aaa bbb ccc dd")
    assert len(breaks.lines(110)) == 2
    assert breaks.narrowest(110) == pytest.approx(70, abs=0.01)


def test_the_loosest_gap_is_what_justifying_would_add():
    breaks = breaks_of("aa bb cc dddddddd ee")
    assert breaks.loosest(100) == pytest.approx((100 - 80) / 2)  # aa bb cc | dddddddd | ee: two gaps share 20 pixels
    assert breaks_of("aaaa bbbb").loosest(60) == pytest.approx(20 / 3)  # no space: between the four letters


texts = st.lists(st.integers(1, 9), min_size=1, max_size=30).map(lambda sizes: " ".join("x" * n for n in sizes))


@given(text=texts, width=st.floats(10, 400))
def test_breaking_is_greedy_and_complete(text: str, width: float):
    breaks = breaks_of(text)
    lines = breaks.lines(width)
    words = text.split()
    if max(map(len, words)) * 10 > width:
        assert lines == []
        return
    assert lines[-1] == len(words) - 1
    begin = 0
    for last in lines:
        line = " ".join(words[begin : last + 1])
        assert len(line) * 10 <= width
        if last + 1 < len(words):
            assert (len(line) + 1 + len(words[last + 1])) * 10 > width
        begin = last + 1


@given(text=texts, width=st.floats(90, 300), wider=st.floats(0, 200))
def test_a_wider_line_never_needs_more_lines(text: str, width: float, wider: float):
    breaks = breaks_of(text)
    assert len(breaks.lines(width + wider)) <= len(breaks.lines(width))
    narrow = breaks.narrowest(width)
    assert narrow <= width
    assert len(breaks.lines(narrow)) == len(breaks.lines(width))


def test_the_last_line_is_measured_where_there_are_several():
    breaks = Breaks.of([10.0] * 7, [True] * 7, [False] * 7)
    assert breaks.last_line(30) == 10
    assert breaks.last_line(40) == 30
    assert breaks.last_line(70) == inf
