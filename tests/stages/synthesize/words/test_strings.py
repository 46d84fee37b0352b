"""Strings: what is drawn by lot, and what is kept out of it."""

import numpy as np
import pytest
from pydantic import ValidationError

from dataengine.errors import SampleError
from stages.synthesize.words.strings import Strings, held_out


def drawn(strings: Strings, count: int = 400) -> list[str]:
    rng = np.random.default_rng(0)
    return [strings.draw(rng) for _ in range(count)]


def test_lengths_and_characters_are_those_asked_for_each_as_often():
    found = drawn(Strings(alphabet="AB7", length=(1, 4)))
    assert set("".join(found)) == set("AB7")
    counts = [sum(len(text) == length for text in found) for length in range(1, 5)]
    assert sum(counts) == 400 and min(counts) > 70


def test_no_string_is_trained_on_and_held_out():
    train = drawn(Strings(alphabet="ABCDEFGH", part="train"))
    kept = drawn(Strings(alphabet="ABCDEFGH", part="held_out"), 50)
    assert not any(map(held_out, train)) and all(map(held_out, kept))
    assert any(map(held_out, drawn(Strings(alphabet="ABCDEFGH"))))


def test_a_part_that_has_nothing_is_said_to_have_nothing():
    alone = next(c for c in "ABCDEFGH" if not held_out(c))
    with pytest.raises(SampleError, match="none is held_out"):
        Strings(alphabet=alone, length=(1, 1), part="held_out").draw(np.random.default_rng(0))


def test_lengths_must_rise():
    with pytest.raises(ValidationError, match="must not be above"):
        Strings(alphabet="A", length=(3, 2))
