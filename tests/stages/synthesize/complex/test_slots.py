import numpy as np
import pytest

from dataengine.errors import SampleError
from stages.synthesize.complex.slots import Scope, parse
from stages.synthesize.words.supply import Supply


def scope(language: str = "en") -> Scope:
    return Scope(Supply("udhr", language, np.random.Generator(np.random.PCG64(0))))


def test_a_named_slot_keeps_its_value():
    here = scope()
    first = here.say(parse("{place=heading:30}"))
    assert here.say(parse("{place}, {place}")) == f"{first}, {first}"


def test_a_name_within_an_item_stays_within_it():
    here = scope()
    here.within(1).say(parse("{item=heading:30}"))
    with pytest.raises(SampleError, match=r"\{item\} is said before it is filled"):
        here.within(2).say(parse("{item}"))


def test_items_are_counted_in_the_digits_of_the_language():
    assert scope().within(3).say(parse("{n}.")) == "3."
    assert scope().within(3).say(parse("{n:2015}")) == "2017"
    assert scope("ar").within(12).say(parse("{n}")) == "١٢"


def test_days_of_the_week_are_those_of_the_items():
    assert [scope().within(n).say(parse("{day}")) for n in (1, 2, 8)] == ["Sun", "Mon", "Sun"]


def test_a_count_is_within_its_range():
    here = scope()
    assert {here.say(parse("{count:3-5}")) for _ in range(60)} == {"3", "4", "5"}


def test_a_share_of_the_length_makes_a_passage_shorter():
    long = [len(scope().say(parse("{passage:200-300}"))) for _ in range(3)]
    short = [len(scope().say(parse("{passage:200-300}"), 0.4)) for _ in range(3)]
    assert max(short) <= 120 < min(long)


def test_headings_of_one_page_differ():
    here = scope()
    said = [here.say(parse("{heading:40}")) for _ in range(8)]
    assert len(set(said)) == 8
