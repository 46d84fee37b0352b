from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import StageError
from stages.synthesize.words.longtail import Deal, characters, counts, weave

ALPHABET = characters("general-standard-3")[:300]
TEXT = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，1948年。"


def test_the_table_has_its_three_tiers():
    tiers = [characters(f"general-standard-{tier}") for tier in (1, 2, 3)]
    assert [len(tier) for tier in tiers] == [3500, 3000, 1605]
    whole = characters("general-standard")
    assert whole == (*tiers[0], *tiers[1], *tiers[2]) and len(set(whole)) == 8105
    assert whole[0] == "一" and "饕" in tiers[1] + tiers[2]


def test_a_list_of_ones_own_is_read(tmp_path: Path):
    path = tmp_path / "mine.txt"
    path.write_text("# rare ones\n龘 靐\n龘齉\n", encoding="utf-8")
    assert characters(str(path)) == ("龘", "靐", "齉")


@pytest.mark.parametrize(
    ("name", "message"), [("general-standart", "did you mean 'general-standard'"), ("/nowhere.txt", "nowhere")]
)
def test_what_is_no_list_is_refused(name: str, message: str):
    with pytest.raises(StageError, match=message):
        characters(name)


def test_an_empty_list_is_refused(tmp_path: Path):
    (tmp_path / "empty.txt").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(StageError, match="no character in it"):
        characters(str(tmp_path / "empty.txt"))


@given(size=st.integers(1, 300), least=st.integers(1, 5), count=st.integers(1, 120), key=st.text(max_size=4))
def test_every_character_is_dealt_to_so_many_pictures(size: int, least: int, count: int, key: str):
    if count < least:
        with pytest.raises(ValueError, match="cannot show each"):
            Deal(ALPHABET[:size], least, count, key)
        return
    deal = Deal(ALPHABET[:size], least, count, key)
    hands = [deal.of(index) for index in range(count)]
    assert Counter(c for hand in hands for c in hand) == dict.fromkeys(ALPHABET[:size], least)
    assert all(len(set(hand)) == len(hand) for hand in hands)  # none twice in a picture
    sizes = [len(hand) for hand in hands]
    assert max(sizes) - min(sizes) <= least
    again = [deal.of(index) for index in range(count, 2 * count)]
    assert Counter(c for hand in again for c in hand) == dict.fromkeys(ALPHABET[:size], least)


@given(text=st.text(st.sampled_from(TEXT), max_size=60), dealt=st.lists(st.sampled_from(ALPHABET), max_size=30))
def test_a_woven_text_holds_all_that_was_dealt(text: str, dealt: list[str]):
    woven = weave(text, dealt, np.random.default_rng(0))
    assert set(dealt) <= set(woven)
    head, tail = woven[: len(text)], woven[len(text) :]
    assert [c for c in head if c in "，。1948"] == [c for c in text if c in "，。1948"]
    assert [i for i, c in enumerate(head) if c in "，。"] == [i for i, c in enumerate(text) if c in "，。"]
    assert not tail or (tail.endswith("。") and set(tail) <= {*dealt, "、", "。"})


def test_rare_characters_do_not_stand_side_by_side():
    woven = weave(TEXT, ALPHABET[:8], np.random.default_rng(1))
    changed = [i for i, (a, b) in enumerate(zip(TEXT, woven, strict=True)) if a != b]
    assert len(changed) == 8 and min(np.diff(changed)) >= 2


def test_characters_are_counted():
    assert counts(["人人生", "生"], ["人", "生", "龘"]) == {"人": 2, "生": 2, "龘": 0}
