"""Accuracies: known readings, and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.trainer.evaluate.accuracy import Accuracy, score

TEXT = st.text(alphabet="ABK27 汉字", min_size=1, max_size=12).filter(str.strip)


def test_one_text_is_all_that_was_read_whatever_its_lines():
    found = score(["OPEN DAILY"], ["OPEN", "DAILY"])
    assert found.exact and (found.words, found.words_read) == (2, 2) and found.similarity == 1


def test_what_shapes_do_not_tell_is_no_error():
    assert score(["COVS “x”"], ['covs "X"']).exact
    assert not score(["A"], ["a"]).exact


def test_errors_are_counted_in_characters_and_words():
    found = score(["THE 7 BEES"], ["THE 1 BEES"])
    assert not found.exact and (found.words_read, found.words, found.edits, found.characters) == (2, 3, 1, 8)
    assert found.similarity == pytest.approx(7 / 8)


def test_characters_are_the_words_of_a_script_that_parts_none():
    assert (score(["天地人"], ["天地入"]).words_read, score(["天地人"], ["天地入"]).words) == (2, 3)


def test_several_texts_take_the_lines_that_are_most_like_them_in_any_order():
    found = score(["SALE", "EXIT NOW"], ["EXIT N0W", "some noise", "SALE"])
    assert (found.edits, found.characters) == (1, 11) and not found.exact
    assert score(["SALE", "EXIT"], ["SALE"]).edits == 4  # nothing was read of the other
    assert score(["SALE", "EXIT"], []).similarity == 0


def test_accuracies_are_over_all_characters_and_words_and_means_of_the_rest():
    whole = Accuracy.of([score(["ABCD"], ["ABCD"]), score(["AB"], ["ZZ"])])
    assert (whole.pictures, whole.exact, whole.words, whole.similarity) == (2, 0.5, 0.5, 0.5)
    assert whole.characters == pytest.approx(4 / 6)
    assert Accuracy.of([score(["A"], ["far more than was asked for"])]).characters == 0


@given(st.lists(TEXT, min_size=1, max_size=4), st.lists(TEXT, max_size=4))
def test_what_stands_there_is_read_exactly_and_everything_is_a_share(texts, lines):
    same = Accuracy.of([score(texts, texts)])
    assert (same.exact, same.words, same.characters, same.similarity) == (1, 1, 1, 1)
    other = Accuracy.of([score(texts, lines)])
    assert all(0 <= share <= 1 for share in (other.exact, other.words, other.characters, other.similarity))
